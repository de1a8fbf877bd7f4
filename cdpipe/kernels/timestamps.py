"""Timestamps as text to microseconds since 1970: the forms met in real files, and never a guess between two."""

from typing import Final

import numpy as np

from cdpipe.kernels.allocation import allot
from cdpipe.kernels.calendar import DAY_US, calendar_parts, count_days, days_since_epoch
from cdpipe.kernels.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.memory import MALFORMED, NULL, OK, Bytes, Int, Integers, Memory, Statuses, strip, view_cells
from cdpipe.kernels.numbers import is_null_word
from cdpipe.kernels.words import is_same

__all__ = ["EASTERN", "UTC", "calendar_parts", "days_since_epoch", "parse_timestamps"]

UTC: Final = 0
EASTERN: Final = 1

_SECOND_US: Final = 1_000_000
_MINUTE_US: Final = 60_000_000
_LEAST_US: Final = -62_135_596_800 * _SECOND_US
_GREATEST_US: Final = 253_402_300_800 * _SECOND_US - 1
_LEAST_EPOCH_DIGITS: Final = 11
_MOST_EPOCH_DIGITS: Final = 14
_NOT_DIGITS: Final = 1_000_000
_BAD: Final[Int] = np.iinfo(np.int64).min

_ZULU: Final = np.frombuffer(b"Z[UTC]", dtype=np.uint8)
_UTC_MARK: Final = np.frombuffer(b"[UTC]", dtype=np.uint8)
_EASTERN_MARK: Final = np.frombuffer(b" [ET]", dtype=np.uint8)


@jit_inlined
def _read_two(data: Bytes, at: Int) -> Int:
    """Read two digits; what is none of that comes back too great for any part of a date."""
    tens, ones = np.int64(data[at]) - 48, np.int64(data[at + 1]) - 48
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else _NOT_DIGITS


@jit_inlined
def _count_us(year: Int, month: Int, day: Int, clock_us: Int) -> Int:
    """Return microseconds since 1970, `_BAD` for a date that is none (31 days are not in every month)."""
    if not (1 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= 31) or clock_us == _BAD:
        return _BAD
    if day > 28:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        length = 28 + leap if month == 2 else 31 - (month in (4, 6, 9, 11))
        if day > length:
            return _BAD
    return count_days(year, month, day) * DAY_US + clock_us


@jit_inlined
def _read_clock(data: Bytes, at: Int) -> Int:
    """Read `HH:MM:SS`, 24 hours, to microseconds; `_BAD` if it is none."""
    hour, minute, second = _read_two(data, at), _read_two(data, at + 3), _read_two(data, at + 6)
    if data[at + 2] != 58 or data[at + 5] != 58 or hour > 23 or minute > 59 or second > 59:
        return _BAD
    return (hour * 3600 + minute * 60 + second) * _SECOND_US


