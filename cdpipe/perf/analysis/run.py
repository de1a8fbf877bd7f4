"""The same report on a run that asv knows nothing of: figures by name, straight from a probe."""

import datetime
import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from cdpipe.figures import UNITS
from cdpipe.perf.analysis.findings import Finding, Report, Rules, Subject, judge_cells
from cdpipe.perf.analysis.history import History
from cdpipe.perf.analysis.thresholds import Thresholds
from cdpipe.perf.results.cells import Cell, Figure
from cdpipe.perf.results.model import Machine
from cdpipe.perf.settings.settings import Settings

WHOLE: Final = "whole run"
"""What all parts of a run together are called."""


def report_run(
    parts: Mapping[str, Mapping[str, float | None]],
    *,
    machine: Machine,
    date: datetime.datetime,
    whole: Mapping[str, float | None] | None = None,
    rows: Mapping[str, int] | None = None,
    thresholds: Thresholds | None = None,
    rules: Rules = Rules.ATTRIBUTION,
    settings: Settings | None = None,
) -> Report:
    """Name the bottlenecks of a run.

    Parameters
    ----------
    parts
        Of each part of the run its figures by name, in the units of `UNITS`. What is absent, is None or is not finite
        was not measured; names that the report does not know are left out. Without `seconds`, `wall_seconds` are taken
        for them.
    machine
        Where it ran.
    date
        When.
    whole
        The same figures of all parts together. They are summed up apart: the whole has no class and no rank, for
        whatever bounds it bounds one of its parts.
    rows
        By part, rows that went into it, as far as they are known; of the whole as `WHOLE`.
    thresholds
        Where the indicators of the fixed rules lie; None for the design's.
    rules
        Which rules name the classes.
    settings
        Remedies, and where tasks ran; None for general remedies.

    Returns
    -------
    Report
        Of one subject, without a commit; it is written by `render_text`, `render_markdown` and `render_json`.
    """
    limits = thresholds or Thresholds()
    known = rows or {}
    cells = tuple(_take_figures(name, figures, known.get(name)) for name, figures in parts.items())
    own = settings or Settings()
    findings = judge_cells(cells, thresholds=limits, rules=rules, machine=machine, settings=own)
    joined = _take_figures(WHOLE, whole, known.get(WHOLE)) if whole else None
    return Report(None, rules, limits, (_describe_run(machine, date, cells, findings, joined),), own)


def _describe_run(
    machine: Machine,
    date: datetime.datetime,
    cells: tuple[Cell, ...],
    findings: tuple[Finding, ...],
    whole: Cell | None,
) -> Subject:
    none = np.empty((0, len(cells)))
    return Subject(
        machine=machine,
        commit="",
        date=date,
        environment="",
        cells=cells,
        findings=findings,
        scalings=(),
        core_curves=(),
        partition_curves=(),
        checks=(),
        troubles=(),
        history=History((), cells, none.astype(np.int64), none, (), (), ()),
        whole=whole,
    )


def _take_figures(name: str, figures: Mapping[str, float | None], rows: int | None) -> Cell:
    known = {each: value for each, value in figures.items() if each in UNITS and value is not None}
    known = {each: float(value) for each, value in known.items() if math.isfinite(value)}
    if "wall_seconds" in known:
        known.setdefault("seconds", known["wall_seconds"])
    return Cell(name, (), rows, "", {each: Figure(value, None, "", ()) for each, value in known.items()})
