"""Series: the pairs of one benchmark, one figure a process, and which way is worse."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np

WIDEST: Final = 1000.0
"""Ratios beyond this, either way, count as this: nothing against something has no ratio."""

_FASTER_HALF: Final = 0.5


class Verdict(StrEnum):
    """What is known of a benchmark after its last pair."""

    SLOWER = "slower"
    FASTER = "faster"
    LARGER = "larger"
    SMALLER = "smaller"
    HIGHER = "higher"
    LOWER = "lower"
    NO_CHANGE = "no change"
    CANNOT_TELL = "can't tell"


_WORDS: Final = {
    "seconds": (Verdict.FASTER, Verdict.SLOWER),
    "bytes": (Verdict.SMALLER, Verdict.LARGER),
}
_NEUTRAL: Final = frozenset({"percent", "share", "cores", "samples"})
"""Units that have no worse direction: a busier processor is no regression."""


@dataclass(slots=True)
class Series:
    """One benchmark at one set of parameters, and its pairs so far.

    Attributes
    ----------
    name
        As asv writes it, parameters included: `clean.Spatial.time_run('1M')`.
    unit
        Of the figures.
    base, head
        One figure a process, in the order of the pairs, equally many; zero or more.
    stage, figure
        The stage that it belongs to and what it measures of it, `""` where it does not say.
    """

    name: str
    unit: str
    base: list[float] = field(default_factory=list)
    head: list[float] = field(default_factory=list)
    stage: str = ""
    figure: str = ""

    @property
    def has_direction(self) -> bool:
        """Whether more of it is worse."""
        return self.unit not in _NEUTRAL

    def word(self, *, more: bool) -> Verdict:
        """Return the verdict on a change upwards or downwards."""
        return _WORDS.get(self.unit, (Verdict.LOWER, Verdict.HIGHER))[more]

    @property
    def differences(self) -> list[float]:
        """Logarithms of head / base, a pair each."""
        return [measure_change(before, after) for before, after in zip(self.base, self.head, strict=True)]


def measure_change(before: float, after: float) -> float:
    """Return the logarithm of after / before, 0 where both are 0 and bounded by `WIDEST` either way."""
    if before == after:
        return 0.0
    if before <= 0 or after <= 0:
        return math.copysign(math.log(WIDEST), after - before)
    most = math.log(WIDEST)
    return max(-most, min(most, math.log(after / before)))


def summarise_process(samples: Sequence[float], *, unit: str) -> float:
    """Return the one figure that a process stands for in its pair: samples of a process are not independent.

    Parameters
    ----------
    samples
        At least one.
    unit
        Of `seconds` it is the mean of the faster half, which neither one lucky nor one disturbed sample moves; else
        the median.
    """
    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    if unit == "seconds":
        return float(ordered[: max(1, math.ceil(len(ordered) * _FASTER_HALF))].mean())
    return float(np.median(ordered))
