"""The report's lists: the bottlenecks worth most with their evidence, all remedies, and where the rule sets differ."""

from typing import Final

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.causes import CAUSES, Cause
from cdpipe.perf.analysis.findings import Finding, Report, Subject, name_environment
from cdpipe.perf.analysis.thresholds import RULES, Rule
from cdpipe.perf.report.document import SHOWN, Item, Listing, Section, name_more, name_remedy, name_sizes, tabulate
from cdpipe.perf.settings.remedies import Remedy
from cdpipe.perf.wording.units import format_percent, format_quantity

_TOP: Final = 5
_SURE: Final = 0.95
_TRIFLE: Final = 0.01


def rank_findings(subject: Subject) -> tuple[Finding, ...]:
    """Return the findings with something to gain, one of each stage and variant, by the seconds that half of it saves.

    A peak near the memory limit saves no time and comes first: a larger run would not finish. Of a run, parts are left
    out whose cause is worth next to nothing of the whole. A time that was disturbed ranks nothing.
    """
    chosen: dict[str, Finding] = {}
    for finding in subject.findings:
        if finding.by_shares is None or not finding.by_shares.code or _is_trifle(finding, subject):
            continue
        if finding.cell.is_time_disturbed:
            continue
        other = chosen.get(finding.cell.title)
        if other is None or _rank(finding) > _rank(other):
            chosen[finding.cell.title] = finding
    return tuple(sorted(chosen.values(), key=_rank, reverse=True))


def _is_trifle(finding: Finding, subject: Subject) -> bool:
    """Say whether half of a part's cause is worth less than one in a hundred of the whole run's seconds."""
    total = subject.whole.figures.get("seconds") if subject.whole else None
    gained = finding.by_shares is not None and finding.by_shares.gain is not None
    return total is not None and gained and finding.seconds_to_gain < _TRIFLE * total.value


def _rank(finding: Finding) -> tuple[bool, float]:
    return finding.by_shares is not None and finding.by_shares.gain is None, finding.seconds_to_gain


def lay_top(subject: Subject, name: str) -> Section | None:
    """Lay out the bottlenecks worth most; None where nothing has a share of time."""
    ranked = rank_findings(subject)
    if not any(finding.by_shares for finding in subject.findings):
        return None
    title = f"Top bottlenecks on {name}"
    trifles = ", ".join(finding.cell.place for finding in subject.findings if _is_trifle(finding, subject))
    left_out = (f"Left out, for half of its cause is worth less than 1 % of the run: {trifles}.",) if trifles else ()
    if not ranked:
        what = "stage" if subject.commit else "part"
        return Section(title, (f"No {what} has a cause that leads the others.",), notes=left_out)
    size = "; one size of each stage" if subject.commit else ""
    lines = (f"By the seconds that half of the cause is worth{size}.",)
    listings = tuple(_list_finding(finding) for finding in ranked[:_TOP])
    rest = ", ".join(finding.cell.place for finding in ranked[_TOP : _TOP + SHOWN])
    then = (f"Then: {rest}{name_more(len(ranked) - _TOP)}.",) if rest else ()
    return Section(title, lines, listings=listings, notes=(*then, *left_out))


def _list_finding(finding: Finding) -> Listing:
    found = finding.by_shares
    assert found is not None, "only what has shares is ranked"
    seconds = finding.cell.figures.get("seconds")
    taken = f", {format_quantity(seconds.value, 's')}" if seconds else ""
    gain = found.gain.text if found.gain else "to expect: no gain in time; room for larger runs"
    chance = found.probabilities.get(found.bound, 0.0) if found.probabilities else 1.0
    doubt = (f"{format_percent(chance)} sure, by the noise of its samples",) if chance < _SURE else ()
    first = (f"do first: {name_remedy(finding.remedies[0])}",) if finding.remedies else ()
    points = (*found.evidence, *doubt, gain, *first)
    return Listing(found.bound, f"{finding.cell.place}{taken}: {found.title} ({found.code})", points)


