"""Cells of comma-separated text: where each wanted field of each record begins and ends."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cdpipe.kernels.buffers.cells import Bytes, Int, Integers, Memory, Statuses, view_bytes
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.csv.windows import (
    BACKSLASH,
    BAD_QUOTE,
    BLANK,
    LINE_BACKSLASHED,
    LINE_OK,
    NEWLINE,
    QUOTE,
    RETURN,
    TOO_FEW_FIELDS,
    TOO_MANY_FIELDS,
    WINDOW_BYTES,
    Layout,
    Window,
    make_window,
    split_window,
)

__all__ = ["BAD_QUOTE", "LINE_OK", "TOO_FEW_FIELDS", "TOO_MANY_FIELDS", "Cells", "count_lines", "find_cells"]


class Cells(NamedTuple):
    r"""The cells of a block of lines: `k` wanted columns, `rows` records.

    Attributes
    ----------
    starts, stops
        int64[k, rows]: cell (j, i) is `data[starts[j, i]:stops[j, i]]`, without its quotes; each row of the
        two arrays is contiguous. The cells of a record that is not `LINE_OK` are all empty.
    line_starts, line_stops
        int64[rows]: bounds of the record's line, without its line end.
    line_index
        int64[rows]: the line's number among the block's physical lines, from 0; blank lines count.
    status
        uint8[rows]: `LINE_OK`, `TOO_FEW_FIELDS`, `TOO_MANY_FIELDS` or `BAD_QUOTE`.
    escaped
        bool[k, rows]: the cell was quoted and holds escaped characters: put `"` for each `""` in it.
    backslashed
        bool[rows]: backslashes escape in the record's cells: put `"` for `\"` and `\` for `\\`, if `escaped`.
    """

    starts: Integers
    stops: Integers
    line_starts: Integers
    line_stops: Integers
    line_index: Integers
    status: Statuses
    escaped: npt.NDArray[np.bool_]
    backslashed: npt.NDArray[np.bool_]


@jit_borrowing
def _count_newlines(data: Bytes) -> Int:
    count = 0
    for i in range(data.size):
        count += data[i] == NEWLINE
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
    return int(_count_newlines(block)) + int(block[-1] != NEWLINE)


@jit_inlined
def _is_escaped(data: Bytes, begin: Int, stop: Int, escape: Int) -> bool:
    """Return True if a cell is quoted, that is, has a quote before it, and holds the byte that escapes."""
    if begin == 0 or data[begin - 1] != QUOTE:
        return False
    found = False
    for i in range(begin, stop):
        found |= data[i] == escape
    return found


@jit_borrowing
def _put(origin: Int, line: Int, row: Int, places: Integers, window: Window, cells: Cells) -> None:
    """Put the bounds of a record's cells where they belong; of one that is not `LINE_OK` all are empty."""
    first, status = np.int64(window.lines[0, line]), window.lines[4, line]
    status = LINE_OK if status == LINE_BACKSLASHED else status
    cells.line_starts[row] = origin + window.lines[1, line]
    cells.line_stops[row] = origin + window.lines[2, line]
    cells.status[row] = status
    for j in range(places.size):
        if status == LINE_OK:
            cells.starts[j, row] = origin + window.begins[first + places[j]]
            cells.stops[j, row] = origin + window.stops[first + places[j]]
        else:
            cells.starts[j, row], cells.stops[j, row] = cells.line_stops[row], cells.line_stops[row]


@jit_borrowing
def _fill(
    data: Bytes, layout: Layout, places: Integers, window: Window, done: tuple[Int, Int, Int], cells: Cells
) -> tuple[Int, Int, Int]:
    """Fill the arrays, an entry a record, from (byte, record, line) on; return where a line too long stopped it."""
    at, row, index = done
    while at < data.size:
        found, count, after, quotes = split_window(data, at, layout, window)
        if count == 0:
            break
        for line in range(found):
            _put(at, line, row, places, window, cells)
            cells.line_index[row] = index + window.lines[3, line]
            if quotes:
                cells.backslashed[row] = window.lines[4, line] == LINE_BACKSLASHED
                escape = BACKSLASH if cells.backslashed[row] else QUOTE
                for j in range(places.size):
                    cells.escaped[j, row] = _is_escaped(data, cells.starts[j, row], cells.stops[j, row], escape)
            row += 1
        at, index = after, index + count
    return at, row, index


def _allocate(columns: int, lines: int) -> Cells:
    shape = columns, lines
    starts, stops = (np.empty(shape, np.int64) for _ in range(2))
    line_starts, line_stops, line_index = (np.empty(lines, np.int64) for _ in range(3))
    status, escaped, backslashed = np.empty(lines, np.uint8), np.zeros(shape, np.bool_), np.zeros(lines, np.bool_)
    return Cells(starts, stops, line_starts, line_stops, line_index, status, escaped, backslashed)


def _cut(cells: Cells, rows: Int) -> Cells:
    return Cells(
        cells.starts[:, :rows],
        cells.stops[:, :rows],
        cells.line_starts[:rows],
        cells.line_stops[:rows],
        cells.line_index[:rows],
        cells.status[:rows],
        cells.escaped[:, :rows],
        cells.backslashed[:rows],
    )


def find_cells(data: Memory, places: npt.ArrayLike, fields: int, delimiter: int = ord(",")) -> Cells:
    r"""Find the wanted cells of a block of whole lines.

    A record is one physical line: no line end inside quotes, so a file can be cut at any line end. Lines end with
    `\n`, before which any number of `\r` may stand, the last one also with the block. Lines that are empty or hold
    nothing but blanks are skipped. A field that begins with `"` is read by RFC 4180; a `"` inside any other field is a
    character like others. A line that is no record by that is one if it is with `\"` and `\\` for `"` and `\`.

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
        If an index is outside the record or named twice, or the delimiter cannot be one.
    """
    block = view_bytes(data)
    wanted = np.asarray(places, dtype=np.int64).reshape(-1)
    if not 0 < delimiter < 128 or delimiter in {NEWLINE, RETURN, QUOTE, BLANK}:
        raise ValueError(f"delimiter {delimiter} cannot part fields; use an ASCII character, e.g. ord(',')")
    if wanted.size and (wanted.min() < 0 or wanted.max() >= fields):
        raise ValueError(f"fields {wanted.tolist()} are wanted, a record has 0 to {fields - 1}")
    if np.unique(wanted).size != wanted.size:
        raise ValueError(f"a field is wanted twice in {wanted.tolist()}; ask once and use its row twice")
    layout, cells = Layout(fields, delimiter), _allocate(wanted.size, count_lines(block))
    done: tuple[Int, Int, Int] = (np.int64(0), np.int64(0), np.int64(0))
    window_bytes = WINDOW_BYTES
    while done[0] < block.size:
        done = _fill(block, layout, wanted, make_window(window_bytes), done, cells)
        window_bytes *= 4
    return _cut(cells, done[1])
