"""Cells of comma-separated text: where each wanted field of each record begins and ends.

Bytes are looked at eight at a time ("SIMD within a register": H. S. Warren, Hacker's Delight, 2nd ed., 6-1).
Quotes are rare in the files this is for: a line is split as if it had none, and again if it has one.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cdpipe.kernels.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.memory import Bytes, Int, Integers, Memory, Statuses, load_word, view_bytes

LINE_OK: Final = 0
TOO_FEW_FIELDS: Final = 1
TOO_MANY_FIELDS: Final = 2
BAD_QUOTE: Final = 3

_NEWLINE: Final = 10
_RETURN: Final = 13
_BLANK: Final = 32
_QUOTE: Final = 34

_ONES: Final = np.uint64(0x0101010101010101)
_LOW: Final = np.uint64(0x7F7F7F7F7F7F7F7F)
_NEWLINES: Final = np.uint64(0x0A0A0A0A0A0A0A0A)
_QUOTES: Final = np.uint64(0x2222222222222222)
_U0: Final = np.uint64(0)
_U1: Final = np.uint64(1)
_U8: Final = np.uint64(8)
_U56: Final = np.uint64(56)


class Cells(NamedTuple):
    """The cells of a block of lines: `k` wanted columns, `rows` records.

    Attributes
    ----------
    starts, stops
        int64[k, rows]: cell (j, i) is `data[starts[j, i]:stops[j, i]]`, without its quotes; each row of the
        two arrays is contiguous. The cells of a record that is not `LINE_OK` are all empty.
    line_starts, line_stops
        int64[rows]: bounds of the record's line, without its line end.
    line_index
        int64[rows]: the line's place among the block's physical lines, from 0; blank lines count.
    status
        uint8[rows]: `LINE_OK`, `TOO_FEW_FIELDS`, `TOO_MANY_FIELDS` or `BAD_QUOTE`.
    escaped
        bool[k, rows]: the cell was quoted and holds doubled quotes: put `"` for each `""` in it.
    """

    starts: Integers
    stops: Integers
    line_starts: Integers
    line_stops: Integers
    line_index: Integers
    status: Statuses
    escaped: npt.NDArray[np.bool_]


class _Layout(NamedTuple):
    """What a record looks like: `slots[field]` is the wanted column's place in the result, -1 for none."""

    slots: Integers
    delimiter: int


@jit_borrowing
def _count_newlines(data: Bytes) -> Int:
    count = 0
    for i in range(data.size):
        count += data[i] == _NEWLINE
    return count


def count_lines(data: Memory) -> int:
    """Count the physical lines of a block; a last line without line end counts.

    Parameters
    ----------
    data
        uint8[n] or any bytes-like.
    """
    block = view_bytes(data)
    if not block.size:
        return 0
    return int(_count_newlines(block)) + int(block[-1] != _NEWLINE)


@jit_inlined
def _mark(word: np.uint64, pattern: np.uint64) -> np.uint64:
    """Set the top bit of exactly those bytes of `word` that equal the pattern's (Hacker's Delight 6-1)."""
    rest = word ^ pattern
    return ~(((rest & _LOW) + _LOW) | rest | _LOW)


@jit_inlined
def _first_mark(marks: np.uint64) -> Int:
    """Return the place, 0-7, of the lowest marked byte: count the bytes that begin below its top bit."""
    below = ((marks & (~marks + _U1)) - _U1) & _ONES
    return np.int64((below * _ONES) >> _U56) - 1


@jit_inlined
def _load_last_word(data: Bytes, at: Int) -> np.uint64:
    """Return the fewer than 8 bytes that are left, with a line end put behind them."""
    word = np.uint64(_NEWLINE)
    for i in range(data.size - 1, at - 1, -1):
        word = (word << _U8) | np.uint64(data[i])
    return word


@jit_inlined
def _trim_return(data: Bytes, start: Int, end: Int) -> Int:
    if end > start and data[end - 1] == _RETURN:
        return end - 1
    return end


@jit_inlined
def _split_plain(data: Bytes, line: Int, row: Int, layout: _Layout, cells: Cells) -> tuple[Int, Int, bool]:
    """Split a line, given its start, as if it held no quote: (place of its line end, fields, any quote)."""
    delimiters = np.uint64(layout.delimiter) * _ONES
    field, begin, at, quotes = 0, line, line, _U0
    while True:
        word = load_word(data, at) if at + 8 <= data.size else _load_last_word(data, at)
        quotes |= _mark(word, _QUOTES)
        newlines = _mark(word, _NEWLINES)
        marks = newlines | _mark(word, delimiters)
        while marks != _U0:
            end = at + _first_mark(marks)
            is_newline = (marks & (~marks + _U1) & newlines) != _U0
            if field < layout.slots.size and layout.slots[field] >= 0:
                cells.starts[layout.slots[field], row] = begin
                cells.stops[layout.slots[field], row] = _trim_return(data, begin, end) if is_newline else end
            field += 1
            if is_newline:
                return end, field, quotes != _U0
            begin = end + 1
            marks &= marks - _U1
        at += 8


@jit_borrowing
def _close_quote(data: Bytes, begin: Int, stop: Int) -> tuple[Int, bool]:
    """Return the place of the quote that closes a field's text (-1: none), and whether a `""` comes before."""
    at, doubled = begin, False
    while at < stop:
        if data[at] == _QUOTE:
            if at + 1 == stop or data[at + 1] != _QUOTE:
                return at, doubled
            doubled = True
            at += 1
        at += 1
    return -1, doubled


