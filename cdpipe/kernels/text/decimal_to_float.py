"""mantissa * 10**power as the nearest float64, in integers and without a library call.

Sources
-------
W. D. Clinger, "How to read floating point numbers accurately", PLDI 1990: when mantissa and power of ten are
both exact in binary64, one rounding (the operation's own) remains. D. Lemire (with M. Eisel), "Number parsing at
a gigabyte per second", Software: Practice and Experience 51(8), 2021: the others, by a 128-bit table of powers of
five.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from cdpipe.kernels.buffers.cells import Int
from cdpipe.kernels.buffers.simd import highest_bit, multiply_words
from cdpipe.kernels.compiling.jit import jit_borrowing

_LEAST_POWER: Final = -342
_GREATEST_POWER: Final = 308
_EXACT_POWER: Final = 22
EXACT_MANTISSA: Final = np.uint64(2**53)
"""Up to here every whole number is exact in binary64."""

_LAST_BIT: Final = 63
_U0: Final = np.uint64(0)
_U1: Final = np.uint64(1)
_U3: Final = np.uint64(3)
_U52: Final = np.uint64(52)
_U63: Final = np.uint64(63)
_ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_INEXACT_LOW: Final = np.uint64(0x1FF)
_HIDDEN_BIT: Final = np.uint64(1 << 52)


def _tabulate_fives() -> npt.NDArray[np.uint64]:
    """Return the top 128 bits of 5**q for q from -342 to 308, high word first (Lemire 2021, section 6)."""
    table = np.empty((_GREATEST_POWER - _LEAST_POWER + 1, 2), dtype=np.uint64)
    for q in range(_LEAST_POWER, _GREATEST_POWER + 1):
        five = 5 ** abs(q)
        if q < 0:
            size = five.bit_length()
            reciprocal = (1 << (size + 127 if q >= -27 else 2 * size + 128)) // five + 1
            top = reciprocal >> max(0, reciprocal.bit_length() - 128)
        else:
            shift = five.bit_length() - 128
            top = five >> shift if shift > 0 else five << -shift
        table[q - _LEAST_POWER] = top >> 64, top & (2**64 - 1)
    return table


_FIVES: Final = _tabulate_fives()
TENS: Final = np.array([float(10**q) for q in range(_EXACT_POWER + 1)])
"""Powers of ten that are exact in binary64."""


@jit_borrowing
def _approximate(mantissa: np.uint64, power: Int) -> tuple[np.uint64, np.uint64]:
    """Return the product of a normalised mantissa and 5**power, as far as it is needed (Lemire 2021)."""
    high, low = multiply_words(mantissa, _FIVES[power - _LEAST_POWER, 0])
    if high & _INEXACT_LOW == _INEXACT_LOW:
        more, _ = multiply_words(mantissa, _FIVES[power - _LEAST_POWER, 1])
        low += more
        if more > low:
            high += _U1
    return high, low


@jit_borrowing
def _round_product(mantissa: np.uint64, power: Int) -> tuple[float, bool]:
    """Return the float64 nearest to mantissa * 10**power, and whether it is decided; inf if too great."""
    if power < _LEAST_POWER:
        return 0.0, True
    if power > _GREATEST_POWER:
        return np.inf, True
    zeros = _LAST_BIT - highest_bit(mantissa)
    high, low = _approximate(mantissa << np.uint64(zeros), power)
    top = high >> _U63
    shift = top + np.uint64(9)
    bits = high >> shift
    exponent = ((217706 * power) >> 16) + 63 + np.int64(top) - zeros + 1023
    if exponent <= 0 or (low == _ALL and not -27 <= power <= 55):
        return 0.0, False
    if low <= _U1 and -4 <= power <= 23 and bits & _U3 == _U1 and bits << shift == high:
        bits &= ~_U1
    bits = (bits + (bits & _U1)) >> _U1
    if bits >= _HIDDEN_BIT << _U1:
        bits = _HIDDEN_BIT
        exponent += 1
    if exponent >= 2047:
        return np.inf, True
    return np.uint64((bits & ~_HIDDEN_BIT) | (np.uint64(exponent) << _U52)).view(np.float64), True


@jit_borrowing
def compose(mantissa: np.uint64, power: Int) -> tuple[float, bool]:
    """Return mantissa * 10**power as the nearest float64 (inf if too great), and whether it is decided.

    Undecided, which is rare, are subnormal results and products too close to a tie for 128 bits.
    """
    if mantissa == _U0:
        return 0.0, True
    if mantissa <= EXACT_MANTISSA:
        if 0 <= power <= _EXACT_POWER:
            return np.float64(mantissa) * TENS[power], True
        if -_EXACT_POWER <= power < 0:
            return np.float64(mantissa) / TENS[-power], True
    return _round_product(mantissa, power)
