"""A report as plain values, for JSON: every figure with its unit, interval, benchmark, machine and commit."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from cdpipe.figures import UNITS
from cdpipe.perf.analysis.attribution import Attribution
from cdpipe.perf.analysis.findings import Finding, Report, Subject, is_stage
from cdpipe.perf.analysis.history import Change, History, Trend
from cdpipe.perf.analysis.scaling import Scaling
from cdpipe.perf.report.summary import say_busy, summarise
from cdpipe.perf.results.cells import Cell
from cdpipe.perf.settings.targets import Check

VERSION: Final = 2
"""It changes when a field changes its meaning or goes."""


def describe_report(report: Report) -> dict[str, Any]:
    """Return a report as values that JSON has: no NaN, no infinity, no enumerations."""
    return {
        "version": VERSION,
        "rules": str(report.rules),
        "summary": summarise(report),
        "busy": say_busy(report) or None,
        "thresholds": dataclasses.asdict(report.thresholds),
        "subjects": [_describe_subject(subject) for subject in report.subjects],
    }


def _describe_subject(subject: Subject) -> dict[str, Any]:
    return {
        "machine": dataclasses.asdict(subject.machine),
        "commit": subject.commit,
        "date": subject.date.isoformat(),
        "environment": subject.environment,
        "whole": _describe_cell(subject.whole) if subject.whole else None,
        "cells": [_describe_finding(finding) for finding in subject.findings],
        "unclassified_cells": [_describe_cell(cell) for cell in subject.cells if not is_stage(cell)],
        "scaling": [_describe_scaling(scaling) for scaling in subject.scalings],
        "cores": [dataclasses.asdict(curve) for curve in subject.core_curves],
        "partitions": [dataclasses.asdict(curve) for curve in subject.partition_curves],
        "targets": [_describe_check(check) for check in subject.checks],
        "history": _describe_history(subject.history),
        "without_figure": [dataclasses.asdict(trouble) for trouble in subject.troubles],
    }


def _describe_finding(finding: Finding) -> dict[str, Any]:
    verdict, thresholds = finding.verdict, finding.by_thresholds
    return {
        **_describe_cell(finding.cell),
        "class": str(verdict.bound),
        "rule": verdict.code or None,
        "rules": str(finding.rules),
        "probed": finding.probed,
        "disturbed": finding.is_disturbed,
        "time_disturbed": finding.cell.is_time_disturbed,
        "missing": verdict.missing,
        "by_thresholds": {
            "class": str(thresholds.bound),
            "rule": thresholds.code or None,
            "rules_also_holding": thresholds.also,
            "missing": thresholds.missing,
        },
        "attribution": _describe_attribution(finding.attribution) if finding.attribution else None,
        "disagreement": finding.disagreement or None,
        "remedies": [dataclasses.asdict(remedy) for remedy in finding.remedies],
    }


def _describe_attribution(attribution: Attribution) -> dict[str, Any]:
    gain = attribution.gain
    return {
        "class": str(attribution.bound),
        "code": attribution.code or None,
        "title": attribution.title,
        "shares": dict(attribution.shares),
        "evidence": attribution.evidence,
        "gain": {
            "share": gain.share,
            "by_half": gain.by_half,
            "at_most": gain.at_most if gain.at_most < float("inf") else None,
            "text": gain.text,
        }
        if gain
        else None,
        "probabilities": {str(bound): chance for bound, chance in attribution.probabilities.items()},
    }


def _describe_cell(cell: Cell) -> dict[str, Any]:
    return {
        "stage": cell.stage,
        "variant": dict(cell.variant),
        "rows": cell.rows,
        "rows_text": cell.rows_text,
        "figures": {name: _describe_figure(name, figure) for name, figure in cell.figures.items()},
    }


def _describe_figure(name: str, figure: Any) -> dict[str, Any]:  # noqa: ANN401
    # Not `asdict`, which copies deeply: there are tens of thousands of these.
    return {
        "value": figure.value,
        "interval": figure.interval,
        "benchmark": figure.benchmark,
        "params": figure.params,
        "others": figure.others,
        "unit": UNITS[name],
    }


def _describe_scaling(scaling: Scaling) -> dict[str, Any]:
    return {**dataclasses.asdict(scaling), "judgement": str(scaling.judgement), "code": scaling.code or None}


def _describe_history(history: History) -> dict[str, Any]:
    return {
        "commits": [{"commit": point.commit, "date": point.date.isoformat()} for point in history.commits],
        "changes": [_describe_change(change) for change in history.changes],
        "trends": [_describe_trend(trend) for trend in history.trends],
        "unreadable": history.unreadable,
    }


def _describe_change(change: Change) -> dict[str, Any]:
    return {
        **_name_cell(change.cell),
        "before": str(change.before),
        "after": str(change.after),
        "since": change.since.commit,
        "since_date": change.since.date.isoformat(),
        "commits_since": change.commits_since,
        "changes": change.changes,
        "commits": change.commits,
    }


def _describe_trend(trend: Trend) -> dict[str, Any]:
    return {
        **_name_cell(trend.cell),
        "commits": trend.count,
        "first_seconds": trend.first,
        "last_seconds": trend.last,
        "factor": trend.factor,
        "interval": trend.interval,
        "certain": trend.certain,
    }


def _name_cell(cell: Cell) -> Mapping[str, Any]:
    return {"stage": cell.stage, "variant": dict(cell.variant), "rows": cell.rows}


def _describe_check(check: Check) -> dict[str, Any]:
    target = check.target
    return {
        "code": target.code,
        "title": target.title,
        "limit": target.limit,
        "unit": target.unit,
        "better": "more" if target.at_least else "less",
        "outcome": str(check.outcome),
        "measured": check.worst.value if check.worst else None,
        "where": check.where or None,
        "benchmarks": check.worst.benchmarks if check.worst else (),
        "readings": check.count,
    }