@jit_borrowing
def _split_quoted(data: Bytes, line: tuple[Int, Int], row: Int, layout: _Layout, cells: Cells) -> Int:
    """Split a line, given its bounds, by RFC 4180; return its fields, -1 if a quote is open or misplaced."""
    at, stop = line
    field = 0
    while True:
        begin, doubled = at, False
        if at < stop and data[at] == _QUOTE:
            begin = at + 1
            end, doubled = _close_quote(data, begin, stop)
            if end < 0 or (end + 1 < stop and data[end + 1] != layout.delimiter):
                return -1
            at = end + 1
        else:
            while at < stop and data[at] != layout.delimiter:
                at += 1
            end = at
        if field < layout.slots.size and layout.slots[field] >= 0:
            cells.starts[layout.slots[field], row] = begin
            cells.stops[layout.slots[field], row] = end
            cells.escaped[layout.slots[field], row] = doubled
        field += 1
        if at >= stop:
            return field
        at += 1


@jit_inlined
def _is_blank_line(data: Bytes, start: Int, stop: Int) -> bool:
    while start < stop and data[start] == _BLANK:
        start += 1
    return bool(start >= stop)


@jit_inlined
def _judge(found: Int, fields: Int) -> Int:
    if found < 0:
        return BAD_QUOTE
    if found < fields:
        return TOO_FEW_FIELDS
    return TOO_MANY_FIELDS if found > fields else LINE_OK


@jit_borrowing
def _fill(data: Bytes, layout: _Layout, cells: Cells) -> int:
    """Fill the arrays, a place a record, and return the number of records."""
    row, index = 0, 0
    line: Int = 0
    while line < data.size:
        end, found, quoted = _split_plain(data, line, row, layout, cells)
        stop = _trim_return(data, line, end)
        if not _is_blank_line(data, line, stop):
            if quoted:
                found = _split_quoted(data, (line, stop), row, layout, cells)
            cells.status[row] = _judge(found, layout.slots.size)
            if cells.status[row] != LINE_OK:
                cells.starts[:, row] = stop
                cells.stops[:, row] = stop
                cells.escaped[:, row] = False
            cells.line_starts[row] = line
            cells.line_stops[row] = stop
            cells.line_index[row] = index
            row += 1
        index += 1
        line = end + 1
    return row


def _allocate(columns: int, lines: int) -> Cells:
    shape = columns, lines
    starts, stops = (np.empty(shape, np.int64) for _ in range(2))
    line_starts, line_stops, line_index = (np.empty(lines, np.int64) for _ in range(3))
    status, escaped = np.empty(lines, np.uint8), np.zeros(shape, np.bool_)
    return Cells(starts, stops, line_starts, line_stops, line_index, status, escaped)


def _cut(cells: Cells, rows: int) -> Cells:
    return Cells(
        cells.starts[:, :rows],
        cells.stops[:, :rows],
        cells.line_starts[:rows],
        cells.line_stops[:rows],
        cells.line_index[:rows],
        cells.status[:rows],
        cells.escaped[:, :rows],
    )


def find_cells(data: Memory, places: npt.ArrayLike, fields: int, delimiter: int = ord(",")) -> Cells:
    r"""Find the wanted cells of a block of whole lines.

    A record is one physical line: no line end inside quotes, so a file can be cut at any line end. Lines end with
    `\n` or `\r\n`, the last one also with the block. Lines that are empty or hold nothing but blanks are skipped.
    A field that begins with `"` is read by RFC 4180; a `"` inside any other field is a character like others.

    Parameters
    ----------
    data
        uint8[n] or any bytes-like; it is not copied.
    places
        int64[k]: wanted fields, from 0, in any order, none twice; rows of the result come in this order.
    fields
        How many fields a record has; any other number makes it `TOO_FEW_FIELDS` or `TOO_MANY_FIELDS`.
    delimiter
        One ASCII character, as a number; not a quote, a line end or a blank.

    Returns
    -------
    Cells
        Nothing is interpreted: an empty cell is `starts == stops`.

    Raises
    ------
    ValueError
        If a place is outside the record or named twice, or the delimiter cannot be one.
    """
    block = view_bytes(data)
    wanted = np.asarray(places, dtype=np.int64).reshape(-1)
    if not 0 < delimiter < 128 or delimiter in {_NEWLINE, _RETURN, _QUOTE, _BLANK}:
        raise ValueError(f"delimiter {delimiter} cannot part fields; use an ASCII character, e.g. ord(',')")
    if wanted.size and (wanted.min() < 0 or wanted.max() >= fields):
        raise ValueError(f"fields {wanted.tolist()} are wanted, a record has 0 to {fields - 1}")
    if np.unique(wanted).size != wanted.size:
        raise ValueError(f"a field is wanted twice in {wanted.tolist()}; ask once and use its row twice")
    slots = np.full(fields, -1, dtype=np.int64)
    slots[wanted] = np.arange(wanted.size)
    cells = _allocate(wanted.size, count_lines(block))
    rows = _fill(block, _Layout(slots, delimiter), cells)
    return _cut(cells, rows)
