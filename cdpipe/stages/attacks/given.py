"""Given labels: the input says which messages lie; nobody is attacked."""

from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from cdpipe.columns import GIVEN_ATTACKER, GIVEN_FALSE, IS_ATTACKER, IS_FALSE, VEHICLE_ID
from cdpipe.kernels.buffers.selection import look_up
from cdpipe.kernels.draws.thresholds import distinct
from cdpipe.stages.frames.interop import view_vehicles
from cdpipe.stages.params import Params

INPUTS: Final = (VEHICLE_ID, GIVEN_ATTACKER)
"""Columns that given labels are taken from."""


class Given(Params):
    """The labels that the input has: `labels.column`, or those of its format."""

    kind: Literal["given"] = "given"
    choose_by: Literal["vehicle", "row"] = Field(
        default="vehicle",
        description="whether a vehicle attacks with all its messages once any of them is labelled, or each message "
        "has its own label",
    )


def find_attackers(frame: pd.DataFrame) -> NDArray[np.uint64]:
    """Return the hashes of the vehicles that have a message labelled as an attacker's, ascending.

    Parameters
    ----------
    frame
        Clean messages, shape (n, …), with `coreData_id` and `given_isAttacker`.
    """
    vehicles = view_vehicles(frame[VEHICLE_ID])
    hit = _read(frame[GIVEN_ATTACKER])
    return distinct(look_up(vehicles.hashes, vehicles.codes[hit]))


def mark(frame: pd.DataFrame, attackers: NDArray[np.uint64]) -> NDArray[np.int8]:
    """Return 1 for the messages of attackers, given by ascending hashes, else 0; int8, shape (n,)."""
    vehicles = view_vehicles(frame[VEHICLE_ID])
    hit = np.isin(vehicles.hashes, attackers)
    return look_up(hit, vehicles.codes).view(np.int8)


def take_labels(frame: pd.DataFrame) -> dict[str, NDArray[np.int8]]:
    """Return `isAttacker` and `isFalse` as each message has them, int8, shape (n,).

    Without `given_isFalse`, or where that is null, a message is false if it is labelled as an attacker's.
    """
    attacker = _read(frame[GIVEN_ATTACKER])
    false = attacker
    if GIVEN_FALSE in frame.columns:
        null = frame[GIVEN_FALSE].isna().to_numpy()
        false = np.where(null, attacker, _read(frame[GIVEN_FALSE]))
    return {IS_ATTACKER: attacker.view(np.int8), IS_FALSE: false.view(np.int8)}


def _read(labels: "pd.Series[Any]") -> NDArray[np.bool_]:
    """Return which labels, whole numbers and nulls, shape (n,), are another than 0."""
    hit: NDArray[np.bool_] = labels.to_numpy(dtype=np.int64, na_value=0) != 0
    return hit
