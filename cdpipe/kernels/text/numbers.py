"""Decimal text to numbers: float64 exactly as Python's `float` reads it, int64 exactly or not at all."""

from typing import Final

import numpy as np
import numpy.typing as npt

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
    strip,
    view_cells,
)
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.text.decimal_to_float import compose
from cdpipe.kernels.text.short_numbers import quick_float, quick_integer

_HUGE_EXPONENT: Final = 10**6
_MOST_DIGITS: Final = 19

NULL_WORDS: Final = ("na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", r"\n")
"""What programs write for "no value", in lower case: R, Excel, pandas, SQL, Python and, last, database dumps."""
_NULL_WORDS: Final = tuple(int.from_bytes(b"\1" + word.encode(), "big") for word in NULL_WORDS)

_U0: Final = np.uint64(0)
_U1: Final = np.uint64(1)
_U9: Final = np.uint64(9)
_U10: Final = np.uint64(10)
_U48: Final = np.uint64(48)
_INT64_LIMIT: Final = np.uint64(2**63)


@jit_borrowing
def is_null_word(data: Bytes, start: Int, stop: Int) -> bool:
    """Say whether a stripped cell is one of `NULL_WORDS`, in any letter case."""
    if not 2 <= stop - start <= 4:
        return False
    word: Int = 1  # so that words of different lengths differ, whatever bytes they have
    for i in range(start, stop):
        byte = np.int64(data[i])
        word = word * 256 + (byte + 32 if 65 <= byte <= 90 else byte)
    return word in _NULL_WORDS


@jit_borrowing
def _scan_digits(data: Bytes, start: Int, stop: Int, mantissa: np.uint64) -> tuple[Int, np.uint64]:
    """Append the digits from `start` to the mantissa, modulo 2**64: (index of the first non-digit, it)."""
    at = start
    while at < stop:
        digit = np.uint64(data[at]) - _U48
        if digit > _U9:
            break
        mantissa = mantissa * _U10 + digit
        at += 1
    return at, mantissa


@jit_borrowing
def _scan_exponent(data: Bytes, start: Int, stop: Int) -> tuple[Int, bool]:
    """Read what follows an `e`, which must be a signed integer up to the cell's end: (exponent, valid)."""
    at = start
    negative = at < stop and data[at] == 45
    if negative or (at < stop and data[at] == 43):
        at += 1
    if at >= stop:
        return 0, False
    exponent: Int = 0
    while at < stop:
        digit = np.int64(data[at]) - 48
        if not 0 <= digit <= 9:
            return 0, False
        if exponent < _HUGE_EXPONENT:
            exponent = exponent * 10 + digit
        at += 1
    return -exponent if negative else exponent, True


@jit_borrowing
def _compose_long(data: Bytes, start: Int, stop: Int, power: Int) -> tuple[float, bool]:
    """Compose a number of more than 19 digits from the first 19 that matter, if the others change nothing."""
    mantissa, digits, dropped, any_dropped = _U0, 0, 0, False
    for i in range(start, stop):
        if data[i] == 46:
            continue
        if digits < _MOST_DIGITS:
            mantissa = mantissa * _U10 + (np.uint64(data[i]) - _U48)
            digits += mantissa != _U0
        else:
            dropped += 1
            any_dropped |= data[i] != 48
    value, decided = compose(mantissa, power + dropped)
    if any_dropped and decided:
        above, decided = compose(mantissa + _U1, power + dropped)
        decided &= above == value
    return value, decided


@jit_borrowing
def _scan_any_float(data: Bytes, start: Int, stop: Int) -> tuple[float, Int]:
    start, stop = strip(data, start, stop)
    if start >= stop:
        return np.nan, NULL
    negative = data[start] == 45
    begin = start + 1 if negative or data[start] == 43 else start
    dot, mantissa = _scan_digits(data, begin, stop, _U0)
    end = dot
    if dot < stop and data[dot] == 46:
        end, mantissa = _scan_digits(data, dot + 1, stop, mantissa)
    fraction = max(end - dot - 1, 0)
    digits = dot - begin + fraction
    if digits == 0:
        return np.nan, NULL if is_null_word(data, start, stop) else MALFORMED
    power = -fraction
    if end < stop:
        exponent: Int = 0
        valid = False
        if data[end] == 101 or data[end] == 69:
            exponent, valid = _scan_exponent(data, end + 1, stop)
        if not valid:
            return np.nan, MALFORMED
        power += exponent
    if digits <= _MOST_DIGITS:
        value, decided = compose(mantissa, power)
    else:
        value, decided = _compose_long(data, begin, end, power)
    if not decided:
        return np.nan, UNDECIDED
    if value == np.inf:
        return np.nan, MALFORMED
    return -value if negative else value, OK


