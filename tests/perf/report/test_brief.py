"""The report on one screen, and what a busy machine makes of it."""

import io
import json

import pytest
from rich.console import Console

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Rules
from cdpipe.perf.page.page import render_page
from cdpipe.perf.report.bottlenecks import rank_findings
from cdpipe.perf.report.render import build_report, render_brief, render_json, render_markdown, render_text
from cdpipe.perf.report.summary import say_busy, summarise

from ..results_writing import DATE_MS, OLDER, OWN, Suite, attributed_suite, write_history

REST = "The rest is in .asv/bottlenecks.md; --all prints it."


def brief(report, width=80):
    stream = io.StringIO()
    render_brief(report, Console(file=stream, width=width, color_system=None), rest=REST)
    return stream.getvalue()


def whole(report, width=80):
    stream = io.StringIO()
    render_text(report, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


def add_shares(suite, stage, contention, *, seconds=1.0, sizes=("1M",), **beside):
    left = 1 - contention
    shares = {"compute": 0.9 * left, "contention": contention, "idle": 0.1 * left}
    for name, value in shares.items():
        suite.add(stage, f"share_{name}", [value] * len(sizes), sizes=sizes)
    for name, value in {"seconds": seconds, **beside}.items():
        suite.add(stage, name, [value] * len(sizes), sizes=sizes)


@pytest.fixture
def busy(writer):
    suite = Suite()
    add_shares(suite, "gather", 0.89, seconds=0.956, memory_percent=95.0)
    add_shares(suite, "clean/basic", 0.5, seconds=0.3)
    add_shares(suite, "features", 0.05, seconds=0.105)
    suite.write(writer)
    return build_report(writer.path, settings=OWN)


@pytest.mark.parametrize("stages", [1, 12, 60])
@pytest.mark.parametrize("failing", [0, 40])
def test_it_fits_a_screen_whatever_the_suite(writer, stages, failing):
    suite = attributed_suite()
    for number in range(stages):
        add_shares(suite, f"clean/a_stage_with_a_long_name_{number}", 0.3, seconds=number + 1.0, sizes=("1M", "5M"))
    for number in range(failing):
        suite.add(f"failing_{number}", "seconds", (None,))
    suite.write(writer)
    said = brief(build_report(writer.path, settings=OWN))
    assert len(said.splitlines()) <= 45
    assert max(map(len, said.splitlines())) <= 80
    assert said.rstrip().endswith("prints it.")
    assert "Top bottlenecks" in said
    assert said.count("do first: ") == 3


def test_it_fits_with_history_and_two_machines(writer):
    write_history(writer, 8)
    assert len(brief(build_report(writer.path, settings=OWN)).splitlines()) <= 45
    for machine in ("fast", "slow", "other"):
        attributed_suite().write(writer, machine=machine)
    said = brief(build_report(writer.path, settings=OWN))
    assert "Not shown here: other" in " ".join(said.split())


@pytest.mark.parametrize("width", [80, 100])
def test_no_name_is_a_tower_of_syllables(writer, width):
    attributed_suite().write(writer)
    said = whole(build_report(writer.path, settings=OWN), width)
    assert max(map(len, said.splitlines())) <= width
    starts = {line.strip().split("  ")[0] for line in said.splitlines()}
    assert {"attack/swap_rand", "clean/spatial", "features"} <= starts
    assert "offset_c" not in starts


def test_what_was_not_selected_is_no_trouble(writer):
    suite = attributed_suite()
    for number in range(500):
        suite.add(f"unselected_{number}", "seconds", (float("nan"),))
    suite.write(writer)
    report = build_report(writer.path, settings=OWN)
    assert not any("skipped" in line or "selected" in line for line in summarise(report))
    assert "Not selected, or skipped themselves, at some or all of their sizes: 501" in whole(report)


def test_a_busy_machine_is_said_first(busy):
    said = (
        "The machine was busy: other work had the cores for up to 89 % of the slots' time, in the middle 50 %; "
        "1 of 3 are disturbed, and have no class. Measure again when it is idle."
    )
    assert summarise(busy)[0] == say_busy(busy) == said
    for text in (brief(busy), whole(busy), render_markdown(busy).lstrip("# ")):
        assert text.startswith("Bottlenecks: the machine was busy, measure again")
    assert json.loads(render_json(busy))["busy"] == said
    assert "The machine was busy" in render_page(busy, project="x")


@pytest.mark.parametrize("rules", Rules)
def test_what_is_disturbed_has_no_class_rank_or_remedy(writer, busy, rules):
    report = build_report(writer.path, settings=OWN, rules=rules)
    (subject,) = report.subjects
    disturbed = {finding.cell.stage: finding for finding in subject.findings}["gather"]
    assert (disturbed.bound, disturbed.verdict.code, disturbed.title) == (Bound.DISTURBED, "", "")
    assert disturbed.remedies == ()
    assert disturbed.seconds_to_gain == 0.0
    assert disturbed not in rank_findings(subject)
    assert "disturbed: measure again" in whole(report)
    assert disturbed.disagreement == ""


def test_times_beside_other_work_are_marked_everywhere(busy):
    for text in (brief(busy), whole(busy), render_markdown(busy).replace("\\", ""), render_page(busy, project="x")):
        assert "~956 ms" in text
        assert "~300 ms" in text
        assert "~105 ms" not in text


def test_on_an_idle_machine_nothing_is_said_of_it(writer):
    attributed_suite().write(writer)
    report = build_report(writer.path, settings=OWN)
    assert say_busy(report) == ""
    assert brief(report).startswith("Bottlenecks\n")
    assert "~" not in brief(report)


def test_a_disturbed_commit_says_nothing_of_changes_and_trends(writer):
    for commit, contention, date in ((OLDER, 0.9, DATE_MS - 1000), ("b" * 40, 0.0, DATE_MS)):
        suite = Suite()
        add_shares(suite, "gather", contention, seconds=9.0 if contention else 1.0)
        suite.write(writer, commit=commit, date=date)
    (subject,) = build_report(writer.path).subjects
    assert subject.history.changes == ()
    assert subject.history.trends == ()


def test_a_disturbed_size_is_no_point_of_growth(writer):
    suite = Suite()
    shares = {"share_compute": [0.9, 0.9, 0.1], "share_contention": [0.0, 0.0, 0.8], "seconds": [1.0, 10.0, 900.0]}
    for name, values in shares.items():
        suite.add("gather", name, values, sizes=("1M", "10M", "100M"))
    suite.write(writer)
    (scaling,) = build_report(writer.path).subjects[0].scalings
    assert [rows for rows, _ in scaling.points] == [1_000_000, 10_000_000]
    assert scaling.fit.exponent == pytest.approx(1.0)
