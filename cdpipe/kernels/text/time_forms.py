"""Less usual forms of a timestamp: months by name, parts of one digit, no seconds, no separators, numbers with a point.

`timestamps` reads the usual forms by fixed positions, and asks here for the cells that are none: this kernel takes as
long to compile as all others of times, and most files never need it.
"""

from typing import Final

import numpy as np

from cdpipe.kernels.buffers.cells import OK, Bytes, Int, Integers, Statuses, strip
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.text.calendar import DAY_US, date_of
from cdpipe.kernels.text.time_parts import (
    BAD,
    EASTERN,
    GREATEST_US,
    LEAST_EPOCH_DIGITS,
    LEAST_US,
    MINUTE_US,
    MOST_EPOCH_DIGITS,
    NAMED,
    SECOND_US,
    UTC,
    count_us,
    read_fraction,
    read_half,
    read_offset,
    read_two,
    read_usual_zone,
)

_MONTHS: Final = np.frombuffer(
    b"january  february march    april    may      june     july     august   septemberoctober  november december ",
    np.uint8,
).reshape(12, 9)
_YEAR: Final = 4
_BASIC: Final = 8
_BASIC_CLOCK: Final = 6
"""Digits of a year, and of a date and a clock without marks."""
_SHORT_NAME: Final = 3
_LONGEST_NAME: Final = 9
_FIRST_LEAP_US: Final = 78_796_800 * SECOND_US
"""1972-07-01, before which was the first leap second."""


@jit_inlined
def _is_at(data: Bytes, at: Int, stop: Int, byte: int) -> bool:
    return bool(at < stop and data[at] == byte)


