"""Hearing: the messages of other vehicles that attackers repeat, a bounded draw from the whole data set."""

from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import ROW_NUMBER, TIME, VEHICLE, VEHICLE_ID, X_POS, Y_POS
from cdpipe.kernels.draws.keyed import CLAIM, HEARD, integers_below, keys
from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.sequence import HEADING, SPEED, find_latest
from cdpipe.stages.frames.interop import require_columns

HEARD_ROWS: Final = 1 << 17
"""Attackers hear this many messages, those with the smallest keys; all where there are fewer."""

HEARD_ROW_BYTES: Final = 64
INPUTS: Final = (ROW_NUMBER, VEHICLE_ID, VEHICLE, TIME, X_POS, Y_POS, SPEED, HEADING)
"""Columns of ordered messages that are heard."""

By = Literal["", "messages", "vehicles"]


def hear(frame: pd.DataFrame, *, by: By, seed: int) -> Heard:
    """Return what is heard of one partition of ordered messages, shape (n, …).

    Parameters
    ----------
    frame
        The messages, with `INPUTS`.
    by
        Whether messages are drawn one by one, or vehicles with all of theirs.
    seed
        Seed of the draw.
    """
    require_columns(frame, INPUTS, stage="attack")
    counters = frame[ROW_NUMBER if by == "messages" else VEHICLE].to_numpy().astype(np.uint64)
    says = (frame[name].to_numpy(np.float64, na_value=np.nan) for name in (X_POS, Y_POS, SPEED, HEADING))
    whole = Heard(
        keys(counters, seed=seed, purpose=HEARD),
        frame[TIME].to_numpy(np.int64),
        frame[ROW_NUMBER].to_numpy(np.int64),
        frame[VEHICLE].to_numpy(np.uint64),
        *says,
    )
    return _keep_first(whole)


def join_heard(one: Heard, other: Heard) -> Heard:
    """Return what is heard of two sets of messages; the order does not matter."""
    return _keep_first(Heard(*(np.concatenate(pair) for pair in zip(one, other, strict=True))))


def follow_others(
    heard: Heard, vehicle: NDArray[np.uint64], counters: NDArray[np.uint64], since_us: NDArray[np.int64], *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Draw for each of n messages a vehicle that was heard, and find what that said as long after its first message.

    Parameters
    ----------
    heard
        Messages of whole vehicles, at least one.
    vehicle, counters
        Hash of each message's own vehicle, and what the draw is keyed by, shape (n,).
    since_us
        Microseconds, shape (n,); past the other's last message it begins anew.
    seed
        Seed of the draw.

    Returns
    -------
    places
        Indices among what was heard, shape (n,).
    is_own
        Whether that is the own vehicle, shape (n,): nobody else was heard.
    """
    starts = np.flatnonzero(np.concatenate(([True], heard.vehicle[1:] != heard.vehicle[:-1])))
    stops = np.append(starts[1:], heard.key.size)
    other = integers_below(counters, seed=seed, purpose=CLAIM, bound=starts.size)
    other = np.where(heard.vehicle[starts[other]] == vehicle, (other + 1) % starts.size, other)
    lasts_us = heard.time_us[stops - 1] - heard.time_us[starts] + 1
    wanted_us = heard.time_us[starts[other]] + np.mod(since_us, lasts_us[other])
    places = find_latest(starts[other], heard.time_us, wanted_us, stop=stops[other])
    return places, heard.vehicle[starts[other]] == vehicle


def _keep_first(heard: Heard) -> Heard:
    order: NDArray[np.int64] = np.lexsort((heard.row_number, heard.time_us, heard.key))[:HEARD_ROWS]
    columns: list[Any] = [column[order] for column in heard]
    return Heard(*columns)
