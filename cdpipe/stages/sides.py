"""Sides: attackers that are chosen anew among the messages that will train and those that will test."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import PLACE
from cdpipe.kernels.buffers.selection import look_up
from cdpipe.kernels.draws.keyed import ATTACKER, SPLIT
from cdpipe.kernels.draws.thresholds import NOBODY, choose_rows, choose_threshold, is_chosen
from cdpipe.stages.attacks import AttackParams
from cdpipe.stages.frames.interop import Vehicles, require_columns

Threshold = tuple[int, int]


class SideFacts(NamedTuple):
    """Thresholds, largest (key, hash) of who is chosen.

    Attributes
    ----------
    testing
        Of the vehicles that test, where sides are of vehicles.
    of_train, of_test
        Of the vehicles that attack on each side.
    """

    testing: Threshold
    of_train: Threshold
    of_test: Threshold


def conclude_sides(vehicles: NDArray[np.uint64], params: AttackParams) -> SideFacts | None:
    """Decide which vehicles attack on each side: of a side of vehicles exactly its share, else that share of all.

    Parameters
    ----------
    vehicles
        Hashes of all vehicles, ascending.
    params
        Who attacks; None is returned where the sides do not differ.
    """
    sides, ratio = params.sides, params.test_ratio
    if sides is None or ratio is None:
        return None
    if sides.by != "vehicle":
        return SideFacts(NOBODY, _threshold(vehicles, params, params.ratio), _threshold(vehicles, params, ratio))
    count = round(sides.test_ratio * vehicles.size)
    testing = choose_threshold(vehicles, seed=sides.seed, purpose=SPLIT, count=count)
    tests = is_chosen(vehicles, seed=sides.seed, purpose=SPLIT, threshold_key=testing[0], threshold_hash=testing[1])
    of_train = _threshold(vehicles[~tests], params, params.ratio)
    return SideFacts(testing, of_train, _threshold(vehicles[tests], params, ratio))


def find_tests(
    frame: pd.DataFrame,
    row_number: NDArray[np.int64],
    vehicles: Vehicles,
    params: AttackParams,
    facts: SideFacts | None,
) -> NDArray[np.bool_]:
    """Return which messages will test, shape (n,)."""
    sides = params.sides
    if sides is None:
        raise ValueError("attackers differ by side, but no side is known; set train.split")
    if sides.by == "place":
        require_columns(frame, (PLACE,), stage="attack")
        return np.isin(frame[PLACE].to_numpy(), sides.test_places)
    if sides.by == "row":
        return choose_rows(row_number, seed=sides.seed, purpose=SPLIT, ratio=sides.test_ratio)
    if facts is None:
        raise ValueError("sides are of vehicles, so the whole data set must be surveyed first")
    key, last = facts.testing
    chosen = is_chosen(vehicles.hashes, seed=sides.seed, purpose=SPLIT, threshold_key=key, threshold_hash=last)
    return look_up(chosen, vehicles.codes)


def choose_by_side(
    tests: NDArray[np.bool_],
    row_number: NDArray[np.int64],
    vehicles: Vehicles,
    params: AttackParams,
    facts: SideFacts | None,
) -> NDArray[np.bool_]:
    """Return which messages are attackers', shape (n,), given which will test."""
    found = []
    for side in range(2):
        if params.choose_by == "row":
            ratio = params.ratio if side == 0 else params.test_ratio or 0.0
            found.append(choose_rows(row_number, seed=params.seed, purpose=ATTACKER, ratio=ratio))
            continue
        if facts is None:
            raise ValueError("attackers are chosen by vehicle, so the whole data set must be surveyed first")
        key, last = facts.of_test if side else facts.of_train
        attack = is_chosen(vehicles.hashes, seed=params.seed, purpose=ATTACKER, threshold_key=key, threshold_hash=last)
        found.append(look_up(attack, vehicles.codes))
    return np.where(tests, found[1], found[0])


def _threshold(vehicles: NDArray[np.uint64], params: AttackParams, ratio: float) -> Threshold:
    return choose_threshold(vehicles, seed=params.seed, purpose=ATTACKER, count=round(ratio * vehicles.size))