@jit_inlined
def _read_fraction(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    """Read `.` and digits, if there, to microseconds, cut off: (place behind them, -1 if no digit, value)."""
    if start >= stop or data[start] != 46:
        return start, 0
    at = start + 1
    value: Int = 0
    unit = 100_000
    while at < stop and 48 <= data[at] <= 57:
        value += (np.int64(data[at]) - 48) * unit
        unit //= 10
        at += 1
    return at if at > start + 1 else -1, value


@jit_inlined
def _ends_with(data: Bytes, start: Int, stop: Int, mark: Bytes) -> bool:
    equal = stop - start == mark.size
    for i in range(mark.size):
        equal = equal and data[start + i] == mark[i]
    return bool(equal)


@jit_inlined
def _read_offset(data: Bytes, start: Int, stop: Int) -> Int:
    """Read `+HH:MM` or `+HHMM` (or `-`), below 24 hours, to microseconds east of UTC; `_BAD` if it is none."""
    length = stop - start
    if length not in (5, 6) or (length == 6 and data[start + 3] != 58):
        return _BAD
    hour, minute = _read_two(data, start + 1), _read_two(data, stop - 2)
    if data[start] not in (43, 45) or hour > 23 or minute > 59:
        return _BAD
    offset = (hour * 60 + minute) * _MINUTE_US
    return offset if data[start] == 43 else -offset


@jit_inlined
def _read_zone(data: Bytes, start: Int, stop: Int) -> tuple[Int, int]:
    """Read what follows an ISO time: (microseconds east of UTC, `_BAD` if it is no zone, zone)."""
    if start == stop or (start + 1 == stop and data[start] == 90):
        return 0, UTC
    if _ends_with(data, start, stop, _EASTERN_MARK):
        return 0, EASTERN
    if _ends_with(data, start, stop, _ZULU) or _ends_with(data, start, stop, _UTC_MARK):
        return 0, UTC
    return _read_offset(data, start, stop), UTC


@jit_inlined
def _read_iso(data: Bytes, start: Int, stop: Int) -> tuple[Int, int]:
    """Read `YYYY-MM-DDTHH:MM:SS`, fraction, zone: (microseconds or `_BAD`, zone)."""
    if stop - start < 19 or data[start + 7] != 45 or data[start + 10] not in (84, 32):
        return _BAD, UTC
    year = _read_two(data, start) * 100 + _read_two(data, start + 2)
    clock_us = _read_clock(data, start + 11)
    value = _count_us(year, _read_two(data, start + 5), _read_two(data, start + 8), clock_us)
    at, fraction_us = _read_fraction(data, start + 19, stop)
    if value == _BAD or at < 0:
        return _BAD, UTC
    offset_us, zone = _read_zone(data, at, stop)
    if offset_us == _BAD:
        return _BAD, UTC
    return value + fraction_us - offset_us, zone


@jit_inlined
def _shift_noon(data: Bytes, start: Int, stop: Int, hour: Int) -> Int:
    """Read what follows a US time, nothing or ` AM` or ` PM`: microseconds to add to the clock, or `_BAD`."""
    if start == stop:
        return 0
    if stop - start != 3 or data[start] != 32 or data[start + 2] | 32 != 109 or not 1 <= hour <= 12:
        return _BAD
    half = data[start + 1] | 32
    if half == 97:
        return -12 * 60 * _MINUTE_US if hour == 12 else 0
    if half == 112:
        return 0 if hour == 12 else 12 * 60 * _MINUTE_US
    return _BAD


@jit_inlined
def _read_us(data: Bytes, start: Int, stop: Int) -> Int:
    """Read `MM/DD/YYYY HH:MM:SS`, fraction, ` AM` or ` PM`, to microseconds; `_BAD` if it is none."""
    if stop - start < 19 or data[start + 5] != 47 or data[start + 10] != 32:
        return _BAD
    year = _read_two(data, start + 6) * 100 + _read_two(data, start + 8)
    clock_us = _read_clock(data, start + 11)
    value = _count_us(year, _read_two(data, start), _read_two(data, start + 3), clock_us)
    at, fraction_us = _read_fraction(data, start + 19, stop)
    if value == _BAD or at < 0:
        return _BAD
    shift_us = _shift_noon(data, at, stop, _read_two(data, start + 11))
    return value + fraction_us + shift_us if shift_us != _BAD else _BAD


@jit_inlined
def _read_epoch_ms(data: Bytes, start: Int, stop: Int) -> Int:
    """Read 11 to 14 digits, the first not 0, as milliseconds; in microseconds, `_BAD` if it is none."""
    if not _LEAST_EPOCH_DIGITS <= stop - start <= _MOST_EPOCH_DIGITS or data[start] == 48:
        return _BAD
    value = np.int64(0)
    for i in range(start, stop):
        digit = np.int64(data[i]) - 48
        if not 0 <= digit <= 9:
            return _BAD
        value = value * 10 + digit
    return value * 1000


@jit_inlined
def scan_timestamp(data: Bytes, start: Int, stop: Int) -> tuple[Int, int, int]:
    start, stop = strip(data, start, stop)
    if start >= stop or is_null_word(data, start, stop):
        return 0, NULL, UTC
    value: Int = _BAD
    zone = UTC
    if stop - start > 4 and data[start + 2] == 47:
        value = _read_us(data, start, stop)
    elif stop - start > 4 and data[start + 4] == 45:
        value, zone = _read_iso(data, start, stop)
    else:
        value = _read_epoch_ms(data, start, stop)
    if not _LEAST_US <= value <= _GREATEST_US:
        return 0, MALFORMED, UTC
    return value, OK, zone


@jit_borrowing
def _parse_timestamps(
    data: Bytes, starts: Integers, stops: Integers, values: Integers, marks: tuple[Statuses, Statuses]
) -> None:
    status, zone = marks
    last, last_length = np.int64(0), np.int64(0)
    for i in range(starts.size):
        start, length = starts[i], stops[i] - starts[i]
        # messages come about in the order of their times, many in a second: the last one's text is not read again
        if length == last_length and length > 0 and is_same(data, start, last, length):
            values[i], status[i], zone[i] = values[i - 1], status[i - 1], zone[i - 1]
        else:
            values[i], status[i], zone[i] = scan_timestamp(data, start, stops[i])
            last, last_length = start, length


def parse_timestamps(data: Memory, starts: Memory, stops: Memory) -> tuple[Integers, Statuses, Statuses]:
    """Read timestamps to the microsecond.

    Forms, white space around them ignored:

    - `07/31/2019 12:41:59 PM`: month first, always; hours 1-12 with ` AM` or ` PM` (12 AM is 0 h), 0-23 without.
    - `2019-07-31T12:41:59`, a blank for the `T` allowed; then nothing, `Z`, `Z[UTC]`, `[UTC]`, ` [ET]`, or an
      offset from UTC, `+HH:MM` or `+HHMM` (`-` likewise), which is applied.
    - Milliseconds since 1970 UTC, 11 to 14 digits without sign or leading zero: 1970-04-26 to the year 5138. Ten
      digits are malformed: read as seconds they are a date of 2001 to 2286, so taking them for milliseconds would
      move real times to the spring of 1970 without a word; and 15 or more are micro- or nanoseconds.

    The first two may have a fraction of a second; digits beyond the sixth are cut off. Every part is checked
    against the calendar (years 1 to 9999, leap years; no second 60), and so is the result.

    Parameters
    ----------
    data, starts, stops
        The cells, see `cdpipe.kernels.memory.view_cells`.

    Returns
    -------
    values : int64[n]
        Microseconds since 1970-01-01T00:00; 0 where the status is not `OK`.
    status : uint8[n]
        `OK`, `NULL` (empty or a null word, see `numbers.parse_float`) or `MALFORMED`.
    zone : uint8[n]
        `UTC`, for times without a zone too, or `EASTERN`: marked ` [ET]`, the value is the local clock's reading
        in New York and the caller converts it.

    Raises
    ------
    TypeError, ValueError
        If the arrays are no cells, see `view_cells`.
    """
    text, begins, ends = view_cells(data, starts, stops)
    values = allot(begins.size, np.int64)
    status, zone = np.empty(begins.size, dtype=np.uint8), np.empty(begins.size, dtype=np.uint8)
    _parse_timestamps(text, begins, ends, values, (status, zone))
    return values, status, zone
