"""Order of messages: by vehicle, then by time as far as it tells, then by row number.

Messages are counted into their vehicles, which keeps their order; within a vehicle they mostly are in order already, or
are a few runs that are, so that a merge sort that looks before it merges goes through them once.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.buffers.allocation import allot
from cdpipe.kernels.buffers.inputs import as_input
from cdpipe.kernels.compiling.jit import jit_borrowing

Integers = NDArray[np.int64]

_SECOND_US: Final = 1_000_000
_SHORT: Final = 24
"""Runs of this many messages are sorted by insertion before they are merged."""


@jit_borrowing
def _comes_before(one: int, other: int, time: Integers, row: Integers, copy: Integers) -> bool:
    if time[one] != time[other]:
        return bool(time[one] < time[other])
    if row[one] != row[other]:
        return bool(row[one] < row[other])
    return bool(copy[one] < copy[other])


@jit_borrowing
def _insert(places: Integers, start: int, stop: int, time: Integers, row: Integers, copy: Integers) -> None:
    for i in range(start + 1, stop):
        moving, j = places[i], i
        while j > start and _comes_before(moving, places[j - 1], time, row, copy):
            places[j] = places[j - 1]
            j -= 1
        places[j] = moving


@jit_borrowing
def _merge(
    places: Integers,
    start: int,
    middle: int,
    stop: int,
    spare: Integers,
    time: Integers,
    row: Integers,
    copy: Integers,
) -> None:
    for i in range(start, middle):
        spare[i] = places[i]
    left, right, at = start, middle, start
    while left < middle and right < stop:
        if _comes_before(places[right], spare[left], time, row, copy):
            places[at] = places[right]
            right += 1
        else:
            places[at] = spare[left]
            left += 1
        at += 1
    while left < middle:
        places[at] = spare[left]
        left += 1
        at += 1


@jit_borrowing
def _sort(
    places: Integers, start: int, stop: int, spare: Integers, time: Integers, row: Integers, copy: Integers
) -> None:
    """Sort a part of the places; what is in order costs one look at each."""
    i = start + 1
    while i < stop and not _comes_before(places[i], places[i - 1], time, row, copy):
        i += 1
    if i >= stop:
        return
    for first in range(start, stop, _SHORT):
        _insert(places, first, min(first + _SHORT, stop), time, row, copy)
    width = _SHORT
    while width < stop - start:
        for first in range(start, stop - width, 2 * width):
            middle, end = first + width, min(first + 2 * width, stop)
            if _comes_before(places[middle], places[middle - 1], time, row, copy):
                _merge(places, first, middle, end, spare, time, row, copy)
        width *= 2


@jit_borrowing
def _settle(
    places: Integers,
    start: int,
    stop: int,
    spare: Integers,
    time: Integers,
    row: Integers,
    copy: Integers,
    coarse: NDArray[np.int8],
) -> None:
    """Put the messages of a second with a coarse time into the order of their rows; they are sorted by time."""
    first = start
    while first < stop:
        second = time[places[first]] // _SECOND_US
        end, is_mixed = first, False
        while end < stop and time[places[end]] // _SECOND_US == second:
            is_mixed |= coarse[places[end]] != 0
            end += 1
        if is_mixed and end - first > 1:
            for i in range(first, end):
                time[places[i]] = second * _SECOND_US
            _sort(places, first, end, spare, time, row, copy)
        first = end


@jit_borrowing
def _order(
    rank: NDArray[np.int32],
    bounds: Integers,
    time: Integers,
    row: Integers,
    copy: Integers,
    coarse: NDArray[np.int8],
    places: Integers,
    spare: Integers,
) -> None:
    for i in range(rank.size):
        bounds[rank[i] + 1] += 1
    for k in range(1, bounds.size):
        bounds[k] += bounds[k - 1]
    for i in range(rank.size):
        places[bounds[rank[i]]] = i
        bounds[rank[i]] += 1
    start = 0
    for k in range(bounds.size - 1):  # each bound is now where its vehicle ends
        stop = int(bounds[k])
        _sort(places, start, stop, spare, time, row, copy)
        if coarse.size:
            _settle(places, start, stop, spare, time, row, copy, coarse)
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
    """Return the places of messages in their order: by vehicle, time, row number and copy.

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
        np.array(time_us, np.int64),  # it is written to where times are coarse
        as_input(row_number, np.int64),
        as_input(np.zeros(rows, np.int64) if copy is None else copy, np.int64),
        as_input(rough, np.int8),
        places,
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
