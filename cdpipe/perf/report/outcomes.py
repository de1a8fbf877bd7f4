"""The report's tables of outcomes: targets, changes over commits, trends, and what gave no figure."""

import math
from typing import Final

import numpy as np

from cdpipe.perf.analysis.findings import Subject
from cdpipe.perf.analysis.history import Change, Floats, Trend
from cdpipe.perf.report.document import NONE, SHOWN, Item, Section, name_sizes, tabulate
from cdpipe.perf.report.stages import name_size
from cdpipe.perf.results.cells import SKIPPED
from cdpipe.perf.results.sizes import unquote
from cdpipe.perf.settings.targets import Check, Reading
from cdpipe.perf.wording.units import format_quantity, format_significant

_BARS: Final = "▁▂▃▄▅▆▇█"
_LONG: Final = 1e4
_SPARK_POINTS: Final = 16
_SMALLEST_SPAN: Final = math.log(1.25)
"""A sparkline's height stands for at least this: noise of a few percent looks flat."""


def lay_targets(subject: Subject, name: str) -> Section | None:
    """Lay out each target that was measured against its worst reading; None where the project has none."""
    if not subject.checks:
        return None
    title = f"Targets on {name}"
    known = [check for check in subject.checks if check.worst]
    absent = [check.target.code for check in subject.checks if not check.worst]
    note = f"Not measured at the size that they are for: {', '.join(absent)}."
    if not known:
        return Section(title, (note,))
    columns = (("Target", False), ("Limit", True), ("Measured", True), ("Outcome", False), ("Rests on", False))
    return Section(title, table=tabulate(columns, map(_target_row, known)), notes=(note,) if absent else ())


def _target_row(check: Check) -> tuple[Item, ...]:
    target, worst = check.target, check.worst
    sign = (">" if target.at_least else "<") + ("=" if target.inclusive else "")
    basis = _name_basis(worst, check.count) if worst else NONE
    return (
        Item(f"{target.code} {target.title}"),
        Item(f"{sign} {format_quantity(target.limit, target.unit)}"),
        Item(format_quantity(worst.value, target.unit) if worst else NONE),
        Item(str(check.outcome)),
        Item(basis, None, worst.benchmarks[0] if worst else ""),
    )


def _name_basis(reading: Reading, count: int) -> str:
    params = f"({', '.join(unquote(value) for value in reading.params)})" if reading.params else ""
    worst = f", worst of {count}" if count > 1 else ""
    return f"{' and '.join(name + params for name in reading.benchmarks)}{worst}"


def lay_changes(subject: Subject, name: str) -> Section:
    """Lay out which stages are in another class than they were, and since which commit."""
    history, title = subject.history, f"Changes of class on {name}"
    count = len(history.commits)
    unread = tuple(f"Left out: {text}." for text in history.unreadable)
    if count < 2:
        return Section(title, ("One commit only: there is nothing to compare.", *unread))
    span = f"{count} commits since {history.commits[0].commit[:8]} of {history.commits[0].date:%Y-%m-%d}"
    if not history.changes:
        return Section(title, (f"None in {span}.", *unread))
    folded: dict[tuple[object, ...], list[Change]] = {}
    for change in history.changes:
        key = (change.cell.title, change.before, change.after, change.since, change.changes, change.commits)
        folded.setdefault(key, []).append(change)
    columns = (("Stage", False), ("Was", False), ("Is", False), ("Since", False), ("Changes", True))
    rows = tabulate(columns, map(_change_row, folded.values()))
    notes = ("Changes: how often the class changed in all the commits that name one; many say that it is on an edge.",)
    return Section(title, (f"In {span}.", *unread), rows, notes=notes)


def _change_row(alike: list[Change]) -> tuple[Item, ...]:
    change, since = alike[-1], alike[-1].since
    return (
        Item(name_sizes(change.cell.title, (each.cell.rows_text for each in alike)), None, change.cell.benchmark),
        Item(str(change.before), change.before),
        Item(str(change.after), change.after),
        Item(f"{since.commit[:8]} of {since.date:%Y-%m-%d}"),
        Item(f"{change.changes} in {change.commits}"),
    )


