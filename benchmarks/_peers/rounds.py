"""Interleaved measuring: in each round everyone does the work once, and the next round begins with another."""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks._peers.implementation import Work

LEAST_FOR_BOOTSTRAP: Final = 5
CONFIDENCE: Final = 0.95
RESAMPLES: Final = 2_000


class Sample(NamedTuple):
    """One call: seconds, and seconds of processor time that the calling thread itself used."""

    wall_s: float
    caller_s: float


class Spread(NamedTuple):
    """Median over the rounds, and the interval that it is known to."""

    median: float
    low: float
    high: float


def measure(
    works: Mapping[str, Work], *, discard: Mapping[str, Callable[[Any], None]], repeats: int
) -> dict[str, list[Sample]]:
    """Measure everyone's work in rounds.

    Parameters
    ----------
    works
        By name; each must have been done once before, so that nothing is loaded or compiled here.
    discard
        By name: lets a result go, outside the measured time, before the next one begins. Where there is none, the
        result goes with its last variable.
    repeats
        How many rounds.

    Returns
    -------
    dict
        By name a sample of each round.
    """
    names = list(works)
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    gc.freeze()  # what is there stays there: collecting between the calls need not look at it
    try:
        for turn in range(repeats):
            start = turn % len(names)
            for name in (*names[start:], *names[:start]):
                sample, result = _clock(works[name])
                samples[name].append(sample)
                if name in discard:
                    discard[name](result)
                del result
    finally:
        gc.unfreeze()
    return samples


def _clock(work: Work) -> tuple[Sample, Any]:
    gc.collect()
    gc.disable()
    try:
        caller, start = time.thread_time(), time.perf_counter()
        result = work()
        return Sample(time.perf_counter() - start, time.thread_time() - caller), result
    finally:
        gc.enable()


def median_s(samples: Sequence[Sample]) -> float:
    """Return the median of the seconds."""
    return float(np.median([sample.wall_s for sample in samples]))


def ratio(of: Sequence[Sample], to: Sequence[Sample]) -> Spread:
    """Return how many times as long the first took as the second, round by round; see `spread`."""
    return spread([a.wall_s / b.wall_s for a, b in zip(of, to, strict=True)])


def spread(values: Sequence[float]) -> Spread:
    """Return the median of a value of each round, and its interval.

    From five rounds on the interval is a bootstrap of the rounds (95 %, percentiles; Efron, 1979); with fewer it is
    the least and the greatest value.
    """
    median = float(np.median(values))
    if len(values) < LEAST_FOR_BOOTSTRAP:
        return Spread(median, float(min(values)), float(max(values)))
    from scipy.stats import bootstrap

    found = bootstrap(
        (values,),
        np.median,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Spread(median, float(found.low), float(found.high))
