"""The page's picture of stages: their classes by size as a matrix, and their shares of time as bars with evidence."""

from collections.abc import Mapping
from typing import Final

from cdpipe.perf.analysis.findings import Finding, Subject
from cdpipe.perf.page.pieces import (
    CLASSES,
    break_name,
    fold,
    head_section,
    link_benchmark,
    list_lines,
    mark_filtered,
    show_chip,
    show_text,
    widen,
)
from cdpipe.perf.report.document import BESIDE, NONE, name_remedy
from cdpipe.perf.report.stages import name_size, say_class, show_time
from cdpipe.perf.wording.units import format_percent, format_quantity

_MEANINGS: Final[Mapping[str, str]] = {
    "compute": "on a core, at work",
    "memory": "waiting for memory: reclaimed, swapped or spilled",
    "disk": "waiting for the disk",
    "network": "waiting for the network",
    "serialisation": "turning objects into bytes and back",
    "scheduling": "building the graph, handing out tasks and keeping their books",
    "gil": "waiting for Python's global lock",
    "lock": "waiting for another lock",
    "sleep": "asleep, or waiting for what nothing else names",
    "contention": "ready to run, but other work has the core",
    "gc": "collecting garbage",
    "idle": "without a task",
    "unattributed": "not known",
}
_SMALLEST: Final = 0.001
"""A share below this is not drawn: it would be thinner than a line."""


def group_findings(subject: Subject) -> dict[str, list[Finding]]:
    """Bring a stage's findings together by its title, in their order: by size."""
    grouped: dict[str, list[Finding]] = {}
    for finding in subject.findings:
        grouped.setdefault(finding.cell.title, []).append(finding)
    return grouped


def draw_matrix(subject: Subject, name: str, place: str) -> str:
    """Draw stages against sizes, coloured by class; `""` where no benchmark has sizes."""
    sized = [finding for finding in subject.findings if finding.cell.rows is not None]
    if not sized:
        return ""
    sizes = {finding.cell.rows: finding.cell.rows_text for finding in sized}
    columns = sorted(sizes, key=lambda rows: rows or 0)
    grouped: dict[str, dict[int | None, Finding]] = {}
    for finding in sized:
        grouped.setdefault(finding.cell.title, {})[finding.cell.rows] = finding
    evidence = _place_evidence(subject, place.replace("matrix", "shares"))
    head = "".join(f'<th scope="col">{show_text(sizes[rows])}</th>' for rows in columns)
    body = "\n".join(
        f'<tr {mark_filtered(finding.bound for finding in by_rows.values())}><th scope="row" class="name">'
        f"{break_name(title)}</th>{''.join(_draw_square(by_rows.get(rows), evidence) for rows in columns)}</tr>"
        for title, by_rows in grouped.items()
    )
    title = f"Stages by {'rows' if name_size(subject.cells) == 'Rows' else 'size'} on {name}"
    table = f'<thead><tr><th scope="col">Stage</th>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>'
    return head_section(title, place, fold(widen(table, label=title, kind="matrix"), len(grouped), "stages"))


def _draw_square(finding: Finding | None, evidence: Mapping[int, str]) -> str:
    """Draw a class on its colour; it leads to its evidence, or where there is none to asv's graph."""
    if finding is None:
        return '<td class="empty"><span class="unseen">not measured</span></td>'
    cell = finding.cell
    seconds = show_time(finding).text
    taken = f"<small>{show_text(seconds)}</small>" if seconds != NONE else ""
    label = say_class(finding) if finding.probed else "not probed"
    place = evidence.get(id(finding))
    leading = link_benchmark(label, cell.benchmark) if place is None else f'<a href="#{place}">{break_name(label)}</a>'
    return f'<td class="{CLASSES[finding.bound]}">{leading}{taken}</td>'


def _place_evidence(subject: Subject, place: str) -> dict[int, str]:
    """Return where the evidence of each finding is told, by the finding's `id`; what is told alike is told once."""
    places: dict[int, str] = {}
    for number, findings in enumerate(_group_shared(subject).values()):
        told = [_tell_evidence(finding) for finding in findings]
        first = {text: at for at, text in enumerate(dict.fromkeys(told))}
        places |= {id(finding): f"{place}-{number}-{first[text]}" for finding, text in zip(findings, told, strict=True)}
    return places


def _group_shared(subject: Subject) -> dict[str, list[Finding]]:
    """Return the findings that have shares, by the stage's title."""
    return {
        title: known
        for title, findings in group_findings(subject).items()
        if (known := [finding for finding in findings if finding.attribution])
    }


