"""Comma-separated text cut into lines and fields, a window at a time: what is found stays in the processor's cache.

Sources
-------
G. Langdale and D. Lemire, "Parsing gigabytes of JSON per second", The VLDB Journal 28, 2019, section 3.1: characters
that matter as bits of a word, and from bits to offsets in batches. Quotes are rare in the files this is for: a window
is split as if it had none, and a line that has one again, by RFC 4180. A line that is no record by that is split once
more with backslashes before its inner quotes, as Spark writes them.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.buffers.cells import Bytes, Int
from cdpipe.kernels.buffers.simd import WIDTH, count_bits, lowest_bit, match_bytes
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined

LINE_OK: Final = 0
TOO_FEW_FIELDS: Final = 1
TOO_MANY_FIELDS: Final = 2
BAD_QUOTE: Final = 3
LINE_BACKSLASHED: Final = 4
"""A record like one that is `LINE_OK`, whose quotes within quotes have a backslash before them."""

NEWLINE: Final = 10
RETURN: Final = 13
BLANK: Final = 32
QUOTE: Final = 34
BACKSLASH: Final = 92

WINDOW_BYTES: Final = 1 << 16
"""A window's text and what is found in it fit the second-level cache."""
_BATCH: Final = 8

_U0: Final = np.uint64(0)
_U1: Final = np.uint64(1)

Places = NDArray[np.int32]


class Window(NamedTuple):
    """What is found in a window; offsets of bytes count from the window's first.

    Attributes
    ----------
    begins, stops
        Cell c is the bytes from `begins[c]` to `stops[c]`; the cells of a line follow one another.
    last_cells
        For each line, its last cell.
    lines
        int32[5, lines]: for each line that is not blank its first cell, its bounds, its number among the window's
        lines, and its status.
    tail
        Room for the text's last bytes, made up to a whole mask.
    """

    begins: Places
    stops: Places
    last_cells: Places
    lines: NDArray[np.int32]
    tail: NDArray[np.uint8]


class Layout(NamedTuple):
    """What a record looks like: how many fields, parted by which byte."""

    fields: int
    delimiter: int


def make_window(window_bytes: int) -> Window:
    """Make room for what can be found in a window of `window_bytes`, a multiple of `WIDTH`."""
    # A line of quoted fields is split twice, and has at most one field more than bytes.
    cells = 3 * window_bytes + 2 * WIDTH
    begins, stops = (np.empty(cells, np.int32) for _ in range(2))
    last_cells, lines = np.empty(window_bytes + WIDTH, np.int32), np.empty((5, window_bytes + WIDTH), np.int32)
    return Window(begins, stops, last_cells, lines, np.empty(WIDTH, np.uint8))


@jit_inlined
def _copy_tail(data: Bytes, at: Int, tail: NDArray[np.uint8]) -> None:
    """Copy the text's last bytes, fewer than a mask covers, and end them with a line end if they have none."""
    left = data.size - at
    for i in range(WIDTH):
        tail[i] = data[at + i] if i < left else 0
    if tail[left - 1] != NEWLINE:
        tail[left] = NEWLINE


@jit_inlined
def _mark(data: Bytes, begin: Int, end: Int, delimiter: Int, window: Window) -> tuple[Int, Int, bool]:
    """Find where cells stop, up to the last line end: (cells, lines, any quote); the text's end is a line end too."""
    stops, last_cells, tail = window.stops, window.last_cells, window.tail
    cells: Int = np.int64(0)
    lines: Int = np.int64(0)
    quotes = _U0
    at: Int = begin
    while at < end:
        if at + WIDTH <= data.size:
            newlines, others = match_bytes(data, at, NEWLINE), match_bytes(data, at, delimiter)
            quotes |= match_bytes(data, at, QUOTE)
        else:
            _copy_tail(data, at, tail)
            newlines, others = match_bytes(tail, 0, NEWLINE), match_bytes(tail, 0, delimiter)
            quotes |= match_bytes(tail, 0, QUOTE)
        marks = newlines | others
        found, place = count_bits(marks), at - begin
        while newlines != _U0:
            last_cells[lines] = cells + count_bits(marks & ((newlines & (~newlines + _U1)) - _U1))
            lines += 1
            newlines &= newlines - _U1
        # Eight are written whether they are there or not: a loop as long as there are bits is mispredicted each time.
        for i in range(_BATCH):
            stops[cells + i] = place + lowest_bit(marks)
            marks &= marks - _U1
        cell = cells + _BATCH
        while marks != _U0:
            stops[cell] = place + lowest_bit(marks)
            marks &= marks - _U1
            cell += 1
        cells += found
        at += WIDTH
    if at == data.size and data[at - 1] != NEWLINE:  # whole masks, so no tail that would have been given a line end
        stops[cells], last_cells[lines] = at - begin, cells
        cells, lines = cells + 1, lines + 1
    return cells, lines, quotes != _U0


