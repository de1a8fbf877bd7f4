import pytest

from cdpipe.perf.gate.deciding.series import Verdict
from cdpipe.perf.gate.measuring.rounds import Failure, Side
from cdpipe.perf.gate.outcome import Status

from .outcomes import make_outcome, make_row

FAILED = (Failure("x", Side.HEAD, "ImportError: planted"),)


@pytest.mark.parametrize(
    ("rows", "options", "status", "headline"),
    [
        ([make_row("a"), make_row("b")], {}, 0, "No regression in 2 benchmarks"),
        ([make_row("a"), make_row("b", wild=True)], {}, 0, "No regression in 1 benchmark; 1 benchmark can't be told"),
        ([make_row("a", -0.3)], {}, 0, "No regression in 1 benchmark"),
        ([make_row("a", 0.3)], {}, 1, "1 benchmark got worse"),
        ([make_row("a", 0.3, unit="bytes"), make_row("b")], {}, 1, "1 benchmark got worse"),
        ([make_row("a", 0.3, unit="percent")], {}, 0, "No regression in 1 benchmark"),
        ([make_row("a", 0.3, accepted="meant")], {}, 0, "No regression in 1 benchmark"),
        ([make_row("a", 0.3)], {"failures": FAILED}, 1, "1 benchmark got worse"),
        ([make_row("a")], {"failures": FAILED}, 2, "1 benchmark could not be measured"),
        ([], {}, 2, "Nothing was measured"),
        ([], {"error": "no build"}, 2, "Nothing was measured: no build"),
        ([], {"failures": FAILED}, 2, "Nothing was measured"),
        ([make_row("a", wild=True)], {}, 2, "Nothing could be decided: more pairs, or a quieter machine, are needed"),
        ([make_row("a", 0.3)], {"invalid": "others"}, 3, "Invalid run, which says nothing of the change: others"),
    ],
)
def test_status_and_headline(rows, options, status, headline):
    outcome = make_outcome(*rows, **options)
    assert (outcome.status, outcome.headline) == (Status(status), headline)


def test_rows_are_the_worst_first():
    outcome = make_outcome(
        make_row("same"), make_row("faster", -0.2), make_row("open", wild=True), make_row("slow", 0.1),
        make_row("slower", 0.4), make_row("meant", 0.9, accepted="yes"),
    )  # fmt: skip
    assert [row.series.name for row in outcome.rows] == ["slower", "slow", "meant", "open", "faster", "same"]
    assert outcome.rows[-1].decision.verdict is Verdict.NO_CHANGE