def draw_shares(subject: Subject, name: str, place: str) -> str:
    """Draw where each stage's time goes, a bar a size, each with its evidence; `""` where there are no shares."""
    grouped = _group_shared(subject)
    if not grouped:
        return ""
    seen = [
        name for name in _MEANINGS if any(_is_drawn(finding, name) for every in grouped.values() for finding in every)
    ]
    legend = "".join(
        f'<li><span class="swatch share-{share}"></span><b>{share}</b> {show_text(_MEANINGS[share])}</li>'
        for share in seen
    )
    blocks = (_draw_stage(title, known, f"{place}-{number}") for number, (title, known) in enumerate(grouped.items()))
    content = fold("\n".join(blocks), len(grouped), "stages")
    intro = "Each bar is the time of all slots (threads that the stage may use). A part of it leads to its evidence."
    return head_section(
        f"Where the time goes on {name}", place, f'<p>{intro}</p>\n<ul class="shares">{legend}</ul>\n{content}'
    )


def _is_drawn(finding: Finding, name: str) -> bool:
    return finding.attribution is not None and finding.attribution.shares.get(name, 0.0) >= _SMALLEST


def _draw_stage(title: str, findings: list[Finding], place: str) -> str:
    told = [_tell_evidence(finding) for finding in findings]
    alike: dict[str, list[Finding]] = {}
    for text, finding in zip(told, findings, strict=True):
        alike.setdefault(text, []).append(finding)
    places = {text: f"{place}-{number}" for number, text in enumerate(alike)}
    bars = "\n".join(_draw_bar(finding, places[text]) for text, finding in zip(told, findings, strict=True))
    evidence = "\n".join(_frame_evidence(text, known, places[text]) for text, known in alike.items())
    return (
        f'<article class="stage" {mark_filtered(finding.bound for finding in findings)}>'
        f'<h3 class="name">{show_text(title)}</h3>\n{bars}\n'
        f"<details><summary>Evidence and remedies</summary>\n{evidence}\n</details></article>"
    )


def _draw_bar(finding: Finding, place: str) -> str:
    attribution, cell = finding.attribution, finding.cell
    assert attribution is not None, "only what has an attribution is drawn"
    seconds = cell.figures.get("seconds") or cell.figures.get("wall_seconds")
    taken = seconds.value if seconds else None
    parts = "".join(
        _draw_segment(name, attribution.shares[name], taken, place)
        for name in _MEANINGS
        if attribution.shares.get(name, 0.0) >= _SMALLEST
    )
    label = show_text(f"Shares of {cell.place}")
    mark = BESIDE if finding.is_beside_work else ""
    time = show_text(mark + format_quantity(taken, "s")) if taken is not None else ""
    return (
        f'<div class="size"><span class="rows">{show_text(cell.rows_text)}</span>'
        f'<span class="bar" role="group" aria-label="{label}">{parts}</span>'
        f'<span class="time">{time}</span>{show_chip(finding.bound, say_class(finding))}</div>'
    )


def _draw_segment(name: str, share: float, seconds: float | None, place: str) -> str:
    worth = f", {format_quantity(share * seconds, 's')} of {format_quantity(seconds, 's')}" if seconds else ""
    said = show_text(f"{name} {format_percent(share)}{worth}: {_MEANINGS[name]}")
    inside = f"<span>{name}</span>" if share >= 0.2 else ""
    return f'<a class="share-{name}" href="#{place}" style="flex-grow:{share:.4f}" aria-label="{said}">{inside}</a>'


def _tell_evidence(finding: Finding) -> str:
    attribution = finding.attribution
    assert attribution is not None, "only what has an attribution is told"
    found = f": {attribution.title} ({attribution.code})" if attribution.code else ""
    chances = [f"{bound} {format_percent(chance)}" for bound, chance in attribution.probabilities.items()]
    lines = (
        *attribution.evidence,
        *((f"by the noise of its samples: {', '.join(chances)}",) if len(chances) > 1 else ()),
        *((attribution.gain.text,) if attribution.gain else ()),
        *((f"the fixed thresholds differ: {finding.disagreement}",) if finding.disagreement else ()),
    )
    todo = "".join(f"<li>{show_text(name_remedy(remedy))}</li>" for remedy in finding.remedies)
    remedies = f"<p>To do, the most effective first:</p><ol>{todo}</ol>" if todo else ""
    return f"{show_text(f'{attribution.bound}{found}')}</h4>{list_lines(lines)}{remedies}"


def _frame_evidence(told: str, alike: list[Finding], place: str) -> str:
    """Frame what is told of the sizes that it is the same for."""
    sizes = ", ".join(finding.cell.rows_text for finding in alike if finding.cell.rows_text)
    head = show_text(f"{sizes} " if sizes else "")
    graph = link_benchmark("asv's graph", alike[-1].cell.benchmark)
    return f'<div class="evidence" id="{place}" tabindex="-1"><h4>{head}{told}<p>{graph}</p></div>'