def lay_first(subject: Subject, name: str, *, count: int) -> Section | None:
    """Lay out the bottlenecks worth most in few lines each; None where there is none."""
    ranked = rank_findings(subject)
    if not ranked:
        return None
    listings = tuple(_shorten_finding(finding) for finding in ranked[:count])
    more = len(ranked) - count
    return Section(
        f"Top bottlenecks on {name}" + (f" ({count} of {len(ranked)})" if more > 0 else ""), (), None, listings
    )


def _shorten_finding(finding: Finding) -> Listing:
    found = finding.by_shares
    assert found is not None, "only what has shares is ranked"
    saved = format_quantity(finding.seconds_to_gain, "s")
    worth = f"half of it is worth {saved}" if found.gain else "no gain in time; room for larger runs"
    first = (f"do first: {name_remedy(finding.remedies[0])}",) if finding.remedies else ()
    return Listing(found.bound, f"{finding.cell.place}, {worth} ({found.code})", first)


def lay_remedies(report: Report) -> Section:
    """Lay out what helps: every rule or cause that names a class here, with the stages concerned, once."""
    several = len(report.subjects) > 1
    concerned: dict[str, dict[tuple[Remedy, ...], dict[str, list[str]]]] = {}
    for subject in report.subjects:
        for finding in subject.findings:
            title = finding.cell.title + (f" on {_name_origin(subject, report)}" if several else "")
            if finding.verdict.code and not _is_trifle(finding, subject):
                by_remedies = concerned.setdefault(finding.verdict.code, {})
                by_title = by_remedies.setdefault(finding.remedies, {})
                by_title.setdefault(title, []).append(finding.cell.size)
    known: tuple[Cause | Rule, ...] = (*CAUSES, *RULES)
    listings = [
        _list_remedies(each, remedies, titles)
        for each in known
        for remedies, titles in concerned.get(each.code, {}).items()
    ]
    what = "stage" if any(subject.commit for subject in report.subjects) else "part"
    lines = () if listings else (f"No {what} is in a class that has remedies.",)
    return Section("Remedies", lines, listings=tuple(listings))


def _name_origin(subject: Subject, report: Report) -> str:
    return f"{subject.machine.name}{name_environment(subject, report.subjects)}"


def _list_remedies(known: Cause | Rule, remedies: tuple[Remedy, ...], concerned: dict[str, list[str]]) -> Listing:
    named = [name_sizes(stage, sizes) for stage, sizes in concerned.items()]
    line = f"{known.title} ({known.code}): {'; '.join(named[:SHOWN])}{name_more(len(named))}"
    points = tuple(name_remedy(remedy) for remedy in remedies)
    return Listing(known.bound, line, points or ("nothing in the configuration helps here: profile it",))


def lay_disagreements(subject: Subject, name: str) -> Section | None:
    """Lay out where thresholds and shares name different classes, and why; None where they agree."""
    differing = [finding for finding in subject.findings if finding.disagreement]
    if not differing:
        return None
    folded: dict[tuple[str, Bound, Bound], list[Finding]] = {}
    for finding in differing:
        assert finding.attribution is not None, "only what both rule sets class can differ"
        key = (finding.cell.title, finding.by_thresholds.bound, finding.attribution.bound)
        folded.setdefault(key, []).append(finding)
    rows = [
        (
            Item(name_sizes(title, (finding.cell.rows_text for finding in alike)), None, alike[-1].cell.benchmark),
            Item(alike[-1].disagreement),
        )
        for (title, *_), alike in folded.items()
    ]
    judged = sum(finding.attribution is not None for finding in subject.findings)
    why = "why, at each stage's largest size" if subject.commit else "why"
    lines = (f"Fixed thresholds and shares name different classes for {len(differing)} of {judged}; {why}.",)
    first = "Stage" if subject.commit else "Part"
    return Section(f"Where the rules differ on {name}", lines, tabulate(((first, False), ("Why", False)), rows))
