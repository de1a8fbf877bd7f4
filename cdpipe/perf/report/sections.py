"""A report's words, section by section, the same for terminal, Markdown and web page."""

from collections.abc import Callable
from typing import Final

from cdpipe.perf.analysis.findings import Report, Subject, name_environment
from cdpipe.perf.report.bottlenecks import lay_disagreements, lay_remedies, lay_top
from cdpipe.perf.report.document import Item, Listing, Section, Table, trim_section
from cdpipe.perf.report.outcomes import lay_changes, lay_targets, lay_trends, lay_troubles
from cdpipe.perf.report.runs import lay_whole
from cdpipe.perf.report.scaling import lay_cores, lay_partitions, lay_scaling
from cdpipe.perf.report.stages import lay_others, lay_stages, lay_unprobed
from cdpipe.perf.report.summary import say_busy, summarise

__all__ = ["Item", "Listing", "Section", "Table", "lay_out", "lay_summary", "name_subject"]

Lay = Callable[[Subject, str], Section | None]

_BEFORE_REMEDIES: Final[tuple[Lay, ...]] = (lay_whole, lay_stages, lay_unprobed, lay_top)
_OF_BENCHMARKS: Final[tuple[Lay, ...]] = (
    lay_scaling, lay_cores, lay_partitions, lay_targets, lay_changes, lay_trends, lay_others,
    lay_troubles,
)  # fmt: skip


def lay_out(report: Report) -> tuple[Section, ...]:
    """Put a report into words.

    Returns
    -------
    tuple of Section
        The summary; for each machine its stages, those not probed, and its top bottlenecks; remedies; then
        for each machine where the rules differ, growth, efficiency, targets, changes of class, trends, other figures,
        and what gave none. Titles name machine and commit. A section with nothing to say is left out, and of a run that
        is no benchmark all behind the rules' differences.
    """
    named = [(subject, name_subject(subject, report)) for subject in report.subjects]
    benchmarked = [(subject, name) for subject, name in named if subject.commit]
    sections = [
        lay_summary(report),
        *(lay(subject, name) for lay in _BEFORE_REMEDIES for subject, name in named),
        lay_remedies(report),
        *(lay_disagreements(subject, name) for subject, name in named),
        *(lay(subject, name) for lay in _OF_BENCHMARKS for subject, name in benchmarked),
    ]
    trimmed = (trim_section(section) for section in sections if section is not None)
    return tuple(section for section in trimmed if section is not None)


def lay_summary(report: Report) -> Section:
    """Lay out the summary; its title says if the machine was busy."""
    title = "Bottlenecks: the machine was busy, measure again" if say_busy(report) else "Bottlenecks"
    return Section(title, summarise(report))


def name_subject(subject: Subject, report: Report) -> str:
    """Name what a figure is of: machine and commit, and the environment where the report has several of them."""
    commit = f", commit {subject.commit[:8]}" if subject.commit else ""
    return f"{subject.machine.name}{commit}{name_environment(subject, report.subjects)}"
