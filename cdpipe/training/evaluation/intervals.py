"""Intervals: what 95 of 100 repetitions with other vehicles would hold, read off resamples of the vehicles."""

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.training.evaluation.resampling import Profiles
from cdpipe.training.metrics import RATES, compute_rates

CONFIDENCE: Final = 0.95
_LEAST_DEFINED: Final = 0.9
"""A figure has no interval if it is undefined in more than a tenth of the resamples."""


class Estimate(NamedTuple):
    """A figure and its interval of 95 %.

    Attributes
    ----------
    value
        None where it is undefined, such as the precision of a classifier that never alarms.
    low, high
        The interval; None where vehicles are too few for one.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def holds(self, value: float) -> bool:
        """Return True if the interval is there and holds a value."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high


class Spread(NamedTuple):
    """Where to read an interval off resamples, as the share of them that is left out at either end."""

    tail: float


def find_spread(*, vehicles: int, folds: int) -> Spread:
    """Return how wide intervals are.

    Percentiles of resamples are too narrow twice over, and are read further out for it. Few vehicles: by Student's t
    and the factor n / (n - 1) of a variance (Hesterberg 2015). Folds: each vehicle judges others and is judged by what
    was learnt from them, so the variance of their joint figure is up to 1 + (1 - 1 / folds) times that of vehicles
    which are judged independently (the correlation is that of Nadeau and Bengio 2003).

    Parameters
    ----------
    vehicles
        How many test, at least 3.
    folds
        1 for one split.
    """
    from scipy.special import ndtr, stdtrit  # noqa: PLC0415 - only training needs it

    few = stdtrit(vehicles - 2, (1 + CONFIDENCE) / 2) * math.sqrt(vehicles / (vehicles - 1))
    return Spread(float(ndtr(-few * math.sqrt(2 - 1 / folds))))


def estimate(value: float, resampled: NDArray[np.float64] | None, spread: Spread | None) -> Estimate:
    """Put a figure and its interval together.

    Parameters
    ----------
    value
        The figure, NaN where undefined.
    resampled
        The figure of each resample, shape (resamples,), NaN where undefined; None where there are none.
    spread
        Where to read the interval off; None as well.
    """
    if math.isnan(value):
        return Estimate(None)
    if resampled is None or spread is None:
        return Estimate(value)
    defined = resampled[~np.isnan(resampled)]
    if defined.size < _LEAST_DEFINED * resampled.size:
        return Estimate(value)
    low, high = np.quantile(defined, (spread.tail, 1 - spread.tail))
    return Estimate(value, min(float(low), value), max(float(high), value))


def estimate_rates(alarms: Profiles, resampled: Profiles | None, spread: Spread | None) -> dict[str, Estimate]:
    """Estimate the rates of vehicles' confusion matrices, by name.

    Parameters
    ----------
    alarms
        Of each vehicle; columns are (no alarm, alarm).
    resampled
        Of each resample of the vehicles; None: no intervals.
    spread
        Where to read intervals off; None as well.
    """
    values = compute_rates(as_matrices(add_all(alarms)))
    drawn = None if resampled is None else compute_rates(as_matrices(resampled))
    return {name: estimate(float(values[name]), None if drawn is None else drawn[name], spread) for name in RATES}


def add_all(profiles: Profiles) -> Profiles:
    """Return the counts of all vehicles together, shape (columns,)."""
    return Profiles(profiles.negative.sum(axis=0), profiles.positive.sum(axis=0))


def as_matrices(profiles: Profiles) -> NDArray[Any]:
    """Return confusion matrices, shape (..., 4), of profiles whose last axis is (no alarm, alarm)."""
    return np.concatenate([profiles.negative, profiles.positive], axis=-1)


def profile_alarms(code: NDArray[np.intp], label: NDArray[np.int8], alarm: NDArray[Any], *, vehicles: int) -> Profiles:
    """Count each vehicle's messages without and with an alarm.

    Parameters
    ----------
    code
        Index of each message's vehicle, shape (n,).
    label, alarm
        Of each message, 0 or 1, shape (n,).
    vehicles
        How many there are.
    """
    cells = code * 4 + 2 * label.astype(np.intp) + alarm.astype(np.intp)
    counts = np.bincount(cells, minlength=4 * vehicles).reshape(vehicles, 2, 2).astype(np.float64)
    return Profiles(counts[:, 0], counts[:, 1])
