r"""Line breaks within quotes: lines of a CSV file that are parts of one record.

A record is one physical line, so a record with a line break within quotes cannot be read. Its first line is a fault by
itself: its quote is open. Its other lines must be told from records: see `docs/adr/0012-a-quoted-line-end.md`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain
from operator import itemgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.buffers.cells import view_bytes
from cdpipe.kernels.csv.bounds import BAD_QUOTE
from cdpipe.kernels.csv.windows import BLANK, NEWLINE

Text = bytes | memoryview

LONGEST_RECORD: Final = 1 << 15
"""Bytes that lines of one record have at most: a quote that is closed farther off is not the one that closes it."""

_LINE: Final = 512
_QUOTED: Final = (rb'(?:[^"]++|"")*+"', rb'(?:[^"\\]++|\\.)*+"')
"""What follows an opening quote, by RFC 4180 and with backslashes before quotes."""


def _compile(begin: bytes, quoted: bytes) -> re.Pattern[bytes]:
    fields = rb'(?:,(?:"%b|[^",\n][^,\n]*+|))*+' % quoted
    return re.compile(begin + fields + rb"\r*+(?:\n|\Z)", re.DOTALL)


_RECORDS: Final = tuple(_compile(rb'(?:"%b|[^",\n][^,\n]*+|)' % quoted, quoted) for quoted in _QUOTED)
_RESTS: Final = tuple(_compile(quoted, quoted) for quoted in _QUOTED)
"""A record from its beginning, and from within quotes."""

_BACKSLASHED: Final = re.compile(rb'\\"')
_DOUBTFUL: Final = re.compile(rb'(?<![^,\n])"[^"\n]*+(?<=\\)"(?=[",\r\n])')
"""The beginning of a field in which `\\"` may be a backslash and a quote, by RFC 4180."""


def is_record(line: bytes) -> bool:
    """Return True if a line is a whole record, of any number of fields, by either way to escape quotes."""
    return any(record.fullmatch(line) and b"\n" not in line for record in _RECORDS)


def find_broken_lines(block: NDArray[np.uint8], lines: NDArray[np.int64], *, is_backslashed: bool) -> NDArray[np.int64]:
    """Return the bounds of records of several lines, shape (k, 2), given the lines that are no records (`Records`)."""
    doubtful = find_doubtful(block.data) if is_backslashed else ()
    if not lines.size and not doubtful:
        return np.empty((0, 2), np.int64)
    # Without backslashes, the fields of a line whose quotes are closed were counted right.
    is_open = (lines[3] == BAD_QUOTE) | (_BACKSLASHED.search(block.data) is not None)
    # A block may have millions: as objects they would take more memory than their lines.
    bounds = chain.from_iterable(find_broken(block.data, map(int, lines[1, is_open]), doubtful))
    return np.fromiter(bounds, np.int64).reshape(-1, 2)


def strike_out(block: NDArray[np.uint8], broken: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return a copy of the block in which the lines of broken records are blank, so that none is read."""
    copy = block.copy()
    for start, stop in broken:
        lines = copy[start:stop]
        lines[lines != NEWLINE] = BLANK
    return view_bytes(copy)


def find_doubtful(text: Text) -> set[int]:
    """Return where the lines begin that backslashes may make records which are open by RFC 4180."""
    found = (match.start() for match in _DOUBTFUL.finditer(text))
    return {_find_line(text, at) for at in found}


def find_broken(text: Text, starts: Iterable[int], doubtful: Iterable[int] = ()) -> Iterator[tuple[int, int]]:
    """Find the records that have line breaks within quotes.

    Parameters
    ----------
    text
        Whole lines; the first begins a record.
    starts
        Where the lines begin that are no records by themselves and may begin such a one, ascending.
    doubtful
        Where other lines begin, which do so if RFC 4180 says it.

    Yields
    ------
    tuple of int
        Where the record begins, and where the line after it does.
    """
    done = 0
    certain = ((start, _RECORDS) for start in starts)
    others = ((start, _RECORDS[:1]) for start in sorted(doubtful))
    for start, records in merge(certain, others, key=itemgetter(0)):  # of equal ones the certain one comes first
        if start >= done and (stop := _find_end(text, start, records)) > start:
            yield start, stop
            done = stop


def begins_record(text: bytes, *, is_whole: bool) -> bool:
    """Return True if the first line is none within a record, whatever stands before it.

    Parameters
    ----------
    text
        Lines; `LONGEST_RECORD` bytes of them, or all there are.
    is_whole
        Whether the file ends with this text.
    """
    found = (rest.match(text, 0, LONGEST_RECORD) for rest in _RESTS)
    return not any(match and (is_whole or match[0].endswith(b"\n")) for match in found)


def find_record_start(text: bytes, first: int, *, is_whole: bool) -> int:
    """Return where the first line begins that is none within a record, at or behind `first`; -1 if none is certain.

    Parameters
    ----------
    text
        Lines; `LONGEST_RECORD` bytes of them before `first`, or all there are.
    first
        Where a line begins.
    is_whole
        Whether the file ends with this text.
    """
    reach = start = 0
    while start < len(text) and (is_whole or start + LONGEST_RECORD <= len(text)):
        if start >= max(first, reach):
            return start
        reach = max(reach, _find_end(text, start))
        start = text.find(b"\n", start) + 1 or len(text)
    return start if is_whole and start >= max(first, reach) else -1


def _find_line(text: Text, at: int) -> int:
    """Return where the line of a byte begins."""
    size = _LINE
    while (before := bytes(text[max(0, at - size) : at]).rfind(b"\n")) < 0 and size < at:
        size *= 8
    return max(0, at - size) + before + 1 if before >= 0 else 0


def _find_end(text: Text, start: int, records: Sequence[re.Pattern[bytes]] = _RECORDS) -> int:
    """Return where the record of several lines ends that a line begins; 0 if it begins none."""
    size = len(text)
    limit = min(start + LONGEST_RECORD, size)
    for record in records:
        match = record.match(text, start, limit)
        if match and b"\n" in match[0][:-1] and (match[0].endswith(b"\n") or limit == size):
            return match.end()
    return 0
