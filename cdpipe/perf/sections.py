"""A report's words: sections of lines, tables and lists, the same for terminal, Markdown and web page."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from cdpipe.perf.bottlenecks import RULES, Bound, Remedy
from cdpipe.perf.cells import FIGURES, Cell, unquote
from cdpipe.perf.findings import Finding, Report, Subject
from cdpipe.perf.quantities import format_quantity, format_significant
from cdpipe.perf.scaling import Fit, Scaling
from cdpipe.perf.summary import SHOWN, name_more, summarise
from cdpipe.perf.targets import Check, Reading

_NONE: Final = "-"
_OTHERS: Final = {
    "read_bytes": "Read",
    "write_bytes": "Written",
    "tasks": "Tasks",
    "hit_rate": "Hits",
    "lookup_seconds": "Lookup",
    "baseline_seconds": "pandas",
    "kernel_seconds": "Kernel",
    "graph_seconds": "Graph",
}


@dataclass(frozen=True, slots=True)
class Item:
    """The text in a table's cell, the class that colours it, and the benchmark it links to."""

    text: str
    bound: Bound | None = None
    benchmark: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Column titles, which columns hold numbers, and rows as long as the titles."""

    titles: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Item, ...], ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A class, a line about it, and what to do."""

    bound: Bound
    line: str
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report: a title, then whichever of lines, a table and lists it has."""

    title: str
    lines: tuple[str, ...] = ()
    table: Table | None = None
    listings: tuple[Listing, ...] = ()


def lay_out(report: Report) -> tuple[Section, ...]:
    """Put a report into words.

    Returns
    -------
    tuple of Section
        The five-line summary; stages; their other figures; remedies; growth; targets; what gave no figure.
        Titles name machine and commit.
    """
    named = [(subject, name_subject(subject, report)) for subject in report.subjects]
    return (
        Section("Bottlenecks", summarise(report)),
        *(_stages(subject, name) for subject, name in named),
        *(_others(subject, name) for subject, name in named),
        _remedies(report),
        *(_growth(subject, name) for subject, name in named),
        *(_targets(subject, name) for subject, name in named),
        *(_troubles(subject, name) for subject, name in named),
    )


def name_subject(subject: Subject, report: Report) -> str:
    """Name what a figure is of: machine and commit, and the environment where the report has several of them."""
    same = [s for s in report.subjects if (s.machine, s.commit) == (subject.machine, subject.commit)]
    environment = f", {subject.environment}" if len(same) > 1 else ""
    return f"{subject.machine.name}, commit {subject.commit[:8]}{environment}"


def _stages(subject: Subject, name: str) -> Section:
    titles = ("Stage", "Rows", "Class", "CPU %", "Mem %", "Disk %", "Queue", "Peak", "Time", "Exp.")
    exponents = {scaling.title: scaling.fit for scaling in subject.scalings}
    rows = tuple(_stage_row(finding, exponents.get(finding.cell.title)) for finding in subject.findings)
    table = Table(titles, (False, True, False, *[True] * 7), rows) if rows else None
    lines = () if rows else ("No benchmark gave a figure.",)
    return Section(f"Stages on {name}", (*lines, *_explain_missing(subject)), table)


def _stage_row(finding: Finding, fit: Fit | None) -> tuple[Item, ...]:
    cell, verdict = finding.cell, finding.verdict
    first = cell.figures.get("seconds") or next(iter(cell.figures.values()))
    busy = cell.figures.get("disk_busy")
    numbers = [_show(cell, name) for name in ("cpu_percent", "memory_percent")]
    numbers.append(Item(format_significant(busy.value * 100), None, busy.benchmark) if busy else Item(_NONE))
    numbers.append(_show(cell, "ready_queue_max"))
    peak = "tree_peak_bytes" if "tree_peak_bytes" in cell.figures else "peak_bytes"
    return (
        Item(cell.title, None, first.benchmark),
        Item(cell.rows_text or _NONE),
        Item(str(verdict.bound), verdict.bound, first.benchmark),
        *numbers,
        _show(cell, peak, "B"),
        _show(cell, "seconds", "s"),
        Item(f"{fit.exponent:.2f}" if fit else _NONE),
    )


def _show(cell: Cell, figure: str, unit: str = "") -> Item:
    if figure not in cell.figures:
        return Item(_NONE)
    known = cell.figures[figure]
    text = format_quantity(known.value, unit) if unit else format_significant(known.value)
    return Item(text, None, known.benchmark)


def _explain_missing(subject: Subject) -> tuple[str, ...]:
    lacking = Counter(figure for finding in subject.findings for figure in finding.verdict.missing)
    if not lacking:
        return ()
    counts = ", ".join(f"{figure} ({count})" for figure, count in lacking.most_common())
    return (f"Insufficient data: a decision lacks {counts}.",)


def _others(subject: Subject, name: str) -> Section:
    title = f"Other figures on {name}"
    shown = [cell for cell in subject.cells if cell.figures.keys() & _OTHERS.keys()]
    if not shown:
        return Section(title, ("None was recorded.",))
    rows = tuple(
        (Item(cell.title), Item(cell.rows_text or _NONE), *(_show(cell, figure, FIGURES[figure]) for figure in _OTHERS))
        for cell in shown
    )
    return Section(
        title, table=Table(("Stage", "Rows", *_OTHERS.values()), (False, *[True] * (1 + len(_OTHERS))), rows)
    )


def _remedies(report: Report) -> Section:
    several = len(report.subjects) > 1
    listings = []
    for rule in RULES:
        concerned: dict[str, list[str]] = {}
        for subject in report.subjects:
            for finding in subject.findings:
                if finding.verdict.code == rule.code:
                    title = finding.cell.title + (f" on {subject.machine.name}" if several else "")
                    concerned.setdefault(title, []).append(finding.cell.rows_text)
        if concerned:
            named = [f"{title} at {', '.join(sizes)}" if any(sizes) else title for title, sizes in concerned.items()]
            line = f"{rule.title} ({rule.code}): {'; '.join(named[:SHOWN])}{name_more(len(named))}"
            listings.append(Listing(rule.bound, line, tuple(_name_remedy(remedy) for remedy in rule.remedies)))
    lines = () if listings else ("No stage is in a class that has remedies.",)
    return Section("Remedies", lines, listings=tuple(listings))


def _name_remedy(remedy: Remedy) -> str:
    named = ", ".join("[{}] {}".format(*key.split(".", 1)) for key in remedy.keys)
    return f"{remedy.text}: {named}" if named else remedy.text


def _growth(subject: Subject, name: str) -> Section:
    title = f"Growth of time with rows on {name}"
    rows = tuple(_growth_row(scaling) for scaling in subject.scalings)
    if not rows:
        return Section(title, ("No stage was timed at two sizes.",))
    titles = ("Stage", "Sizes", "Exponent [95 %]", "Rows", "Time")
    return Section(title, table=Table(titles, (False, True, False, False, False), rows))


def _growth_row(scaling: Scaling) -> tuple[Item, ...]:
    return (
        Item(scaling.title, None, scaling.benchmark),
        Item(str(len(scaling.points))),
        Item(scaling.fit.text if scaling.fit else _NONE),
        Item(" -> ".join(format_quantity(growth.rows_factor, "x") for growth in scaling.growth)),
        Item(" -> ".join(format_quantity(growth.seconds_factor, "x") for growth in scaling.growth)),
    )


def _targets(subject: Subject, name: str) -> Section:
    rows = tuple(_target_row(check) for check in subject.checks)
    table = Table(
        ("Target", "Limit", "Measured", "Outcome", "Rests on"),
        (False, True, True, False, False),
        rows,
    )
    return Section(f"Targets on {name}", table=table)


def _target_row(check: Check) -> tuple[Item, ...]:
    target, worst = check.target, check.worst
    sign = (">" if target.at_least else "<") + ("=" if target.inclusive else "")
    basis = _name_basis(worst, check.count) if worst else _NONE
    return (
        Item(f"{target.code} {target.title}"),
        Item(f"{sign} {format_quantity(target.limit, target.unit)}"),
        Item(format_quantity(worst.value, target.unit) if worst else _NONE),
        Item(str(check.outcome)),
        Item(basis, None, worst.benchmarks[0] if worst else ""),
    )


def _name_basis(reading: Reading, count: int) -> str:
    params = f"({', '.join(unquote(value) for value in reading.params)})" if reading.params else ""
    return f"{' and '.join(name + params for name in reading.benchmarks)}, worst of {count}"


def _troubles(subject: Subject, name: str) -> Section:
    title = f"Without a figure on {name}"
    grouped: dict[tuple[str, str], list[str]] = {}
    skipped = {trouble.benchmark for trouble in subject.troubles if trouble.kind == "skipped"}
    for trouble in subject.troubles:
        if trouble.kind == "skipped" and len(skipped) > SHOWN:
            continue
        grouped.setdefault((trouble.kind, trouble.benchmark), []).append(trouble.detail)
    if not subject.troubles:
        return Section(title, ("None: every benchmark gave one.",))
    lines = (f"Skipped or not selected: {len(skipped)} benchmarks, at some or all of their sizes.",)
    if not grouped:
        return Section(title, lines)
    rows = tuple(
        (Item(kind), Item(name, None, name), Item(_join_details(details)))
        for (kind, name), details in sorted(grouped.items())
    )
    table = Table(("What", "Benchmark", "Why"), (False, False, False), rows)
    return Section(title, lines if len(skipped) > SHOWN else (), table)


def _join_details(details: list[str]) -> str:
    return "; ".join(details[:3]) + (f"; and {len(details) - 3} more" if len(details) > 3 else "")
