"""The one pure core: a results directory -> what it says, as frozen values that every output is made from."""

import datetime
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from cdpipe.figures import CATALOGUE, PREFIX, SHARES
from cdpipe.perf.analysis.attribution import Attribution, attribute_all, name_bound
from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.causes import CAUSES, cause_of
from cdpipe.perf.analysis.disagreement import explain_disagreement
from cdpipe.perf.analysis.efficiency import CoreCurve, PartitionCurve, measure_cores, measure_partitions
from cdpipe.perf.analysis.history import History, choose_history, read_history
from cdpipe.perf.analysis.scaling import Scaling, measure_scaling
from cdpipe.perf.analysis.slot_classes import DISTURBED
from cdpipe.perf.analysis.thresholds import RULES, Thresholds, Verdict, classify
from cdpipe.perf.results.cells import Cell, Trouble, collect_cells
from cdpipe.perf.results.directory import choose_headers, load_run, open_results
from cdpipe.perf.results.model import Header, Machine, Results, ResultsError
from cdpipe.perf.results.sizes import CORES, PARTITION
from cdpipe.perf.settings.remedies import Remedy, Situation, choose_remedies
from cdpipe.perf.settings.settings import Settings, find_settings
from cdpipe.perf.settings.targets import Check, check_targets

HISTORY_COMMITS: Final = 100
"""How many commits are looked back on unless the caller says."""

_DECIDING: Final = frozenset(
    {condition.figure for rule in RULES for condition in rule.conditions} | {PREFIX + name for name in SHARES}
)


class Rules(StrEnum):
    """How a class is named: from where the time went, or by the fixed thresholds of the design."""

    ATTRIBUTION = "attribution"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Finding:
    """A stage at a size, and what bounds it.

    Attributes
    ----------
    cell
        The stage, its variant, its size and its figures.
    rules
        Which rules named the class: the thresholds also where the attribution was asked for and there are no shares.
    by_thresholds
        The class by the thresholds.
    attribution
        The class by the shares, None if the cell has none.
    disagreement
        Why the two differ, `""` where they do not.
    remedies
        What to do, the most effective first: the project's own as far as they can work here, else general ones.
    """

    cell: Cell
    rules: Rules
    by_thresholds: Verdict
    attribution: Attribution | None
    disagreement: str
    remedies: tuple[Remedy, ...] = ()

    @property
    def is_disturbed(self) -> bool:
        """Whether other work had the cores for too much of the time to name a class."""
        return self.attribution is not None and self.attribution.bound is Bound.DISTURBED

    @property
    def is_beside_work(self) -> bool:
        """Whether other work had the cores for so much of the time that its figures are marked."""
        probed = self.attribution is not None and self.attribution.is_beside_work
        return probed or self.cell.is_time_disturbed

    @property
    def by_shares(self) -> Attribution | None:
        """The attribution if it names the class, else None."""
        return self.attribution if self.rules is Rules.ATTRIBUTION else None

    @property
    def verdict(self) -> Verdict:
        """The class by `rules`, with its code; *disturbed* by either."""
        chosen = self.attribution if self.is_disturbed else self.by_shares
        return Verdict(chosen.bound, chosen.code) if chosen else self.by_thresholds

    @property
    def bound(self) -> Bound:
        """The class by `rules`."""
        return self.verdict.bound

    @property
    def label(self) -> str:
        """The class by `rules` in few words: `lock-bound (GIL)`."""
        return name_bound(self.by_shares) if self.by_shares else str(self.bound)

    @property
    def title(self) -> str:
        """What was found, in words; `""` for classes without a code."""
        if self.by_shares or self.is_disturbed:
            return self.by_shares.title if self.by_shares else ""
        return next((rule.title for rule in RULES if rule.code == self.by_thresholds.code), "")

    @property
    def probed(self) -> bool:
        """Whether anything was measured that says what it is bound by; it may still not suffice."""
        return bool(self.cell.figures.keys() & _DECIDING)

    @property
    def seconds_to_gain(self) -> float:
        """Seconds that the run would be shorter by if half of the named cause went; 0 where that is not known."""
        gain = self.by_shares.gain if self.by_shares else None
        seconds = self.cell.figures.get("seconds") or self.cell.figures.get("wall_seconds")
        return seconds.value * (1 - 1 / gain.by_half) if gain and seconds else 0.0


