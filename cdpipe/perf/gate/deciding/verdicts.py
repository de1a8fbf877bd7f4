"""Verdicts: slower, faster, no change or can't tell, for all benchmarks of a run together.

A change must be certain and large enough: its p-value over all looks, corrected for the number of benchmarks, is at
most `false_alarms`, and its estimate lies beyond a floor, which is `smallest` or the noise of equal code, the larger.
*No change* needs proof too: an interval within `tolerance` either way. All else is *can't tell*.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtri

from cdpipe.perf.gate.deciding.looks import FEWEST, Looks, correct_many, weigh_looks
from cdpipe.perf.gate.deciding.series import Series, Verdict
from cdpipe.perf.gate.deciding.signed_rank import EFFICIENCY, Floats, Shift, estimate_shift

_NOISE_QUANTILE: Final = 0.995
_POWER: Final = 0.9
_NORMAL_MEDIAN: Final = 0.6745
"""Median of the absolute value of a normal variable of spread 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """When a difference counts.

    Attributes
    ----------
    false_alarms
        Probability of any alarm in a run of two equal commits, however many benchmarks it has.
    smallest
        Change below which nobody cares, as a fraction: 0.02 is 2 %.
    tolerance
        How near to 0 the whole interval must be for *no change*.
    confidence
        Coverage of the intervals.
    most_pairs
        Pairs of processes after which measuring ends.
    """

    false_alarms: float = 0.01
    smallest: float = 0.02
    tolerance: float = 0.05
    confidence: float = 0.95
    most_pairs: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A benchmark's verdict, and all that it rests on. Changes are fractions: 0.05 is 5 % more.

    Attributes
    ----------
    verdict, reason
        In a word, and why.
    pairs
        Pairs of processes.
    change, interval
        Estimate and its confidence interval, None below six pairs.
    p_value
        Over all looks, corrected for the number of benchmarks.
    floor
        Change that must be exceeded: `Criteria.smallest` or `noise`, the larger.
    noise
        Most that as many pairs of equal code would differ by, in 99 of 100 comparisons, by the spread of these.
    spread
        Standard deviation of the change of a single pair, robust.
    detectable
        Smallest change that all pairs of the plan would have found in nine runs of ten.
    extra_pairs
        How many more pairs a verdict would take, None where there is one, or where none are enough.
    """

    verdict: Verdict
    reason: str
    pairs: int
    change: float = math.nan
    interval: tuple[float, float] | None = None
    p_value: float = 1.0
    floor: float = math.nan
    noise: float = math.nan
    spread: float = math.nan
    detectable: float = math.nan
    extra_pairs: int | None = None

    @property
    def has_changed(self) -> bool:
        """Whether the verdict is a change, good or bad."""
        return self.verdict not in {Verdict.NO_CHANGE, Verdict.CANNOT_TELL}

    @property
    def is_open(self) -> bool:
        """Whether more pairs could give a verdict."""
        return self.verdict is Verdict.CANNOT_TELL


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What one benchmark's pairs say, in logarithms, ahead of the correction for their number."""

    pairs: int
    shift: Shift
    p_value: float
    noise: float
    spread: float


def decide(
    all_series: Sequence[Series], *, looks: Looks, criteria: Criteria, ended: bool = False
) -> tuple[Decision, ...]:
    """Decide on all benchmarks of a run by their pairs so far.

    Parameters
    ----------
    all_series
        Every benchmark that is compared, whether still measured or not: their number corrects the p-values.
    looks
        Planned for that number.
    criteria
        When a difference counts.
    ended
        Whether no pairs will follow.

    Returns
    -------
    tuple of Decision
        In the order given.
    """
    evidence = [_weigh(series, looks, criteria, ended=ended) for series in all_series]
    corrected = correct_many([each.p_value for each in evidence])
    return tuple(
        _settle(series, each, p_value, looks=looks, criteria=criteria, many=len(all_series))
        for series, each, p_value in zip(all_series, evidence, corrected, strict=True)
    )


def _weigh(series: Series, looks: Looks, criteria: Criteria, *, ended: bool) -> _Evidence:
    differences = series.differences
    if not differences:
        return _Evidence(0, Shift(math.nan, None), 1.0, math.nan, math.nan)
    shift = estimate_shift(differences, confidence=criteria.confidence)
    spread = _measure_spread(np.asarray(differences) - shift.value)
    noise = float(ndtri(_NOISE_QUANTILE)) * spread / math.sqrt(EFFICIENCY * len(differences))
    return _Evidence(len(differences), shift, weigh_looks(differences, looks, ended=ended), noise, spread)


