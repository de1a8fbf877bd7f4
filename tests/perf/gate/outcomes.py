"""Outcomes made by hand: rows with a verdict each, for tests of statuses and reports."""

from cdpipe.perf.gate.deciding.looks import plan_looks
from cdpipe.perf.gate.deciding.series import Series
from cdpipe.perf.gate.deciding.verdicts import Criteria, decide
from cdpipe.perf.gate.outcome import Commit, Outcome, Row

BASE, HEAD = Commit("a" * 40, "main"), Commit("b" * 40, "topic")


def make_row(name, change=0.0, *, unit="seconds", pairs=12, wild=False, accepted="", explanation=None):
    """A row whose pairs vary by a thousandth, or so wildly that nothing can be told."""
    base = [1.0 + (5.0 * (at % 3) if wild else 0.001 * (at % 5)) for at in range(pairs)]
    head = [value * (1 + change) for value in reversed(base)]
    series = Series(name, unit, base, head)
    looks = plan_looks(comparisons=1, false_alarms=0.01, most_pairs=24)
    return Row(series, decide([series], looks=looks, criteria=Criteria(), ended=True)[0], accepted, explanation)


def make_outcome(*rows, **options):
    ordered = tuple(sorted(rows, key=lambda row: row.rank))
    return Outcome(base=BASE, head=HEAD, rows=ordered, criteria=Criteria(), **options)