@jit_borrowing
def _read_run(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    """Read all digits from `start`, nine at most: (their value, index behind them)."""
    value, at = np.int64(0), start
    while at < stop and at < start + 9 and 48 <= data[at] <= 57:
        value = value * 10 + (np.int64(data[at]) - 48)
        at += 1
    return value, at


@jit_borrowing
def _read_small(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    """Read a number of one or two digits: (value, index behind it, -1 if it is none)."""
    value, at = _read_run(data, start, stop)
    return value, at if 1 <= at - start <= 2 else -1


@jit_borrowing
def _read_year(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    """Read a number of four digits: (value, index behind it, -1 if it is none)."""
    value, at = _read_run(data, start, stop)
    return value, at if at - start == _YEAR else -1


@jit_borrowing
def _read_name(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    """Read the English name of a month, whole or its first three letters: (month, index behind it, -1 if none)."""
    at = start
    while at < stop and at - start < _LONGEST_NAME and 97 <= data[at] | 32 <= 122:
        at += 1
    for month in range(_MONTHS.shape[0]):
        same = 0
        while same < at - start and data[start + same] | 32 == _MONTHS[month, same]:
            same += 1
        is_whole = same == _LONGEST_NAME or _MONTHS[month, same] == 32
        if same == at - start and (same == _SHORT_NAME or (same > _SHORT_NAME and is_whole)):
            return month + 1, at
    return 0, -1


@jit_borrowing
def _read_month(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    """Read a month, as a number or by name, as `_read_name` does."""
    if start < stop and data[start] <= 57:
        return _read_small(data, start, stop)
    return _read_name(data, start, stop)


@jit_borrowing
def _read_year_first(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int, Int, Int]:
    """Read a year, a month and a day, the same mark between them: (year, month, day, index behind, -1 if none)."""
    year, at = _read_year(data, start, stop)
    if at < 0 or at + 2 > stop or data[at] not in (32, 45, 47) or (data[at] == 32 and data[at + 1] <= 57):
        return 0, 0, 0, -1
    month, after = _read_month(data, at + 1, stop)
    if after < 0 or not _is_at(data, after, stop, data[at]):
        return 0, 0, 0, -1
    day, after = _read_small(data, after + 1, stop)
    return year, month, day, after


@jit_borrowing
def _read_year_last(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int, Int, Int]:
    """Read `M/D/YYYY`, `Mon D, YYYY`, `D Mon YYYY` or `D-Mon-YYYY`, as `_read_year_first` does."""
    month, at = _read_month(data, start, stop)
    if at < 0 or at + 2 > stop:
        return 0, 0, 0, -1
    mark = data[at]
    is_named, is_name_next = data[start] > 57, data[at + 1] > 57
    if is_named and mark == 32:
        day, at = _read_small(data, at + 1, stop)
        at += at >= 0 and _is_at(data, at, stop, 44)
    elif not is_named and not is_name_next and mark == 47:
        day, at = _read_small(data, at + 1, stop)
    elif not is_named and is_name_next and mark in (32, 45):
        day = month
        month, at = _read_name(data, at + 1, stop)
    else:
        return 0, 0, 0, -1
    if at < 0 or not _is_at(data, at, stop, mark):
        return 0, 0, 0, -1
    year, at = _read_year(data, at + 1, stop)
    return year, month, day, at


@jit_borrowing
def _read_date(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int, Int, Int]:
    """Read a date in any form: (year, month, day, index behind it, -1 if it is none)."""
    value, at = _read_run(data, start, stop)
    if at - start == _BASIC:
        return value // 10_000, value // 100 % 100, value % 100, at
    return _read_year_first(data, start, stop) if at - start == _YEAR else _read_year_last(data, start, stop)


@jit_borrowing
def _read_marked_clock(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int, Int, Int]:
    """Read `H:MM`, `HH:MM`, or either and `:SS`: (hour, minute, second, -1 if left out, index behind, -1 if none)."""
    hour, at = _read_small(data, start, stop)
    if at < 0 or at + 3 > stop or data[at] != 58:
        return 0, 0, 0, -1
    minute, at = read_two(data, at + 1), at + 3
    if at + 3 > stop or data[at] != 58:
        return hour, minute, -1, at
    return hour, minute, read_two(data, at + 1), at + 3


@jit_borrowing
def _read_basic_clock(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int, Int, Int]:
    """Read `HHMM` or `HHMMSS`, as `_read_marked_clock` does."""
    value, at = _read_run(data, start, stop)
    if at - start == _YEAR:
        return value // 100, value % 100, -1, at
    return value // 10_000, value // 100 % 100, value % 100, at if at - start == _BASIC_CLOCK else -1


@jit_borrowing
def _is_name(data: Bytes, start: Int, stop: Int) -> bool:
    """Return True if the text from `start` is a name in square brackets, such as `[America/New_York]`."""
    if stop - start < 3 or data[start] != 91 or data[stop - 1] != 93:
        return False
    for i in range(start + 1, stop - 1):
        byte = data[i]
        # Letters, then digits and colon, then + - / and _
        if not (97 <= byte | 32 <= 122 or 48 <= byte <= 58 or byte in (43, 45, 47, 95)):
            return False
    return True


@jit_borrowing
def _read_utc(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    """Read `Z`, `UTC`, `GMT` or an offset, as `read_offset` does."""
    if start < stop and data[start] | 32 == 122:
        return start + 1, 0
    if stop - start < 3:
        return start, BAD
    first, second, third = data[start], data[start + 1], data[start + 2]
    if (first == 85 and second == 84 and third == 67) or (first == 71 and second == 77 and third == 84):
        return start + 3, 0
    return read_offset(data, start, stop)


@jit_borrowing
def _read_zone(data: Bytes, start: Int, stop: Int) -> tuple[Int, int]:
    """Read a zone, or `[Name]` behind one or alone: (microseconds east of UTC, `BAD` if it is none, zone)."""
    offset_us, zone = read_usual_zone(data, start, stop)
    if offset_us != BAD:
        return offset_us, zone
    if data[start] == 91:
        return (0, NAMED) if _is_name(data, start, stop) else (BAD, UTC)
    at, offset_us = _read_utc(data, start + (data[start] == 32), stop)
    return (offset_us, UTC) if at == stop or _is_name(data, at, stop) else (BAD, UTC)


@jit_borrowing
def _is_leap(value: Int, zone: int) -> bool:
    """Return True if a moment whose second is 60 is of 23:59:60 UTC on the last of a June or a December."""
    if zone in (EASTERN, NAMED) or value < _FIRST_LEAP_US or value % DAY_US >= SECOND_US:
        return False
    _, month, day = date_of(value // DAY_US)
    return day == 1 and month in (1, 7)


@jit_borrowing
def _skip_gap(data: Bytes, at: Int, stop: Int, is_year_first: bool | np.bool_) -> Int:
    """Return the index behind what parts a date from its clock: a blank, a comma with one, or a `T`; -1 if none."""
    if is_year_first and at < stop and data[at] | 32 == 116:
        return at + 1
    at += _is_at(data, at, stop, 44)
    return at + 1 if _is_at(data, at, stop, 32) else -1


@jit_borrowing
def _read_clock(data: Bytes, start: Int, stop: Int, is_basic: bool | np.bool_) -> tuple[Int, Int, Int]:
    """Read a clock, fraction and half of the day: (microseconds or `BAD`, second, index behind it)."""
    hour, minute, second, at = (
        _read_basic_clock(data, start, stop) if is_basic else _read_marked_clock(data, start, stop)
    )
    fraction_us: Int = 0
    if at >= 0 and second >= 0:
        at, fraction_us = read_fraction(data, at, stop)
    if at < 0 or hour > 23 or minute > 59 or second > 60:
        return BAD, second, stop
    at, shift_us = read_half(data, at, stop, hour)
    clock_us = (hour * 60 + minute) * MINUTE_US + max(second, np.int64(0)) * SECOND_US + fraction_us
    return clock_us + shift_us if shift_us != BAD else BAD, second, at


@jit_borrowing
def _read_moment(data: Bytes, start: Int, stop: Int) -> tuple[Int, int]:
    """Read a date, a clock and a zone: (microseconds since 1970 or `BAD`, zone)."""
    _, after = _read_run(data, start, stop)
    digits = after - start
    year, month, day, at = _read_date(data, start, stop)
    if at >= 0:
        at = _skip_gap(data, at, stop, digits >= _YEAR)
    if at < 0:
        return BAD, UTC
    clock_us, second, at = _read_clock(data, at, stop, digits == _BASIC)
    value = count_us(year, month, day, clock_us)
    offset_us, zone = _read_zone(data, at, stop)
    if BAD in (value, offset_us):
        return BAD, UTC
    value -= offset_us
    return (BAD, UTC) if second == 60 and not _is_leap(value, zone) else (value, zone)


@jit_borrowing
def _read_decimal_ms(data: Bytes, start: Int, stop: Int) -> Int:
    """Read milliseconds since 1970 with a point or an exponent; in microseconds, cut off, `BAD` if they are none."""
    if start >= stop or not 49 <= data[start] <= 57:
        return BAD
    at = start
    while at < stop and 48 <= data[at] <= 57:
        at += 1
    point, end = at, at
    if _is_at(data, at, stop, 46):
        end = at + 1
        while end < stop and 48 <= data[end] <= 57:
            end += 1
        if end == at + 1:
            return BAD
    whole_digits = point - start
    if end < stop:
        sign = end + 1 < stop and data[end + 1] == 43
        exponent, after = _read_run(data, end + 1 + sign, stop)
        if data[end] | 32 != 101 or after != stop or after == end + 1 + sign:
            return BAD
        whole_digits += exponent
    if not LEAST_EPOCH_DIGITS <= whole_digits <= MOST_EPOCH_DIGITS:
        return BAD
    value, digits = np.int64(0), np.int64(0)
    for i in range(start, end):
        if i != point and digits < whole_digits + 3:
            value, digits = value * 10 + (np.int64(data[i]) - 48), digits + 1
    for _ in range(whole_digits + 3 - digits):
        value *= 10
    return value


@jit_borrowing
def _read_cells(
    data: Bytes, cells: tuple[Integers, Integers], rows: Integers, out: tuple[Integers, Statuses, Statuses]
) -> None:
    (starts, stops), (values, status, zones) = cells, out
    for row in rows:
        start, stop = strip(data, starts[row], stops[row])
        value, zone = _read_moment(data, start, stop)
        if value == BAD:
            value, zone = _read_decimal_ms(data, start, stop), UTC
        if LEAST_US <= value <= GREATEST_US:
            values[row], status[row], zones[row] = value, OK, zone


def read_other_forms(
    data: Bytes, cells: tuple[Integers, Integers], rows: Integers, out: tuple[Integers, Statuses, Statuses]
) -> None:
    """Read some cells again, in any form.

    Parameters
    ----------
    data, cells
        Text, and each cell's start and stop, int64[n].
    rows
        int64[k]: which cells.
    out
        Values, statuses and zones, shape (n,), as of `parse_timestamps`. Those of cells that are read are written.
    """
    _read_cells(data, cells, rows, out)
