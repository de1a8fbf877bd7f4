"""Days and microseconds since 1970 and calendar dates, on the proleptic Gregorian calendar.

Days are converted by H. Hinnant, "chrono-compatible low-level date algorithms" (2013), `days_from_civil` and
`civil_from_days`: years begin in March, so that the leap day comes last; 400 years are an era of 146,097 days.
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from cdpipe.kernels.buffers.allocation import allot, allot_columns
from cdpipe.kernels.buffers.cells import Int, Integers, Memory, view_int64
from cdpipe.kernels.buffers.inputs import as_input
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined

Parts: TypeAlias = npt.NDArray[np.int8]
Years: TypeAlias = npt.NDArray[np.int16]

DAY_US: Final = 86_400_000_000
SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60_000_000
_HALF_MINUTE_US: Final = 30_000_000
_MARKS: Final = 61_000
_NULL_TIME: Final = np.iinfo(np.int64).min


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
def _mark_whole(us: Integers, marks: NDArray[np.int8]) -> Int:
    finer = np.int64(0)
    known, whole = np.int64(0), True
    for i in range(us.size):
        if us[i] != known:  # many messages are of one instant
            known = us[i]
            whole = known - known // SECOND_US * SECOND_US == 0
        marks[i] = whole
        finer += (not whole) & (known != _NULL_TIME)
    return finer


def mark_whole_seconds(us: Memory) -> tuple[NDArray[np.int8], int]:
    """Mark timestamps of whole seconds.

    Parameters
    ----------
    us
        int64[n]: microseconds since 1970-01-01T00:00; the least int64 is null.

    Returns
    -------
    marks : int8[n]
        1 where whole, else 0 (null too).
    finer
        How many are neither whole nor null.
    """
    instants = view_int64(us)
    marks = allot(instants.size, np.int8)
    with np.errstate(over="ignore"):  # only without the compiler: a null time is the least integer there is
        return marks, int(_mark_whole(instants, marks))


@jit_inlined
def _near(minute: Int, instant: Int, mark_ms: Int) -> Int:
    """Return the moment nearest to an instant that is `mark_ms` into a minute, given the instant's minute."""
    moment = minute + mark_ms * 1_000
    if moment - instant > _HALF_MINUTE_US:
        return moment - MINUTE_US
    return moment + MINUTE_US if instant - moment > _HALF_MINUTE_US else moment


@jit_borrowing
def _refine(us: Integers, mark_ms: Integers, coarse: NDArray[np.int8], out: Integers, still: NDArray[np.int8]) -> Int:
    distant = np.int64(0)
    minute = np.int64(0)
    for i in range(us.size):
        instant, mark = us[i], mark_ms[i]
        if coarse[i] and 0 <= mark < _MARKS:
            if instant < minute or instant >= minute + MINUTE_US:  # most are of the minute before them
                minute = instant // MINUTE_US * MINUTE_US
            out[i], still[i] = _near(minute, instant, mark), 0
            distant += np.abs(out[i] - instant) > SECOND_US
        else:
            out[i], still[i] = instant, coarse[i]
    return distant


def refine_seconds(us: Memory, mark_ms: Memory, coarse: Memory) -> tuple[Integers, NDArray[np.int8], int]:
    """Give timestamps that are known to the whole second the milliseconds that a second mark tells.

    The refined time is the moment nearest to the timestamp at which the minute is as old as the mark says.

    Parameters
    ----------
    us
        int64[n]: microseconds since 1970-01-01T00:00.
    mark_ms
        int64[n]: milliseconds within the minute, as J2735's secMark: 0 to 60,999, the last thousand in a leap second;
        anything else is no mark.
    coarse
        int8[n]: 1 where the timestamp is known to the whole second only.

    Returns
    -------
    refined : int64[n]
        Microseconds; as given where they are not coarse or there is no mark.
    still_coarse : int8[n]
        1 where the timestamp was coarse and there is no mark.
    distant
        How many moved by more than a second.

    Raises
    ------
    TypeError
        If an array is not one-dimensional, or of another type.
    ValueError
        If they differ in length.
    """
    instants, marks = view_int64(us), view_int64(mark_ms)
    flags = as_input(coarse, np.int8)
    if not instants.size == marks.size == flags.size:
        raise ValueError(
            f"{instants.size} timestamps, {marks.size} second marks and {flags.size} flags; each timestamp needs both"
        )
    refined, still = allot(instants.size, np.int64), allot(instants.size, np.int8)
    return refined, still, int(_refine(instants, marks, flags, refined, still))
