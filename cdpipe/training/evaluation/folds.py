"""Folds: who tests in turn, while all others train."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.columns import X_POS, Y_POS
from cdpipe.kernels.draws.keyed import FOLD
from cdpipe.kernels.draws.thresholds import bottom_k, distinct
from cdpipe.stages.order import settle_times
from cdpipe.training.evaluation.params import Rung
from cdpipe.training.examples import Examples

Folds = NDArray[np.int16]
"""Fold in which each message tests, shape (n,); -1: in none."""

_PURPOSES: Final = 256


class Vehicles(NamedTuple):
    """The vehicles of some messages.

    Attributes
    ----------
    code
        Index of each message's vehicle in the order of their hashes, shape (n,).
    attacks
        Whether a vehicle has a message of label 1, shape (vehicles,).
    hashes
        Ascending, shape (vehicles,).
    """

    code: NDArray[np.intp]
    attacks: NDArray[np.bool_]
    hashes: NDArray[np.uint64]


def find_vehicles(vehicle: NDArray[np.uint64], label: NDArray[np.int8]) -> Vehicles:
    """Return the vehicles of messages, given each message's hash and label, shape (n,)."""
    hashes = distinct(vehicle)
    code = np.searchsorted(hashes, vehicle)
    return Vehicles(code, np.bincount(code, weights=label, minlength=hashes.size) > 0, hashes)


def deal_vehicles(vehicles: Vehicles, *, folds: int, seed: int, repeat: int = 0) -> Folds:
    """Deal whole vehicles to folds, attackers and then the others, so that each fold has its share of both.

    Parameters
    ----------
    vehicles
        Of the messages.
    folds
        How many, at least 2.
    seed, repeat
        Decide the order in which vehicles are dealt, with their hashes and nothing else.

    Raises
    ------
    ValueError
        If there are fewer vehicles than folds.
    """
    if vehicles.hashes.size < folds:
        raise ValueError(
            f"train.evaluation.folds is {folds}, but messages are of {vehicles.hashes.size} vehicles; set it to that "
            "or lower, or gather messages of more vehicles"
        )
    dealt = [
        group[bottom_k(vehicles.hashes[group], seed=seed, purpose=FOLD + _PURPOSES * repeat, k=group.size)]
        for group in (np.flatnonzero(vehicles.attacks), np.flatnonzero(~vehicles.attacks))
    ]
    fold = np.empty(vehicles.hashes.size, np.int16)
    fold[np.concatenate(dealt)] = np.arange(vehicles.hashes.size) % folds
    return fold[vehicles.code]


def deal_by(
    rung: Rung, examples: Examples, vehicles: Vehicles, names: tuple[str, ...], *, folds: int, seed: int
) -> Folds:
    """Deal messages to folds as a rung of the ladder of leaks has them.

    Parameters
    ----------
    rung
        `row`: messages at random, of each label its share. `vehicle`: see `deal_vehicles`. `time`: whole vehicles, in
        the order of their first messages, cut into as many spans as folds. `place`: whole vehicles, in the order of
        their middle position along the longer side of the region, cut into strips. Spans and strips have equally many
        vehicles.
    examples
        The messages, in the order of their row numbers.
    vehicles
        Of them.
    names
        Of the features.
    folds, seed
        As for `deal_vehicles`.

    Raises
    ------
    ValueError
        If there are too few vehicles, or positions are not among the features.
    """
    if rung == "row":
        order = np.concatenate(
            [
                rows[bottom_k(examples.row_number[rows], seed=seed, purpose=FOLD, k=rows.size)]
                for rows in (np.flatnonzero(examples.label == 1), np.flatnonzero(examples.label == 0))
            ]
        )
        fold = np.empty(order.size, np.int16)
        fold[order] = np.arange(order.size) % folds
        return fold
    if rung == "vehicle":
        return deal_vehicles(vehicles, folds=folds, seed=seed)
    along = _find_starts(examples, vehicles) if rung == "time" else _find_positions(examples, vehicles, names)
    order = np.lexsort((vehicles.hashes, along))
    cut = np.empty(order.size, np.int16)
    cut[order] = np.arange(order.size) * folds // order.size
    return cut[vehicles.code]


def _find_starts(examples: Examples, vehicles: Vehicles) -> NDArray[np.int64]:
    """Return when each vehicle's first message was generated, microseconds."""
    times = settle_times(examples.time_us, vehicle=examples.vehicle, coarse=examples.coarse)
    first = np.full(vehicles.hashes.size, np.iinfo(np.int64).max)
    np.minimum.at(first, vehicles.code, times)
    return first


def _find_positions(examples: Examples, vehicles: Vehicles, names: tuple[str, ...]) -> NDArray[np.float32]:
    """Return the middle of each vehicle's positions, east or north, whichever the vehicles lie further apart in."""
    if not {X_POS, Y_POS} <= set(names):
        raise ValueError(f"{X_POS} and {Y_POS} are not among the features")
    middles = [_find_medians(examples.matrix[:, names.index(axis)], vehicles) for axis in (X_POS, Y_POS)]
    width, height = (np.subtract(*np.quantile(each, (0.75, 0.25))) for each in middles)
    return middles[0] if width >= height else middles[1]


def _find_medians(values: NDArray[np.float32], vehicles: Vehicles) -> NDArray[np.float32]:
    """Return the lower median of each vehicle's values."""
    order = np.lexsort((values, vehicles.code))
    count = np.bincount(vehicles.code)
    start = np.cumsum(count) - count
    middle: NDArray[np.float32] = values[order[start + (count - 1) // 2]]
    return middle
