"""Order of messages: by vehicle, then by time as far as it tells, then by row number.

Messages are counted into their vehicles, which keeps their order; within a vehicle they mostly are in order already, or
are a few runs that are, so that a merge sort that looks before it merges goes through them once. Times go with them, so
that each look is at the next number and not at another line of the cache.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.buffers.allocation import allot
from cdpipe.kernels.buffers.inputs import as_input
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined

Integers = NDArray[np.int64]

_SECOND_US: Final = 1_000_000
_SHORT: Final = 24
"""Runs of this many messages are sorted by insertion before they are merged."""


@jit_inlined
def _comes_before(time: int, place: int, other_time: int, other: int, row: Integers, copy: Integers) -> bool:
    if time != other_time:
        return bool(time < other_time)
    if row[place] != row[other]:
        return bool(row[place] < row[other])
    return bool(copy[place] < copy[other])


@jit_borrowing
def _insert(times: Integers, places: Integers, start: int, stop: int, row: Integers, copy: Integers) -> None:
    for i in range(start + 1, stop):
        time, place, j = times[i], places[i], i
        while j > start and _comes_before(time, place, times[j - 1], places[j - 1], row, copy):
            times[j], places[j] = times[j - 1], places[j - 1]
            j -= 1
        times[j], places[j] = time, place


@jit_borrowing
def _merge(
    times: Integers,
    places: Integers,
    start: int,
    middle: int,
    stop: int,
    spare_times: Integers,
    spare: Integers,
    row: Integers,
    copy: Integers,
) -> None:
    for i in range(start, middle):
        spare_times[i], spare[i] = times[i], places[i]
    left, right, at = start, middle, start
    while left < middle and right < stop:
        if _comes_before(times[right], places[right], spare_times[left], spare[left], row, copy):
            times[at], places[at] = times[right], places[right]
            right += 1
        else:
            times[at], places[at] = spare_times[left], spare[left]
            left += 1
        at += 1
    while left < middle:
        times[at], places[at] = spare_times[left], spare[left]
        left += 1
        at += 1


@jit_borrowing
def _sort(
    times: Integers,
    places: Integers,
    start: int,
    stop: int,
    spare_times: Integers,
    spare: Integers,
    row: Integers,
    copy: Integers,
) -> None:
    """Sort a part of the times and indices; what is in order costs one look at each."""
    i = start + 1
    while i < stop and not _comes_before(times[i], places[i], times[i - 1], places[i - 1], row, copy):
        i += 1
    if i >= stop:
        return
    for first in range(start, stop, _SHORT):
        _insert(times, places, first, min(first + _SHORT, stop), row, copy)
    width = _SHORT
    while width < stop - start:
        for first in range(start, stop - width, 2 * width):
            middle, end = first + width, min(first + 2 * width, stop)
            if _comes_before(times[middle], places[middle], times[middle - 1], places[middle - 1], row, copy):
                _merge(times, places, first, middle, end, spare_times, spare, row, copy)
        width *= 2


@jit_borrowing
def _settle(
    times: Integers,
    places: Integers,
    start: int,
    stop: int,
    spare_times: Integers,
    spare: Integers,
    row: Integers,
    copy: Integers,
    coarse: NDArray[np.int8],
) -> None:
    """Put the messages of a second with a coarse time into the order of their rows; they are sorted by time."""
    first = start
    while first < stop:
        second = times[first] // _SECOND_US
        end, is_mixed = first, False
        while end < stop and times[end] // _SECOND_US == second:
            is_mixed |= coarse[places[end]] != 0
            end += 1
        if is_mixed and end - first > 1:
            for i in range(first, end):
                times[i] = second * _SECOND_US
            _sort(times, places, first, end, spare_times, spare, row, copy)
        first = end


@jit_borrowing
def _order(
    rank: NDArray[np.int32],
    bounds: Integers,
    time: Integers,
    row: Integers,
    copy: Integers,
    coarse: NDArray[np.int8],
    times: Integers,
    places: Integers,
    spare_times: Integers,
    spare: Integers,
) -> None:
    for i in range(rank.size):
        bounds[rank[i] + 1] += 1
    for k in range(1, bounds.size):
        bounds[k] += bounds[k - 1]
    for i in range(rank.size):
        at = bounds[rank[i]]
        times[at], places[at] = time[i], i
        bounds[rank[i]] = at + 1
    start = 0
    for k in range(bounds.size - 1):  # each bound is now where its vehicle ends
        stop = int(bounds[k])
        _sort(times, places, start, stop, spare_times, spare, row, copy)
        if coarse.size:
            _settle(times, places, start, stop, spare_times, spare, row, copy, coarse)
        start = stop


def order_rows(
    rank: NDArray[np.int32],
    *,
    vehicles: int,
    time_us: Integers,
    row_number: Integers,
    copy: Integers | None = None,
    coarse: NDArray[np.int8] | None = None,
) -> Integers:
    """Return the indices of messages in their order: by vehicle, time, row number and copy.

    Where a vehicle has a coarse time, its messages of that second go by row number and copy alone.

    Parameters
    ----------
    rank
        Number of each message's vehicle, from 0, int32, shape (n,).
    vehicles
        How many vehicles there are.
    time_us, row_number
        int64, shape (n,): microseconds since 1970, and the record's number.
    copy
        int64, shape (n,): number of each message among those made of one record; None: all 0.
    coarse
        int8, shape (n,): 1 where the time is known to the whole second only; None: nowhere.

    Returns
    -------
    numpy.ndarray
        int64, shape (n,). Messages that are the same in all of these stay as they were.
    """
    rows = rank.size
    rough = np.empty(0, np.int8) if coarse is None or not coarse.any() else coarse
    places = allot(rows, np.int64)
    _order(
        as_input(rank, np.int32),
        np.zeros(vehicles + 1, np.int64),
        as_input(time_us, np.int64),
        as_input(row_number, np.int64),
        as_input(np.zeros(rows, np.int64) if copy is None else copy, np.int64),
        as_input(rough, np.int8),
        allot(rows, np.int64),
        places,
        allot(rows, np.int64),
        allot(rows, np.int64),
    )
    return places


@jit_borrowing
def _raise(vehicle: NDArray[np.uint64], time: Integers, out: Integers) -> None:
    for i in range(time.size):
        out[i] = time[i]
        if i and vehicle[i] == vehicle[i - 1] and out[i] < out[i - 1]:
            out[i] = out[i - 1]


def raise_times(vehicle: NDArray[np.uint64], time_us: Integers) -> Integers:
    """Return times that never fall within a vehicle: each is the latest of its own and those before.

    Parameters
    ----------
    vehicle, time_us
        Of messages in their order, shape (n,). There a coarse time may stand behind a finer one of its second.
    """
    out = allot(time_us.size, np.int64)
    _raise(as_input(vehicle, np.uint64), as_input(time_us, np.int64), out)
    return out
