"""Ordinary decimal numbers, sixteen characters at a time: what nearly every cell of a file of numbers holds.

Whatever else a cell may hold, `cdpipe.kernels.text.numbers` reads character by character.

Source
------
D. Lemire, "Quickly parsing eight digits", 2018: pairs of digits to hundreds, those to ten thousands, all in one word.
"""

from typing import Final

import numpy as np

from cdpipe.kernels.buffers.cells import Bytes, Int
from cdpipe.kernels.buffers.simd import DIGITS, load_digits, lowest_bit
from cdpipe.kernels.compiling.jit import jit_inlined
from cdpipe.kernels.text.decimal_to_float import EXACT_MANTISSA, TENS, compose

_MOST_DIGITS: Final = 19
_MINUS: Final = 45

_U0: Final = np.uint64(0)
_U1: Final = np.uint64(1)
_U8: Final = np.uint64(8)
_U10: Final = np.uint64(10)
_U16: Final = np.uint64(16)
_U32: Final = np.uint64(32)
_PAIR_BYTES: Final = np.uint64(0x000000FF000000FF)
_MILLION_AND_HUNDRED: Final = np.uint64((10**6 << 32) + 100)
_TEN_THOUSAND_AND_ONE: Final = np.uint64((10**4 << 32) + 1)
_HUNDRED_MILLION: Final = np.uint64(10**8)
_TEN_TO_15: Final = np.uint64(10**15)
_TEN_TO_16: Final = np.uint64(10**16)


@jit_inlined
def _weigh(digits: np.uint64) -> np.uint64:
    """Return the number of eight digits, the first in the lowest byte."""
    pairs = digits * _U10 + (digits >> _U8)
    high = (pairs & _PAIR_BYTES) * _MILLION_AND_HUNDRED
    low = ((pairs >> _U16) & _PAIR_BYTES) * _TEN_THOUSAND_AND_ONE
    return (high + low) >> _U32


@jit_inlined
def _read_piece(data: Bytes, stop: Int, length: Int) -> tuple[np.uint64, np.uint64, bool]:
    """Read up to 16 characters before `stop`, digits and at most one dot: (number, mask of the dot, valid)."""
    first, second, dots, others = load_digits(data, stop, length)
    return _weigh(first) * _HUNDRED_MILLION + _weigh(second), dots, (others | (dots & (dots - _U1))) == _U0


@jit_inlined
def _read_long(data: Bytes, stop: Int, length: Int) -> tuple[float, bool]:
    """Read 17 to 20 characters before `stop`, digits and one dot."""
    head, head_dot, head_valid = _read_piece(data, stop - DIGITS, length - DIGITS)
    tail, tail_dot, tail_valid = _read_piece(data, stop, DIGITS)
    if not (head_valid and tail_valid) or (head_dot != _U0) == (tail_dot != _U0):
        return np.nan, False
    if tail_dot != _U0:
        return compose(head * _TEN_TO_15 + tail, lowest_bit(tail_dot) - (DIGITS - 1))
    return compose(head * _TEN_TO_16 + tail, lowest_bit(head_dot) - (2 * DIGITS - 1))


@jit_inlined
def quick_float(data: Bytes, start: Int, stop: Int) -> tuple[float, bool]:
    """Read a cell of digits and at most one dot, up to 20 characters and a minus: (value, whether it is one)."""
    negative = stop > start and data[start] == _MINUS
    length = stop - start - negative
    if 0 < length <= DIGITS <= stop:
        mantissa, dot, valid = _read_piece(data, stop, length)
        if not valid or mantissa > EXACT_MANTISSA or (length == 1 and dot != _U0):
            return np.nan, False
        fraction = DIGITS - 1 - lowest_bit(dot) if dot != _U0 else np.int64(0)
        value = np.float64(mantissa) / TENS[fraction]
    elif DIGITS < length <= _MOST_DIGITS + 1 and stop >= 2 * DIGITS:
        value, decided = _read_long(data, stop, length)
        if not decided:
            return np.nan, False
    else:
        return np.nan, False
    return -value if negative else value, True


@jit_inlined
def quick_integer(data: Bytes, start: Int, stop: Int) -> tuple[Int, bool]:
    """Read a cell of up to 16 digits and a minus: (value, whether it is one)."""
    negative = stop > start and data[start] == _MINUS
    length = stop - start - negative
    if not 0 < length <= DIGITS <= stop:
        return 0, False
    number, dot, valid = _read_piece(data, stop, length)
    return -np.int64(number) if negative else np.int64(number), valid and dot == _U0
