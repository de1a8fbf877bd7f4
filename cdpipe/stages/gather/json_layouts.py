"""Layouts of JSON files: records on lines of their own, in an array, or over several lines; cut into records.

Row numbers count lines, and records beyond the first on a line: each record has its own, wherever a file is cut.
"""

import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.buffers.objects import find_later_objects
from cdpipe.kernels.csv.bounds import count_lines

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
LARGEST_BLOCK_MB: Final = 1024
_LOOKED_AT: Final = 100
"""Lines that are tried as the beginning of a first record."""
_DECODER: Final = json.JSONDecoder()
_BETWEEN: Final = re.compile(rf"(?:[\s,\[\]]|{_BYTE_ORDER_MARK.decode('latin-1')})*", re.ASCII)
_TEXT: Final = rb'"(?:[^"\\]|\\.)*"'
_INSIDE: Final = re.compile(
    rb"\s*(?:%(text)b\s*:.*|[\]}][\]},\s]*|(?:%(text)b|true|false|null|-?\d[\d.eE+-]*)\s*,\s*)|[ \t]+(?:\{\}?|\[\]?)\s*"
    % {b"text": _TEXT},
    re.DOTALL,
)
"""A line inside a record over several lines: a member, an end, an item and its comma, or an indented bracket."""


class Layout(NamedTuple):
    """How a file's records are laid out.

    Attributes
    ----------
    is_array
        Whether they are items of an array.
    spread_line
        Number of the line with which the first record begins, if that goes over several; else 0.
    """

    is_array: bool = False
    spread_line: int = 0

    @property
    def has_commas(self) -> bool:
        """Whether commas may part records."""
        return self.is_array or self.spread_line > 0


LINES: Final = Layout()
"""One record a line, or several in a row."""


class Pieces(NamedTuple):
    """The records of a block, blank lines and what is no record among them.

    Attributes
    ----------
    texts
        The n pieces.
    lines, rows
        Shape (n,): index of the line on which each begins, and its row number, both from 0 in the block.
    """

    texts: list[bytes]
    lines: NDArray[np.int64]
    rows: NDArray[np.int64]


def find_layout(head: bytes) -> Layout:
    """Find a file's layout by its first record, given its first bytes."""
    text, start, is_array = head.decode("latin-1"), 0, None
    for number, line in enumerate(islice(head.split(b"\n"), _LOOKED_AT), 1):
        body = trim_mark(line)
        if body and not body.startswith(b"#"):
            is_array = body.startswith(b"[") if is_array is None else is_array
            begin, stop = line.find(b"{"), start + len(line)
            if trim_piece(body).startswith(b"{"):
                end = _find_end(text, start + begin)
                if end:
                    return Layout(is_array, number if end > stop else 0)
        start += len(line) + 1
    return Layout(bool(is_array))


def explain_spread(layout: Layout, size: int) -> str:
    """Say what to do about a file of `size` bytes that cannot be cut, as its records go over several lines."""
    query, megabytes = ".[]" if layout.is_array else ".", math.ceil(size / 1e4) / 100
    way_out = f", or set gather.block_mb to {megabytes:g}" if megabytes <= LARGEST_BLOCK_MB else ""
    return (
        f"line {layout.spread_line}: the record goes over several lines, so that the file cannot be cut; write one "
        f"record a line, e.g. jq -c '{query}' FILE > FILE.jsonl{way_out}"
    )


def count_numbers(data: NDArray[np.uint8], layout: Layout) -> tuple[int, int]:
    """Count the row numbers that a block of whole lines takes, and those of records beyond the first on a line."""
    further = find_later_objects(data, has_commas=layout.has_commas).size
    return count_lines(data) + further, further


def split_pieces(data: bytes, layout: Layout) -> Pieces:
    """Cut a block of whole lines into pieces of a record each."""
    later = find_later_objects(data, has_commas=layout.has_commas)
    if layout.spread_line:
        bounds = np.array(list(_find_records(data.decode("latin-1"))), np.int64).reshape(-1, 2)
        starts, texts = bounds[:, 0], [data[start:stop] for start, stop in bounds]
    else:
        texts = data.split(b"\n")
        if not later.size:
            each = np.arange(len(texts))
            return Pieces(texts, each, each)
        starts = np.union1d(np.cumsum([0, *(len(text) + 1 for text in texts[:-1])]), later)
        stops = np.append(starts[1:], len(data))
        texts = [data[start:stop].removesuffix(b"\n") for start, stop in zip(starts, stops, strict=True)]
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    lines = np.searchsorted(ends, starts)
    return Pieces(texts, lines, lines + np.searchsorted(later, starts, side="right"))


def trim_mark(text: bytes) -> bytes:
    """Take a byte order mark and blanks from a piece."""
    return text.removeprefix(_BYTE_ORDER_MARK).strip()


def trim_piece(text: bytes) -> bytes:
    """Take from a piece what surrounds a record in an array."""
    return trim_mark(text).lstrip(b" \t\r\n[,").rstrip(b" \t\r\n],")


def is_inside(line: bytes) -> bool:
    """Return True if a line that is no record looks like one inside a record over several lines."""
    return _INSIDE.fullmatch(line) is not None


def _find_end(text: str, start: int) -> int:
    """Return where the value that begins at `start` ends; 0 if it is none."""
    try:
        return _DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return 0


def _find_records(text: str) -> Iterator[tuple[int, int]]:
    """Find the bounds of records over several lines; one that is broken goes up to the next one's line."""
    at = _skip(text, 0)
    while at < len(text):
        if text[at] == "{":
            stop = _find_end(text, at) or _find_next(text, at)
        else:
            stop = text.find("\n", at)
            stop = len(text) if stop < 0 else stop
        yield at, stop
        at = _skip(text, stop)


def _skip(text: str, at: int) -> int:
    """Return where the next value begins at or after `at`."""
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _find_next(text: str, at: int) -> int:
    """Return where an object begins on the next line that is indented as that of `at`, with nothing else before it."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    indent = line[: len(line) - len(line.lstrip())]
    found = re.compile(rf"^{indent}(?:[\]}}\[,][\]}}\[, \t]*)?\{{", re.MULTILINE).search(text, at + 1)
    return found.end() - 1 if found else len(text)
