"""Given tables: what a foreign configuration says, and what nothing has asked for yet."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

from cdpipe.plain import show_plain

Key = tuple[str, ...]
Fate = Literal["lost", "changed", "left out"]

_LONGEST: Final = 80
"""How much of a value is shown."""
_THOUSANDS: Final = re.compile(r"\s*\d{1,3}(,\d{3})+\s*")
_PERCENT: Final = re.compile(r"\s*\d+(\.\d*)?\s*%\s*")
_FLAGS: Final = {
    "true": True,
    "yes": True,
    "1": True,
    "on": True,
    "false": False,
    "no": False,
    "0": False,
    "off": False,
}


class Remark(NamedTuple):
    """What became of something that the file says.

    Attributes
    ----------
    fate
        `lost`: results can differ from what the file asks for, and no key of ours says it. `changed`: it is said in
        another way. `left out`: it has no bearing on results.
    sentence
        Which key, its value, and what became of it.
    """

    fate: Fate
    sentence: str


class Setting(NamedTuple):
    """A value for our configuration, and where it comes from.

    Attributes
    ----------
    key, value
        In our configuration; a dictionary is set as a whole.
    source
        What it was there, for a sentence.
    instead
        What is set, and its remark, if our configuration cannot take the value.
    """

    key: Key
    value: Any
    source: str
    instead: "tuple[Setting, ...]" = ()


class Given:
    """The tables of a foreign configuration.

    Parameters
    ----------
    tables
        As the file has them.
    """

    def __init__(self, tables: dict[str, Any]) -> None:
        self.tables = tables
        self.remarks: list[Remark] = []
        self._asked: set[Key] = set()

    def take(self, *names: str) -> Any:  # noqa: ANN401 - whatever stands there
        """Return the value under the first of some dotted names that is there and not null; None if none is.

        The others, which are other spellings of it, count as asked for; one that says something else is remarked.
        """
        found: list[tuple[str, Any]] = []
        for name in names:
            key = tuple(name.split("."))
            value = self._look(key)
            self._asked.add(key)
            if value is not None:
                found.append((name, value))
        for name, value in found[1:]:
            if not _is_same(value, found[0][1]):
                first = f"{found[0][0]} = {show(found[0][1])}"
                self.lose(f"{name} = {show(value)}: {first} says otherwise, and that was taken")
        return found[0][1] if found else None

    def has(self, table: str) -> bool:
        """Return True if there is a table of that dotted name."""
        return isinstance(self._look(tuple(table.split("."))), dict)

    def name(self, *names: str) -> str:
        """Return the first of some dotted names that is there, for a sentence; the first of all if none is."""
        return next((name for name in names if self._look(tuple(name.split("."))) is not None), names[0])

    def say(self, fate: Fate, sentence: str) -> None:
        """Remark on something, once."""
        if (remark := Remark(fate, sentence)) not in self.remarks:
            self.remarks.append(remark)

    def lose(self, sentence: str) -> None:
        """Remark that something is lost."""
        self.say("lost", sentence)

    def left(self) -> Iterator[tuple[str, Any]]:
        """Give the dotted name and value of everything that nothing has asked for."""
        yield from self._left(self.tables, ())

    def _look(self, key: Key) -> Any:  # noqa: ANN401
        value: Any = self.tables
        for step in key:
            if not isinstance(value, dict) or step not in value:
                return None
            value = value[step]
        return value

    def _left(self, table: dict[str, Any], above: Key) -> Iterator[tuple[str, Any]]:
        for name, value in table.items():
            key = (*above, name)
            if key in self._asked:
                continue
            if isinstance(value, dict):
                yield from self._left(value, key)
            elif value is not None:
                yield ".".join(key), value


def show(value: object) -> str:
    """Return a value as JSON writes it, nearly, on one line that cannot write to a terminal."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    try:
        text = show_plain(repr(value))
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a whole number of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def as_number(value: object) -> float | None:
    """Return a number, of text too; None of what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value.replace(",", "") if isinstance(value, str) and _THOUSANDS.fullmatch(value) else value)
    except (ValueError, OverflowError):
        return None


def as_flag(value: object) -> bool | None:
    """Return whether something is wanted: true, 1, "yes", or a table with `enabled`; None of what says neither.

    What is not there, or empty, is not wanted.
    """
    if isinstance(value, dict) and "enabled" in value:
        return as_flag(value["enabled"])
    if value is None or value in ([], {}):
        return False
    return _FLAGS.get(str(value).strip().casefold())


def _is_same(one: object, other: object) -> bool:
    """Return True if two values say the same: numbers may be text."""
    number = as_number(one)
    return one == other or (number is not None and number == as_number(other))


def as_share(given: Given, *names: str) -> float | None:
    """Return a share, 0 to 1, that was given as such or in percent; None if there is none.

    What is no share is lost, and said.
    """
    value = given.take(*names)
    if value is None:
        return None
    name, text = given.name(*names), value
    if isinstance(value, str) and value.strip().endswith("%"):
        text = (as_number(value.strip().removesuffix("%")) or 0.0) / 100 if _PERCENT.fullmatch(value) else value
    share = as_number(text)
    if share is not None and 1 < share <= 100:
        given.say("changed", f"{name} = {show(value)}: is in percent, so {share / 100:g} stands for it")
        share /= 100
    if share is None or not 0 <= share <= 1:
        given.lose(f"{name} = {show(value)}: is no share between 0 and 1")
        return None
    return share
