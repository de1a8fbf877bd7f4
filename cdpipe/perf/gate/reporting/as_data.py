"""A comparison as data: all figures, all pairs, and the rules by which they were judged."""

import json
import math
from dataclasses import asdict
from typing import Any

from cdpipe.perf.gate.deciding.verdicts import Decision
from cdpipe.perf.gate.measuring.rounds import Pair
from cdpipe.perf.gate.outcome import Outcome, Row

VERSION = 1


def render_data(outcome: Outcome) -> str:
    """Write a comparison as JSON; what is not known is null."""
    return json.dumps(describe_outcome(outcome), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return a comparison as values that JSON has."""
    return {
        "version": VERSION,
        "status": outcome.status.value,
        "result": outcome.status.name.lower(),
        "headline": outcome.headline,
        "invalid": outcome.invalid or None,
        "error": outcome.error or None,
        "output": outcome.output or None,
        "base": {"hash": outcome.base.hash, "name": outcome.base.name},
        "head": {"hash": outcome.head.hash, "name": outcome.head.name},
        "criteria": asdict(outcome.criteria),
        "seed": outcome.seed,
        "seconds": outcome.seconds,
        "benchmarks": [_describe_row(row) for row in outcome.rows],
        "canary": None if outcome.canary is None else _describe_decision(outcome.canary),
        "failures": [
            {"benchmark": each.benchmark, "side": str(each.side), "output": each.output} for each in outcome.failures
        ],
        "only_on": {name: str(side) for name, side in outcome.missing.items()},
        "design": list(outcome.design),
        "notes": list(outcome.notes),
        "pairs": [_describe_pair(pair) for pair in outcome.pairs],
    }


def _describe_row(row: Row) -> dict[str, Any]:
    series, explanation = row.series, row.explanation
    return {
        "benchmark": series.name,
        "stage": series.stage or None,
        "figure": series.figure or None,
        "unit": series.unit,
        **_describe_decision(row.decision),
        "is_regression": row.is_regression,
        "accepted": row.accepted or None,
        "why": None
        if explanation is None
        else {
            "sentence": explanation.sentence,
            "resource": explanation.resource or None,
            "figures": {name: list(values) for name, values in explanation.figures.items()},
            "functions": [list(each) for each in explanation.functions],
        },
        "base": series.base,
        "head": series.head,
    }


def _describe_decision(decision: Decision) -> dict[str, Any]:
    described = asdict(decision) | {"verdict": str(decision.verdict)}
    described["interval"] = None if decision.interval is None else list(decision.interval)
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in described.items()
    }


def _describe_pair(pair: Pair) -> dict[str, Any]:
    return {
        "benchmark": pair.benchmark,
        "number": pair.number,
        "head_first": pair.head_first,
        "again": pair.again,
        "is_disturbed": pair.is_disturbed,
        **{
            side: {
                "samples": list(reading.samples),
                "others": round(reading.others, 4),
                "seconds": round(reading.seconds, 4),
                "cpu_seconds": round(reading.cpu_seconds, 4),
            }
            for side, reading in (("base", pair.base), ("head", pair.head))
        },
    }
