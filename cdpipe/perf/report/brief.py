"""The report in brief, for a terminal: summary, stages and the bottlenecks worth most, on one screen."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from cdpipe.perf.analysis.findings import Finding, Report, Rules, Subject
from cdpipe.perf.report.bottlenecks import lay_first
from cdpipe.perf.report.document import NONE, Item, Section, tabulate, trim_section
from cdpipe.perf.report.sections import lay_summary, name_subject
from cdpipe.perf.report.stages import explain_marks, name_shares, show_time

LINES: Final = 45
_TOP: Final = 3
_FEWEST_ROWS: Final = 3
_SUBJECTS: Final = 2
"""Machines and environments that have a table of their own here."""

Measure = Callable[[Section], int]


def lay_brief(report: Report, measure: Measure, *, lines: int = LINES) -> tuple[Section, ...]:
    """Put what matters most of a report into words.

    Parameters
    ----------
    report
        What to show.
    measure
        Returns how many lines a section takes, the empty one behind it included.
    lines
        The most that it may take, if three stages have room on each machine.

    Returns
    -------
    tuple of Section
        The summary; then, of two machines or environments at most, its stages, each at its largest size, those that
        take longest, and its three bottlenecks worth most.
    """
    summary = lay_summary(report)
    shown = report.subjects[:_SUBJECTS]
    room = (lines - measure(summary)) // max(len(shown), 1)
    sections = [summary]
    for subject in shown:
        name = name_subject(subject, report)
        top = lay_first(subject, name, count=_TOP)
        sections += _fit_stages(subject, name, measure, room - (measure(top) if top else 0))
        sections += [top] if top else []
    if len(report.subjects) > len(shown):
        others = ", ".join(name_subject(subject, report) for subject in report.subjects[_SUBJECTS:])
        sections[-1] = replace(sections[-1], notes=(*sections[-1].notes, f"Not shown here: {others}."))
    return tuple(sections)


def _fit_stages(subject: Subject, name: str, measure: Measure, room: int) -> list[Section]:
    """Lay out as many stages as there is room for; none where no stage has a class."""
    probed = [finding for finding in subject.findings if finding.probed]
    largest = list({finding.cell.title: finding for finding in probed}.values())
    ranked = sorted(largest, key=lambda finding: -_seconds(finding))
    for count in range(len(largest), 0, -1):
        kept = {id(finding) for finding in ranked[:count]}
        section = _lay_stages(subject, name, [finding for finding in largest if id(finding) in kept], len(largest))
        if count <= _FEWEST_ROWS or measure(section) <= room:
            return [section]
    return []


def _lay_stages(subject: Subject, name: str, findings: Sequence[Finding], count: int) -> Section:
    of_run = not subject.commit
    rows = [
        (
            Item(finding.cell.title, None, finding.cell.benchmark),
            Item(finding.cell.size or NONE),
            Item(_shorten(finding), finding.bound),
            Item(name_shares(finding)),
            show_time(finding),
        )
        for finding in findings
    ]
    columns = (
        ("Part" if of_run else "Stage", False), ("Size", True), ("Class", False), ("Time goes, in %", False),
        ("Time", True),
    )  # fmt: skip
    left = count - len(findings)
    more = (f"{'Parts' if of_run else 'Stages'} that take less time: {left} more.",) if left else ()
    fallback = any(finding.rules is Rules.REPORT and not finding.is_disturbed for finding in findings)
    by = ("*: by the fixed thresholds.",) if fallback else ()
    notes = (*explain_marks(findings), *by, *more)
    title = f"{'Parts of the run' if of_run else 'Stages, at their largest size,'} on {name}"
    section = Section(title, (), tabulate(columns, rows), notes=(" ".join(notes),) if notes else ())
    return trim_section(section) or section


def _shorten(finding: Finding) -> str:
    """Name the class in a word or two: a narrow terminal has no room for what is the same in all of them."""
    mark = " *" if finding.rules is Rules.REPORT and not finding.is_disturbed else ""
    return finding.label.replace("-bound", "").replace("too little parallel work", "too little parallel") + mark


def _seconds(finding: Finding) -> float:
    seconds = finding.cell.figures.get("seconds") or finding.cell.figures.get("wall_seconds")
    return seconds.value if seconds else 0.0
