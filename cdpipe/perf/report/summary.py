"""The report in a few lines."""

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Final

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Finding, Report, Rules, Subject, name_environment
from cdpipe.perf.analysis.history import Trend
from cdpipe.perf.analysis.scaling import Judgement
from cdpipe.perf.analysis.slot_classes import BUSY
from cdpipe.perf.report.bottlenecks import rank_findings
from cdpipe.perf.report.document import SHOWN, name_more
from cdpipe.perf.results.cells import FAILED
from cdpipe.perf.settings.targets import Outcome
from cdpipe.perf.wording.units import format_percent, format_quantity

__all__ = ["say_busy", "summarise"]

_MANY: Final = 0.1
_TRENDS: Final = 2
_FAILED: Final = 3


def say_busy(report: Report) -> str:
    """Say that other work had the cores while this was measured; `""` where it did not, or nobody knows."""
    findings = [finding for subject in report.subjects for finding in subject.findings]
    said = "; ".join(filter(None, (_say_busy_slots(findings), _say_busy_samples(findings))))
    return f"The machine was busy: {said}. Measure again when it is idle." if said else ""


def _say_busy_slots(findings: Sequence[Finding]) -> str:
    """Say what other work had of the slots' time of probed runs; `""` if that was little."""
    probed = [finding for finding in findings if finding.attribution]
    shares = [finding.cell.contention for finding in probed]
    disturbed = sum(finding.is_disturbed for finding in probed)
    if not shares or (not disturbed and median(shares) < BUSY):
        return ""
    had = f"up to {format_percent(max(shares))} of the slots' time, in the middle {format_percent(median(shares))}"
    lost = f"; {disturbed} of {len(probed)} are disturbed, and have no class" if disturbed else ""
    return f"other work had the cores for {had}{lost}"


def _say_busy_samples(findings: Sequence[Finding]) -> str:
    """Say how many times rest on mostly disturbed samples; `""` if few do, which are marked where they stand."""
    noted = [
        seconds for each in findings if (seconds := each.cell.figures.get("seconds")) and seconds.others is not None
    ]
    disturbed = sum(finding.cell.is_time_disturbed for finding in findings)
    if disturbed < max(1, _MANY * len(noted)):
        return ""
    return f"{disturbed} of {len(noted)} times were taken while others worked, and rank nothing"


def summarise(report: Report) -> tuple[str, ...]:
    """Say in a few lines what the report says: first whether the machine was busy; last what failed."""
    subjects = report.subjects
    count = sum(len(subject.findings) for subject in subjects)
    machines = "; ".join(_name_machine(subject, subjects) for subject in subjects[:SHOWN]) + name_more(len(subjects))
    benchmarked = tuple(subject for subject in subjects if subject.commit)
    lines = (
        say_busy(report),
        f"Measured: {count} {'stages x sizes' if benchmarked else 'parts of a run'} on {machines}.",
        _classes(report),
        _worth_most(subjects),
        *((_growth(benchmarked), _trends(benchmarked), _targets(benchmarked)) if benchmarked else ()),
        _benchmarks(benchmarked),
    )
    return tuple(filter(None, lines))


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
        if "seconds" in finding.cell.figures and not finding.cell.is_time_disturbed
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
        return ""
    faster = [scaling.title for scaling, _ in followed if scaling.judgement is Judgement.ABOVE]
    names = ", ".join(dict.fromkeys(faster[:SHOWN])) + name_more(len(faster))
    first = f"Growth: faster than declared: {names}; " if faster else "Growth: "
    times = [pair for pair in followed if pair[0].figure == "seconds"]
    steep = [pair for pair in times if (interval := pair[0].fit.interval) and interval[0] > 1]
    if not steep:
        sure = sum(scaling.fit.interval is not None for scaling, _ in times)
        if not sure and not faster:
            return ""
        return f"{first}no time is surely steeper than its size ({sure} of {len(times)} have an interval)."
    scaling, subject = max(steep, key=lambda pair: pair[0].fit.exponent)
    law = f"time as {scaling.size_name}^{scaling.fit.text}"
    return f"{first}steepest {scaling.title}, {law}{_where(subject, subjects)}."


def _trends(subjects: Sequence[Subject]) -> str:
    """Name what is getting slower and faster over the commits, each stage at its largest size."""
    followed = [subject for subject in subjects if len(subject.history.commits) > 1]
    if not followed:
        return ""
    largest = [trend for s in followed for trend in {trend.cell.title: trend for trend in s.history.trends}.values()]
    slower = sorted((t for t in largest if t.certain and (t.factor or 1) > 1), key=lambda t: -(t.factor or 1))
    faster = sorted((t for t in largest if t.certain and (t.factor or 1) < 1), key=lambda t: t.factor or 1)
    commits = max(len(subject.history.commits) for subject in followed)
    return f"Over {commits} commits: {_list_trends('slower', slower)}, {_list_trends('faster', faster)}."


def _list_trends(what: str, trends: Sequence[Trend]) -> str:
    if not trends:
        return f"none surely {what}"
    named = ", ".join(f"{trend.cell.place} {trend.factor:.2f}x" for trend in trends[:_TRENDS])
    return f"{len(trends)} {what} ({named}{name_more(len(trends), _TRENDS)})"


def _targets(subjects: Sequence[Subject]) -> str:
    """Count the targets' outcomes, and name those missed; nothing where the project has none."""
    checks = [check for subject in subjects for check in subject.checks]
    if not checks:
        return ""
    counts = Counter(check.outcome for check in checks)
    missed = ", ".join(dict.fromkeys(check.target.code for check in checks if check.outcome is Outcome.MISSED))
    disturbed = f", {counts[Outcome.DISTURBED]} disturbed" if counts[Outcome.DISTURBED] else ""
    return (
        f"Targets: {counts[Outcome.MET]} met, {counts[Outcome.MISSED]} missed{f' ({missed})' if missed else ''}"
        f"{disturbed}, {counts[Outcome.NOT_MEASURED]} not measured."
    )


def _benchmarks(subjects: Sequence[Subject]) -> str:
    """Name the benchmarks that failed; what was not selected is no trouble, and is only listed."""
    failing = [trouble.benchmark for subject in subjects for trouble in subject.troubles if trouble.kind == FAILED]
    names = list(dict.fromkeys(failing))
    listed = f"{', '.join(names[:_FAILED])}{name_more(len(names), _FAILED)}"
    return f"Failed: {len(names)} benchmark{'s' if len(names) > 1 else ''}: {listed}." if names else ""


def _where(subject: Subject, subjects: Sequence[Subject]) -> str:
    """Name machine and commit behind a fact; a run is of one machine, which the first line names."""
    origin = f"{subject.machine.name}, {subject.commit[:8]}{name_environment(subject, subjects)}"
    return f" ({origin})" if subject.commit else ""
