"""Long lines: lines that are too long to be a record, found and left out without being held whole.

Each becomes a reject with its line, its length and the beginning of its text, wherever its file is cut.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.csv.bounds import count_lines
from cdpipe.kernels.csv.windows import BLANK
from cdpipe.stages.gather.gather import KEPT_TEXT, Gathered, Reject, keep_first
from cdpipe.stages.gather.line_breaks import LONGEST_RECORD

LONGEST_LINE: Final = {"csv": 1 << 18, "json": 1 << 26, "veremi": 1 << 26}
"""Bytes that a line has at most, without its end: records of real files have less than 100 kB, but a line of JSON may
hold many."""

_CODE: Final = "line too long"
_ONE_A_LINE: Final = "; write one record a line, e.g. jq -c '.[]' FILE"
_WAY_OUT: Final = {"csv": "", "json": _ONE_A_LINE, "veremi": _ONE_A_LINE}
_LOOK: Final = 1 << 12
_LEFT: Final = LONGEST_RECORD + 1
"""Blanks that stand for a long line: enough that no quote opened before it is closed behind it."""


class LongLine(NamedTuple):
    """A line that is too long.

    Attributes
    ----------
    line
        Its number, from 0 in its block.
    length
        Its bytes, without its end.
    text
        Its first bytes.
    """

    line: int
    length: int
    text: bytes


def find_long_lines(data: NDArray[np.uint8], longest: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of lines of more than `longest` bytes, given whole lines; without their ends."""
    at = longest
    while at < data.size:  # a line so long covers one of these offsets
        start, stop = _find_start(data, at), _find_stop(data, at)
        if stop - start > longest:
            yield start, stop
        at += longest * (1 + max(0, stop - at) // longest)


def strike_long_lines(data: NDArray[np.uint8], longest: int) -> tuple[NDArray[np.uint8], list[LongLine]]:
    """Blank out the lines of more than `longest` bytes in the array given; the result is a part of that array."""
    found: list[LongLine] = []
    line = filled = done = 0
    for start, stop in find_long_lines(data, longest):
        line += count_lines(data[done:start])
        found.append(LongLine(line, stop - start, data[start : start + KEPT_TEXT].tobytes()))
        data[filled : filled + start - done] = data[done:start]
        filled += start - done
        left = min(_LEFT, stop - start)
        data[filled : filled + left] = BLANK
        filled, done = filled + left, stop
    if not found:
        return data, found
    rest = data[done:]
    data[filled : filled + rest.size] = rest
    return data[: filled + rest.size], found


def add_rejects(gathered: Gathered, long_lines: list[LongLine], *, file: str, first_line: int, kind: str) -> Gathered:
    """Account for long lines as rejects of a block.

    Parameters
    ----------
    gathered
        What was made of the block without them.
    long_lines
        The lines.
    file, first_line
        Name of the file, and number of the block's first line, from 1.
    kind
        Format of the file.
    """
    if not long_lines:
        return gathered
    limit = f"more than {LONGEST_LINE[kind]:,}{_WAY_OUT[kind]}"
    rejects = [
        Reject(file, first_line + line, _CODE, f"a line of {length:,} bytes, {limit}", text.decode("utf-8", "replace"))
        for line, length, text in long_lines
    ]
    ledger, count = gathered.ledger, len(long_lines)
    dropped = {**ledger.dropped, _CODE: count}
    ledger = replace(ledger, rows_in=ledger.rows_in + count, dropped=dropped)
    return gathered._replace(ledger=ledger, rejects=keep_first([*gathered.rejects, *rejects]))


def find_long_line(stream: Any, start: int, at: int, stop: int, longest: int) -> tuple[int, int] | None:  # noqa: ANN401
    """Return the bounds of the first line that is too long and ends behind an offset of a file; None if there is none.

    Parameters
    ----------
    stream
        The file, open to read.
    start, stop
        Where lines begin and end that are looked at.
    at
        The offset.
    longest
        Bytes that a line has at most.

    Returns
    -------
    tuple of int
        Where it begins, and where the next line does.
    """
    while at < stop:
        begin, end = _seek_start(stream, start, at), _seek_stop(stream, at, stop)
        if end - begin > longest:
            return begin, min(end + 1, stop)
        at = max(at + longest, end)
    return None


def _find_start(data: NDArray[np.uint8], at: int) -> int:
    """Return where the line of a byte begins."""
    stop = at
    while stop > 0:
        begin = max(0, stop - _LOOK)
        if (found := data[begin:stop].tobytes().rfind(b"\n")) >= 0:
            return begin + found + 1
        stop = begin
    return 0


def _find_stop(data: NDArray[np.uint8], at: int) -> int:
    """Return where the line of a byte ends."""
    while at < data.size:
        if (found := data[at : at + _LOOK].tobytes().find(b"\n")) >= 0:
            return at + found
        at += _LOOK
    return data.size


def _seek_start(stream: Any, start: int, at: int) -> int:  # noqa: ANN401 - a file
    stop = at
    while stop > start:
        begin = max(start, stop - LONGEST_RECORD)
        stream.seek(begin)
        if (found := stream.read(stop - begin).rfind(b"\n")) >= 0:
            return begin + int(found) + 1
        stop = begin
    return start


def _seek_stop(stream: Any, at: int, stop: int) -> int:  # noqa: ANN401 - a file
    stream.seek(at)
    while at < stop:
        text = stream.read(LONGEST_RECORD)
        if not text:
            break
        if (found := text.find(b"\n")) >= 0:
            return at + int(found)
        at += len(text)
    return stop
