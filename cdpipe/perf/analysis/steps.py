"""Steps of a series over commits: where its level changed, and between which commits it did not.

asv's own `step_detect` names no false step, and few true ones: of steps of 15 % and 20 % in 40 commits with a spread of
3 % it found both in none of 30 series, and one of 10 % in 14. What is here finds them in 95 or more of 100, and false
ones in at most 3 (`tests/perf/analysis/test_steps.py`).
"""

import itertools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST: Final = 3
"""Commits of a level: fewer are an outlier."""

PRICE: Final = 7.0
"""What a step must explain, in variances of the noise times the logarithm of the length; Schwarz's price is 3."""

_OUTLIER: Final = 3.0
_NEIGHBOURS: Final = 2
_OF_NORMAL: Final = 1.4826
_LEAST_SPREAD: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Level:
    """A stretch of a series without a step.

    Attributes
    ----------
    start, stop
        Its indices in the series, `stop` not among them.
    value, least
        Median and smallest value.
    deviation
        Mean distance from the median.
    """

    start: int
    stop: int
    value: float
    least: float
    deviation: float


def find_levels(series: Floats) -> list[Level]:
    """Cut a series into levels, by the least squares that a price for each step allows.

    Times and bytes grow by factors, so a positive series is cut on its logarithm. A value that stands out from its
    neighbours is drawn to them first, so that an outlier is no step.

    Parameters
    ----------
    series
        In the order of commits, shape (commits,); NaN where there is no value, which belongs to no level by itself.

    Returns
    -------
    list of Level
        In order; one where there is no step, none where there is no value.
    """
    places = np.flatnonzero(np.isfinite(series))
    if not places.size:
        return []
    values = series[places]
    cuts = _cut(np.log(values) if (values > 0).all() else values)
    return [
        _describe(values[start:stop], int(places[start]), int(places[stop - 1]) + 1)
        for start, stop in itertools.pairwise(cuts)
    ]


def _describe(values: Floats, start: int, stop: int) -> Level:
    middle = float(np.median(values))
    return Level(start, stop, middle, float(values.min()), float(np.abs(values - middle).mean()))


def _cut(values: Floats) -> list[int]:
    """Return the bounds of the levels, both ends among them: the cheapest of all cuts, by dynamic programming."""
    count = len(values)
    if count < 2 * LEAST:
        return [0, count]
    spread = max(_OF_NORMAL * float(np.median(np.abs(np.diff(values)))) / math.sqrt(2), _LEAST_SPREAD)
    calm = _calm(values, spread)
    sums = np.concatenate([[0.0], np.cumsum(calm)])
    squares = np.concatenate([[0.0], np.cumsum(calm * calm)])
    price = PRICE * spread**2 * math.log(count)
    cost, begins = np.full(count + 1, np.inf), np.zeros(count + 1, dtype=np.int64)
    cost[0] = 0.0
    for stop in range(LEAST, count + 1):
        starts = np.arange(stop - LEAST + 1)
        residual = squares[stop] - squares[starts] - (sums[stop] - sums[starts]) ** 2 / (stop - starts)
        total = cost[starts] + residual + price
        begins[stop] = np.argmin(total)
        cost[stop] = total[begins[stop]]
    bounds = [count]
    while bounds[-1]:
        bounds.append(int(begins[bounds[-1]]))
    return bounds[::-1]


def _calm(values: Floats, spread: float) -> Floats:
    """Return values that lie within a few spreads of the median of their neighbours and themselves."""
    around = np.lib.stride_tricks.sliding_window_view(np.pad(values, _NEIGHBOURS, mode="edge"), 2 * _NEIGHBOURS + 1)
    middle = np.median(around, axis=1)
    return np.clip(values, middle - _OUTLIER * spread, middle + _OUTLIER * spread)
