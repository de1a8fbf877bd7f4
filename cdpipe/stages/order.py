"""Order: messages by vehicle, then in the order in which each vehicle sent them, as far as their times tell."""

from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import COARSE, COPY, GENERATED_AT, ROW_NUMBER, SEC_MARK, TIME, VEHICLE, VEHICLE_ID
from cdpipe.kernels.buffers.selection import look_up
from cdpipe.kernels.sequences.sorting import order_rows
from cdpipe.kernels.text.calendar import mark_whole_seconds, refine_seconds
from cdpipe.stages.frames.assembly import make_frame
from cdpipe.stages.frames.interop import null_mask, number_plainly, reorder_rows, require_columns, view_vehicles
from cdpipe.stages.ledger import Ledger

NAME: Final = "order"
VERSION: Final = 1
DISTANT: Final = "second marks more than a second from the recorded time"
TIMELESS: Final = f"null in {GENERATED_AT}"

SECOND_US: Final = 1_000_000


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
    second = time_us // SECOND_US
    order = np.lexsort((second, vehicle))
    ordered_vehicle, ordered_second = vehicle[order], second[order]
    begins = np.ones(order.size, np.bool_)
    begins[1:] = (ordered_vehicle[1:] != ordered_vehicle[:-1]) | (ordered_second[1:] != ordered_second[:-1])
    group = np.cumsum(begins) - 1
    is_mixed = np.logical_or.reduceat(coarse[order] != 0, np.flatnonzero(begins))
    settled = time_us.copy()
    rows = order[is_mixed[group]]
    settled[rows] = second[rows] * SECOND_US
    return settled


class Key(NamedTuple):
    """Where messages of one vehicle and microsecond stand in the order."""

    vehicle: int
    time_us: int


class Times(NamedTuple):
    """When messages were generated.

    Attributes
    ----------
    time_us
        Microseconds since 1970, shape (n,): a whole second refined by the second mark.
    coarse
        1 where the time is known to the whole second only, shape (n,).
    distant
        How many second marks are more than a second from the recorded time.
    """

    time_us: NDArray[np.int64]
    coarse: NDArray[np.int8]
    distant: int


def tell_times(frame: pd.DataFrame) -> Times:
    """Tell when messages, shape (n, …), were generated.

    Where the frame does not say which times are coarse, those of whole seconds are.
    """
    times = frame[GENERATED_AT].to_numpy().astype("M8[us]", copy=False).view(np.int64)
    coarse = frame[COARSE].to_numpy(np.int8) if COARSE in frame.columns else mark_whole_seconds(times)[0]
    if SEC_MARK not in frame.columns:
        return Times(times.copy(), coarse.copy(), 0)
    return Times(*refine_seconds(times, frame[SEC_MARK].to_numpy(dtype=np.int64, na_value=-1), coarse))


def apply(frame: pd.DataFrame) -> tuple[pd.DataFrame, Ledger]:
    """Put messages in order: by `vehicle`, `time_us`, `row_number` and `copy`.

    A vehicle's messages of a second in which one has a coarse time go by row number. The order is total, so that it
    does not depend on the order in which the messages come.

    Parameters
    ----------
    frame
        Messages, shape (n, …): `row_number`, `coreData_id`, `metadata_generatedAt`, and if there, `coreData_secMark`,
        `time_is_coarse` and `copy`. Those that were in order before have `vehicle` and `time_us`, which are taken.

    Returns
    -------
    frame
        New frame: the same columns with `vehicle`, `time_us` and `time_is_coarse`. The input is not changed.
    ledger
        Messages without a time are dropped: nothing tells where they belong.

    Raises
    ------
    KeyError
        If a column is missing; the error names it and those there are.
    """
    require_columns(frame, (ROW_NUMBER, VEHICLE_ID, GENERATED_AT), stage=NAME)
    frame, rows_in, dropped = number_plainly(frame), len(frame), {}
    timeless = null_mask(frame[GENERATED_AT])
    if timeless.any():
        dropped[TIMELESS] = int(np.count_nonzero(timeless))
        frame = number_plainly(frame[~timeless])
    notes: dict[str, int] = {}
    made = frame if {VEHICLE, TIME, COARSE} <= set(frame.columns) else _add_keys(frame, notes)
    rank, vehicles = _rank_vehicles(made)
    places = order_rows(
        rank,
        vehicles=vehicles,
        time_us=made[TIME].to_numpy(np.int64),
        row_number=made[ROW_NUMBER].to_numpy(np.int64),
        copy=made[COPY].to_numpy(np.int64) if COPY in made.columns else None,
        coarse=made[COARSE].to_numpy(np.int8),
    )
    return reorder_rows(made, places), Ledger(NAME, rows_in, len(made), dropped, notes)


def _add_keys(frame: pd.DataFrame, notes: dict[str, int]) -> pd.DataFrame:
    vehicles, times = view_vehicles(frame[VEHICLE_ID]), tell_times(frame)
    if times.distant:
        notes[DISTANT] = times.distant
    keys = {
        VEHICLE: look_up(vehicles.hashes, vehicles.codes.astype(np.int32, copy=False)),
        TIME: times.time_us,
        COARSE: times.coarse,
    }
    columns: dict[str, Any] = {str(name): frame[name] for name in frame.columns}
    return make_frame({**columns, **keys}, len(frame))


def _rank_vehicles(frame: pd.DataFrame) -> tuple[NDArray[np.int32], int]:
    """Return for each message the rank of its vehicle's hash, shape (n,), and how many there are."""
    if COPY not in frame.columns:
        codes, hashes = view_vehicles(frame[VEHICLE_ID])
        different, rank = np.unique(hashes, return_inverse=True)
        return look_up(rank.astype(np.int32), codes.astype(np.int32, copy=False)), different.size
    # An added message may claim another id than its sender's; they stand in runs of one sender, which are few.
    vehicle = frame[VEHICLE].to_numpy(np.uint64)
    begins = np.ones(vehicle.size, np.bool_)
    begins[1:] = vehicle[1:] != vehicle[:-1]
    starts = np.flatnonzero(begins)
    different, rank = np.unique(vehicle[starts], return_inverse=True)
    return np.repeat(rank.astype(np.int32), np.diff(np.append(starts, vehicle.size))), different.size
