"""Well-known-text points, `POINT (lon lat)`, to two columns of float64."""

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from cdpipe.kernels.buffers.allocation import allot_columns
from cdpipe.kernels.buffers.cells import (
    MALFORMED,
    NULL,
    OK,
    UNDECIDED,
    Bytes,
    Int,
    Integers,
    Memory,
    Statuses,
    is_blank,
    load_word,
    strip,
    view_cells,
)
from cdpipe.kernels.buffers.simd import WIDTH, lowest_bit, match_bytes
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.text.numbers import decide_float, is_null_word, scan_float
from cdpipe.kernels.text.short_numbers import quick_float

Floats: TypeAlias = npt.NDArray[np.float64]

_WORD: Final = np.frombuffer(b"point", dtype=np.uint8)
_OPENING: Final = np.frombuffer(b"POINT (", dtype=np.uint8)
_OPENING_BYTES: Final = np.uint64(0x00FFFFFFFFFFFFFF)
_OPENING_WORD: Final = np.uint64(int.from_bytes(b"POINT (", "little"))
_COORDINATE_BYTES: Final = 8
_BLANK: Final = 32
_CLOSING: Final = 41
_U0: Final = np.uint64(0)


@jit_borrowing
def _skip_word(data: Bytes, start: Int, stop: Int) -> Int:
    """Return the index behind `point` and `(`, in any letter case and with any blanks between, -1 if not there."""
    if stop - start < _WORD.size:
        return -1
    for i in range(_WORD.size):
        if data[start + i] | 32 != _WORD[i]:
            return -1
    at = start + _WORD.size
    while at < stop and is_blank(data[at]):
        at += 1
    return at + 1 if at < stop and data[at] == 40 else -1


@jit_borrowing
def _find_numbers(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int, Int, Int]:
    """Return the bounds of the two words between the brackets of a stripped cell; the first is -1 if malformed."""
    begin = _skip_word(data, start, stop)
    if begin < 0 or data[stop - 1] != 41:
        return -1, 0, 0, 0
    begin, end = strip(data, begin, stop - 1)
    gap = begin
    while gap < end and not is_blank(data[gap]):
        gap += 1
    if gap in (begin, end):
        return -1, 0, 0, 0
    return begin, gap, gap, end


@jit_borrowing
def _scan_point(data: Bytes, start: Int, stop: Int) -> tuple[float, float, int]:
    start, stop = strip(data, start, stop)
    if start >= stop or is_null_word(data, start, stop):
        return np.nan, np.nan, NULL
    lon_start, lon_stop, lat_start, lat_stop = _find_numbers(data, start, stop)
    if lon_start < 0:
        return np.nan, np.nan, MALFORMED
    lon, lon_status = scan_float(data, lon_start, lon_stop)
    lat, lat_status = scan_float(data, lat_start, lat_stop)
    if lon_status == OK and lat_status == OK:
        return lon, lat, OK
    if MALFORMED in (lon_status, lat_status):
        return np.nan, np.nan, MALFORMED
    if NULL in (lon_status, lat_status):
        return np.nan, np.nan, NULL
    return np.nan, np.nan, UNDECIDED


@jit_inlined
def _quick_point(data: Bytes, start: Int, stop: Int) -> tuple[float, float, bool]:
    """Read `POINT (lon lat)` as nearly every cell has it: (longitude, latitude, whether it is that)."""
    first = start + _OPENING.size
    if stop <= first or first + WIDTH > data.size or data[stop - 1] != _CLOSING:
        return np.nan, np.nan, False
    blanks = match_bytes(data, first, _BLANK)
    if load_word(data, start) & _OPENING_BYTES != _OPENING_WORD or blanks == _U0:
        return np.nan, np.nan, False
    gap = first + lowest_bit(blanks)
    lon, lon_read = quick_float(data, first, gap)
    lat, lat_read = quick_float(data, gap + 1, stop - 1)
    return lon, lat, lon_read and lat_read


@jit_borrowing
def _parse_point(
    data: Bytes, starts: Integers, stops: Integers, positions: tuple[Floats, Floats], status: Statuses
) -> int:
    lon, lat = positions
    undecided = 0
    for i in range(starts.size):
        lon[i], lat[i], read = _quick_point(data, starts[i], stops[i])
        status[i] = OK
        if not read:
            lon[i], lat[i], status[i] = _scan_point(data, starts[i], stops[i])
            undecided += status[i] == UNDECIDED
    return undecided


def _decide_point(text: bytes) -> tuple[float, float, int]:
    """Read a well-formed point that the kernel left `UNDECIDED` with Python's own `float`."""
    lon, lat = (decide_float(word) for word in text.partition(b"(")[2].rpartition(b")")[0].split())
    if lon[1] == OK and lat[1] == OK:
        return lon[0], lat[0], OK
    return np.nan, np.nan, MALFORMED


def parse_point(data: Memory, starts: Memory, stops: Memory) -> tuple[Floats, Floats, Statuses]:
    """Read points as well-known text, each number to the last bit as Python's `float` does.

    `POINT` may be in any letter case; blanks may stand, or not, around the brackets and between the numbers at
    least one must. A third number, another geometry or a range of values is not looked into: any number goes.

    Parameters
    ----------
    data, starts, stops
        The cells, see `cdpipe.kernels.buffers.cells.view_cells`.

    Returns
    -------
    lon, lat : float64[n]
        Degrees if the text's are; nan where the status is not `OK`, both of them.
    status : uint8[n]
        `OK`, `NULL` (empty or a null word, or one in place of a number; see `numbers.parse_float`) or
        `MALFORMED`.

    Raises
    ------
    TypeError, ValueError
        If the arrays are no cells, see `view_cells`.
    """
    text, begins, ends = view_cells(data, starts, stops)
    lon, lat = allot_columns(begins.size, [np.dtype(np.float64)] * 2, widest=_COORDINATE_BYTES)
    status = np.empty(begins.size, dtype=np.uint8)
    if _parse_point(text, begins, ends, (lon, lat), status):
        for i in np.flatnonzero(status == UNDECIDED):
            lon[i], lat[i], status[i] = _decide_point(text[begins[i] : ends[i]].tobytes())
    return lon, lat, status
