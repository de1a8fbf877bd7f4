"""Wording: the figures of a comparison as people read them, the same in every format."""

import math
from typing import Final

import numpy as np

from cdpipe.perf.gate.deciding.series import WIDEST, Series, Verdict
from cdpipe.perf.gate.deciding.verdicts import Decision
from cdpipe.perf.gate.outcome import Outcome, Row
from cdpipe.perf.report.document import NONE
from cdpipe.perf.wording.units import format_quantity

_UNITS: Final = {"seconds": "s", "bytes": "B", "share": "share", "tasks": "tasks", "percent": "%"}
TITLES: Final = (
    ("verdict", False),
    ("benchmark", False),
    ("base", True),
    ("head", True),
    ("change", True),
    ("interval", True),
    ("floor", True),
    ("sees from", True),
    ("pairs", True),
)
"""Columns of the table, and whether they hold numbers."""


def name_verdict(row: Row) -> str:
    """Return the verdict, with the word that it is accepted."""
    return f"{row.decision.verdict} (accepted)" if row.accepted and row.is_worse else str(row.decision.verdict)


def list_texts(row: Row) -> tuple[str, ...]:
    """Return a row of the table, in the order of `TITLES`."""
    series, decision = row.series, row.decision
    return (
        name_verdict(row),
        series.name,
        format_side(series, series.base),
        format_side(series, series.head),
        format_change(decision.change),
        format_interval(decision),
        NONE if math.isnan(decision.floor) else f"{decision.floor:.1%}",
        NONE if math.isnan(decision.detectable) else f"{decision.detectable:.1%}",
        f"{decision.pairs}" + ("" if decision.extra_pairs is None else f" (+{decision.extra_pairs})"),
    )


def format_side(series: Series, figures: list[float]) -> str:
    """Return the median figure of a side with its unit."""
    if not figures:
        return NONE
    return format_quantity(float(np.median(figures)), _UNITS.get(series.unit, series.unit))


def format_change(change: float) -> str:
    """Return a change in percent, and as a factor from three times on: `+4.1%`, `3.2x`."""
    if math.isnan(change):
        return NONE
    ratio = 1 + change
    if ratio >= WIDEST * 0.999:
        return "from 0"
    if ratio <= 1.001 / WIDEST:
        return "to 0"
    return f"{ratio:.1f}x" if ratio >= 3 else f"{change:+.1%}"


def format_interval(decision: Decision) -> str:
    """Return the interval of a change: `+1.2% to +5.0%`."""
    if decision.interval is None:
        return NONE
    low, high = map(format_change, decision.interval)
    return f"{low} to {high}"


def explain_row(row: Row) -> str:
    """Return what a reader must know of a row beside its figures: why, what is missing, or why it is accepted."""
    decision = row.decision
    parts = [decision.reason]
    if decision.verdict is Verdict.CANNOT_TELL:
        if decision.extra_pairs is not None:
            parts.append(f"about {decision.extra_pairs} more pairs would tell")
        elif decision.pairs:
            parts.append("no number of pairs is sure to tell: it lies at the limit of what counts")
    if row.explanation is not None:
        parts.append(row.explanation.sentence)
    if row.accepted:
        parts.append(f"accepted: {row.accepted}")
    return "; ".join(parts)


def list_remarks(outcome: Outcome) -> list[str]:
    """Return sentences on what is not in the table: failures, what only one side has, notes."""
    remarks = [
        f"{failure.benchmark}: could not be measured on the {failure.side}: {_take_last_line(failure.output)}"
        for failure in outcome.failures
    ]
    remarks += [f"{name}: only the {side} has it" for name, side in sorted(outcome.missing.items())]
    return [*remarks, *outcome.notes]


def _take_last_line(output: str) -> str:
    """Return the line that says what failed; data have all of the output."""
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "it wrote nothing")


def describe_rules(outcome: Outcome) -> str:
    """Return the rules of the decision in a sentence or two."""
    criteria = outcome.criteria
    return (
        f"A change counts if it is certain ({criteria.false_alarms:.0%} false alarms a run, over all benchmarks and "
        f"looks) and beyond its floor: {criteria.smallest:.0%}, or what equal code differs by here. No change is an "
        f"interval within {criteria.tolerance:.0%} either way. `sees from` is the smallest change that the whole plan "
        "finds in nine runs of ten; (+n) is how many more pairs a verdict would take."
    )
