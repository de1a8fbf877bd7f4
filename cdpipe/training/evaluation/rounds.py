"""Rounds: one fold tests what was learnt from the others, until each has."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cdpipe.training.classifiers import Judge, Matrix, Verdict, fit
from cdpipe.training.evaluation.folds import Folds
from cdpipe.training.examples import Examples
from cdpipe.training.split import require_both_labels

if TYPE_CHECKING:
    from cdpipe.training.params import TrainParams


@dataclass(slots=True)
class Judged:
    """One classifier's word on messages, each by what was learnt from the other folds.

    Attributes
    ----------
    alarm
        1 where it alarms, int8, shape (n,).
    score
        How sure it is of an attack, float32, shape (n,); NaN where a message is in no fold.
    fit_s, predict_s
        Seconds of all rounds.
    """

    alarm: NDArray[np.int8]
    score: NDArray[np.float32]
    fit_s: float = 0.0
    predict_s: float = 0.0


See = Callable[[str, Judge, NDArray[np.intp], Matrix], Any]
"""Is shown each classifier that was fitted, which messages it tests, and their features."""


Tell = Callable[[str, int, int], object]
"""Is told before a classifier is fitted: its name, which it is, and of how many."""


def judge_folds(
    examples: Examples,
    fold: Folds,
    params: "TrainParams",
    *,
    threads: int,
    names: tuple[str, ...] = (),
    see: See | None = None,
    tell: Tell | None = None,
) -> dict[str, Judged]:
    """Fit every classifier in every round, and have it judge the messages of the fold that tests.

    Parameters
    ----------
    examples
        The messages.
    fold
        Of each, shape (n,).
    params
        Which classifiers; theirs.
    threads
        To use at most; results do not depend on it.
    names
        Of the features, in order.
    see
        Is shown each that was fitted.
    tell
        Is told before each is.

    Returns
    -------
    dict
        By classifier.

    Raises
    ------
    ValueError
        If there is only one label to learn in a round.
    """
    rows = fold.size
    found = {name: Judged(np.zeros(rows, np.int8), np.full(rows, np.nan, np.float32)) for name in params.classifiers}
    for number in range(int(fold.max()) + 1):
        tests = fold == number
        x, y = examples.matrix[~tests], examples.label[~tests]
        require_both_labels(y, vehicle=examples.vehicle[~tests], params=params)
        tested = np.flatnonzero(tests)
        test_x = examples.matrix[tested]
        for place, (name, judged) in enumerate(found.items(), 1):
            if tell is not None:
                tell(name, number * len(found) + place, len(found) * (int(fold.max()) + 1))
            judge, verdict, fit_s, predict_s = fit_and_judge(name, params, x, y, test_x, threads=threads, names=names)
            judged.alarm[tested], judged.score[tested] = verdict
            judged.fit_s += fit_s
            judged.predict_s += predict_s
            if see is not None:
                see(name, judge, tested, test_x)
    return found


def fit_and_judge(
    name: str,
    params: "TrainParams",
    x: Matrix,
    y: NDArray[np.int8],
    test_x: Matrix,
    *,
    threads: int,
    names: tuple[str, ...] = (),
) -> tuple[Judge, Verdict, float, float]:
    """Fit one classifier and have it judge; also return the seconds of both."""
    start = time.perf_counter()
    judge = fit(name, params, x, y, threads, names)
    fitted = time.perf_counter()
    verdict = judge(test_x)
    return judge, verdict, fitted - start, time.perf_counter() - fitted
