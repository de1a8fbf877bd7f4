"""The report in five lines."""

from collections import Counter
from collections.abc import Sequence

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Report, Rules, Subject, name_environment
from cdpipe.perf.analysis.scaling import Judgement
from cdpipe.perf.analysis.targets import Outcome
from cdpipe.perf.report.bottlenecks import rank_findings
from cdpipe.perf.report.document import SHOWN, name_more
from cdpipe.perf.wording.units import format_percent, format_quantity

__all__ = ["summarise"]


def summarise(report: Report) -> tuple[str, ...]:
    """Say in five lines what the report says; in three of a run that is no benchmark."""
    subjects = report.subjects
    count = sum(len(subject.findings) for subject in subjects)
    machines = "; ".join(_name_machine(subject, subjects) for subject in subjects[:SHOWN]) + name_more(len(subjects))
    benchmarked = tuple(subject for subject in subjects if subject.commit)
    return (
        f"Measured: {count} {'stages x sizes' if benchmarked else 'parts of a run'} on {machines}.",
        _classes(report),
        _worth_most(subjects),
        *((_growth(benchmarked), _outcomes(benchmarked)) if benchmarked else ()),
    )


def _name_machine(subject: Subject, subjects: Sequence[Subject]) -> str:
    machine = subject.machine
    known = [f"{machine.cores} cores" if machine.cores else "", machine.cpu]
    details = ", ".join(text for text in known if text)
    about = f" ({details})" if details else ""
    commit = f"at commit {subject.commit[:8]} of" if subject.commit else "on"
    return f"{machine.name}{about} {commit} {subject.date:%Y-%m-%d}{name_environment(subject, subjects)}"


def _classes(report: Report) -> str:
    probed = [finding for subject in report.subjects for finding in subject.findings if finding.probed]
    counts = Counter(finding.bound for finding in probed)
    named = [f"{bound.removesuffix('-bound')} {counts[bound]}" for bound in Bound if counts[bound]]
    unprobed = sum(not finding.probed for subject in report.subjects for finding in subject.findings)
    named += [f"not probed {unprobed}"] if unprobed else []
    by = "" if any(finding.rules is Rules.ATTRIBUTION for finding in probed) else " by thresholds"
    changed = sum(len(subject.history.changes) for subject in report.subjects)
    over = f"; {changed} not in the class of earlier commits" if changed else ""
    return f"Classes{by if probed else ''}: {', '.join(named) or 'none'}{over}."


def _worth_most(subjects: Sequence[Subject]) -> str:
    ranked = [(finding, subject) for subject in subjects for finding in rank_findings(subject)[:1]]
    if not ranked:
        return _longest(subjects)
    finding, subject = max(ranked, key=lambda pair: pair[0].seconds_to_gain)
    taken = f"{finding.label} ({finding.verdict.code})"
    gain = finding.by_shares.gain if finding.by_shares else None
    if finding.seconds_to_gain and gain:
        saved = format_quantity(finding.seconds_to_gain, "s")
        taken += f", {format_percent(gain.share)} of the slots' time: half of it is worth {saved}"
    return f"Worth most: {finding.cell.place}, {taken}{_where(subject, subjects)}."


def _longest(subjects: Sequence[Subject]) -> str:
    timed = [
        (finding.cell.figures["seconds"].value, finding, subject)
        for subject in subjects
        for finding in subject.findings
        if "seconds" in finding.cell.figures
    ]
    if not timed:
        return f"Longest: no {'stage' if any(subject.commit for subject in subjects) else 'part'} was timed."
    seconds, finding, subject = max(timed, key=lambda entry: entry[0])
    label = finding.label if finding.probed else "not probed"
    return f"Longest: {finding.cell.place}, {format_quantity(seconds, 's')}, {label}{_where(subject, subjects)}."


def _growth(subjects: Sequence[Subject]) -> str:
    """Name what grows faster than declared, and the steepest whose interval leaves no doubt that it is above 1."""
    followed = [(scaling, subject) for subject in subjects for scaling in subject.scalings]
    if not followed:
        return "Growth: no stage was measured at two sizes."
    faster = [scaling.title for scaling, _ in followed if scaling.judgement is Judgement.ABOVE]
    names = ", ".join(dict.fromkeys(faster[:SHOWN])) + name_more(len(faster))
    first = f"Growth: faster than declared: {names}; " if faster else "Growth: "
    times = [pair for pair in followed if pair[0].figure == "seconds"]
    steep = [pair for pair in times if (interval := pair[0].fit.interval) and interval[0] > 1]
    if not steep:
        sure = sum(scaling.fit.interval is not None for scaling, _ in times)
        return f"{first}no stage's time is surely steeper than its rows ({sure} of {len(times)} have an interval)."
    scaling, subject = max(steep, key=lambda pair: pair[0].fit.exponent)
    return f"{first}steepest {scaling.title}, time as rows^{scaling.fit.text}{_where(subject, subjects)}."


def _outcomes(subjects: Sequence[Subject]) -> str:
    checks = [check for subject in subjects for check in subject.checks]
    counts = Counter(check.outcome for check in checks)
    missed = ", ".join(dict.fromkeys(check.target.code for check in checks if check.outcome is Outcome.MISSED))
    failing = {(trouble.kind, trouble.benchmark) for subject in subjects for trouble in subject.troubles}
    kinds = Counter(kind for kind, _ in failing)
    return (
        f"Targets: {counts[Outcome.MET]} met, {counts[Outcome.MISSED]} missed{f' ({missed})' if missed else ''}, "
        f"{counts[Outcome.NOT_MEASURED]} not measured. Benchmarks: {kinds['failed']} failed, "
        f"{kinds['skipped']} skipped or not selected."
    )


def _where(subject: Subject, subjects: Sequence[Subject]) -> str:
    """Name machine and commit behind a fact; a run is of one machine, which the first line names."""
    origin = f"{subject.machine.name}, {subject.commit[:8]}{name_environment(subject, subjects)}"
    return f" ({origin})" if subject.commit else ""
