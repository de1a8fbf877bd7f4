"""Ranking: how well scores put attackers' messages above the others: ROC and PR curves, and their areas.

Scores of different folds come from different models, so only messages of one fold are compared with each other, and
figures of folds are averaged by what they rest on (Forman and Scholz 2010).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.training.evaluation.intervals import Estimate, Spread, estimate
from cdpipe.training.evaluation.resampling import Profiles, Resampler

RANKINGS: Final = ("roc_auc", "average_precision", "tpr_at_1_percent_fpr")
"""Names of the figures."""

MOST_FALSE: Final = 0.01
LEAST_HONEST: Final = 100
"""Honest messages that a fold must have, for 1 % of them to be one at least."""

MOST_BINS: Final = 96
LEAST_BINS: Final = 4
CELLS: Final = 4_000_000
"""Vehicles x bins that the profiles of all folds have at most, unless they had fewer bins than the least."""

_GRID: Final = np.unique(np.concatenate([np.linspace(0, 1, 101), np.geomspace(1e-4, 0.1, 61)]))
"""Rates at which curves are told."""


class Steps(NamedTuple):
    """Counts of messages at or above each threshold, the highest first, shape (..., thresholds).

    Attributes
    ----------
    false, true
        Of label 0 and of label 1.
    """

    false: NDArray[np.float64]
    true: NDArray[np.float64]


def count_steps(score: NDArray[np.floating], label: NDArray[np.int8]) -> Steps:
    """Count messages at or above each different score, highest first; shape (n,) each."""
    order = np.argsort(-score, kind="stable")
    ordered, truth = score[order], label[order].astype(np.int64)
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), ordered.size - 1)
    true = np.cumsum(truth)[last]
    return Steps((last + 1 - true).astype(np.float64), true.astype(np.float64))


def rank(folds: list[Steps], *, least_honest: int = LEAST_HONEST) -> dict[str, NDArray[np.float64]]:
    """Compute the figures of `RANKINGS` over folds.

    Parameters
    ----------
    folds
        Steps of each, of one sample or of many resamples.
    least_honest
        Honest messages that a fold must have for its true positive rate to be told.

    Returns
    -------
    dict
        By name, shape (...): NaN where undefined: with messages of one label only, and for the true positive rate also
        where a fold has too few honest messages.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [_rank_fold(steps, least_honest) for steps in folds]
        return {
            name: np.asarray(sum(part[name][0] for part in parts) / sum(part[name][1] for part in parts))
            for name in RANKINGS
        }


def _rank_fold(steps: Steps, least_honest: int) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return each figure of a fold times its weight, and the weight; call with division by nothing allowed."""
    honest, attacks = steps.false[..., -1], steps.true[..., -1]
    both = (honest > 0) & (attacks > 0)
    gained = np.diff(steps.true, axis=-1, prepend=0.0)
    above = steps.false - np.diff(steps.false, axis=-1, prepend=0.0) / 2
    pairs = honest * attacks
    area = pairs - (gained * above).sum(axis=-1)
    seen = steps.false + steps.true
    precise = np.where(gained > 0, gained * steps.true / seen, 0.0).sum(axis=-1)
    allowed = steps.false <= MOST_FALSE * honest[..., np.newaxis]
    caught = np.where(allowed, steps.true, 0.0).max(axis=-1)
    weight = np.where(both, attacks, 0.0)
    # One fold that is too small to tell leaves the figure of all undefined.
    resolved = np.where(both & (honest < least_honest), np.nan, weight)
    return {
        "roc_auc": (np.where(both, area, 0.0), np.where(both, pairs, 0.0)),
        "average_precision": (np.where(both, precise, 0.0), weight),
        "tpr_at_1_percent_fpr": (np.where(both, caught, 0.0), resolved),
    }


class Curve(NamedTuple):
    """A curve: one rate at given values of another, averaged over folds by their attackers' messages.

    Attributes
    ----------
    x, y
        Shape (points,).
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]


