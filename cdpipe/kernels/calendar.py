"""Days and microseconds since 1970 and calendar dates, on the proleptic Gregorian calendar.

Days are converted by H. Hinnant, "chrono-compatible low-level date algorithms" (2013), `days_from_civil` and
`civil_from_days`: years begin in March, so that the leap day comes last; 400 years are an era of 146,097 days.
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from cdpipe.kernels.allocation import allot, allot_columns
from cdpipe.kernels.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.memory import Int, Integers, Memory, view_int64

Parts: TypeAlias = npt.NDArray[np.int8]
Years: TypeAlias = npt.NDArray[np.int16]

DAY_US: Final = 86_400_000_000
SECOND_US: Final = 1_000_000
_THOUSAND: Final = np.uint32(1_000)
_MOST_32: Final = 2**32 - 1


class CalendarParts(NamedTuple):
    """Month 1-12, day 1-31, year, hour 0-23, minute 0-59, second 0-59 (whole, rounded down), pm 0-1 (1 from noon on).

    int8[n] each, the year int16[n].
    """

    month: Parts
    day: Parts
    year: Years
    hour: Parts
    minute: Parts
    second: Parts
    pm: Parts


@jit_inlined
def count_days(year: Int, month: Int, day: Int) -> Int:
    """Count the days from 1970-01-01 to a date from year 1 on (Hinnant's `days_from_civil`)."""
    march_year = year - (month <= 2)
    era = march_year // 400
    year_of_era = march_year - era * 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468


@jit_inlined
def date_of(days: Int) -> tuple[Int, Int, Int]:
    """Return (year, month, day) of a day since 1970-01-01 (Hinnant's `civil_from_days`)."""
    shifted = days + 719468
    era = shifted // 146097
    day_of_era = shifted - era * 146097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    return year_of_era + era * 400 + (month <= 2), month, day


@jit_borrowing
def _fill_parts(us: Integers, parts: CalendarParts) -> None:
    known, day = np.int64(0), np.int64(0)
    year, month, day_of_month = date_of(day)
    hour, minute, second = np.int32(0), np.int32(0), np.int32(0)
    for i in range(us.size):
        instant = us[i]
        if instant != known:  # many messages are of one instant
            known = instant
            if instant < day * DAY_US or instant >= (day + 1) * DAY_US:  # most rows are of the day before them
                day = instant // DAY_US
                year, month, day_of_month = date_of(day)
            second_of_day = np.int32((instant - day * DAY_US) // SECOND_US)
            hour, minute = second_of_day // np.int32(3600), second_of_day // np.int32(60) % np.int32(60)
            second = second_of_day % np.int32(60)
        parts.year[i], parts.month[i], parts.day[i] = year, month, day_of_month
        parts.hour[i], parts.minute[i], parts.second[i] = hour, minute, second
        parts.pm[i] = hour >= 12


def calendar_parts(us: Memory) -> CalendarParts:
    """Return the calendar date and clock time of timestamps.

    Parameters
    ----------
    us
        int64[n]: microseconds since 1970-01-01T00:00, before it too; exact for the years 1 to 9999. A null
        (NaT is the least int64) gives meaningless parts: the caller masks it.

    Returns
    -------
    CalendarParts
        (month, day, year, hour, minute, second, pm), int8[n] each, the year int16[n].

    Raises
    ------
    TypeError
        If `us` is not one-dimensional int64.
    """
    instants = view_int64(us)
    small, large = np.dtype(np.int8), np.dtype(np.int16)
    parts = CalendarParts(*allot_columns(instants.size, [small, small, large, *4 * [small]], widest=large.itemsize))
    _fill_parts(instants, parts)
    return parts


def days_since_epoch(us: Memory) -> Integers:
    """Return the whole days from 1970-01-01 to timestamps, rounded down: int64[n]; see `calendar_parts`.

    Parameters
    ----------
    us
        int64[n]: microseconds since 1970-01-01T00:00.
    """
    return view_int64(us) // DAY_US


@jit_borrowing
def _refine(us: Integers, mark_ms: Integers, out: npt.NDArray[np.int64]) -> None:
    known, whole = np.int64(0), True
    for i in range(us.size):
        instant = us[i]
        if instant != known:  # many messages are of one instant, and a division takes longer than all else here
            known, whole = instant, instant - instant // SECOND_US * SECOND_US == 0
        mark = mark_ms[i]
        # of 32 bits without a sign the remainder takes half as long, and second marks are of 16
        ms = np.int64(np.uint32(mark) % _THOUSAND) if 0 <= mark <= _MOST_32 else mark - mark // 1_000 * 1_000
        out[i] = instant + ms * 1_000 if whole else instant


def refine_seconds(us: Memory, mark_ms: Memory) -> npt.NDArray[np.int64]:
    """Give timestamps of whole seconds the milliseconds that a second mark tells.

    Parameters
    ----------
    us
        int64[n]: microseconds since 1970-01-01T00:00.
    mark_ms
        int64[n]: milliseconds within the minute, as J2735's secMark; 0 where unknown.

    Returns
    -------
    int64[n]
        Microseconds; as given where they are not of a whole second.

    Raises
    ------
    TypeError
        If an array is not one-dimensional int64.
    ValueError
        If they differ in length.
    """
    instants, marks = view_int64(us), view_int64(mark_ms)
    if instants.size != marks.size:
        raise ValueError(f"{instants.size} timestamps but {marks.size} second marks; each needs one")
    refined = allot(instants.size, np.int64)
    with np.errstate(over="ignore"):  # only without the compiler: a null time is the least integer there is
        _refine(instants, marks, refined)
    return refined
