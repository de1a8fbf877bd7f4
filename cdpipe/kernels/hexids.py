"""Hexadecimal ids to 64-bit words, exactly as Python's `int(text, 16)` reads them."""

from typing import Final

import numpy as np
import numpy.typing as npt

from cdpipe.kernels.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.memory import (
    MALFORMED,
    NULL,
    OK,
    Bytes,
    Int,
    Integers,
    Memory,
    Statuses,
    load_word,
    strip,
    view_cells,
)

_MOST_DIGITS: Final = 16

_U0: Final = np.uint64(0)
_U4: Final = np.uint64(4)
_U7: Final = np.uint64(7)
_U8: Final = np.uint64(8)
_U9: Final = np.uint64(9)
_U16: Final = np.uint64(16)
_U32: Final = np.uint64(32)
_TOP_BITS: Final = np.uint64(0x8080808080808080)
_CASE_BITS: Final = np.uint64(0x2020202020202020)
_NIBBLES: Final = np.uint64(0x0F0F0F0F0F0F0F0F)
_BYTES: Final = np.uint64(0x00FF00FF00FF00FF)
_HALVES: Final = np.uint64(0x0000FFFF0000FFFF)
_LOW_HALF: Final = np.uint64(0x00000000FFFFFFFF)
# Added to a byte below 128, each carries into its top bit from the character named on.
_FROM_0: Final = np.uint64(0x5050505050505050)
_PAST_9: Final = np.uint64(0x4646464646464646)
_FROM_A: Final = np.uint64(0x1F1F1F1F1F1F1F1F)
_PAST_F: Final = np.uint64(0x1919191919191919)


@jit_inlined
def _read_eight(word: np.uint64) -> tuple[np.uint64, bool]:
    """Read 8 characters, the first lowest, as 8 digits at once: (value, whether all are hexadecimal digits)."""
    low = word & ~_TOP_BITS
    folded = low | _CASE_BITS
    letters = (folded + _FROM_A) & ~(folded + _PAST_F) & _TOP_BITS
    figures = (low + _FROM_0) & ~(low + _PAST_9) & _TOP_BITS
    digits = (word & _NIBBLES) + (letters >> _U7) * _U9
    digits = ((digits << _U4) | (digits >> _U8)) & _BYTES
    digits = ((digits << _U8) | (digits >> _U16)) & _HALVES
    digits = ((digits << _U16) | (digits >> _U32)) & _LOW_HALF
    return digits, ((letters | figures) & ~word & _TOP_BITS) == _TOP_BITS


@jit_inlined
def _read_one(byte: Int) -> Int:
    """Return the value of a hexadecimal digit, -1 for any other character."""
    if 48 <= byte <= 57:
        return byte - 48
    folded = byte | 32
    return folded - 87 if 97 <= folded <= 102 else -1


@jit_inlined
def _trim_fraction(data: Bytes, start: Int, stop: Int) -> Int:
    """Return where a cell stops without `.0`, `.00`, …: what is left of an all-digit id that once was a float."""
    at = stop
    while at > start and data[at - 1] == 48:
        at -= 1
    return at - 1 if start < at < stop and data[at - 1] == 46 else stop


@jit_inlined
def _scan_hex(data: Bytes, start: Int, stop: Int) -> tuple[np.uint64, int]:
    start, stop = strip(data, start, stop)
    if start >= stop:
        return _U0, NULL
    if data[stop - 1] == 48:
        stop = _trim_fraction(data, start, stop)
    if start + 1 < stop and data[start] == 48 and (data[start + 1] | 32) == 120:
        start += 2
    if start >= stop:
        return _U0, MALFORMED
    while stop - start > _MOST_DIGITS and data[start] == 48:
        start += 1
    if stop - start > _MOST_DIGITS:
        return _U0, MALFORMED
    value = _U0
    while start + 8 <= stop:
        eight, valid = _read_eight(load_word(data, start))
        if not valid:
            return _U0, MALFORMED
        value = (value << _U32) | eight
        start += 8
    while start < stop:
        digit = _read_one(np.int64(data[start]))
        if digit < 0:
            return _U0, MALFORMED
        value = (value << _U4) | np.uint64(digit)
        start += 1
    return value, OK


@jit_borrowing
def _parse_hex(
    data: Bytes, starts: Integers, stops: Integers, values: npt.NDArray[np.uint64], status: Statuses
) -> None:
    for i in range(starts.size):
        values[i], status[i] = _scan_hex(data, starts[i], stops[i])


def parse_hex(data: Memory, starts: Memory, stops: Memory) -> tuple[npt.NDArray[np.uint64], Statuses]:
    """Read hexadecimal ids, each for itself: a bad one changes none of its neighbours.

    An id is `0x` or `0X` or nothing, then 1 to 16 digits after any leading zeros, in either letter case, then
    `.0`, `.00`, … or nothing (files in which a column of all-digit ids went through a float). White space around
    it is ignored. All else is malformed, null words too: `nan` is no id, nor the lack of one.

    Parameters
    ----------
    data, starts, stops
        The cells, see `cdpipe.kernels.memory.view_cells`.

    Returns
    -------
    values : uint64[n]
        0 where the status is not `OK`.
    status : uint8[n]
        `OK`, `NULL` (empty or blank) or `MALFORMED`.

    Raises
    ------
    TypeError, ValueError
        If the arrays are no cells, see `view_cells`.
    """
    text, begins, ends = view_cells(data, starts, stops)
    values = np.empty(begins.size, dtype=np.uint64)
    status = np.empty(begins.size, dtype=np.uint8)
    _parse_hex(text, begins, ends, values, status)
    return values, status
