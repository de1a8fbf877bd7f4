"""Split: which labelled messages train a classifier and which test it."""

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.draws.keyed import SPLIT
from cdpipe.kernels.draws.thresholds import choose_threshold, distinct, is_chosen
from cdpipe.stages.order import settle_times

if TYPE_CHECKING:
    from cdpipe.training.params import TrainParams

SplitBy = Literal["row", "vehicle", "time"]
SPLITS: Final[tuple[SplitBy, ...]] = ("row", "vehicle", "time")


def split(
    *,
    by: SplitBy,
    test_ratio: float,
    seed: int,
    row_number: NDArray[np.int64],
    vehicle: NDArray[np.uint64],
    time_us: NDArray[np.int64],
    coarse: NDArray[np.int8] | None = None,
) -> NDArray[np.bool_]:
    """Say which messages test, shape (n,); the others train.

    Parameters
    ----------
    by
        `row`: exactly round(test_ratio x n) messages, drawn by row number. `vehicle`: exactly round(test_ratio x
        vehicles) vehicles with all their messages, so that no vehicle is on both sides. `time`: the last
        round(test_ratio x n) messages in the order of `cdpipe.stages.order`, ties in the order of rows.
    test_ratio
        Share that tests.
    seed
        Seed of the draw.
    row_number, vehicle, time_us, coarse
        Keys of each message, shape (n,); None: no time is coarse.

    Raises
    ------
    ValueError
        If one side would be empty.
    """
    rows = row_number.size
    if by == "time":
        test = np.zeros(rows, np.bool_)
        times = time_us if coarse is None else settle_times(time_us, vehicle=vehicle, coarse=coarse)
        order = np.lexsort((row_number, times))
        test[order[rows - round(test_ratio * rows) :]] = True
    else:
        units = row_number if by == "row" else vehicle
        count = round(test_ratio * (rows if by == "row" else distinct(vehicle).size))
        key, last = choose_threshold(units, seed=seed, purpose=SPLIT, count=count)
        test = is_chosen(units, seed=seed, purpose=SPLIT, threshold_key=key, threshold_hash=last)
    testing = int(np.count_nonzero(test))
    if testing in (0, rows):
        raise ValueError(
            f"a split by {by} with test_ratio {test_ratio} puts {rows - testing} of {rows} messages, of "
            f"{distinct(vehicle).size} vehicles, in training and {testing} in testing; both need some: change "
            "train.test_ratio or train.split, or train nothing: train.classifiers = []"
        )
    return test


def require_both_labels(label: NDArray[np.int8], *, vehicle: NDArray[np.uint64], params: "TrainParams") -> None:
    """Refuse to learn from messages that all have one label.

    Parameters
    ----------
    label, vehicle
        Of the messages that train, shape (n,).
    params
        What is to be learnt, and how it is tested.

    Raises
    ------
    ValueError
        Naming the label and what to change.
    """
    if np.unique(label).size > 1:
        return
    how = "train.split or train.test_ratio" if params.folds == 1 else "train.evaluation.folds"
    raise ValueError(
        f"all {label.size} training messages, of {distinct(vehicle).size} vehicles, have {params.label} = {label[0]}; "
        f"change attack.ratio, {how}, or train nothing: train.classifiers = []"
    )