def trace_curves(folds: list[Steps]) -> tuple[Curve, Curve] | None:
    """Return the ROC curve and the precision-recall curve; None if no fold has messages of both labels.

    Neither is interpolated between thresholds: the ROC curve has at each false positive rate the best true positive
    rate that a threshold gives without exceeding it; the other has at each recall the precision where it is reached.
    """
    parts = [each for each in folds if each.false[-1] > 0 and each.true[-1] > 0]
    if not parts:
        return None
    weights = np.array([each.true[-1] for each in parts])
    rates, precisions = [], []
    for false, true in parts:
        at = np.searchsorted(false / false[-1], _GRID, side="right") - 1
        rates.append(np.where(at >= 0, true[np.maximum(at, 0)], 0.0) / true[-1])
        reached = np.minimum(np.searchsorted(true / true[-1], np.maximum(_GRID, 1 / true[-1])), true.size - 1)
        precisions.append(true[reached] / (true[reached] + false[reached]))
    return (
        Curve(_GRID, np.average(rates, axis=0, weights=weights)),
        Curve(_GRID, np.average(precisions, axis=0, weights=weights)),
    )


def estimate_rankings(
    folds: list[tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.intp]]],
    *,
    vehicles: int,
    resampler: Resampler,
    spread: Spread | None,
) -> dict[str, Estimate]:
    """Estimate the figures of `RANKINGS`.

    Parameters
    ----------
    folds
        Score, label and index of the vehicle of the messages of each fold, of one repeat or more.
    vehicles
        How many there are.
    resampler
        Of them.
    spread
        None: no intervals.
    """
    values = rank([count_steps(score, label) for score, label, _code in folds])
    if spread is None:
        return {name: estimate(float(values[name]), None, None) for name in RANKINGS}
    cells = CELLS // len(folds)
    bins = [profile_scores(*each, vehicles=vehicles, cells=cells) for each in folds]
    resampled = rank([as_steps(each) for each in resampler.add_up(bins)], least_honest=0)
    return {name: estimate(float(values[name]), resampled[name], spread) for name in RANKINGS}


def profile_scores(
    score: NDArray[np.floating], label: NDArray[np.int8], code: NDArray[np.intp], *, vehicles: int, cells: int = CELLS
) -> Profiles:
    """Count each vehicle's messages by bins of the score, the highest bin first.

    Each different score is a bin of its own where they are few. Else bins hold equally many messages, and half of them
    are for the hundredth of honest messages with the highest scores, where a small false positive rate is decided.

    Parameters
    ----------
    score, label, code
        Of the messages of one fold, shape (n,); code is the index of a message's vehicle among all.
    vehicles
        How many there are.
    cells
        Vehicles of the fold x bins that there are at most.
    """
    present = np.flatnonzero(np.bincount(code, minlength=vehicles))
    most = int(np.clip(cells // max(1, present.size), LEAST_BINS, MOST_BINS))
    edges = np.unique(score)
    if edges.size > most:
        edges = _choose_edges(score, score[label == 0], most)
    place = edges.size - 1 - (np.searchsorted(edges, score, side="right") - 1)
    index = np.searchsorted(present, code) * edges.size + place
    sides = [
        np.bincount(index[label == value], minlength=present.size * edges.size)
        .reshape(present.size, edges.size)
        .astype(np.float64)
        for value in (0, 1)
    ]
    return Profiles(sides[0], sides[1], present)


def as_steps(bins: Profiles) -> Steps:
    """Return the steps of counts by bins, the highest first, shape (..., bins)."""
    return Steps(np.cumsum(bins.negative, axis=-1), np.cumsum(bins.positive, axis=-1))


def _choose_edges(score: NDArray[np.floating], honest: NDArray[np.floating], most: int) -> NDArray[np.floating]:
    """Return the lowest score of each bin, ascending."""
    half = most // 2
    wide = np.quantile(score, np.linspace(0, 1, most - half, endpoint=False), method="lower")
    near = honest if honest.size else score
    tail = np.quantile(near, 1 - np.geomspace(1e-4, 3 * MOST_FALSE, half), method="higher")
    return np.unique(np.concatenate([wide, tail, [score.min()]]))
