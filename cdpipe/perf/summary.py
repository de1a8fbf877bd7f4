"""The report in five lines."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from cdpipe.perf.bottlenecks import Bound
from cdpipe.perf.findings import Report, Subject
from cdpipe.perf.quantities import format_quantity
from cdpipe.perf.targets import Outcome

SHOWN: Final = 6
"""How many names a line lists before it counts the rest."""


def summarise(report: Report) -> tuple[str, ...]:
    """Say in five lines what the report says."""
    subjects = report.subjects
    findings = [finding for subject in subjects for finding in subject.findings]
    machines = "; ".join(_name_machine(subject) for subject in subjects[:SHOWN]) + name_more(len(subjects))
    counts = Counter(finding.verdict.bound for finding in findings)
    bounds = ", ".join(f"{bound.removesuffix('-bound')} {counts[bound]}" for bound in Bound if counts[bound]) or "none"
    return (
        f"Measured: {len(findings)} stages x sizes on {machines}.",
        f"Classes: {bounds}.",
        _longest(subjects),
        _steepest(subjects),
        _outcomes(subjects),
    )


def _name_machine(subject: Subject) -> str:
    machine = subject.machine
    known = [f"{machine.cores} cores" if machine.cores else "", machine.cpu]
    details = ", ".join(text for text in known if text)
    about = f" ({details})" if details else ""
    return f"{machine.name}{about} at commit {subject.commit[:8]} of {subject.date:%Y-%m-%d}"


def name_more(count: int) -> str:
    """Say how many of a list are left after the first `SHOWN`, `""` if none."""
    return f" and {count - SHOWN} more" if count > SHOWN else ""


def _longest(subjects: Iterable[Subject]) -> str:
    timed = [
        (finding.cell.figures["seconds"].value, finding, subject)
        for subject in subjects
        for finding in subject.findings
        if "seconds" in finding.cell.figures
    ]
    if not timed:
        return "Longest: no stage was timed."
    seconds, finding, subject = max(timed, key=lambda entry: entry[0])
    taken = format_quantity(seconds, "s")
    where = f"{subject.machine.name}, {subject.commit[:8]}"
    return f"Longest: {finding.cell.place}, {taken}, {finding.verdict.bound} ({where})."


def _steepest(subjects: Iterable[Subject]) -> str:
    fits = [(s.fit, s, subject) for subject in subjects for s in subject.scalings if s.fit is not None]
    if not fits:
        return "Growth: no stage was timed at two sizes."
    fit, scaling, subject = max(fits, key=lambda entry: entry[0].exponent)
    where = f"{subject.machine.name}, {subject.commit[:8]}"
    return f"Steepest growth: {scaling.title}, time as rows^{fit.text} ({where})."


def _outcomes(subjects: Iterable[Subject]) -> str:
    checks = [check for subject in subjects for check in subject.checks]
    counts = Counter(check.outcome for check in checks)
    missed = ", ".join(dict.fromkeys(check.target.code for check in checks if check.outcome is Outcome.MISSED))
    kinds = Counter(trouble.kind for subject in subjects for trouble in subject.troubles)
    return (
        f"Targets: {counts[Outcome.MET]} met, {counts[Outcome.MISSED]} missed{f' ({missed})' if missed else ''}, "
        f"{counts[Outcome.NOT_MEASURED]} not measured. Benchmarks: {kinds['failed']} failed, "
        f"{kinds['skipped']} skipped."
    )
