"""Reports of a comparison, in each format."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from cdpipe.perf.gate.measuring.rounds import Failure, Pair, Reading, Side
from cdpipe.perf.gate.outcome import Explanation
from cdpipe.perf.gate.reporting.as_data import render_data
from cdpipe.perf.gate.reporting.comment import LIMIT, MARK, render_comment
from cdpipe.perf.gate.reporting.table import print_outcome
from cdpipe.perf.gate.reporting.wording import format_change

from ..outcomes import make_outcome, make_row

WHY = Explanation("it reads 120 MB instead of 60 MB", "read", {"read_bytes": (6e7, 1.2e8, "B")}, (("f", 0.1, 0.2),))


@pytest.fixture
def outcome():
    pair = Pair("slow", 0, True, Reading((1.0,)), Reading((1.2,), others=0.05), 1, False)
    return make_outcome(
        make_row("slow('1M')", 0.2, explanation=WHY), make_row("meant", 0.3, accepted="exact"), make_row("same"),
        make_row("open", wild=True), make_row("few", pairs=3), make_row("much|<b>", 9.0, unit="bytes"),
        failures=(Failure("broken", Side.HEAD, "Traceback\nValueError: planted\n"),), missing={"new": Side.HEAD},
        design=("Measured by hand.",), notes=("A note.",), seed=7, pairs=(pair,), seconds=3.0,
    )  # fmt: skip


def printed(outcome, width=140):
    stream = io.StringIO()
    print_outcome(outcome, Console(file=stream, width=width, markup=False, highlight=False, emoji=False))
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 140, 200])
def test_the_table_has_all_and_ends_with_the_result(outcome, width):
    text = " ".join(printed(outcome, width).split())
    for said in (
        "aaaaaaaa (main) against bbbbbbbb (topic)", "+20.0%", "it reads 120 MB instead of 60 MB", "accepted: exact",
        "broken: could not be measured on the head: ValueError: planted", "new: only the head has it", "A note.",
        "Measured by hand.", "3 more pairs would tell", "10.0x",
    ):  # fmt: skip
        assert said in text, said
    assert text.endswith("2 benchmarks got worse (exit status 1)")


def test_the_comment_folds_what_is_not_remarkable(outcome):
    text = render_comment(outcome)
    assert text.startswith(f"{MARK}\n### :x: 2 benchmarks got worse\n")
    seen, folded = text.split("<details>", 1)
    assert "slow('1M')" in seen
    assert "it reads 120 MB" in seen
    assert r"much\|\<b\>" in seen or r"much\|&lt;b" in seen
    assert "| same |" not in seen
    assert "| no change | same |" in folded
    assert text.count("<details>") == text.count("</details>") == 2


@pytest.mark.parametrize("limit", [LIMIT, 8_000])
@pytest.mark.parametrize("change", [0.2, 0.0])
def test_a_comment_is_never_longer_than_github_takes(limit, change):
    long = "a" * 5000
    one = make_row("a", change)
    names = [f"{long[:60]}.time_{at}('{at}M')" for at in range(900)]
    rows = [replace(one, series=replace(one.series, name=name)) for name in names]
    if change:
        rows[-1] = replace(rows[-1], decision=replace(one.decision, change=0.9))
    outcome = make_outcome(*rows, failures=tuple(Failure(f"f{at}", Side.BASE, long) for at in range(50)))
    text = render_comment(outcome, limit=limit)
    assert len(text) <= limit
    assert text.count("<details>") == text.count("</details>")
    assert "more lines, for which there is no room here" in text
    if change:
        assert "time_899('899M')" in text.splitlines()[7]


def test_data_have_every_pair_and_are_json(outcome):
    data = json.loads(render_data(outcome))
    assert (data["status"], data["result"], data["seed"]) == (1, "regression", 7)
    names = [row["benchmark"] for row in data["benchmarks"]]
    assert names == [row.series.name for row in outcome.rows]
    slow = data["benchmarks"][names.index("slow('1M')")]
    assert slow["verdict"] == "slower"
    assert slow["why"]["figures"] == {"read_bytes": [6e7, 1.2e8, "B"]}
    assert len(slow["base"]) == len(slow["head"]) == 12
    few = data["benchmarks"][names.index("few")]
    assert (few["interval"], few["extra_pairs"]) == (None, 3)
    assert data["pairs"][0]["head"]["samples"] == [1.2]
    assert data["failures"][0]["side"] == "head"


@pytest.mark.parametrize(
    ("change", "text"),
    [(0.041, "+4.1%"), (-0.5, "-50.0%"), (2.2, "3.2x"), (999.0, "from 0"), (-0.999, "to 0"), (float("nan"), "-")],
)
def test_changes_are_percents_and_large_ones_factors(change, text):
    assert format_change(change) == text


def test_a_failed_build_has_a_comment_with_its_output():
    outcome = make_outcome(error="commit aaaaaaaa: cannot be built", output="x" * 90_000 + "\n```\nlast line")
    text = render_comment(outcome)
    assert len(text) <= LIMIT
    assert "### :grey_question: Nothing was measured: commit aaaaaaaa: cannot be built" in text
    assert "last line\n```\n" in text
    assert text.count("```") == 2
    data = json.loads(render_data(outcome))
    assert (data["status"], data["error"]) == (2, "commit aaaaaaaa: cannot be built")
