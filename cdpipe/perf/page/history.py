"""The page's picture of classes over commits: a strip a stage, one field for each run of commits in the same class."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Subject
from cdpipe.perf.analysis.history import NOT_MEASURED, CommitPoint, History
from cdpipe.perf.analysis.thresholds import BOUNDS
from cdpipe.perf.page.pieces import Picture
from cdpipe.perf.report.document import name_sizes
from cdpipe.perf.results.cells import Cell

Runs = tuple[tuple[Bound | None, int, int], ...]
"""Class, first commit and how many of them; None where nothing was measured to name a class by."""

_ROOM: Final = 0.15
"""A run of this part of the commits has room for the name of its class."""


@dataclass(frozen=True, slots=True)
class Field:
    """A run of commits in a strip: its class, how many there are, its words, and if the class's name fits into it."""

    bound: Bound | None
    count: int
    said: str
    has_room: bool


@dataclass(frozen=True, slots=True)
class Strip:
    """A stage at the sizes that changed together, its classes oldest first, and the present one."""

    title: str
    benchmark: str
    bounds: tuple[Bound, ...]
    fields: tuple[Field, ...]
    said: str
    bound: Bound | None
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strips(Picture):
    """The classes of each stage over the commits."""

    template = "history.html.j2"
    span: str
    rows: tuple[Strip, ...]


def lay_history(subject: Subject, name: str, place: str) -> Strips | None:
    """Lay out the classes over the commits, sizes with the same ones together; None for a single commit."""
    history = subject.history
    if len(history.commits) < 2:
        return None
    alike: dict[tuple[str, Runs], list[Cell]] = {}
    for column, cell in enumerate(history.cells):
        runs = find_runs(history, column)
        if any(bound is not None for bound, _, _ in runs):
            alike.setdefault((cell.title, runs), []).append(cell)
    if not alike:
        return None
    first, last = history.commits[0], history.commits[-1]
    return Strips(
        title=f"Classes over commits on {name}",
        place=place,
        span=f"{len(history.commits)} commits, from {_name(first)} to {_name(last)}.",
        rows=tuple(_lay_strip(history, cells, runs) for (_, runs), cells in alike.items()),
    )


def find_runs(history: History, column: int) -> Runs:
    """Return the runs of commits in which a cell was in the same class, oldest first."""
    runs, first = [], 0
    for number, group in groupby(history.bounds[:, column].tolist()):
        count = sum(1 for _ in group)
        runs.append((BOUNDS[number] if number != NOT_MEASURED else None, first, count))
        first += count
    return tuple(runs)


def _lay_strip(history: History, cells: Sequence[Cell], runs: Runs) -> Strip:
    commits = len(history.commits)
    fields = tuple(
        Field(bound, count, _say_run(history, bound, first, count), bound is not None and count >= _ROOM * commits)
        for bound, first, count in runs
    )
    bound, first, _ = runs[-1]
    return Strip(
        title=name_sizes(cells[0].title, (cell.rows_text for cell in cells)),
        benchmark=cells[-1].benchmark,
        bounds=tuple(bound for bound, _, _ in runs if bound),
        fields=fields,
        said="; ".join(field.said for field in fields),
        bound=bound,
        since=f"since {_name(history.commits[first])}" if first else f"in all {commits}",
    )


def _say_run(history: History, bound: Bound | None, first: int, count: int) -> str:
    last = history.commits[first + count - 1]
    span = _name(history.commits[first]) + (f" to {_name(last)}, {count} commits" if count > 1 else "")
    return f"{bound or 'not measured'}: {span}"


def _name(point: CommitPoint) -> str:
    return f"{point.commit[:8]} of {point.date:%Y-%m-%d}"