@dataclass(frozen=True, slots=True)
class Subject:
    """What one machine measured of one commit in one environment.

    Of a run that is no benchmark `commit` is `""`, the cells are its parts, and `whole` is the run as one, which is
    held against no part of itself.
    """

    machine: Machine
    commit: str
    date: datetime.datetime
    environment: str
    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...]
    scalings: tuple[Scaling, ...]
    core_curves: tuple[CoreCurve, ...]
    partition_curves: tuple[PartitionCurve, ...]
    checks: tuple[Check, ...]
    troubles: tuple[Trouble, ...]
    history: History
    whole: Cell | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a results directory says, or a run (then there is none), and the rules and settings it was judged by."""

    results_dir: Path | None
    rules: Rules
    thresholds: Thresholds
    subjects: tuple[Subject, ...]
    settings: Settings = field(default_factory=Settings)


def name_environment(subject: Subject, subjects: Sequence[Subject]) -> str:
    """Return `, ` and the environment where another subject is of the same machine and commit, else `""`."""
    same = [each for each in subjects if (each.machine, each.commit) == (subject.machine, subject.commit)]
    return f", {subject.environment}" if len(same) > 1 else ""


def build_report(
    results_dir: Path,
    *,
    commit: str | None = None,
    machine: str | None = None,
    thresholds: Thresholds | None = None,
    rules: Rules = Rules.ATTRIBUTION,
    history: int = HISTORY_COMMITS,
    settings: Settings | None = None,
) -> Report:
    """Read asv's results and name the bottlenecks.

    Parameters
    ----------
    results_dir
        asv's results directory, of any project.
    commit, machine
        Four or more characters of a commit's hash; None for each machine's newest. A machine's name; None for all.
    thresholds
        Where the indicators of the fixed rules lie; None for the design's.
    rules
        Which rules name the classes. Cells without shares are classed by the thresholds whatever is asked for.
    history
        How many commits to look back on, the reported one included; at least 1.
    settings
        What the project says of its benchmarks; None for what `find_settings` finds above the results.

    Returns
    -------
    Report
        One subject for each machine and environment.

    Raises
    ------
    ResultsError
        If the results cannot be read, or have nothing of that commit or machine; it names file and field.

    Examples
    --------
    >>> from pathlib import Path
    >>> report = build_report(Path(".asv/results"))
    >>> bounds = {finding.cell.stage: finding.bound for finding in report.subjects[0].findings}
    >>> bounds["clean/basic"].value
    'compute-bound'
    """
    limits = thresholds or Thresholds()
    with _without_collection():
        known = find_settings(results_dir) if settings is None else settings
        _check_codes(known)
        results = open_results(results_dir, size_names=known.sizes)
        headers = choose_headers(results, commit=commit, machine=machine)
        examine = _Examiner(results, limits, rules, history, known).examine
        subjects = tuple(map(examine, headers))
    return Report(results_dir, rules, limits, subjects, known)


def _check_codes(settings: Settings) -> None:
    """Raise ResultsError if a project's remedy is against a finding that there is not."""
    known = {cause.code for cause in CAUSES} | {rule.code for rule in RULES}
    for own in settings.remedies:
        for code in own.causes:
            if code not in known and settings.path is not None:
                raise ResultsError(settings.path, "causes", f"has {code!r}", f"use {', '.join(sorted(known))}")


@contextmanager
def _without_collection() -> Iterator[None]:
    """Pause Python's search for cycles: there are none among millions of parsed values, and it takes two thirds."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def judge_cells(
    cells: Sequence[Cell],
    *,
    thresholds: Thresholds,
    rules: Rules,
    machine: Machine,
    settings: Settings,
) -> tuple[Finding, ...]:
    """Name what bounds each cell, by both rule sets where it has shares, else by the thresholds, and what helps."""
    runs = [{name: figure.value for name, figure in cell.figures.items()} for cell in cells]
    findings = []
    for cell, figures, attribution in zip(cells, runs, attribute_all(runs), strict=True):
        by_thresholds = classify(figures, thresholds=thresholds)
        differ = explain_disagreement(attribution, by_thresholds, figures) if attribution else ""
        finding = Finding(cell, rules if attribution else Rules.REPORT, by_thresholds, attribution, differ)
        at = Situation(
            stage=cell.stage,
            scheduler=cell.scheduler or settings.scheduler,
            slots=figures.get("cores"),
            machine_cores=int(machine.cores) if machine.cores.isdigit() else None,
        )
        findings.append(replace(finding, remedies=_find_remedies(finding.verdict.code, settings, at)))
    return tuple(findings)


def _find_remedies(code: str, settings: Settings, at: Situation) -> tuple[Remedy, ...]:
    if not code:
        return ()
    rule = next((rule for rule in RULES if rule.code == code), None)
    general = rule.remedies if rule else cause_of(code).remedies
    return choose_remedies(code, general, settings.remedies, at)


def is_stage(cell: Cell) -> bool:
    """Say whether a cell is a stage to class: not if it only has figures beside one, or is a point of a curve."""
    measured = {name for name in cell.figures if CATALOGUE[name].says_bound}
    on_curve = any(name in {CORES, PARTITION} for name, _ in cell.variant)
    return bool(measured & _DECIDING if on_curve else measured)


@dataclass(frozen=True, slots=True)
class _Examiner:
    """An open results directory, and by what its commits are judged."""

    results: Results
    thresholds: Thresholds
    rules: Rules
    history: int
    settings: Settings

    def examine(self, header: Header) -> Subject:
        """Return what one result file says."""
        results, machine = self.results, self.results.machines[header.machine]
        cells, troubles = collect_cells(load_run(results, header))
        stages = tuple(cell for cell in cells if is_stage(cell))
        commits = choose_history(results, header, limit=self.history)
        by_shares = self.rules is Rules.ATTRIBUTION
        return Subject(
            machine=machine,
            commit=header.commit,
            date=datetime.datetime.fromtimestamp(header.date_ms / 1000, tz=datetime.UTC),
            environment=header.environment,
            cells=tuple(cells),
            findings=judge_cells(
                stages, thresholds=self.thresholds, rules=self.rules, machine=machine, settings=self.settings
            ),
            scalings=measure_scaling(cells),
            core_curves=measure_cores(cells),
            partition_curves=measure_partitions(cells),
            checks=check_targets(cells, self.settings.targets, disturbed=DISTURBED),
            troubles=troubles,
            history=read_history(results, commits, stages, thresholds=self.thresholds, by_shares=by_shares),
        )
