"""Attacks on positions applied: which messages claim to be where, each by itself."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import ROW_NUMBER, VEHICLE_ID, X_POS, Y_POS
from cdpipe.kernels.buffers.allocation import allot
from cdpipe.kernels.buffers.selection import Kept, put
from cdpipe.stages.attacks.base import AttackParams, Pool, Positions, Targets
from cdpipe.stages.frames.interop import Vehicles, view_vehicles

ROWS_AT_ONCE: Final = 1 << 16
"""What is worked out of this many rows stays in the processor's cache, and in memory that is used again."""


def displace_messages(
    frame: pd.DataFrame,
    params: AttackParams,
    hit: NDArray[np.bool_],
    pool: Pool | None,
    vehicles: Vehicles | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the positions that messages, shape (n, …), claim, and which of them are false; shape (n,) each.

    Parameters
    ----------
    frame, params
        The messages and the attack.
    hit
        Which messages are attackers'.
    pool
        Positions to draw from.
    vehicles
        The vehicles of the messages, where they are known already.
    """
    row_number, rows = frame[ROW_NUMBER].to_numpy(np.int64), Kept(hit).places
    vehicles = view_vehicles(frame[VEHICLE_ID]) if vehicles is None else vehicles
    x, y = (_copy(frame[name].to_numpy(np.float64)) for name in (X_POS, Y_POS))
    moved = np.zeros(len(frame), np.bool_)
    for some in np.array_split(rows, -(-rows.size // ROWS_AT_ONCE) or 1):
        targets = Targets(some, row_number=row_number, vehicles=vehicles, x=x, y=y)
        claimed = params.displace(targets, pool)
        moved[some] = _find_moved(targets.position(), claimed)
        for values, into in zip(claimed, (x, y), strict=True):
            put(values, some, into)
    return x, y, moved


def _find_moved(true: Positions, claimed: Positions) -> NDArray[np.bool_]:
    """Return which claims differ from the truth, shape (n,); nobody can tell of a position that is not known."""
    moved = np.zeros(true[0].size, np.bool_)
    for was, said in zip(true, claimed, strict=True):
        moved |= (said != was) & ~np.isnan(was)
    return moved


def _copy(values: NDArray[np.float64]) -> NDArray[np.float64]:
    copied = allot(values.size, np.float64)
    np.copyto(copied, values)
    return copied
