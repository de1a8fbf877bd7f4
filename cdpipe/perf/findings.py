"""The one pure core: a results directory -> what it says, as frozen values that every output is made from."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cdpipe.perf.asv_results import choose_headers, load_run, open_results
from cdpipe.perf.bottlenecks import Thresholds, Verdict, classify
from cdpipe.perf.cells import BESIDE, Cell, Trouble, collect_cells
from cdpipe.perf.measurements import Header, Machine, Results
from cdpipe.perf.scaling import Scaling, measure_scaling
from cdpipe.perf.targets import Check, check_targets


@dataclass(frozen=True, slots=True)
class Finding:
    """A stage at a size, and what bounds it."""

    cell: Cell
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Subject:
    """What one machine measured of one commit in one environment."""

    machine: Machine
    commit: str
    date: datetime.datetime
    environment: str
    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...]
    scalings: tuple[Scaling, ...]
    checks: tuple[Check, ...]
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a results directory says, and the thresholds it was judged by."""

    results_dir: Path
    thresholds: Thresholds
    subjects: tuple[Subject, ...]


def build_report(
    results_dir: Path,
    *,
    commit: str | None = None,
    machine: str | None = None,
    thresholds: Thresholds | None = None,
) -> Report:
    """Read asv's results and name the bottlenecks.

    Parameters
    ----------
    results_dir
        asv's results directory, of any project.
    commit
        The beginning of a commit hash, at least four characters; None for the newest commit of each machine.
    machine
        Machine's name; None for all.
    thresholds
        Where the indicators lie; None for the design's.

    Returns
    -------
    Report
        One subject for each machine and environment.

    Raises
    ------
    ResultsError
        If the results cannot be read, or have nothing of that commit or machine; it names file and field.
    """
    results = open_results(results_dir)
    limits = thresholds or Thresholds()
    headers = choose_headers(results, commit=commit, machine=machine)
    return Report(results_dir, limits, tuple(_examine(results, header, limits) for header in headers))


def _examine(results: Results, header: Header, thresholds: Thresholds) -> Subject:
    cells, troubles = collect_cells(load_run(results, header))
    return Subject(
        machine=results.machines[header.machine],
        commit=header.commit,
        date=datetime.datetime.fromtimestamp(header.date_ms / 1000, tz=datetime.UTC),
        environment=header.environment,
        cells=tuple(cells),
        findings=tuple(Finding(cell, _judge(cell, thresholds)) for cell in cells if cell.figures.keys() - BESIDE),
        scalings=measure_scaling(cells),
        checks=check_targets(cells),
        troubles=troubles,
    )


def _judge(cell: Cell, thresholds: Thresholds) -> Verdict:
    return classify({name: figure.value for name, figure in cell.figures.items()}, thresholds=thresholds)
