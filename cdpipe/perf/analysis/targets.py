"""The project's performance targets, as data, each held against what was measured."""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from cdpipe.perf.results.cells import Cell


class Outcome(StrEnum):
    """What became of a target."""

    MET = "met"
    MISSED = "missed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Reading:
    """A number that a target is held against, and the benchmarks it rests on."""

    value: float
    benchmarks: tuple[str, ...]
    params: tuple[str, ...]


Read = Callable[[Cell], Reading | None]


@dataclass(frozen=True, slots=True)
class Target:
    """A limit, for some stages and sizes.

    Attributes
    ----------
    code, title
        Short name and wording.
    read
        Takes the number from a cell, None if the cell lacks it.
    stages
        Patterns (`fnmatch`) of the stages it is for.
    at_least
        Whether the number must be above the limit, else below.
    limit, unit
        The limit, in this unit: `s`, `B`, `rows/s`, `share` or `x`.
    rows
        The size it is for, None for any.
    rows_min
        The smallest size it is for.
    inclusive
        Whether exactly the limit is good enough.
    """

    code: str
    title: str
    read: Read
    stages: tuple[str, ...]
    at_least: bool
    limit: float
    unit: str
    rows: int | None = None
    rows_min: int = 0
    inclusive: bool = False

    def concerns(self, cell: Cell) -> bool:
        """Say whether a cell's stage and size are the target's."""
        if not any(fnmatchcase(cell.stage, pattern) for pattern in self.stages):
            return False
        if self.rows is not None and cell.rows != self.rows:
            return False
        return self.rows_min <= (cell.rows or 0)

    def holds(self, value: float) -> bool:
        """Say whether a number meets the target."""
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


def read_figure(*names: str) -> Read:
    """Make a reader of the first of these figures that a cell has."""

    def read(cell: Cell) -> Reading | None:
        for name in names:
            if name in cell.figures:
                figure = cell.figures[name]
                return Reading(figure.value, (figure.benchmark,), figure.params)
        return None

    return read


def read_rate(name: str) -> Read:
    """Make a reader of rows a second: the size over the seconds of that name."""

    def read(cell: Cell) -> Reading | None:
        seconds = cell.figures.get(name)
        if seconds is None or cell.rows is None or seconds.value <= 0:
            return None
        return Reading(cell.rows / seconds.value, (seconds.benchmark,), seconds.params)

    return read


def read_speedup(cell: Cell) -> Reading | None:
    """Read how many times faster the stage is than pandas doing the same work at the same size."""
    seconds, baseline = cell.figures.get("seconds"), cell.figures.get("baseline_seconds")
    if seconds is None or baseline is None or seconds.value <= 0:
        return None
    return Reading(baseline.value / seconds.value, (seconds.benchmark, baseline.benchmark), seconds.params)


TARGETS: Final[tuple[Target, ...]] = (
    Target(
        "T1",
        "spatial filter, 10M rows",
        read_figure("seconds"),
        ("clean/spatial", "clean/spatial/*"),
        at_least=False,
        limit=5.0,
        unit="s",
        rows=10_000_000,
    ),
    Target(
        "T2",
        "feature preparation",
        read_rate("seconds"),
        ("features", "features/*"),
        at_least=True,
        limit=20_000.0,
        unit="rows/s",
    ),
    Target(
        "T3",
        "attack, 15M rows",
        read_figure("seconds"),
        ("attack", "attack/*"),
        at_least=False,
        limit=10.0,
        unit="s",
        rows=15_000_000,
    ),
    Target(
        "T4",
        "peak memory, 15M rows",
        read_figure("tree_peak_bytes", "peak_bytes"),
        ("*",),
        at_least=False,
        limit=40e9,
        unit="B",
        rows=15_000_000,
    ),
    Target("T5", "cache hit rate", read_figure("hit_rate"), ("*",), at_least=True, limit=0.85, unit="share"),
    Target("T6", "cache lookup", read_figure("lookup_seconds"), ("*",), at_least=False, limit=0.1, unit="s"),
    Target(
        "T7",
        "against pandas, 5M rows or more",
        read_speedup,
        ("*",),
        at_least=True,
        limit=2.0,
        unit="x",
        rows_min=5_000_000,
        inclusive=True,
    ),
    Target(
        "T8",
        "spatial kernel, 10M rows",
        read_figure("kernel_seconds"),
        ("kernel/within_radius",),
        at_least=False,
        limit=0.3,
        unit="s",
        rows=10_000_000,
    ),
    Target(
        "T9",
        "attack, 15M rows in memory",
        read_figure("in_memory_seconds"),
        ("attack", "attack/*"),
        at_least=False,
        limit=1.0,
        unit="s",
        rows=15_000_000,
    ),
    Target(
        "T10",
        "feature preparation, 10M rows or more in memory",
        read_rate("in_memory_seconds"),
        ("features", "features/*"),
        at_least=True,
        limit=100e6,
        unit="rows/s",
        rows_min=10_000_000,
    ),
    Target(
        "T11",
        "import cdpipe",
        read_figure("seconds"),
        ("import",),
        at_least=False,
        limit=0.15,
        unit="s",
        inclusive=True,
    ),
    Target(
        "T12",
        "cdpipe --help",
        read_figure("help_seconds"),
        ("*",),
        at_least=False,
        limit=0.3,
        unit="s",
        inclusive=True,
    ),
)


def check_targets(cells: Iterable[Cell], targets: tuple[Target, ...] = TARGETS) -> tuple[Check, ...]:
    """Hold each target against the cells it concerns.

    Returns
    -------
    tuple of Check
        One per target. The worst reading decides; without one the outcome is *not measured*, never a guess
        from another size or stage.
    """
    known = tuple(cells)
    return tuple(_check(target, known) for target in targets)


def _check(target: Target, cells: tuple[Cell, ...]) -> Check:
    readings = [(reading, cell) for cell in cells if target.concerns(cell) and (reading := target.read(cell))]
    if not readings:
        return Check(target, Outcome.NOT_MEASURED)
    choose = min if target.at_least else max
    worst, cell = choose(readings, key=lambda pair: pair[0].value)
    outcome = Outcome.MET if target.holds(worst.value) else Outcome.MISSED
    return Check(target, outcome, worst, cell.place, len(readings))