def lay_trends(subject: Subject, name: str) -> Section | None:
    """Lay out where the time of each stage, at its largest size, is going; None for a single commit."""
    history = subject.history
    if len(history.commits) < 2:
        return None
    title = f"Trends over {len(history.commits)} commits on {name}"
    largest = {trend.cell.title: trend for trend in history.trends}  # cells come by size within a stage
    if not largest:
        return Section(title, ("No stage was timed at two commits.",))
    columns = (
        ("Stage", False), (name_size(subject.cells), True), ("Commits", True), ("Time", False), ("First", True),
        ("Last", True), ("Change [95 %]", False), ("Trend", False),
    )  # fmt: skip
    rows = [_trend_row(trend, draw_sparkline(history.seconds[:, trend.place])) for trend in largest.values()]
    notes = ("Trend: five commits or more, beyond 5 %, and p < 0.05 corrected for the number of stages and sizes.",)
    return Section(title, (), tabulate(columns, rows), notes=notes)


def _trend_row(trend: Trend, sparkline: str) -> tuple[Item, ...]:
    change = NONE
    if trend.factor is not None:
        known = ", ".join(map(_say_factor, trend.interval)) if trend.interval else "too noisy to tell"
        change = f"{_say_factor(trend.factor)}x [{known}]"
    direction = ("slower" if (trend.factor or 1.0) > 1 else "faster") if trend.certain else NONE
    return (
        Item(trend.cell.title, None, trend.cell.benchmark),
        Item(trend.cell.rows_text or NONE),
        Item(str(trend.count)),
        Item(sparkline),
        Item(format_quantity(trend.first, "s")),
        Item(format_quantity(trend.last, "s")),
        Item(change),
        Item(direction),
    )


def _say_factor(factor: float) -> str:
    return f"{factor:.2f}" if factor < _LONG else format_significant(factor)


def draw_sparkline(seconds: Floats) -> str:
    """Draw seconds as at most 16 bars on a logarithmic scale, each the median of its commits, `·` for none."""
    parts = np.array_split(seconds, min(len(seconds), _SPARK_POINTS))
    middles = [float(np.median(known)) if (known := part[part > 0]).size else math.nan for part in parts]
    logs = np.log(middles)
    if np.isnan(logs).all():
        return ""
    low, high = float(np.nanmin(logs)), float(np.nanmax(logs))
    span = max(high - low, _SMALLEST_SPAN)
    bottom = (low + high - span) / 2
    places = np.nan_to_num((logs - bottom) / span * (len(_BARS) - 1), nan=-1.0).round().astype(int)
    return "".join(_BARS[place] if place >= 0 else "·" for place in places.tolist())


def lay_troubles(subject: Subject, name: str) -> Section | None:
    """Lay out which benchmarks gave no figure, and why; None where all gave one."""
    title = f"Without a figure on {name}"
    grouped: dict[tuple[str, str], list[str]] = {}
    skipped = {trouble.benchmark for trouble in subject.troubles if trouble.kind == SKIPPED}
    for trouble in subject.troubles:
        if trouble.kind == SKIPPED and len(skipped) > SHOWN:
            continue
        grouped.setdefault((trouble.kind, trouble.benchmark), []).append(trouble.detail)
    if not subject.troubles:
        return None
    lines = (f"Not selected, or skipped themselves, at some or all of their sizes: {len(skipped)} benchmarks.",)
    if not grouped:
        return Section(title, lines)
    rows = [
        (Item(benchmark, None, benchmark), Item(kind), Item(_join_details(details)))
        for (kind, benchmark), details in sorted(grouped.items())
    ]
    columns = (("Benchmark", False), ("What", False), ("Why", False))
    return Section(title, lines if len(skipped) > SHOWN else (), tabulate(columns, rows))


def _join_details(details: list[str]) -> str:
    different = list(dict.fromkeys(details))
    return "; ".join(different[:3]) + (f"; and {len(different) - 3} more" if len(different) > 3 else "")
