"""The report on results that have shares: what a person is told, in which order, and at which width."""

import io
import json
import re

import pytest
from rich.console import Console

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Rules, judge_cells
from cdpipe.perf.analysis.thresholds import Thresholds
from cdpipe.perf.report.render import build_report, render_json, render_markdown, render_text
from cdpipe.perf.report.summary import summarise
from cdpipe.perf.results.cells import Cell, Figure
from cdpipe.perf.results.model import Machine
from cdpipe.perf.settings.settings import Settings

from ..results_writing import OWN, SHARES, Suite, attributed_suite, write_history


def text_of(report, width=100):
    stream = io.StringIO()
    render_text(report, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


@pytest.fixture
def report(writer):
    write_history(writer, 8)
    return build_report(writer.path, settings=OWN)


def test_the_lines_of_the_summary(report):
    measured, classes, worth, growth, trends, targets, failed = summarise(report)
    assert measured == "Measured: 27 stages x sizes on box (2 cores, Test CPU) at commit 00000008 of 2026-11-29."
    named = "compute 8, disk 4, scheduler 4, lock 4, too little parallel work 4, not probed 3"
    assert classes == f"Classes: {named}; 4 not in the class of earlier commits."
    cause = "scheduler-bound (A601), 45 % of the slots' time: half of it is worth 12.3 s"
    assert worth == f"Worth most: attack/swap_rand at 10M, {cause} (box, 00000008)."
    steepest = "steepest attack/swap_rand, time as rows^1.50 [1.50, 1.50] (box, 00000008)"
    assert growth == f"Growth: faster than declared: attack/swap_rand; {steepest}."
    assert trends.startswith("Over 8 commits: 6 slower (")
    assert trends.endswith(" 1.15x and 4 more), none surely faster.")
    assert targets == "Targets: 2 met, 2 missed (T1, T10), 8 not measured."
    assert failed == "Failed: 1 benchmark: suite.attack_offset_rand.time_seconds."


def test_the_text_says_each_thing_once(report):
    text = text_of(report)
    for said in (
        r"gather +10M +disk-bound +disk 75, compute 22 +410 MB +3\.22 s",
        r"features +1M +lock-bound \(GIL\) +compute 50, gil 46",
        r"attack/offset_rand +5M: 900 ms",
        r"train +10k: 1 s, 50k: 5\.5 s",
        r"lock-bound: features at 10M, 20\.7 s: the slots wait for the interpreter's lock \(GIL\) \(A701\)",
        r"- 12,000 tasks, half of them shorter than 1 ms",
        r"- do first: make partitions larger, so that there are fewer of them: \[gather\] block_mb",
        r"Then: gather at 10M\.",
        r"gather at 100k, 1M, 5M, 10M +by thresholds balanced,",
        r"attack/swap_rand +time +4 +1\.50 \[1\.50, 1\.50\] +linear: grows faster",
        r"gather +memory +4 +0\.01 \[-0\.01, 0\.03\] +constant: holds",
        r"S101: time of attack/swap_rand grows as rows\^1\.50",
        r"clean/basic +5M +1, 2, 4 +4 s, 2\.2 s, 1\.3 s +100 %, 91 %, 77 % +10 %",
        r"clean/basic +5M +250k rows +1M +50k 4 s, 250k 2\.2 s, 1M 2\.4 s",
        r"gather at 100k, 1M, 5M, 10M +compute-bound +disk-bound +00000005 of 2026-11-26 +1 in 8",
        r"features +10M +8 +▂▃▄▄▅▅▆▇ +18 s +20\.7 s +1\.15x \[1\.15, 1\.15\] +slower",
        r"train +50k +8 +▄▄▄▄▄▄▄▄ +5\.5 s +5\.5 s +1\.00x \[1\.00, 1\.00\] +-",
    ):
        assert len(re.findall(said, text)) == 1, said
    assert "insufficient data" not in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_lines_keep_to_the_terminal_and_words_stay_whole(report, width):
    text = text_of(report, width)
    assert max(map(len, text.splitlines())) <= width
    whole = set(re.findall(r"[A-Za-z]{3,}", render_markdown(report)))
    torn = [word for word in re.findall(r"[A-Za-z]{3,}", text) if word not in whole]
    assert torn == []


def test_the_thresholds_can_be_asked_for(writer):
    write_history(writer, 2)
    report = build_report(writer.path, rules=Rules.REPORT)
    assert summarise(report)[1].startswith("Classes by thresholds: compute 8, scheduler 4, balanced 12")
    text = text_of(report)
    assert "By the fixed thresholds, as asked." in text
    assert "Top bottlenecks" not in text
    assert "Where the rules differ" in text  # the shares are there all the same


def test_cells_without_shares_fall_back_and_say_so(writer):
    suite = attributed_suite()
    values = {"cpu_percent": 95.0, "memory_percent": 20.0, "disk_busy": 0.0, "ready_queue_max": 3.0}
    for name, value in values.items():
        suite.add("pipeline", name, (value,), sizes=("10k",))
    suite.write(writer)
    report = build_report(writer.path)
    text = text_of(report)
    assert re.search(r"pipeline +10k +compute-bound \* +-", text)
    assert "*: no shares were measured (1), so the fixed thresholds name the class." in text


def test_a_cell_with_half_its_shares_is_not_guessed_at(writer):
    suite = Suite()
    suite.add("gather", "share_compute", (0.4,), sizes=("1M",))
    suite.add("gather", "share_disk", (None,), sizes=("1M",))
    suite.write(writer)
    (finding,) = build_report(writer.path).subjects[0].findings
    assert finding.bound is Bound.INSUFFICIENT
    assert finding.attribution.shares["unattributed"] == pytest.approx(0.6)


def test_json_has_shares_evidence_gain_both_classes_and_history(report):
    (subject,) = json.loads(render_json(report))["subjects"]
    cell = next(c for c in subject["cells"] if (c["stage"], c["rows"]) == ("attack/swap_rand", 10_000_000))
    assert (cell["class"], cell["rule"], cell["rules"]) == ("scheduler-bound", "A601", "attribution")
    assert cell["by_thresholds"]["class"] == "scheduler-bound"
    assert sum(cell["attribution"]["shares"].values()) == pytest.approx(1.0)
    assert set(cell["attribution"]["shares"]) == set(SHARES)
    assert cell["attribution"]["gain"]["by_half"] == pytest.approx(1 / (1 - 0.45 / 2))
    assert cell["attribution"]["probabilities"] == {"scheduler-bound": 1.0}
    assert cell["remedies"][0] == {
        "text": "make partitions larger, so that there are fewer of them", "keys": ["gather.block_mb"],
    }  # fmt: skip
    assert len(subject["history"]["commits"]) == 8
    assert {change["since"][:8] for change in subject["history"]["changes"]} == {"00000005"}
    trend = next(t for t in subject["history"]["trends"] if (t["stage"], t["rows"]) == ("gather", 10_000_000))
    assert trend["factor"] == pytest.approx(1.02**7)
    assert (trend["certain"], trend["commits"]) == (True, 8)
    assert [curve["best_rows"] for curve in subject["partitions"]] == [250_000]
    laws = {(s["title"], s["figure"]): s["judgement"] for s in subject["scaling"]}
    assert laws["attack/swap_rand", "seconds"] == "grows faster"


def test_a_run_that_is_no_benchmark_is_judged_by_the_same_rules():
    shares = {"share_compute": 0.5, "share_gil": 0.5}
    cell = Cell("my run", (), None, "", {name: Figure(value, None, "", ()) for name, value in shares.items()})
    (finding,) = judge_cells(
        [cell], thresholds=Thresholds(), rules=Rules.ATTRIBUTION, machine=Machine("box"), settings=Settings()
    )
    assert (finding.label, finding.verdict.code) == ("lock-bound (GIL)", "A701")
