"""Comparison of two commits: what got slower, faster, larger or smaller, with the doubt that belongs to it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np

from cdpipe.perf.analysis.statistics import Comparison, compare_groups, compare_pairs, correct_holm
from cdpipe.perf.results.model import Measurement, Run, State


class Change(StrEnum):
    """What a comparison says: of seconds slower or faster, of bytes larger or smaller."""

    SLOWER = "slower"
    FASTER = "faster"
    LARGER = "larger"
    SMALLER = "smaller"
    NONE = "no change"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """When a difference counts.

    Attributes
    ----------
    false_alarms
        Probability of any false alarm in one comparison of two commits, however many benchmarks it has.
    smallest_factor
        A ratio nearer to 1 than this, either way, is no change worth a word.
    confidence
        Coverage of the intervals of ratios.
    rounds
        Interleaved rounds in which both sides were measured, each the same number of samples (`asv
        continuous -a rounds=N -a repeat=K --interleave-rounds`): sides are then compared within rounds. None
        if they were not.
    """

    false_alarms: float = 0.05
    smallest_factor: float = 1.05
    confidence: float = 0.95
    rounds: int | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One benchmark at one set of parameters, before and after.

    `before` and `after` are asv's values in `unit`, NaN where there is none; `ratio` is after / before (NaN
    without samples on both sides) with its interval; `p_corrected` is Holm's over all compared; `reason`
    says why the change is what it is.
    """

    benchmark: str
    params: tuple[str, ...]
    unit: str
    before: float
    after: float
    change: Change
    reason: str
    ratio: float = math.nan
    interval: tuple[float, float] | None = None
    p_value: float = math.nan
    p_corrected: float = math.nan
    samples: tuple[int, int] = (0, 0)
    paired: bool = False


@dataclass(frozen=True, slots=True)
class _Pair:
    benchmark: str
    params: tuple[str, ...]
    unit: str
    before: Measurement | None
    after: Measurement | None

    @property
    def samples(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return (self.before.samples if self.before else (), self.after.samples if self.after else ())


_WORDS: Final[Mapping[str, tuple[Change, Change]]] = {
    "seconds": (Change.FASTER, Change.SLOWER),
    "bytes": (Change.SMALLER, Change.LARGER),
}
# Benchmarks in other units have no good and bad direction that asv knows of: they are not compared.


def compare_runs(before: Run, after: Run, *, criteria: Criteria | None = None) -> tuple[Difference, ...]:
    """Compare two result files of one machine and environment, benchmark by benchmark.

    Parameters
    ----------
    before, after
        Runs of two commits. They need recorded samples: asv keeps them with `--record-samples`.
    criteria
        When a difference counts; the default is `Criteria()`.

    Returns
    -------
    tuple of Difference
        By benchmark and parameters, of those in seconds or bytes. *slower* and *faster* need a corrected
        p-value below `false_alarms` and a ratio beyond `smallest_factor`; *no change* needs an interval that
        stays within that factor, or a ratio within it whose direction is certain; all else is *cannot tell*,
        with the reason.

    Raises
    ------
    ValueError
        If the runs are of different machines or environments: such a ratio would not be the commit's.
    """
    criteria = criteria or Criteria()
    _check_sides(before, after)
    pairs = _pair_up(before, after)
    compared = {place: _compare(pair, criteria) for place, pair in enumerate(pairs) if _is_comparable(pair)}
    corrected = correct_holm([comparison.p_value for comparison, _ in compared.values()])
    p_corrected = dict(zip(compared, corrected.tolist(), strict=True))
    return tuple(
        _settle(pair, *compared[place], p_corrected[place], criteria.false_alarms / len(compared), criteria)
        if place in compared
        else _describe(pair, Change.UNKNOWN, _obstacle(pair))
        for place, pair in enumerate(pairs)
    )


def _check_sides(before: Run, after: Run) -> None:
    for name in ("machine", "environment"):
        first, second = getattr(before.header, name), getattr(after.header, name)
        if first != second:
            raise ValueError(f"{name}s {first!r} and {second!r} cannot be compared; choose runs of one {name}")


def _pair_up(before: Run, after: Run) -> list[_Pair]:
    sides = [
        {
            (item.benchmark.name, item.params): item
            for item in run.measurements
            if item.benchmark.unit in _WORDS and item.state in {State.MEASURED, State.FAILED}
        }
        for run in (before, after)
    ]
    keys = sorted(sides[0].keys() | sides[1].keys())
    units = {key: item.benchmark.unit for side in sides for key, item in side.items()}
    return [_Pair(key[0], key[1], units[key], sides[0].get(key), sides[1].get(key)) for key in keys]


def _is_comparable(pair: _Pair) -> bool:
    # Ratios and logarithms need values above zero; a timer that read 0 has measured nothing.
    return all(side is not None and side.samples and min(side.samples) > 0 for side in (pair.before, pair.after))


def _compare(pair: _Pair, criteria: Criteria) -> tuple[Comparison, bool]:
    before, after = pair.samples
    rounds = criteria.rounds
    if rounds and len(before) == len(after) and len(before) % rounds == 0 and len(before) >= rounds:
        medians = [np.median(np.reshape(side, (rounds, -1)), axis=1).tolist() for side in (before, after)]
        return compare_pairs(*medians, confidence=criteria.confidence), True
    return compare_groups(before, after, confidence=criteria.confidence), False


def _judge(
    pair: _Pair, comparison: Comparison, p_corrected: float, needed: float, criteria: Criteria
) -> tuple[Change, str]:
    ratio, interval = comparison.ratio.value, comparison.ratio.interval
    factor = criteria.smallest_factor
    beyond = not 1 / factor < ratio < factor
    if p_corrected < criteria.false_alarms:
        if beyond:
            return _WORDS[pair.unit][ratio > 1], f"{ratio:.3g} times, corrected p = {p_corrected:.2g}"
        return Change.NONE, f"certain, but within a factor of {factor:g}"
    if interval is not None and interval[0] > 1 / factor and interval[1] < factor:
        return Change.NONE, f"within a factor of {factor:g}"
    if comparison.p_smallest >= needed:
        counts = " and ".join(str(len(side)) for side in pair.samples)
        reason = f"too few samples: {counts} cannot give p < {needed:.2g}; record more rounds"
        return Change.UNKNOWN, reason
    return Change.UNKNOWN, "too noisy: the interval of the ratio leaves either answer open"


def _settle(
    pair: _Pair, comparison: Comparison, paired: bool, p_corrected: float, needed: float, criteria: Criteria
) -> Difference:
    change, reason = _judge(pair, comparison, p_corrected, needed, criteria)
    return replace(
        _describe(pair, change, reason),
        ratio=comparison.ratio.value,
        interval=comparison.ratio.interval,
        p_value=comparison.p_value,
        p_corrected=p_corrected,
        paired=paired,
    )


def _obstacle(pair: _Pair) -> str:
    for side, words in ((pair.before, "before"), (pair.after, "after")):
        if side is None:
            return f"not measured {words}"
        if side.state is State.FAILED:
            return f"failed {words}"
    if all(pair.samples):
        return "cannot compare: a sample is 0"
    return "too few samples: none recorded; run asv with --record-samples"


def _describe(pair: _Pair, change: Change, reason: str) -> Difference:
    before, after = pair.before, pair.after
    return Difference(
        benchmark=pair.benchmark,
        params=pair.params,
        unit=pair.unit,
        before=before.value if before else math.nan,
        after=after.value if after else math.nan,
        change=change,
        reason=reason,
        samples=(len(pair.samples[0]), len(pair.samples[1])),
    )
