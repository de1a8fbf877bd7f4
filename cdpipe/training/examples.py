"""Examples: labelled features as classifiers take them, gathered partition by partition into one matrix."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import COARSE, IS_ATTACKER, LABELS, PLACE, ROW_NUMBER, SIDE, TIME, VEHICLE
from cdpipe.stages.features import KEYS
from cdpipe.stages.ledger import Ledger
from cdpipe.training.sampling import is_sampled

OUTSIDE: Final = "vehicle outside the sample of train.sample_rows"
"""Why a message that a sample leaves out is dropped."""

_KEY_TYPES: Final = {
    ROW_NUMBER: np.int64,
    VEHICLE: np.uint64,
    TIME: np.int64,
    COARSE: np.int8,
    PLACE: np.int8,
    SIDE: np.int8,
}


_ABSENT: Final = {COARSE: 0, PLACE: 0, SIDE: -1}
"""What stands for keys that a frame need not have."""


class Examples(NamedTuple):
    """Messages with all their features, in the order of their row numbers.

    Attributes
    ----------
    matrix
        Features, float32 in C order, shape (n, features), all finite.
    row_number, vehicle, time_us, coarse, label
        Keys and label (0 or 1) of each, shape (n,); coarse is 1 where the time is known to the whole second only.
    place, side
        Place of each, from 1 (0: unknown); 1 where it tests, 0 where it trains (-1: that is not said yet).
    """

    matrix: NDArray[np.float32]
    row_number: NDArray[np.int64]
    vehicle: NDArray[np.uint64]
    time_us: NDArray[np.int64]
    coarse: NDArray[np.int8]
    place: NDArray[np.int8]
    side: NDArray[np.int8]
    label: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Examples, the names of their features in order, and what became of the other messages."""

    examples: Examples
    names: tuple[str, ...]
    ledger: Ledger


def gather_examples(
    frames: Iterable[pd.DataFrame],
    *,
    rows: int,
    stage: str,
    chosen: NDArray[np.uint64] | None = None,
    label: str = IS_ATTACKER,
) -> Gathered:
    """Gather examples from partitions; besides them, no more than one partition is in memory.

    Parameters
    ----------
    frames
        Partitions of what the features stage gives, in any order, each with the same columns; at least one. Without
        `time_is_coarse` no time is.
    rows
        Examples that there can be at most; room for more is not needed.
    stage
        Whose ledger it is.
    chosen
        Vehicles of the sample, ascending; all if None.
    label
        Column that is learnt.

    Returns
    -------
    Gathered
        Its ledger drops, in this order, messages outside the sample, those with a null feature and those with one
        that float32 cannot hold, each under the first such feature.
    """
    room: Examples | None = None
    names: tuple[str, ...] = ()
    used, seen = 0, 0
    dropped: dict[str, int] = {OUTSIDE: 0}
    for frame in frames:
        if room is None:
            names = tuple(name for name in map(str, frame.columns) if name not in (*KEYS, *LABELS))
            room = _make_room(rows, len(names))
        seen += len(frame)
        taken, why = _take(frame, names, chosen, label)
        count = len(taken.label)
        _write(taken, room, slice(used, used + count))
        used += count
        for reason, number in why.items():
            dropped[reason] = dropped.get(reason, 0) + number
    if room is None:
        raise ValueError("there is no partition to train on; give at least one, if an empty one")
    ledger = Ledger(stage, seen, used, {reason: count for reason, count in dropped.items() if count})
    return Gathered(_in_order(select(room, slice(used))), names, ledger)


def _make_room(rows: int, features: int) -> Examples:
    """Return room for this many examples; memory is taken as it is filled."""
    keys: list[Any] = [np.empty(rows, kind) for kind in (*_KEY_TYPES.values(), np.int8)]
    return Examples(np.empty((rows, features), np.float32), *keys)


def _take(
    frame: pd.DataFrame, names: tuple[str, ...], chosen: NDArray[np.uint64] | None, label: str
) -> tuple[Examples, dict[str, int]]:
    """Return one partition's examples, in its own order, and how many messages are dropped, by reason."""
    keys: list[Any] = [
        frame[name].to_numpy(kind) if name in frame.columns or name not in _ABSENT else _fill(len(frame), name)
        for name, kind in _KEY_TYPES.items()
    ]
    keys.append(frame[label].to_numpy(np.int8))
    kept = np.ones(len(frame), np.bool_) if chosen is None else is_sampled(keys[1], chosen)
    dropped = {OUTSIDE: int(np.count_nonzero(~kept))}
    matrix = np.empty((len(frame), len(names)), np.float32)
    for place, name in enumerate(names):
        with np.errstate(over="ignore"):
            matrix[:, place] = frame[name].to_numpy(dtype=np.float32, na_value=np.nan)
        null, huge = np.isnan(matrix[:, place]), np.isinf(matrix[:, place])
        for reason, bad in ((f"null in {name}", null), (f"{name} beyond the range of float32", huge)):
            dropped[reason] = int(np.count_nonzero(bad & kept))
            kept &= ~bad
    if kept.all():
        return Examples(matrix, *keys), dropped
    return select(Examples(matrix, *keys), kept), dropped


def _fill(rows: int, name: str) -> NDArray[np.int8]:
    return np.full(rows, _ABSENT[name], np.int8)


def _in_order(examples: Examples) -> Examples:
    """Return the examples in the order of their row numbers, those of one number as they came."""
    number = examples.row_number
    if bool((number[1:] >= number[:-1]).all()):
        return examples
    order = np.argsort(number, kind="stable")
    return select(examples, order)


def select(examples: Examples, which: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Examples:
    """Return some of the examples."""
    arrays: list[Any] = [array[which] for array in examples]
    return Examples(*arrays)


def _write(source: Examples, target: Examples, where: slice) -> None:
    array: Any
    for array, part in zip(target, source, strict=True):
        array[where] = part
