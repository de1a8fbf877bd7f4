"""Fitting a table's texts to a terminal: lines break behind words and behind signs in names."""

import re
from collections.abc import Sequence
from typing import Final

_BEHIND_COMMAS: Final = re.compile(r"(?<=, )")
_ANYWHERE: Final = re.compile(r"(?<=[\s/_=])|(?<=[.,\-])(?!\d)|(?=\()")
_NARROWEST: Final = 8
_NAME: Final = 18
"""Of the first column: a name in fewer columns is a tower of syllables."""

_COMFORTABLE: Final = 14
_LISTED_WORDS: Final = 4


def wrap_text(text: str, width: int) -> str:
    """Break a text into lines of at most `width`: a list between its members, else behind words and signs in names.

    A list has members of four words at most; what is longer is a sentence, whose commas are not where lines break.

    Numbers stay whole. A word that is longer than the width alone is cut where it must be.
    """
    if len(text) <= width:
        return text
    pieces = _BEHIND_COMMAS.split(text)
    if max(len(piece.rstrip()) for piece in pieces) > width or max(map(_count_words, pieces)) > _LISTED_WORDS:
        pieces = _ANYWHERE.split(text)
    lines, line = [], ""
    for piece in pieces:
        if line and len(line) + len(piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
        while len(line.rstrip()) > width:
            lines.append(line[:width])
            line = line[width:]
    return "\n".join([*lines, line.rstrip()] if line.strip() else lines)


def _count_words(text: str) -> int:
    return len(text.split())


def find_narrowest(lengths: Sequence[Sequence[int]], fixed: Sequence[bool]) -> list[int]:
    """Return the fewest columns that each column of a table can be read in: names need more than other texts."""
    longest = [max(column) for column in lengths]
    return [
        whole if numeric else min(whole, _NAME if place == 0 else _NARROWEST)
        for place, (whole, numeric) in enumerate(zip(longest, fixed, strict=True))
    ]


def share_width(lengths: Sequence[Sequence[int]], fixed: Sequence[bool], width: int) -> list[int]:
    """Give each column its width.

    Parameters
    ----------
    lengths
        Of every text of each column.
    fixed
        Which columns cannot be narrower than their longest text: numbers do not break.
    width
        Of all columns together.

    Returns
    -------
    list of int
        The longest text where it fits. Else one column is made narrower, if half of it is enough: the one in which the
        fewest texts break. Else the widest give way in turn, but never below `find_narrowest`.
    """
    widths = [max(column) for column in lengths]
    excess = sum(widths) - width
    if excess <= 0:
        return widths
    least = find_narrowest(lengths, fixed)
    bending = [place for place, given in enumerate(widths) if given > least[place]]
    enough = [
        place for place in bending if widths[place] - excess >= max(_COMFORTABLE, widths[place] / 2, least[place])
    ]
    if enough:
        broken = {place: sum(each > widths[place] - excess for each in lengths[place]) for place in enough}
        best = min(enough, key=lambda place: (broken[place], -widths[place]))
        widths[best] -= excess
        return widths
    while excess > 0 and bending:
        widest = max(bending, key=lambda place: widths[place])
        widths[widest] -= 1
        excess -= 1
        bending = [place for place in bending if widths[place] > least[place]]
    return widths
