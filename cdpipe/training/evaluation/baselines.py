"""Baselines: how far one feature alone, without training, tells attackers' messages from the others."""

import numpy as np
from numpy.typing import NDArray

from cdpipe.training.classifiers import Matrix
from cdpipe.training.evaluation.folds import Vehicles
from cdpipe.training.evaluation.intervals import Spread
from cdpipe.training.evaluation.ranking import count_steps, estimate_rankings, rank
from cdpipe.training.evaluation.resampling import Resampler
from cdpipe.training.evaluation.result import Baseline


def measure_baselines(
    matrix: Matrix,
    label: NDArray[np.int8],
    vehicles: Vehicles,
    names: tuple[str, ...],
    *,
    resampler: Resampler,
    spread: Spread | None,
) -> tuple[Baseline, ...]:
    """Take each feature as a score.

    Parameters
    ----------
    matrix, label
        Features, shape (n, features), and labels, shape (n,), of the messages that test.
    vehicles
        Theirs.
    names
        Of the features.
    resampler
        Of these vehicles.
    spread
        None: no intervals.

    Returns
    -------
    tuple of Baseline
        The one with the largest area first. Where its ROC area would be below one half, low values count as
        suspicious; the interval does not know that this was chosen by the labels.
    """
    if label.min() == label.max():
        return ()
    made = [
        _measure(matrix[:, place], label, vehicles, name, resampler=resampler, spread=spread)
        for place, name in enumerate(names)
    ]
    return tuple(sorted(made, key=lambda each: (-(each.rankings["roc_auc"].value or 0.0), each.feature)))


def _measure(
    values: NDArray[np.float32],
    label: NDArray[np.int8],
    vehicles: Vehicles,
    name: str,
    *,
    resampler: Resampler,
    spread: Spread | None,
) -> Baseline:
    found = rank([count_steps(values, label)])
    is_high = bool(found["roc_auc"] >= 0.5)
    score = values if is_high else -values
    rankings = estimate_rankings(
        [(score, label, vehicles.code)], vehicles=vehicles.hashes.size, resampler=resampler, spread=spread
    )
    return Baseline(name, "high" if is_high else "low", rankings)
