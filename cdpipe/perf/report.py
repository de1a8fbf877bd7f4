"""The bottleneck report, for a terminal, as Markdown and as JSON; `build_report` is the core, the rest writes it.

Names come from other people's benchmarks: control characters in them are shown as escapes, and each format's
own signs are escaped.
"""

import dataclasses
import json
import re
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from cdpipe.perf.bottlenecks import Bound
from cdpipe.perf.cells import BESIDE, FIGURES, Cell
from cdpipe.perf.findings import Finding, Report, Subject, build_report
from cdpipe.perf.scaling import Scaling
from cdpipe.perf.sections import Section, Table, lay_out
from cdpipe.perf.summary import summarise
from cdpipe.perf.targets import Check

__all__ = ["Report", "build_report", "render_json", "render_markdown", "render_text"]

VERSION: Final = 1
"""Of the JSON; it changes when a field changes its meaning or goes."""

_TEXT_ROWS: Final = 200
_STYLES: Final = {
    Bound.COMPUTE: "yellow",
    Bound.MEMORY: "magenta",
    Bound.IO: "blue",
    Bound.SCHEDULER: "red",
    Bound.BALANCED: "green",
    Bound.INSUFFICIENT: "dim",
}
_MARKDOWN_SIGNS: Final = re.compile(r"([\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w))")


def show_plain(text: str) -> str:
    """Return a text with every character that does not print (escapes, line ends, bidi marks) written as an escape."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def render_text(report: Report, console: Console) -> None:
    """Print a report; it reads well from 100 columns on, with and without colour.

    A table longer than 200 rows is cut, and says so; the other formats have all rows.
    """
    for section in lay_out(report):
        console.print(Text(show_plain(section.title), style="bold"))
        for line in section.lines:
            console.print(_indent(line, 2))
        if section.table is not None:
            console.print(_draw_table(section.table))
            hidden = len(section.table.rows) - _TEXT_ROWS
            if hidden > 0:
                console.print(Text(f"  and {hidden} more; the formats md and json have all of them"))
        for listing in section.listings:
            title = Text(str(listing.bound), style=_STYLES[listing.bound])
            console.print(
                Padding(title.append(f": {show_plain(listing.line)}", style="default"), (0, 0, 0, 2), expand=False)
            )
            for point in listing.points:
                console.print(_indent(f"- {point}", 4))
        console.print()


def render_markdown(report: Report) -> str:
    """Write a report as GitHub-flavoured Markdown."""
    lines: list[str] = []
    for place, section in enumerate(lay_out(report)):
        lines += [f"{'#' if place == 0 else '##'} {_escape_markdown(section.title)}", ""]
        lines += [f"- {_escape_markdown(line)}" for line in section.lines]
        lines += [""] if section.lines else []
        lines += _tabulate(section) if section.table else []
        for listing in section.listings:
            lines += [f"**{listing.bound}**: {_escape_markdown(listing.line)}", ""]
            lines += [*(f"- {_escape_markdown(point)}" for point in listing.points), ""]
    return "\n".join(lines).rstrip() + "\n"


def render_json(report: Report) -> str:
    """Write a report as JSON: every figure with its unit, interval, benchmark, machine and commit."""
    data = {
        "version": VERSION,
        "summary": summarise(report),
        "thresholds": dataclasses.asdict(report.thresholds),
        "subjects": [_subject_data(subject) for subject in report.subjects],
    }
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _indent(text: str, columns: int) -> Padding:
    return Padding(Text(show_plain(text)), (0, 0, 0, columns), expand=False)


def _draw_table(table: Table) -> RichTable:
    drawn = RichTable(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for title, numeric in zip(table.titles, table.numeric, strict=True):
        drawn.add_column(title, justify="right" if numeric else "left", overflow="fold", no_wrap=numeric)
    for row in table.rows[:_TEXT_ROWS]:
        drawn.add_row(*(Text(show_plain(i.text), style=_STYLES[i.bound] if i.bound else "") for i in row))
    return drawn


def _escape_markdown(text: str) -> str:
    return _MARKDOWN_SIGNS.sub(r"\\\1", show_plain(text).replace("&", "&amp;"))


def _tabulate(section: Section) -> list[str]:
    table = section.table
    if table is None:
        return []
    rule = ["--:" if numeric else "---" for numeric in table.numeric]
    rows = [[_escape_markdown(item.text) for item in row] for row in table.rows]
    return [*(f"| {' | '.join(row)} |" for row in ([*table.titles], rule, *rows)), ""]


def _subject_data(subject: Subject) -> dict[str, Any]:
    return {
        "machine": dataclasses.asdict(subject.machine),
        "commit": subject.commit,
        "date": subject.date.isoformat(),
        "environment": subject.environment,
        "cells": [_finding_data(finding) for finding in subject.findings],
        "unclassified_cells": [_cell_data(cell) for cell in subject.cells if not cell.figures.keys() - BESIDE],
        "scaling": [_scaling_data(scaling) for scaling in subject.scalings],
        "targets": [_check_data(check) for check in subject.checks],
        "without_figure": [dataclasses.asdict(trouble) for trouble in subject.troubles],
    }


def _finding_data(finding: Finding) -> dict[str, Any]:
    verdict = finding.verdict
    return {
        **_cell_data(finding.cell),
        "class": str(verdict.bound),
        "rule": verdict.code or None,
        "rules_also_holding": verdict.also,
        "missing": verdict.missing,
    }


def _cell_data(cell: Cell) -> dict[str, Any]:
    return {
        "stage": cell.stage,
        "variant": dict(cell.variant),
        "rows": cell.rows,
        "rows_text": cell.rows_text,
        "figures": {
            name: {**dataclasses.asdict(figure), "unit": FIGURES[name]} for name, figure in cell.figures.items()
        },
    }


def _scaling_data(scaling: Scaling) -> dict[str, Any]:
    return dataclasses.asdict(scaling)


def _check_data(check: Check) -> dict[str, Any]:
    target = check.target
    return {
        "code": target.code,
        "title": target.title,
        "limit": target.limit,
        "unit": target.unit,
        "better": "more" if target.at_least else "less",
        "outcome": str(check.outcome),
        "measured": check.worst.value if check.worst else None,
        "where": check.where or None,
        "benchmarks": check.worst.benchmarks if check.worst else (),
        "readings": check.count,
    }
