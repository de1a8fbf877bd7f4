"""Times as sources hold them, text, ticks of a clock or numbers -> microseconds since 1970 UTC.

A local time that clocks showed twice, in the hour when daylight saving ends, is the first of the two moments. One that
no clock showed, in the hour that is left out when it begins, cannot be read.
"""

from functools import cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.kernels.text.calendar import DAY_US
from cdpipe.kernels.text.timestamps import EASTERN, GREATEST_US, LEAST_US, NAIVE, NAMED, parse_timestamps
from cdpipe.stages.frames.interop import Cells, borrow

NAT: Final = np.iinfo(np.int64).min

_OK: Final = 0
_MALFORMED: Final = 2
_UTC: Final = "UTC"
_EASTERN_ZONE: Final = "America/New_York"
_OF_THE_MACHINE: Final = "localtime"
_NS_PER_US: Final = 1000
_US: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}
_LEAST_EPOCH_MS: Final = 10**10
_EPOCH_MS_LIMIT: Final = 10**13


class Times(NamedTuple):
    """Moments, and what was made of the values.

    Attributes
    ----------
    us
        int64, shape (n,): microseconds since 1970 UTC, `NAT` where null or bad. No other array shares its memory.
    bad
        Shape (n,): which values are no moment.
    ambiguous
        Shape (n,): which local times clocks showed twice.
    """

    us: NDArray[np.int64]
    bad: NDArray[np.bool_]
    ambiguous: NDArray[np.bool_]


def read_times(cells: Cells, *, time_zone: str) -> Times:
    """Read the text of times, shape (n,); those that name no zone are of the one given."""
    us, status, zone = parse_timestamps(*cells)
    times = Times(us, status == _MALFORMED, np.zeros(us.size, np.bool_))
    if zone.any():  # some are not UTC
        for code, name in ((EASTERN, _EASTERN_ZONE), (NAIVE, time_zone)):
            _convert(times, np.flatnonzero(zone == code), name)
        named = np.flatnonzero(zone == NAMED)
        names = np.array([_find_name(cells, row) for row in named.tolist()], np.str_)
        for name in np.unique(names):
            _convert(times, named[names == name], str(name))
    us[times.bad | (status != _OK)] = NAT
    return times


def count_times(ticks: NDArray[np.int64], unit: str, *, time_zone: str) -> Times:
    """Bring a clock's ticks to microseconds, rounded down.

    Parameters
    ----------
    ticks
        Shape (n,), since 1970, `NAT` where null; they are not changed.
    unit
        `s`, `ms`, `us` or `ns`.
    time_zone
        The clock's zone.
    """
    us, bad = borrow(ticks.size, np.int64), np.zeros(ticks.size, np.bool_)
    if unit == "ns":
        np.floor_divide(ticks, _NS_PER_US, out=us)
        us[ticks == NAT] = NAT
    else:
        factor = _US[unit]
        least, greatest = LEAST_US // factor, GREATEST_US // factor
        np.multiply(ticks, factor, out=us)
        if ticks.size and not (least <= ticks.min() and ticks.max() <= greatest):  # nulls, too, are less than the least
            bad = (ticks != NAT) & ((ticks < least) | (ticks > greatest))
            us[bad | (ticks == NAT)] = NAT
    times = Times(us, bad, np.zeros(ticks.size, np.bool_))
    if time_zone != _UTC:
        _convert(times, np.flatnonzero(us != NAT), time_zone)
        us[times.bad] = NAT
    return times


def count_epochs(ms: NDArray[np.int64], null: NDArray[np.bool_]) -> Times:
    """Read whole numbers, shape (n,), as milliseconds since 1970 UTC: those of 11 to 13 digits, as of text."""
    bad = ~null & ((ms < _LEAST_EPOCH_MS) | (ms >= _EPOCH_MS_LIMIT))
    us = np.where(null | bad, NAT, np.where(bad, 0, ms) * _US["ms"])
    return Times(us, bad, np.zeros(ms.size, np.bool_))


def _find_name(cells: Cells, row: int) -> str:
    """Return the name in square brackets at a cell's end."""
    text = cells.data[cells.starts[row] : cells.stops[row]].tobytes().decode("latin-1")
    return text.rpartition("[")[2].partition("]")[0]


@cache
def is_zone(name: str) -> bool:
    """Return True for a name of the time zone database; what it calls local is another on each machine."""
    return name != _OF_THE_MACHINE and name in available_timezones()


def _convert(times: Times, rows: NDArray[np.intp], zone: str) -> None:
    """Convert the local times of these rows to UTC, in place.

    Those of the calendar's first and last day are bad: in UTC they may be of no year that there is.
    """
    if zone == _UTC or not rows.size:
        return
    local = times.us[rows]
    is_fit = (local >= LEAST_US + DAY_US) & (local <= GREATEST_US - DAY_US) & is_zone(zone)
    times.bad[rows[~is_fit]] = True
    rows = rows[is_fit]
    if rows.size:
        first, second = (_localize(times.us[rows], zone, is_first=is_first) for is_first in (True, False))
        times.us[rows], times.bad[rows], times.ambiguous[rows] = first, first == NAT, first != second


def _localize(local_us: NDArray[np.int64], zone: str, *, is_first: bool) -> NDArray[np.int64]:
    """Return the moments at which a zone's clocks showed times; of two the first or second, of none `NAT`."""
    wall = pd.DatetimeIndex(local_us.view("M8[us]"))
    moments = wall.tz_localize(ZoneInfo(zone), ambiguous=np.full(len(wall), is_first), nonexistent="NaT")
    return moments.tz_convert(_UTC).tz_localize(None).as_unit("us").to_numpy().view(np.int64)
