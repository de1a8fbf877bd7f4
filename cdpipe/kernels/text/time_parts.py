"""Parts of a timestamp's text: numbers, fractions, halves of a day and zones, each read from where it begins."""

from typing import Final

import numpy as np

from cdpipe.kernels.buffers.cells import Bytes, Int
from cdpipe.kernels.compiling.jit import jit_inlined
from cdpipe.kernels.text.calendar import DAY_US, count_days

UTC: Final = 0
EASTERN: Final = 1
NAIVE: Final = 2
NAMED: Final = 3

BAD: Final[Int] = np.iinfo(np.int64).min
"""What stands for a part that cannot be read."""

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60_000_000
LEAST_US: Final = -62_135_596_800 * SECOND_US
GREATEST_US: Final = 253_402_300_800 * SECOND_US - 1
"""The ends of the years 1 to 9999."""
LEAST_EPOCH_DIGITS: Final = 11
MOST_EPOCH_DIGITS: Final = 13
"""Of milliseconds since 1970."""
_NOON_US: Final = 12 * 60 * MINUTE_US
_NOT_DIGITS: Final = 1_000_000

_ZULU: Final = np.frombuffer(b"Z[UTC]", dtype=np.uint8)
_UTC_MARK: Final = np.frombuffer(b"[UTC]", dtype=np.uint8)
_EASTERN_MARK: Final = np.frombuffer(b" [ET]", dtype=np.uint8)


@jit_inlined
def read_two(data: Bytes, at: Int) -> Int:
    """Read two digits; what is none of that comes back too great for any part of a date."""
    tens, ones = np.int64(data[at]) - 48, np.int64(data[at + 1]) - 48
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else _NOT_DIGITS


@jit_inlined
def count_us(year: Int, month: Int, day: Int, clock_us: Int) -> Int:
    """Return microseconds since 1970, `BAD` for a date that is none (31 days are not in every month)."""
    if not (1 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= 31) or clock_us == BAD:
        return BAD
    if day > 28:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        length = 28 + leap if month == 2 else 31 - (month in (4, 6, 9, 11))
        if day > length:
            return BAD
    return count_days(year, month, day) * DAY_US + clock_us


@jit_inlined
def read_fraction(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    """Read `.` or `,` and digits, if there, to microseconds, cut off: (index behind them, -1 if no digit, value)."""
    if start >= stop or (data[start] != 46 and data[start] != 44):
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
def read_half(data: Bytes, start: Int, stop: Int, hour: Int) -> tuple[Int, Int]:
    """Read ` AM` or ` PM`, if there: (index behind it, microseconds to add, `BAD` if the hour is of no half)."""
    if stop - start < 3 or data[start] != 32 or data[start + 2] | 32 != 109:
        return start, 0
    half = data[start + 1] | 32
    if half not in (97, 112):
        return start, 0
    if not 1 <= hour <= 12:
        return start, BAD
    is_twelve = hour == 12
    return start + 3, (-_NOON_US if is_twelve else 0) if half == 97 else (0 if is_twelve else _NOON_US)


@jit_inlined
def read_offset(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    """Read `+HH`, `+HHMM` or `+HH:MM` (or `-`): (index behind it, microseconds east of UTC, `BAD` if it is none)."""
    if stop - start < 3 or data[start] not in (43, 45):
        return start, BAD
    at = start + 3
    hour = read_two(data, start + 1)
    minute: Int = np.int64(0)
    if at < stop and data[at] != 91:
        at += data[at] == 58
        if at + 2 > stop:
            return start, BAD
        minute, at = read_two(data, at), at + 2
    if hour > 23 or minute > 59:
        return start, BAD
    offset_us = (hour * 60 + minute) * MINUTE_US
    return at, offset_us if data[start] == 43 else -offset_us


@jit_inlined
def _is_mark(data: Bytes, start: Int, stop: Int, mark: Bytes) -> bool:
    equal = stop - start == mark.size
    for i in range(mark.size):
        equal = equal and data[start + i] == mark[i]
    return bool(equal)


@jit_inlined
def read_usual_zone(data: Bytes, start: Int, stop: Int) -> tuple[Int, int]:
    """Read what follows a clock: (microseconds east of UTC, `BAD` if it is no usual zone, zone)."""
    if start == stop:
        return 0, NAIVE
    if start + 1 == stop and data[start] == 90:
        return 0, UTC
    if _is_mark(data, start, stop, _EASTERN_MARK):
        return 0, EASTERN
    if _is_mark(data, start, stop, _ZULU) or _is_mark(data, start, stop, _UTC_MARK):
        return 0, UTC
    at, offset_us = read_offset(data, start, stop)
    return offset_us if at == stop else BAD, UTC