@jit_inlined
def scan_float(data: Bytes, start: Int, stop: Int) -> tuple[float, Int]:
    """Read one cell as `parse_float` does: (value, status), which may be `UNDECIDED`."""
    value, read = quick_float(data, start, stop)
    return (value, OK) if read else _scan_any_float(data, start, stop)


@jit_borrowing
def _parse_float(
    data: Bytes, starts: Integers, stops: Integers, values: npt.NDArray[np.float64], status: Statuses
) -> Int:
    undecided = 0
    for i in range(starts.size):
        values[i], status[i] = scan_float(data, starts[i], stops[i])
        undecided += status[i] == UNDECIDED
    return undecided


def decide_float(text: bytes) -> tuple[float, Int]:
    """Read what the kernel left `UNDECIDED` with Python's own `float`: (value, status)."""
    value = float(text)
    return (value, OK) if np.isfinite(value) else (np.nan, MALFORMED)


def parse_float(data: Memory, starts: Memory, stops: Memory) -> tuple[npt.NDArray[np.float64], Statuses]:
    """Read decimal numbers, to the last bit as Python's `float` does.

    White space around a number is ignored. `.5`, `5.`, `+5`, `-0.0` and `5e-3` are numbers; `inf`,
    underscores, hexadecimal digits and numbers beyond float64 (`1e400`) are malformed; too small ones round to
    zero.

    Parameters
    ----------
    data, starts, stops
        The cells, see `cdpipe.kernels.buffers.cells.view_cells`.

    Returns
    -------
    values : float64[n]
        nan where the status is not `OK`.
    status : uint8[n]
        `OK`, `NULL` (empty, or one of `NULL_WORDS` in any letter case) or `MALFORMED`.

    Raises
    ------
    TypeError, ValueError
        If the arrays are no cells, see `view_cells`.
    """
    text, begins, ends = view_cells(data, starts, stops)
    values = np.empty(begins.size)
    status = np.empty(begins.size, dtype=np.uint8)
    if _parse_float(text, begins, ends, values, status):
        for i in np.flatnonzero(status == UNDECIDED):
            values[i], status[i] = decide_float(text[begins[i] : ends[i]].tobytes())
    return values, status


@jit_borrowing
def _scan_zeros(data: Bytes, start: Int, stop: Int) -> Int:
    """Return the index of the first byte from `start` that is not `0`."""
    at = start
    while at < stop and data[at] == 48:
        at += 1
    return at


@jit_borrowing
def _scan_any_integer(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    start, stop = strip(data, start, stop)
    if start >= stop:
        return 0, NULL
    negative = data[start] == 45
    begin = start + 1 if negative or data[start] == 43 else start
    end, mantissa = _scan_digits(data, begin, stop, _U0)
    if end == begin:
        return 0, NULL if is_null_word(data, start, stop) else MALFORMED
    if end < stop and (data[end] != 46 or _scan_zeros(data, end + 1, stop) < stop):
        return 0, MALFORMED
    if end - begin > _MOST_DIGITS and end - _scan_zeros(data, begin, end) > _MOST_DIGITS:
        return 0, MALFORMED
    if mantissa >= _INT64_LIMIT:
        least = negative and mantissa == _INT64_LIMIT
        return (-(2**63), OK) if least else (0, MALFORMED)
    return -np.int64(mantissa) if negative else np.int64(mantissa), OK


@jit_inlined
def scan_integer(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    """Read one cell as `parse_integer` does: (value, status)."""
    value, read = quick_integer(data, start, stop)
    return (value, OK) if read else _scan_any_integer(data, start, stop)


@jit_borrowing
def _parse_integer(data: Bytes, starts: Integers, stops: Integers, values: Integers, status: Statuses) -> None:
    for i in range(starts.size):
        values[i], status[i] = scan_integer(data, starts[i], stops[i])


def parse_integer(data: Memory, starts: Memory, stops: Memory) -> tuple[Integers, Statuses]:
    """Read whole numbers exactly.

    White space around a number is ignored, and so is a fraction of zeros (`12.0`, `12.`: pandas writes an
    integer column with nulls that way). Any other fraction, an exponent or a number beyond int64 is malformed.

    Parameters
    ----------
    data, starts, stops
        The cells, see `cdpipe.kernels.buffers.cells.view_cells`.

    Returns
    -------
    values : int64[n]
        0 where the status is not `OK`.
    status : uint8[n]
        As of `parse_float`.

    Raises
    ------
    TypeError, ValueError
        If the arrays are no cells, see `view_cells`.
    """
    text, begins, ends = view_cells(data, starts, stops)
    values = np.empty(begins.size, dtype=np.int64)
    status = np.empty(begins.size, dtype=np.uint8)
    _parse_integer(text, begins, ends, values, status)
    return values, status
