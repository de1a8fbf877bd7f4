"""The few statistics that comparisons of timings rest on; none assumes a distribution.

Sources: order-statistic interval of the median and the sign test (Conover, *Practical Nonparametric
Statistics*, 3.1-3.4); Mann-Whitney U (SciPy) and the interval of Hodges and Lehmann that belongs to it
(Conover, 5.4); Holm 1979.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, ndtri
from scipy.stats import mannwhitneyu, rankdata

_EXACT_UP_TO = 50


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its confidence interval, None where there are too few samples for one."""

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A ratio of two sides, the p-value of "no difference", and the smallest p that this many samples allow."""

    ratio: Estimate
    p_value: float
    p_smallest: float


def estimate_median(samples: Sequence[float], *, confidence: float = 0.95) -> Estimate:
    """Estimate a median with the interval between two order statistics, of at least this coverage.

    Parameters
    ----------
    samples
        At least one; independent.
    confidence
        Coverage, 0-1. At 0.95 an interval takes six samples.
    """
    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    # The largest rank r with P(fewer than r of n samples below the median) <= half of what may be missed.
    tails = bdtr(np.arange(len(ordered) // 2), len(ordered), 0.5)
    rank = int(np.count_nonzero(tails <= (1 - confidence) / 2))
    interval = (float(ordered[rank - 1]), float(ordered[-rank])) if rank else None
    return Estimate(float(np.median(ordered)), interval)


def compare_pairs(before: Sequence[float], after: Sequence[float], *, confidence: float = 0.95) -> Comparison:
    """Compare two sides measured in pairs, one of each a round, by the ratios within the rounds.

    What the machine does in a round touches both of its sides, so ratios are steadier than the sides.

    Parameters
    ----------
    before, after
        Above zero, of equal length, in round order.
    confidence
        Coverage of the interval of the median ratio after / before.

    Returns
    -------
    Comparison
        With the two-sided p-value of the sign test (equal pairs are left out of it).
    """
    logs = np.log(np.asarray(after, dtype=np.float64)) - np.log(np.asarray(before, dtype=np.float64))
    middle = estimate_median(logs.tolist(), confidence=confidence)
    differing = int(np.count_nonzero(logs))
    fewer = min(int(np.count_nonzero(logs > 0)), int(np.count_nonzero(logs < 0)))
    p_value = min(1.0, 2 * float(bdtr(fewer, differing, 0.5))) if differing else 1.0
    return Comparison(_exponentiate(middle), p_value, min(1.0, 2.0 ** (1 - len(logs))))


def compare_groups(before: Sequence[float], after: Sequence[float], *, confidence: float = 0.95) -> Comparison:
    """Compare two sides measured independently: Mann-Whitney U, and the ratio that makes them agree best.

    Parameters
    ----------
    before, after
        Above zero; lengths may differ.
    confidence
        Coverage of the interval of the ratio after / before.

    Returns
    -------
    Comparison
        The ratio is the median of all ratios of one of `after` to one of `before` (Hodges-Lehmann on
        logarithms).
    """
    x, y = np.log(np.asarray(after, dtype=np.float64)), np.log(np.asarray(before, dtype=np.float64))
    n, m = len(x), len(y)
    differences = np.sort(np.subtract.outer(x, y).ravel())
    rank = _interval_rank(n, m, (1 - confidence) / 2)
    interval = (float(differences[rank - 1]), float(differences[-rank])) if rank else None
    both = np.concatenate((x, y))
    exact = max(n, m) <= _EXACT_UP_TO
    p_value = 1.0
    if exact and len(np.unique(both)) < n + m:
        p_value = _count_ties(x, y)
    elif np.ptp(both) > 0:
        p_value = float(mannwhitneyu(x, y, method="exact" if exact else "asymptotic").pvalue)
    middle = Estimate(float(np.median(differences)), interval)
    return Comparison(_exponentiate(middle), p_value, min(1.0, 2 / math.comb(n + m, n)))


def correct_holm(p_values: Sequence[float]) -> npt.NDArray[np.float64]:
    """Correct p-values for their number, so that any false alarm among all has the stated probability (Holm).

    Returns
    -------
    ndarray of float64
        In the order given, never above 1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def _exponentiate(estimate: Estimate) -> Estimate:
    interval = estimate.interval
    return Estimate(
        math.exp(estimate.value),
        None if interval is None else (math.exp(interval[0]), math.exp(interval[1])),
    )


def _count_ties(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
    """Return the two-sided p-value of Mann and Whitney's U where values are equal, by all ways to choose x among them.

    SciPy has but the normal approximation for ties, whose p is half of what it should be for three against three. Equal
    values share the mean of their ranks; so twice the sum of ranks is a whole number, and its ways are counted.
    """
    doubled = np.rint(2 * rankdata(np.concatenate((x, y)))).astype(np.int64)
    n, most = len(x), int(np.sort(doubled)[-len(x) :].sum())
    ways = np.zeros((n + 1, most + 1))
    ways[0, 0] = 1.0
    for rank in doubled.tolist():
        ways[1:, rank:] += ways[:-1, : most + 1 - rank]
    chances = ways[n] / ways[n].sum()
    seen = int(doubled[:n].sum())
    return min(1.0, 2 * min(float(chances[: seen + 1].sum()), float(chances[seen:].sum())))


@lru_cache(maxsize=256)
def _interval_rank(n: int, m: int, tail: float) -> int:
    """Return the largest rank r with P(U < r) <= tail under no difference; 0 if there is none."""
    if max(n, m) > _EXACT_UP_TO:
        return max(0, math.floor(n * m / 2 + ndtri(tail) * math.sqrt(n * m * (n + m + 1) / 12)))
    counts = _count_u(n, m)
    below, rank = 0, 0
    for count in counts:
        below += count
        if below > tail * math.comb(n + m, n):
            break
        rank += 1
    return rank


def _count_u(n: int, m: int) -> list[int]:
    """Count the orders of n and m values that give each U: the coefficients of a Gaussian binomial."""
    counts = [0] * (n * m + 1)
    counts[0] = 1
    for i in range(1, n + 1):
        for u in range(n * m, m + i - 1, -1):
            counts[u] -= counts[u - m - i]
        for u in range(i, n * m + 1):
            counts[u] += counts[u - i]
    return counts
