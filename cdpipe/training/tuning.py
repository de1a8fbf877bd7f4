"""Tuning: parameters of a classifier, chosen by folds of the vehicles that train."""

from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.draws.keyed import SPLIT, keys
from cdpipe.training.classifiers import CLASSIFIERS, Labels, Matrix
from cdpipe.training.metrics import measure

if TYPE_CHECKING:
    from cdpipe.training.params import TrainParams

GRIDS: Final[dict[str, dict[str, tuple[int, ...]]]] = {
    "RandomForest": {"trees": (50, 100, 200, 500)},
    "KNeighbors": {"neighbors": (1, 3, 5, 9, 15, 25)},
}
"""By classifier and key of training, the values that are tried; the other classifiers have no such key."""

FOLDS: Final = 3


def tune(
    name: str, params: "TrainParams", x: Matrix, y: Labels, vehicle: NDArray[np.uint64], *, threads: int
) -> "TrainParams":
    """Return the parameters with those values that judge vehicles best which they have not learnt from.

    Vehicles that train are dealt into three folds by random keys; each value is judged by the mean of macro-F1 over the
    folds, and of equals the first is taken. Nothing that tests is looked at.

    Parameters
    ----------
    name
        Classifier.
    params
        Given back as they are where no grid search is asked for, or there is nothing to choose.
    x, y, vehicle
        Features, labels and hashes of vehicles of what trains, shape (n, features) and (n,).
    threads
        Threads to use at most; the choice does not depend on it.
    """
    grid = GRIDS.get(name)
    if not params.grid_search or grid is None:
        return params
    fold = keys(vehicle, seed=params.seed, purpose=SPLIT) % FOLDS
    usable = [
        fold == each
        for each in range(FOLDS)
        if np.unique(y[fold == each]).size == 2 and np.unique(y[fold != each]).size == 2
    ]
    if not usable:
        return params
    fewest = min(int(np.count_nonzero(~tests)) for tests in usable)
    tried = [params.model_copy(update=dict(zip(grid, values, strict=True))) for values in product(*grid.values())]
    tried = [each for each in tried if name != "KNeighbors" or each.neighbors <= fewest]
    scores = [np.mean([_score(name, each, x, y, tests, threads) for tests in usable]) for each in tried]
    return tried[int(np.argmax(scores))] if scores else params


def name_chosen(name: str, tuned: "TrainParams") -> dict[str, int]:
    """Return by key what a grid search has chosen; empty where there was none."""
    return {key: int(getattr(tuned, key)) for key in GRIDS.get(name, {})} if tuned.grid_search else {}


def _score(name: str, params: "TrainParams", x: Matrix, y: Labels, tests: NDArray[Any], threads: int) -> float:
    verdict = CLASSIFIERS[name](params, x[~tests], y[~tests], threads)(x[tests])
    return measure(y[tests], verdict.label).macro_f1
