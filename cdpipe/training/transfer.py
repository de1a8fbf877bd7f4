"""Transfer: a classifier that was trained on one attack, tested on others."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.training.classifiers import Labels, Matrix, fit
from cdpipe.training.examples import Gathered, gather_examples
from cdpipe.training.metrics import Metrics, measure
from cdpipe.training.params import TrainParams
from cdpipe.training.sampling import choose_vehicles, tally
from cdpipe.training.sides import choose_sides
from cdpipe.training.train import NAME
from cdpipe.training.tuning import tune

Test = Callable[[pd.DataFrame], Metrics]
"""Tests a classifier on the test side of a frame."""


class Side(NamedTuple):
    """Messages of one side: features, shape (n, features), labels and hashes of vehicles, shape (n,), and names."""

    matrix: Matrix
    label: Labels
    vehicle: NDArray[np.uint64]
    names: tuple[str, ...]


def train_for_transfer(frame: pd.DataFrame, params: TrainParams, *, threads: int) -> Test:
    """Fit a classifier on the train side of a frame; return what tests it on the test side of any.

    The split is drawn by row number or vehicle: where frames are of the same messages, attacked in several ways, no
    message or vehicle that the classifier has learnt from is in a test. Tested on its own frame it has the metrics that
    `train` gives.

    Parameters
    ----------
    frame
        What the features stage gives, shape (n, …).
    params
        One classifier, and the split.
    threads
        Threads to use at most; results do not depend on it.

    Raises
    ------
    ValueError
        If there is not one classifier, or as for `train`.
    """
    if len(params.classifiers) != 1:
        raise ValueError(f"transfer is of one classifier at a time, not of {len(params.classifiers)}")
    learnt = _take_side(frame, params, tests=False)
    if np.unique(learnt.label).size == 1:
        raise ValueError(f"all {learnt.label.size} training messages have one label; change attack.ratio")
    (name,) = params.classifiers
    tuned = tune(name, params, learnt.matrix, learnt.label, learnt.vehicle, threads=threads)
    judge = fit(name, tuned, learnt.matrix, learnt.label, threads, learnt.names)

    def test(other: pd.DataFrame) -> Metrics:
        side = _take_side(other, params, tests=True)
        return measure(side.label, judge(side.matrix).label)

    return test


def _take_side(frame: pd.DataFrame, params: TrainParams, *, tests: bool) -> Side:
    gathered = _gather(frame, params)
    examples = gathered.examples
    sides = choose_sides(examples, params)
    chosen = sides.tests if tests else sides.trains
    return Side(examples.matrix[chosen], examples.label[chosen], examples.vehicle[chosen], gathered.names)


def _gather(frame: pd.DataFrame, params: TrainParams) -> Gathered:
    """Return the examples of a frame, of a sample of its vehicles where one is asked for."""
    if params.sample_rows is None or params.sample_rows >= len(frame):
        return gather_examples([frame], rows=len(frame), stage=NAME, label=params.label)
    chosen = choose_vehicles(tally([frame], label=params.label), rows=params.sample_rows, seed=params.seed)
    return gather_examples([frame], rows=params.sample_rows, stage=NAME, chosen=chosen, label=params.label)
