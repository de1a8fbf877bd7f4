"""Blocks of comma-separated text to typed columns in one pass: numbers and times are read while their text is in cache.

Texts are only copied, next to each other. Whatever is unusual in a column (a malformed cell, a local time, a time in no
usual form, an escaped quote) is only noted: the caller then reads that column, all of it, the long way, by
`cdpipe.kernels.csv.bounds.find_cells`.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.buffers.cells import Bytes, Int, Integers, Memory, view_bytes
from cdpipe.kernels.buffers.simd import COPIED
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.csv.fields import Flags, Floats, read_floats, read_integers, read_texts, read_times
from cdpipe.kernels.csv.windows import (
    LINE_BACKSLASHED,
    LINE_OK,
    NEWLINE,
    WINDOW_BYTES,
    Layout,
    Window,
    make_window,
    split_window,
)

_SAMPLE_BYTES: Final = 1 << 16
_SPARE: Final = 1.03
_FEW_LINES: Final = 1024
_NO_LIMITS: Final = (-np.inf, np.inf)
_ALL_INTEGERS: Final = (-(2**63), 2**63 - 1)


class Wanted(NamedTuple):
    """Fields of a record to read, by their index from 0, and as what.

    Attributes
    ----------
    floats, integers, times, texts
        int64[k] each.
    float_nulls, integer_nulls
        Values that mean null, float64[n] and int64[n], those of the first column first.
    float_null_ends, integer_null_ends
        int64[k + 1]: those of column j are the values from entry j to entry j + 1 of this.
    float_limits
        float64[k, 2]: a number on or beyond one of the two is impossible, and read as null.
    integer_spans
        int64[k, 2]: the least and the greatest possible number; others are read as null.
    naive_is_utc
        Whether times that name no zone are UTC.
    """

    floats: Integers
    integers: Integers
    times: Integers
    texts: Integers
    float_nulls: Floats
    float_null_ends: Integers
    integer_nulls: Integers
    integer_null_ends: Integers
    float_limits: Floats
    integer_spans: Integers
    naive_is_utc: bool


class Records(NamedTuple):
    """Typed columns of the whole records of a block, n of them, in the order of `Wanted`.

    Attributes
    ----------
    floats
        float64[floats, n]; nan where null.
    integers, null
        int64[integers, n], 0 or anything where null, and bool[integers, n].
    times
        int64[times, n]: microseconds since 1970, the least int64 where null.
    packed, offsets
        uint8[texts, bytes], int64[texts, n + 1]: cell i of column j is `packed[j, offsets[j, i]:offsets[j, i + 1]]`.
    line_index, line_starts
        int64[n]: the line's number among the block's physical lines, and its first byte.
    faults
        bool[columns], floats first, texts last: the column has to be read the long way.
    backslashed
        bool[1]: some records are such only with backslashes before their quotes.
    impossible
        int64[floats + integers]: how many numbers were read as null because they are impossible.
    rejected
        int64[4, m], the lines that are no records: number among lines, first byte, last byte plus one, status.
    """

    floats: Floats
    integers: Integers
    null: Flags
    times: Integers
    packed: NDArray[np.uint8]
    offsets: Integers
    line_index: Integers
    line_starts: Integers
    faults: Flags
    backslashed: Flags
    impossible: Integers
    rejected: Integers


class _Done(NamedTuple):
    """How far a block is read: bytes, records, rejected lines, lines."""

    at: Int
    rows: Int
    rejected: Int
    lines: Int


@jit_borrowing
def _read_window(
    data: Bytes, at: Int, wanted: Wanted, window: Window, out: Records, rows: tuple[Int, Int], quotes: bool
) -> None:
    a, b = rows
    faults, k = out.faults, 0
    for j in range(wanted.floats.size):
        codes = wanted.float_nulls[wanted.float_null_ends[j] : wanted.float_null_ends[j + 1]]
        span = wanted.float_limits[j, 0], wanted.float_limits[j, 1]
        fault, impossible = read_floats(data, at, wanted.floats[j], window, codes, span, out.floats[j, a:b])
        faults[k] |= fault
        out.impossible[k] += impossible
        k += 1
    for j in range(wanted.integers.size):
        nulls = wanted.integer_nulls[wanted.integer_null_ends[j] : wanted.integer_null_ends[j + 1]]
        columns = out.integers[j, a:b], out.null[j, a:b]
        bounds = wanted.integer_spans[j, 0], wanted.integer_spans[j, 1]
        fault, impossible = read_integers(data, at, wanted.integers[j], window, nulls, bounds, columns)
        faults[k] |= fault
        out.impossible[k] += impossible
        k += 1
    for j in range(wanted.times.size):
        faults[k] |= read_times(data, at, wanted.times[j], window, wanted.naive_is_utc, out.times[j, a:b])
        k += 1
    for j in range(wanted.texts.size):
        places = out.offsets[j, a : b + 1]
        faults[k] |= read_texts(data, at, wanted.texts[j], window, quotes, out.packed[j], places)
        k += 1


@jit_inlined
def _part_lines(at: Int, found: Int, window: Window, out: Records, done: _Done, quotes: bool) -> tuple[Int, Int]:
    """Note the window's records and rejected lines, and move the records' cells together: (records, rejected)."""
    lines, good, bad = window.lines, np.int64(0), np.int64(0)
    for i in range(found):
        if lines[4, i] in (LINE_OK, LINE_BACKSLASHED):
            if quotes:
                out.backslashed[0] |= lines[4, i] == LINE_BACKSLASHED
                lines[4, good] = lines[4, i]
            lines[0, good] = lines[0, i]
            out.line_index[done.rows + good] = done.lines + lines[3, i]
            out.line_starts[done.rows + good] = at + lines[1, i]
            good += 1
        else:
            row = done.rejected + bad
            out.rejected[0, row], out.rejected[1, row] = done.lines + lines[3, i], at + lines[1, i]
            out.rejected[2, row], out.rejected[3, row] = at + lines[2, i], lines[4, i]
            bad += 1
    return good, bad


@jit_borrowing
def _read(data: Bytes, layout: Layout, wanted: Wanted, window: Window, out: Records, done: _Done) -> tuple[_Done, Int]:
    """Read on from where `done` says to the end, or until there is no room: (how far, lines that need room)."""
    while done.at < data.size:
        found, count, after, quotes = split_window(data, done.at, layout, window)
        if count == 0 or done.rows + found > out.line_index.size or done.rejected + found > out.rejected.shape[1]:
            return done, found
        good, bad = _part_lines(done.at, found, window, out, done, quotes)
        _read_window(data, done.at, wanted, window, out, (done.rows, done.rows + good), quotes)
        done = _Done(after, done.rows + good, done.rejected + bad, done.lines + count)
    return done, np.int64(0)


def _allocate(wanted: Wanted, rows: int, rejected: int, text_bytes: int) -> Records:
    floats, integers, times, texts = (places.size for places in wanted[:4])
    return Records(
        np.empty((floats, rows)),
        np.empty((integers, rows), np.int64),
        np.empty((integers, rows), np.bool_),
        np.empty((times, rows), np.int64),
        # Only what is written to becomes memory; a column's texts cannot be longer than all of the block.
        np.empty((texts, text_bytes + COPIED), np.uint8),
        np.zeros((texts, rows + 1), np.int64),
        np.empty(rows, np.int64),
        np.empty(rows, np.int64),
        np.zeros(floats + integers + times + texts, np.bool_),
        np.zeros(1, np.bool_),
        np.zeros(floats + integers, np.int64),
        np.empty((4, rejected), np.int64),
    )


def _cut(records: Records, rows: Int, rejected: Int) -> Records:
    return records._replace(
        floats=records.floats[:, :rows],
        integers=records.integers[:, :rows],
        null=records.null[:, :rows],
        times=records.times[:, :rows],
        offsets=records.offsets[:, : rows + 1],
        line_index=records.line_index[:rows],
        line_starts=records.line_starts[:rows],
        rejected=records.rejected[:, :rejected],
    )


def _grow(old: Records, wanted: Wanted, done: _Done, lines: int) -> Records:
    """Move the records so far to arrays with room for at least this many more lines."""
    rows, rejected = old.line_index.size, old.rejected.shape[1]
    new = _allocate(
        wanted,
        rows if done.rows + lines <= rows else rows + rows // 2 + lines,
        rejected if done.rejected + lines <= rejected else 2 * rejected + lines,
        0,
    )._replace(packed=old.packed)
    kept, room = _cut(old, done.rows, done.rejected), _cut(new, done.rows, done.rejected)
    # What a type checker makes of arrays of several types in one tuple depends on its hash seed: `asarray` is for it.
    for source, target in zip(map(np.asarray, kept), map(np.asarray, room), strict=True):
        if source is not target:
            np.copyto(target, source)
    return new


def _guess_lines(block: Bytes) -> int:
    """Guess how many lines a block has from its first ones, rather too many than too few."""
    sample = block[:_SAMPLE_BYTES]
    return int(block.size / sample.size * np.count_nonzero(sample == NEWLINE) * _SPARE) + _FEW_LINES


def read_records(data: Memory, wanted: Wanted, *, fields: int, delimiter: int = ord(",")) -> Records:
    """Read the wanted columns of a block of whole lines.

    What a record is, and which lines are none, `bounds.find_cells` says; what a cell means, `parse_float`,
    `parse_integer` and `parse_timestamps`.

    Parameters
    ----------
    data
        uint8[n] or any bytes-like; it is not copied.
    wanted
        What to read.
    fields, delimiter
        How many fields a record has, and the ASCII character that parts them.

    Returns
    -------
    Records
        Views of larger arrays: how many records there are is known only when they are read.

    Raises
    ------
    ValueError
        If an index is outside the record.
    """
    block = view_bytes(data)
    places = np.concatenate(wanted[:4])
    if places.size and (places.min() < 0 or places.max() >= fields):
        raise ValueError(f"fields {places.tolist()} are wanted, a record has 0 to {fields - 1}")
    zero = np.int64(0)
    done, window_bytes, window = _Done(zero, zero, zero, zero), WINDOW_BYTES, make_window(WINDOW_BYTES)
    records = _allocate(wanted, _guess_lines(block) if block.size else 0, _FEW_LINES, block.size)
    layout = Layout(fields, delimiter)
    while True:
        done, lines = _read(block, layout, wanted, window, records, done)
        if done.at >= block.size:
            return _cut(records, done.rows, done.rejected)
        if lines:
            records = _grow(records, wanted, done, int(lines))
        else:  # a line longer than a window
            window_bytes *= 4
            window = make_window(window_bytes)


def want(
    *,
    floats: Sequence[int] = (),
    integers: Sequence[int] = (),
    times: Sequence[int] = (),
    texts: Sequence[int] = (),
    float_nulls: Sequence[Sequence[float]] = (),
    integer_nulls: Sequence[Sequence[int]] = (),
    float_limits: Sequence[tuple[float, float]] = (),
    integer_spans: Sequence[tuple[int, int]] = (),
    naive_is_utc: bool = True,
) -> Wanted:
    """Make a `Wanted` of fields' positions and, for each float and integer column, what means null there.

    Columns without limits or spans given have none.
    """
    return Wanted(
        np.array(floats, np.int64),
        np.array(integers, np.int64),
        np.array(times, np.int64),
        np.array(texts, np.int64),
        np.array([value for values in float_nulls for value in values], np.float64),
        np.cumsum([0, *map(len, float_nulls)], dtype=np.int64),
        np.array([value for values in integer_nulls for value in values], np.int64),
        np.cumsum([0, *map(len, integer_nulls)], dtype=np.int64),
        np.array(float_limits or [_NO_LIMITS] * len(floats), np.float64).reshape(-1, 2),
        np.array(integer_spans or [_ALL_INTEGERS] * len(integers), np.int64).reshape(-1, 2),
        naive_is_utc,
    )
