"""Sampling: which vehicles a training sample keeps, drawn before any message is in memory."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import IS_ATTACKER, VEHICLE
from cdpipe.kernels.draws.keyed import SAMPLE
from cdpipe.kernels.draws.thresholds import bottom_k


class Tally(NamedTuple):
    """Messages of each vehicle.

    Attributes
    ----------
    vehicle
        Hashes, uint64, ascending, shape (v,).
    rows
        Messages of each, int64, shape (v,).
    attacked
        Whether any of them is an attacker's, shape (v,).
    """

    vehicle: NDArray[np.uint64]
    rows: NDArray[np.int64]
    attacked: NDArray[np.bool_]


def tally(frames: Iterable[pd.DataFrame], *, label: str = IS_ATTACKER) -> Tally:
    """Count each vehicle's messages over partitions that have its hash and a label, in any order."""
    total = Tally(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.bool_))
    for frame in frames:
        attacks = frame[label].to_numpy() == 1
        one = np.ones(len(frame), np.int64)
        total = _add(Tally(frame[VEHICLE].to_numpy(np.uint64), one, attacks), total)
    return total


def choose_vehicles(counted: Tally, *, rows: int, seed: int) -> NDArray[np.uint64]:
    """Choose whole vehicles with at most `rows` messages in all, attackers and others in proportion to their messages.

    Vehicles are taken in the order of their random keys, `draws.keys(vehicle, SAMPLE)`, until the next would exceed
    their label's share, floor(rows x messages of the label / messages): the sample depends on the seed and on which
    vehicles there are, and on nothing else.

    Parameters
    ----------
    counted
        Messages of each vehicle of the whole data set; a vehicle attacks if any of its messages does.
    rows
        Messages that the sample has at most.
    seed
        Seed of the draw.

    Returns
    -------
    numpy.ndarray
        uint64, ascending: the vehicles chosen; all, if they have no more than `rows` messages.

    Raises
    ------
    ValueError
        If a label's share is less than its first vehicle has; it names the least number of rows that works.
    """
    total = int(counted.rows.sum())
    if total <= rows:
        return counted.vehicle
    chosen, least = [], 0
    for attacks in (False, True):
        vehicle = counted.vehicle[counted.attacked == attacks]
        if vehicle.size == 0:
            continue
        order = bottom_k(vehicle, seed=seed, purpose=SAMPLE, k=vehicle.size)
        messages = np.cumsum(counted.rows[counted.attacked == attacks][order])
        kept = int(np.searchsorted(messages, rows * int(messages[-1]) // total, side="right"))
        least = max(least, -(-int(messages[0]) * total // int(messages[-1])))
        chosen.append(vehicle[order[:kept]])
    if least > rows:
        raise ValueError(
            f"train.sample_rows is {rows:,}, too few for a whole vehicle of each label in proportion; with "
            f"train.seed {seed} set it to {least:,} or more (there are {total:,} messages of "
            f"{counted.vehicle.size:,} vehicles), or leave it out"
        )
    return np.sort(np.concatenate(chosen))


def is_sampled(vehicle: NDArray[np.uint64], chosen: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell for each message, shape (n,), whether its vehicle is among the chosen, which ascend."""
    if chosen.size == 0:
        return np.zeros(vehicle.size, np.bool_)
    place = np.minimum(np.searchsorted(chosen, vehicle), chosen.size - 1)
    return np.asarray(chosen[place] == vehicle)


def _add(one: Tally, other: Tally) -> Tally:
    vehicle = np.concatenate([one.vehicle, other.vehicle])
    rows, attacked = np.concatenate([one.rows, other.rows]), np.concatenate([one.attacked, other.attacked])
    order = np.argsort(vehicle, kind="stable")
    ordered = vehicle[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: ordered.size])
    return Tally(ordered[starts], np.add.reduceat(rows[order], starts), np.logical_or.reduceat(attacked[order], starts))