@jit_borrowing
def _close_quote(data: Bytes, begin: Int, stop: Int, escape: Int) -> Int:
    """Return the index of the quote that closes a field's text, -1 if there is none."""
    at = begin
    while at < stop:
        if data[at] == escape and at + 1 < stop and (escape == BACKSLASH or data[at + 1] == QUOTE):
            at += 1
        elif data[at] == QUOTE:
            return at
        at += 1
    return -1


@jit_borrowing
def _split_quoted(
    data: Bytes, line: tuple[Int, Int], layout: Layout, window: Window, spare: tuple[Int, Int], escape: Int
) -> Int:
    """Split a line, given its bounds; return its fields, -1 if a quote is open or misplaced.

    `spare` is the index of its first cell in the window, and where in the text the window begins. `escape` stands
    before a quote within quotes: `QUOTE` by RFC 4180, or `BACKSLASH`.
    """
    at, stop = line
    cell, origin = spare
    field = 0
    while True:
        begin = at
        if at < stop and data[at] == QUOTE:
            begin = at + 1
            end = _close_quote(data, begin, stop, escape)
            if end < 0 or (end + 1 < stop and data[end + 1] != layout.delimiter):
                return -1
            at = end + 1
        else:
            while at < stop and data[at] != layout.delimiter:
                at += 1
            end = at
        if field < layout.fields:
            window.begins[cell + field] = begin - origin
            window.stops[cell + field] = end - origin
        field += 1
        if at >= stop:
            return field
        at += 1


@jit_borrowing
def _has_quote(data: Bytes, start: Int, stop: Int) -> bool:
    found = False
    for i in range(start, stop):
        found |= data[i] == QUOTE
    return found


@jit_inlined
def _is_blank_line(data: Bytes, start: Int, stop: Int) -> bool:
    while start < stop and data[start] == BLANK:
        start += 1
    return bool(start >= stop)


@jit_inlined
def _judge(found: Int, fields: Int) -> Int:
    if found == fields:
        return LINE_OK
    if found < 0:
        return BAD_QUOTE
    return TOO_FEW_FIELDS if found < fields else TOO_MANY_FIELDS


@jit_borrowing
def _read_quoted(data: Bytes, line: tuple[Int, Int], layout: Layout, window: Window, spare: tuple[Int, Int]) -> Int:
    """Split a line with a quote by RFC 4180, else with backslashes before quotes; return its status."""
    status = _judge(_split_quoted(data, line, layout, window, spare, QUOTE), layout.fields)
    if status != LINE_OK and _split_quoted(data, line, layout, window, spare, BACKSLASH) == layout.fields:
        return LINE_BACKSLASHED
    return status


@jit_inlined
def split_window(data: Bytes, begin: Int, layout: Layout, window: Window) -> tuple[Int, Int, Int, bool]:
    """Split the lines that begin and end in a window: (lines not blank, all lines, where the next begins, any quote).

    No line at all means that one is longer than a window.
    """
    end = min(begin + window.last_cells.size - WIDTH, data.size)
    cells, count, quotes = _mark(data, begin, end, layout.delimiter, window)
    begins, stops, last_cells, lines = window.begins, window.stops, window.last_cells, window.lines
    begins[0] = 0
    for i in range(1, cells):
        begins[i] = stops[i - 1] + 1
    found: Int = np.int64(0)
    first: Int = np.int64(0)
    at: Int = begin
    for index in range(count):
        last = np.int64(last_cells[index])
        stop = begin + np.int64(stops[last])
        after = stop + 1
        while stop > at and data[stop - 1] == RETURN:
            stop -= 1
            stops[last] -= 1
        place: Int = first
        fields: Int = last + 1 - first
        if not ((stop == at or data[at] == BLANK) and _is_blank_line(data, at, stop)):
            status = _judge(fields, layout.fields)
            if quotes and _has_quote(data, at, stop):
                place, status = cells, _read_quoted(data, (at, stop), layout, window, (cells, begin))
                cells += layout.fields
            lines[0, found], lines[1, found], lines[2, found] = place, at - begin, stop - begin
            lines[3, found], lines[4, found] = index, status
            found += 1
        first, at = last + 1, after
    return found, count, at, quotes
