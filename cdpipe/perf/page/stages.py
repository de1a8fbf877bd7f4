"""The page's pictures of stages: their classes by size as a matrix, and their shares of time as bars with evidence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Finding, Subject
from cdpipe.perf.page.pieces import Picture
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

_ROOM: Final = 0.2
"""A share from this on has room for its name."""


@dataclass(frozen=True, slots=True)
class Square:
    """A class in the matrix; it leads to its evidence, or where there is none to asv's graph of a benchmark."""

    bound: Bound
    label: str
    seconds: str
    evidence: str
    benchmark: str


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A stage, its classes, and a square for each size: None where it was not measured."""

    title: str
    bounds: tuple[Bound, ...]
    squares: tuple[Square | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix(Picture):
    """Stages against sizes, coloured by class."""

    template = "matrix.html.j2"
    sizes: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True, slots=True)
class BarPart:
    """A share of a bar: its name, its value, what it says to who points at it, and if its name fits into it."""

    share: str
    value: float
    said: str
    has_room: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """Where the time of a stage went at one size; `name` is of both, `evidence` the `id` of what it leads to."""

    name: str
    size: str
    parts: tuple[BarPart, ...]
    time: str
    bound: Bound
    label: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Told:
    """What was found, the lines that support it, and what to do."""

    found: str
    lines: tuple[str, ...]
    remedies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is told of the sizes that it is the same for."""

    place: str
    sizes: str
    told: Told
    benchmark: str


@dataclass(frozen=True, slots=True)
class StageShares:
    """The bars of a stage, by size, and their evidence."""

    title: str
    bounds: tuple[Bound, ...]
    bars: tuple[Bar, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares(Picture):
    """Where the time of every stage went; `legend` says what the shares mean that are there."""

    template = "shares.html.j2"
    legend: tuple[tuple[str, str], ...]
    stages: tuple[StageShares, ...]


def group_findings(subject: Subject) -> dict[str, list[Finding]]:
    """Bring a stage's findings together by its title, in their order: by size."""
    grouped: dict[str, list[Finding]] = {}
    for finding in subject.findings:
        grouped.setdefault(finding.cell.title, []).append(finding)
    return grouped


def lay_matrix(subject: Subject, name: str, place: str) -> Matrix | None:
    """Lay out the matrix of a subject under its name; None where no benchmark has sizes."""
    sized = [finding for finding in subject.findings if finding.cell.rows is not None]
    if not sized:
        return None
    sizes = {finding.cell.rows: finding.cell.rows_text for finding in sized}
    columns = sorted(sizes, key=lambda rows: rows or 0)
    grouped: dict[str, dict[int | None, Finding]] = {}
    for finding in sized:
        grouped.setdefault(finding.cell.title, {})[finding.cell.rows] = finding
    evidence = _place_evidence(subject, place.replace("matrix", "shares"))
    return Matrix(
        title=f"Stages by {'rows' if name_size(subject.cells) == 'Rows' else 'size'} on {name}",
        place=place,
        sizes=tuple(sizes[rows] for rows in columns),
        rows=tuple(
            MatrixRow(
                title, _list_bounds(known.values()), tuple(_lay_square(known.get(rows), evidence) for rows in columns)
            )
            for title, known in grouped.items()
        ),
    )


def _list_bounds(findings: Iterable[Finding]) -> tuple[Bound, ...]:
    return tuple(finding.bound for finding in findings)


def _lay_square(finding: Finding | None, evidence: Mapping[int, str]) -> Square | None:
    if finding is None:
        return None
    seconds = show_time(finding).text
    return Square(
        bound=finding.bound,
        label=say_class(finding) if finding.probed else "not probed",
        seconds="" if seconds == NONE else seconds,
        evidence=evidence.get(id(finding), ""),
        benchmark=finding.cell.benchmark,
    )


def _place_evidence(subject: Subject, place: str) -> dict[int, str]:
    """Return where the evidence of each finding is told, by the finding's `id`; what is told alike is told once."""
    return {
        id(finding): f"{place}-{number}-{at}"
        for number, findings in enumerate(_group_shared(subject).values())
        for at, alike in enumerate(_group_told(findings).values())
        for finding in alike
    }


def _group_shared(subject: Subject) -> dict[str, list[Finding]]:
    """Return the findings that have shares, by the stage's title."""
    return {
        title: known
        for title, findings in group_findings(subject).items()
        if (known := [finding for finding in findings if finding.attribution])
    }


def _group_told(findings: Iterable[Finding]) -> dict[Told, list[Finding]]:
    """Bring together what the same evidence is told of."""
    alike: dict[Told, list[Finding]] = {}
    for finding in findings:
        alike.setdefault(_tell_evidence(finding), []).append(finding)
    return alike


def _tell_evidence(finding: Finding) -> Told:
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
    return Told(f"{attribution.bound}{found}", lines, tuple(map(name_remedy, finding.remedies)))


def lay_shares(subject: Subject, name: str, place: str) -> Shares | None:
    """Lay out where each stage's time went, a bar a size, each with its evidence; None where there are no shares."""
    grouped = _group_shared(subject)
    if not grouped:
        return None
    stages = tuple(
        _lay_stage(title, known, f"{place}-{number}") for number, (title, known) in enumerate(grouped.items())
    )
    seen = {part.share for stage in stages for bar in stage.bars for part in bar.parts}
    return Shares(
        title=f"Where the time goes on {name}",
        place=place,
        legend=tuple((share, meaning) for share, meaning in _MEANINGS.items() if share in seen),
        stages=stages,
    )


def _lay_stage(title: str, findings: list[Finding], place: str) -> StageShares:
    alike = _group_told(findings)
    places = {told: f"{place}-{at}" for at, told in enumerate(alike)}
    by_finding = {id(finding): places[told] for told, known in alike.items() for finding in known}
    evidence = tuple(
        Evidence(
            place=places[told],
            sizes=", ".join(finding.cell.rows_text for finding in known if finding.cell.rows_text),
            told=told,
            benchmark=known[-1].cell.benchmark,
        )
        for told, known in alike.items()
    )
    bars = tuple(_lay_bar(finding, by_finding[id(finding)]) for finding in findings)
    return StageShares(title, _list_bounds(findings), bars, evidence)


def _lay_bar(finding: Finding, evidence: str) -> Bar:
    attribution, cell = finding.attribution, finding.cell
    assert attribution is not None, "only what has an attribution is drawn"
    seconds = cell.figures.get("seconds") or cell.figures.get("wall_seconds")
    taken = seconds.value if seconds else None
    shares = ((name, attribution.shares.get(name, 0.0)) for name in _MEANINGS)
    mark = BESIDE if finding.is_beside_work else ""
    return Bar(
        name=cell.place,
        size=cell.rows_text,
        parts=tuple(_lay_part(name, share, taken) for name, share in shares if share >= _SMALLEST),
        time="" if taken is None else mark + format_quantity(taken, "s"),
        bound=finding.bound,
        label=say_class(finding),
        evidence=evidence,
    )


def _lay_part(name: str, share: float, seconds: float | None) -> BarPart:
    worth = f", {format_quantity(share * seconds, 's')} of {format_quantity(seconds, 's')}" if seconds else ""
    return BarPart(name, share, f"{name} {format_percent(share)}{worth}: {_MEANINGS[name]}", share >= _ROOM)
