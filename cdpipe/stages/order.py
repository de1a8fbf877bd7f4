"""Order: when messages come one after the other, as far as their recorded times tell."""

import numpy as np
from numpy.typing import NDArray

_SECOND_US = 1_000_000


def settle_times(
    time_us: NDArray[np.int64], *, vehicle: NDArray[np.uint64], coarse: NDArray[np.int8]
) -> NDArray[np.int64]:
    """Return times by which messages, ties broken by row number, are in their order.

    A time that is known to the whole second only cannot be compared with another of its second. Where a vehicle has
    one, all its times of that second become the second's beginning, so that its messages there go by row number.

    Parameters
    ----------
    time_us
        Microseconds since 1970, shape (n,).
    vehicle
        Hash of each message's vehicle, shape (n,).
    coarse
        1 where the time is known to the whole second only, shape (n,).
    """
    if not coarse.any():
        return time_us
    second = time_us // _SECOND_US
    order = np.lexsort((second, vehicle))
    ordered_vehicle, ordered_second = vehicle[order], second[order]
    begins = np.ones(order.size, np.bool_)
    begins[1:] = (ordered_vehicle[1:] != ordered_vehicle[:-1]) | (ordered_second[1:] != ordered_second[:-1])
    group = np.cumsum(begins) - 1
    is_mixed = np.logical_or.reduceat(coarse[order] != 0, np.flatnonzero(begins))
    settled = time_us.copy()
    rows = order[is_mixed[group]]
    settled[rows] = second[rows] * _SECOND_US
    return settled
