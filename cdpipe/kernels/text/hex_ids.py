"""Vehicle ids, one a vehicle however it is written: as a 64-bit word, and as a text of one form.

`5B820000`, `0x5b820000` and ` 5B820000.0` are one vehicle, and so are `00045678`, `45678` and `45678.0`. Digits are
hexadecimal, as SAE J2735 has them, exactly as Python's `int(text, 16)` reads them: `1E10` is no power of ten.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from cdpipe.kernels.buffers.cells import (
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
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.text.eight_bytes import WORD
from cdpipe.kernels.text.numbers import is_null_word

_MOST_DIGITS: Final = 16
_ZERO: Final = 48
_DOT: Final = 46
_X: Final = 120
_CASE: Final = 32
_FIRST_SMALL: Final = 97

_U0: Final = np.uint64(0)
_U1: Final = np.uint64(1)
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
    """Return where a cell stops without `.`, `.0`, `.00`, …: what is left of an all-digit id that once was a float."""
    at = stop
    while at > start and data[at - 1] == _ZERO:
        at -= 1
    return at - 1 if at > start and data[at - 1] == _DOT else stop


@jit_inlined
def _are_digits(data: Bytes, start: Int, stop: Int) -> bool | np.bool_:
    for at in range(start, stop):
        if _read_one(np.int64(data[at])) < 0:
            return False
    return start < stop


@jit_borrowing
def _scan_id(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int, int]:
    """Find what tells a vehicle in a cell: (start, stop, status).

    `OK`: digits without zeros before them, so none for 0. `MALFORMED`: text that is no number. `NULL`: nothing.
    """
    start, stop = strip(data, start, stop)
    if start >= stop or is_null_word(data, start, stop):
        return start, start, NULL
    first, last = start, _trim_fraction(data, start, stop)
    if first + 1 < last and data[first] == _ZERO and data[first + 1] | 32 == _X:
        first += 2
    if not _are_digits(data, first, last):
        return start, stop, MALFORMED
    while first < last and data[first] == _ZERO:
        first += 1
    return first, last, OK


@jit_inlined
def _scan_hex(data: Bytes, start: Int, stop: Int) -> tuple[np.uint64, int]:
    if stop - start == WORD:  # as nearly every id is
        value, valid = _read_eight(load_word(data, start))
        if valid:
            return value, OK
    start, stop, status = _scan_id(data, start, stop)
    if status != OK:
        return _U0, status
    if stop - start > _MOST_DIGITS:
        return _U0, MALFORMED
    value = _U0
    for at in range(start, stop):
        value = (value << _U4) | np.uint64(_read_one(np.int64(data[at])))
    return value, OK


@jit_borrowing
def _parse_hex(
    data: Bytes, starts: Integers, stops: Integers, values: npt.NDArray[np.uint64], status: Statuses
) -> None:
    for i in range(starts.size):
        values[i], status[i] = _scan_hex(data, starts[i], stops[i])


def parse_hex(data: Memory, starts: Memory, stops: Memory) -> tuple[npt.NDArray[np.uint64], Statuses]:
    """Read hexadecimal ids, each for itself: a bad one changes none of its neighbours.

    An id is `0x` or `0X` or nothing, then 1 to 16 digits after any leading zeros, in either letter case, then `.`,
    `.0`, `.00`, … or nothing (files in which a column of all-digit ids went through a float). What cannot be seen
    around it is ignored, see `cdpipe.kernels.buffers.cells.strip`. All else is malformed.

    Parameters
    ----------
    data, starts, stops
        The cells, see `cdpipe.kernels.buffers.cells.view_cells`.

    Returns
    -------
    values : uint64[n]
        0 where the status is not `OK`.
    status : uint8[n]
        `OK`, `NULL` (empty, blank, or a null word: `cdpipe.kernels.text.numbers.NULL_WORDS`) or `MALFORMED`.

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


@jit_borrowing
def _are_spelt(data: Bytes, starts: Integers, stops: Integers) -> bool:
    """Say whether every cell is eight digits without small letters, as nearly always."""
    for i in range(starts.size):
        if stops[i] - starts[i] != WORD:
            return False
        word = load_word(data, starts[i])
        _value, valid = _read_eight(word)
        if not valid or word & _CASE_BITS & (word >> _U1) != _U0:
            return False
    return True


@jit_borrowing
def _spell_ids(
    data: Bytes, starts: Integers, stops: Integers, packed: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]
) -> None:
    to: Int = 0
    for i in range(starts.size):
        offsets[i] = to
        start, stop, status = _scan_id(data, starts[i], stops[i])
        if status == OK:
            for _ in range(stop - start, WORD):
                packed[to] = _ZERO
                to += 1
        for at in range(start, stop):
            packed[to] = data[at] - _CASE if status == OK and data[at] >= _FIRST_SMALL else data[at]
            to += 1
    offsets[starts.size] = to


def spell_ids(data: Memory, starts: Memory, stops: Memory) -> tuple[Bytes, Integers, Integers]:
    """Spell each id in the one form that all ways to write it share; a vehicle is told by that.

    A number, as `parse_hex` reads it but of any length, is spelt with capital letters and at least eight digits
    (`f"{value:08X}"`). Any other text is spelt as it is, without what cannot be seen around it. Null is spelt empty.

    Parameters
    ----------
    data, starts, stops
        The cells, see `cdpipe.kernels.buffers.cells.view_cells`.

    Returns
    -------
    data, starts, stops
        Cells of the same shape; those given, if all have the form already.

    Raises
    ------
    TypeError, ValueError
        If the arrays are no cells, see `view_cells`.
    """
    text, begins, ends = view_cells(data, starts, stops)
    if _are_spelt(text, begins, ends):
        return text, begins, ends
    packed = np.empty(int(np.maximum(ends - begins, WORD).sum()), np.uint8)
    offsets = np.empty(begins.size + 1, np.int64)
    _spell_ids(text, begins, ends, packed, offsets)
    return packed, offsets[:-1], offsets[1:]
