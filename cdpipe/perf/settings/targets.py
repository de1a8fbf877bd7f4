"""Performance targets of a project, each held against what was measured."""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from cdpipe.figures import UNITS
from cdpipe.perf.results.cells import Cell

RATE: Final = "rows/s"
FACTOR: Final = "x"
_OF_TIME: Final = frozenset({"s", RATE, FACTOR})


class Outcome(StrEnum):
    """What became of a target."""

    MET = "met"
    MISSED = "missed"
    DISTURBED = "disturbed: measure again"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Reading:
    """A number that a target is held against, and the benchmarks it rests on."""

    value: float
    benchmarks: tuple[str, ...]
    params: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A limit, for some stages and sizes.

    Attributes
    ----------
    code, title
        Short name and wording.
    figures
        Names of figures; a cell's first one counts.
    over
        A figure that the first is divided by: the number is how many times as much it is; `""` for none.
    is_rate
        Whether the number is rows a second, the figure being seconds.
    stages
        Patterns (`fnmatch`) of the stages it is for.
    at_least
        Whether the number must be above the limit, else below.
    limit
        In `unit`.
    rows
        The size it is for, None for any.
    rows_min
        The smallest size it is for.
    inclusive
        Whether exactly the limit is good enough.
    """

    code: str
    title: str
    figures: tuple[str, ...]
    over: str = ""
    is_rate: bool = False
    stages: tuple[str, ...] = ("*",)
    at_least: bool
    limit: float
    rows: int | None = None
    rows_min: int = 0
    inclusive: bool = False

    @property
    def unit(self) -> str:
        """Unit of the number and its limit: that of the figure, `rows/s` of a rate, `x` of a quotient."""
        return RATE if self.is_rate else FACTOR if self.over else UNITS[self.figures[0]]

    def concerns(self, cell: Cell) -> bool:
        """Return True if a cell's stage and size are the target's."""
        if not any(fnmatchcase(cell.stage, pattern) for pattern in self.stages):
            return False
        if self.rows is not None and cell.rows != self.rows:
            return False
        return self.rows_min <= (cell.rows or 0)

    def read(self, cell: Cell) -> Reading | None:
        """Return the number that a cell has, None if it lacks a figure or, for a rate, its size."""
        figure = next((cell.figures[name] for name in self.figures if name in cell.figures), None)
        if figure is None:
            return None
        if self.is_rate:
            rate = cell.rows / figure.value if cell.rows is not None and figure.value > 0 else None
            return None if rate is None else Reading(rate, (figure.benchmark,), figure.params)
        if not self.over:
            return Reading(figure.value, (figure.benchmark,), figure.params)
        base = cell.figures.get(self.over)
        if base is None or base.value <= 0:
            return None
        return Reading(figure.value / base.value, (base.benchmark, figure.benchmark), base.params)

    def holds(self, value: float) -> bool:
        """Return True if a number meets the target."""
        return _COMPARISONS[self.at_least, self.inclusive](value, self.limit)


@dataclass(frozen=True, slots=True)
class Check:
    """A target and its outcome, decided by the worst of `count` readings."""

    target: Target
    outcome: Outcome
    worst: Reading | None = None
    where: str = ""
    count: int = 0


_COMPARISONS: Final[Mapping[tuple[bool, bool], Callable[[float, float], bool]]] = {
    (True, True): operator.ge,
    (True, False): operator.gt,
    (False, True): operator.le,
    (False, False): operator.lt,
}


def check_targets(cells: Iterable[Cell], targets: Iterable[Target], *, disturbed: float = 1.0) -> tuple[Check, ...]:
    """Hold each target against the cells it concerns.

    Parameters
    ----------
    cells
        What was measured.
    targets
        The project's.
    disturbed
        From which contention on a time says nothing against a target.

    Returns
    -------
    tuple of Check
        One per target. The worst reading decides; without one the outcome is *not measured*, never a guess
        from another size or stage. A time that misses while other work had the cores is *disturbed*.
    """
    known = tuple(cells)
    return tuple(_check(target, known, disturbed) for target in targets)


def _check(target: Target, cells: tuple[Cell, ...], disturbed: float) -> Check:
    readings = [(reading, cell) for cell in cells if target.concerns(cell) and (reading := target.read(cell))]
    if not readings:
        return Check(target, Outcome.NOT_MEASURED)
    choose = min if target.at_least else max
    worst, cell = choose(readings, key=lambda pair: pair[0].value)
    outcome = Outcome.MET if target.holds(worst.value) else Outcome.MISSED
    beside = cell.contention >= disturbed or cell.is_time_disturbed
    if outcome is Outcome.MISSED and target.unit in _OF_TIME and beside:
        outcome = Outcome.DISTURBED
    return Check(target, outcome, worst, cell.place, len(readings))
