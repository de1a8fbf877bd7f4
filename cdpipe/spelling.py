"""Spelling: which known name somebody meant by a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches


def suggest(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name that is nearest to a wrong one, whatever the case of letters; None if none is near.

    A name that one known name alone begins with is near too.

    Examples
    --------
    >>> suggest("RandomForrest", ["DecisionTree", "RandomForest"])
    'RandomForest'
    >>> suggest("wheel", ["DecisionTree", "RandomForest"]) is None
    True
    """
    by_folded = {name.casefold(): name for name in known}
    folded = wrong.casefold()
    close = get_close_matches(folded, by_folded, n=1)
    if close:
        return by_folded[close[0]]
    begun = [name for key, name in by_folded.items() if folded and key.startswith(folded)]
    return begun[0] if len(begun) == 1 else None


def word_choice(wrong: str, known: Iterable[str]) -> str:
    """Return what to do about a wrong name: "did you mean 'a'? The choices are a, b", or the choices alone.

    Examples
    --------
    >>> word_choice("offset_random", ["offset_rand", "swap_rand"])
    "did you mean 'offset_rand'? There are offset_rand, swap_rand"
    """
    names = list(known)
    near = suggest(wrong, names)
    listed = ", ".join(names)
    return f"use one of {listed}" if near is None else f"did you mean {near!r}? There are {listed}"
