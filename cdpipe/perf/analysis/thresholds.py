"""Thresholds: rules over measured figures, each with a code, a title and its remedies.

The classes and indicators are those of the design: compute-bound (CPU > 70 %, memory < 60 %), memory-bound
(memory > 60 %), I/O-bound (CPU < 30 %, memory < 60 %, high disk activity), scheduler-bound (task queue >
100), else balanced.

Several can hold at once, so order decides. Memory comes first: what does not fit does not finish. Then
compute: cores that are busy are not kept waiting by disk or scheduler. Then I/O: a queue behind a slow disk
is the disk's. The queue alone names the scheduler last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.settings.remedies import Remedy

__all__ = [
    "BOUNDS",
    "RULES",
    "Bound",
    "Condition",
    "Rule",
    "Thresholds",
    "Verdict",
    "classify",
    "classify_many",
]

BOUNDS: Final = tuple(Bound)
"""What `classify_many` numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where the indicators lie.

    Attributes
    ----------
    cpu_high_percent, cpu_low_percent
        CPU time as a share of the cores the stage was given, in percent.
    memory_high_percent
        Peak of the process tree as a share of the memory limit, in percent.
    disk_busy_high
        Share of the wall time in which the device was busy or stalled the stage, 0-1.
    queue_high
        Deepest queue of tasks ready to run.
    """

    cpu_high_percent: float = 70.0
    cpu_low_percent: float = 30.0
    memory_high_percent: float = 60.0
    disk_busy_high: float = 0.5
    queue_high: float = 100.0


@dataclass(frozen=True, slots=True)
class Condition:
    """A figure above or below one of the `Thresholds`, by its name there; equal is neither."""

    figure: str
    above: bool
    threshold: str

    def holds(self, figures: Mapping[str, float], thresholds: Thresholds) -> bool | None:
        """Say whether it holds; None if the figure was not measured."""
        value = figures.get(self.figure)
        if value is None:
            return None
        limit: float = getattr(thresholds, self.threshold)
        return value > limit if self.above else value < limit


@dataclass(frozen=True, slots=True)
class Rule:
    """A class, the conditions that all must hold for it, and what helps."""

    code: str
    title: str
    bound: Bound
    conditions: tuple[Condition, ...]
    remedies: tuple[Remedy, ...]

    def holds(self, figures: Mapping[str, float], thresholds: Thresholds) -> bool | None:
        """Say whether all conditions hold; None if that depends on a figure that was not measured."""
        answers = [condition.holds(figures, thresholds) for condition in self.conditions]
        if False in answers:
            return False
        return None if None in answers else True


@dataclass(frozen=True, slots=True)
class Verdict:
    """The class of a stage at a size.

    `code` is the rule's, `""` where none decided; `also` are codes of later rules that hold as well;
    `missing` are the figures that a decision needs and the results lack, empty unless the class is
    *insufficient data*.
    """

    bound: Bound
    code: str = ""
    also: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


_CPU_HIGH: Final = Condition("cpu_percent", True, "cpu_high_percent")
_CPU_LOW: Final = Condition("cpu_percent", False, "cpu_low_percent")
_MEMORY_HIGH: Final = Condition("memory_percent", True, "memory_high_percent")
_MEMORY_LOW: Final = Condition("memory_percent", False, "memory_high_percent")
_DISK_HIGH: Final = Condition("disk_busy", True, "disk_busy_high")
_QUEUE_HIGH: Final = Condition("ready_queue_max", True, "queue_high")

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "B101",
        "the peak is near the memory limit",
        Bound.MEMORY,
        (_MEMORY_HIGH,),
        (Remedy("work on less at a time"), Remedy("hold fewer blocks at once")),
    ),
    Rule(
        "B102",
        "the cores are busy",
        Bound.COMPUTE,
        (_CPU_HIGH, _MEMORY_LOW),
        (Remedy("profile it: find the hottest function"), Remedy("do not compute twice"), Remedy("use more cores")),
    ),
    Rule(
        "B103",
        "the cores wait for the disk",
        Bound.IO,
        (_CPU_LOW, _MEMORY_LOW, _DISK_HIGH),
        (Remedy("move fewer bytes between disk and memory"), Remedy("keep the files on a faster disk")),
    ),
    Rule(
        "B104",
        "tasks queue up faster than they are handed out",
        Bound.SCHEDULER,
        (_QUEUE_HIGH,),
        (Remedy("have fewer and longer tasks"),),
    ),
)


def classify(figures: Mapping[str, float], *, thresholds: Thresholds, rules: tuple[Rule, ...] = RULES) -> Verdict:
    """Name what bounds a stage, from measured figures only.

    Parameters
    ----------
    figures
        Figures by name (`cpu_percent`, `memory_percent`, `disk_busy`, `ready_queue_max`); others are ignored.
    thresholds
        Where the indicators lie.
    rules
        In the order in which they decide.

    Returns
    -------
    Verdict
        The first rule that holds, once all before it are known not to. Where one before it, or any if none
        holds, depends on a figure that is not there: *insufficient data*, naming it.
    """
    answers = [(rule, rule.holds(figures, thresholds)) for rule in rules]
    holding = [rule for rule, answer in answers if answer]
    deciding = rules.index(holding[0]) if holding else len(rules)
    unknown = [rule for rule, answer in answers[:deciding] if answer is None]
    if unknown:
        needed = (condition.figure for rule in unknown for condition in rule.conditions)
        missing = tuple(dict.fromkeys(figure for figure in needed if figure not in figures))
        return Verdict(Bound.INSUFFICIENT, missing=missing)
    if not holding:
        return Verdict(Bound.BALANCED)
    return Verdict(holding[0].bound, holding[0].code, also=tuple(rule.code for rule in holding[1:]))


def classify_many(
    figures: Mapping[str, npt.NDArray[np.float64]], *, thresholds: Thresholds, rules: tuple[Rule, ...] = RULES
) -> npt.NDArray[np.int64]:
    """Name what bounds many runs at once, as `classify` does for one.

    Parameters
    ----------
    figures
        Every figure that the rules ask for, NaN where it was not measured; all of one shape.

    Returns
    -------
    ndarray of int64
        Indices in `BOUNDS`, of that shape.
    """
    shape = next(iter(figures.values())).shape
    named = np.full(shape, BOUNDS.index(Bound.BALANCED))
    decided = np.zeros(shape, dtype=bool)
    for rule in rules:
        holds, fails = np.ones(shape, dtype=bool), np.zeros(shape, dtype=bool)
        for condition in rule.conditions:
            value, limit = figures[condition.figure], getattr(thresholds, condition.threshold)
            met = value > limit if condition.above else value < limit
            holds &= met
            fails |= ~met & ~np.isnan(value)
        # The first rule that is not known to fail decides: by holding, or by what is missing.
        named = np.where(~decided & holds, BOUNDS.index(rule.bound), named)
        named = np.where(~decided & ~holds & ~fails, BOUNDS.index(Bound.INSUFFICIENT), named)
        decided |= ~fails
    return named