def _measure_spread(rest: Floats) -> float:
    """Return the standard deviation of what is left around an estimate, as half of it shows it."""
    if len(rest) < 2:
        return math.nan
    return float(np.median(np.abs(rest))) / _NORMAL_MEDIAN * math.sqrt(len(rest) / (len(rest) - 1))


def _settle(
    series: Series, evidence: _Evidence, p_value: float, *, looks: Looks, criteria: Criteria, many: int
) -> Decision:
    floor = _find_floor(evidence, criteria)
    verdict, reason = _judge(series, evidence, p_value, floor=floor, criteria=criteria)
    interval = evidence.shift.interval
    return Decision(
        verdict=verdict,
        reason=reason,
        pairs=evidence.pairs,
        change=math.expm1(evidence.shift.value),
        interval=None if interval is None else (math.expm1(interval[0]), math.expm1(interval[1])),
        p_value=p_value,
        floor=math.expm1(floor),
        noise=math.expm1(evidence.noise),
        spread=evidence.spread,
        detectable=_find_detectable(evidence, looks=looks, criteria=criteria, many=many),
        extra_pairs=_count_extra(evidence, floor=floor, looks=looks, criteria=criteria, many=many)
        if verdict is Verdict.CANNOT_TELL
        else None,
    )


def _find_floor(evidence: _Evidence, criteria: Criteria) -> float:
    least = math.log1p(criteria.smallest)
    return least if math.isnan(evidence.noise) else max(least, evidence.noise)


def _judge(
    series: Series, evidence: _Evidence, p_value: float, *, floor: float, criteria: Criteria
) -> tuple[Verdict, str]:
    middle, interval = evidence.shift.value, evidence.shift.interval
    if interval is None:
        return Verdict.CANNOT_TELL, f"{evidence.pairs} pairs of processes: an interval takes {FEWEST}"
    is_beyond = abs(middle) > floor
    if p_value <= criteria.false_alarms and is_beyond:
        return series.word(more=middle > 0), f"certain (p = {p_value:.2g}) and beyond {math.expm1(floor):.1%}"
    excludes_none = interval[0] > 0 or interval[1] < 0
    limit = math.log1p(criteria.tolerance)
    if -limit < interval[0] and interval[1] < limit and not (is_beyond and excludes_none):
        return Verdict.NO_CHANGE, f"surely within {criteria.tolerance:.0%} either way"
    if excludes_none and is_beyond:
        return Verdict.CANNOT_TELL, f"likely a change, but not certain yet (p = {p_value:.2g})"
    if excludes_none:
        return Verdict.CANNOT_TELL, f"a change, but perhaps below what equal code differs by ({math.expm1(floor):.1%})"
    return Verdict.CANNOT_TELL, "too noisy: the interval leaves either answer open"


def _z_of_last_look(looks: Looks, criteria: Criteria, many: int) -> float:
    """Return how many standard errors from 0 an estimate must lie at the last look, if it alone has changed."""
    return float(-ndtri(criteria.false_alarms * looks.weights[-1] / many / 2))


def _find_detectable(evidence: _Evidence, *, looks: Looks, criteria: Criteria, many: int) -> float:
    """Return the smallest change, as a fraction, that the whole plan finds with a probability of `_POWER`."""
    if math.isnan(evidence.spread):
        return math.nan
    error = evidence.spread / math.sqrt(EFFICIENCY * looks.most)
    power = float(ndtri(_POWER))
    noise = 0.0 if math.isnan(evidence.noise) else evidence.noise * math.sqrt(evidence.pairs / looks.most)
    floor = max(math.log1p(criteria.smallest), noise)
    return math.expm1(max((_z_of_last_look(looks, criteria, many) + power) * error, floor + power * error))


def _count_extra(evidence: _Evidence, *, floor: float, looks: Looks, criteria: Criteria, many: int) -> int | None:
    """Return how many more pairs a verdict would take, if estimate and spread stay what they are; None: no number."""
    middle, interval = abs(evidence.shift.value), evidence.shift.interval
    if interval is None:
        return FEWEST - evidence.pairs
    needed = []
    half = max(interval[1] - evidence.shift.value, evidence.shift.value - interval[0])
    room = math.log1p(criteria.tolerance) - middle
    if room > 0 and middle <= floor:
        needed.append(evidence.pairs * (half / room) ** 2)
    if middle > math.log1p(criteria.smallest):
        z = _z_of_last_look(looks, criteria, many)
        needed.append((z * evidence.spread / middle) ** 2 / EFFICIENCY)
        # Fewer differences than this cannot be significant, even if all have one sign.
        needed[-1] = max(needed[-1], 1 - math.log2(criteria.false_alarms * looks.weights[-1] / many))
    if not needed or not math.isfinite(min(needed)):
        return None
    return max(1, math.ceil(min(needed)) - evidence.pairs)
