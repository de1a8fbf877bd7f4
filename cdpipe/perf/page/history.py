"""The page's picture of classes over commits: a strip a stage, one field for each run of commits in the same class."""

from itertools import groupby
from typing import Final

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Subject
from cdpipe.perf.analysis.history import NOT_MEASURED, CommitPoint, History
from cdpipe.perf.analysis.thresholds import BOUNDS
from cdpipe.perf.page.pieces import (
    CLASSES,
    fold,
    head_section,
    link_benchmark,
    mark_filtered,
    show_chip,
    show_text,
    widen,
)
from cdpipe.perf.report.document import name_sizes
from cdpipe.perf.results.cells import Cell

Runs = tuple[tuple[Bound | None, int, int], ...]
"""Class, first commit and how many of them; None where nothing was measured to name a class by."""

_LABELLED: Final = 0.15
"""A run of this part of the commits has room for the name of its class."""

_HEAD: Final = "".join(f'<th scope="col">{title}</th>' for title in ("Stage", "Oldest to newest commit", "Now"))


def draw_history(subject: Subject, name: str, place: str) -> str:
    """Draw the classes of each stage over the commits, sizes with the same ones together; `""` for a single commit."""
    history = subject.history
    if len(history.commits) < 2:
        return ""
    alike: dict[tuple[str, Runs], list[Cell]] = {}
    for column, cell in enumerate(history.cells):
        runs = find_runs(history, column)
        if any(bound is not None for bound, _, _ in runs):
            alike.setdefault((cell.title, runs), []).append(cell)
    if not alike:
        return ""
    rows = "\n".join(_draw_row(history, cells, runs) for (_, runs), cells in alike.items())
    first, last = history.commits[0], history.commits[-1]
    title = f"Classes over commits on {name}"
    span = show_text(f"{len(history.commits)} commits, from {_name(first)} to {_name(last)}.")
    table = widen(f"<thead><tr>{_HEAD}</tr></thead>\n<tbody>\n{rows}\n</tbody>", label=title, kind="history")
    return head_section(title, place, f"<p>{span}</p>\n{fold(table, len(alike), 'rows')}")


def find_runs(history: History, column: int) -> Runs:
    """Return the runs of commits in which a cell was in the same class, oldest first."""
    runs, first = [], 0
    for number, group in groupby(history.bounds[:, column].tolist()):
        count = sum(1 for _ in group)
        runs.append((BOUNDS[number] if number != NOT_MEASURED else None, first, count))
        first += count
    return tuple(runs)


def _draw_row(history: History, cells: list[Cell], runs: Runs) -> str:
    said = [_say_run(history, *run) for run in runs]
    fields = "".join(
        f'<span class="{CLASSES[bound] if bound else "none"}" style="flex-grow:{count}" title="{show_text(text)}">'
        f"{f'<b>{show_text(bound)}</b>' if bound and count >= _LABELLED * len(history.commits) else ''}</span>"
        for (bound, _, count), text in zip(runs, said, strict=True)
    )
    bound, first, _ = runs[-1]
    present = show_chip(bound) if bound else "not measured"
    since = (
        f"<small>since {show_text(_name(history.commits[first]))}</small>"
        if first
        else f"<small>in all {len(history.commits)}</small>"
    )
    head = link_benchmark(name_sizes(cells[0].title, (cell.rows_text for cell in cells)), cells[-1].benchmark)
    return (
        f'<tr {mark_filtered(bound for bound, _, _ in runs if bound)}><th scope="row" class="name">{head}</th>'
        f'<td><span class="strip" role="img" aria-label="{show_text("; ".join(said))}">{fields}</span></td>'
        f"<td>{present} {since}</td></tr>"
    )


def _say_run(history: History, bound: Bound | None, first: int, count: int) -> str:
    last = history.commits[first + count - 1]
    span = _name(history.commits[first]) + (f" to {_name(last)}, {count} commits" if count > 1 else "")
    return f"{bound or 'not measured'}: {span}"


def _name(point: CommitPoint) -> str:
    return f"{point.commit[:8]} of {point.date:%Y-%m-%d}"
