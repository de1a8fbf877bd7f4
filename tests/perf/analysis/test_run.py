"""A run's own report: the same findings, and nothing about commits."""

import datetime
import io
import json

from rich.console import Console

from cdpipe.perf.analysis.run import WHOLE, report_run
from cdpipe.perf.report.render import render_json, render_markdown, render_text
from cdpipe.perf.results.model import Machine

WHEN = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
PARTS = {
    "clean": {
        "share_compute": 0.5,
        "share_idle": 0.5,
        "wall_seconds": 12.0,
        "memory_percent": 20.0,
        "cpu_percent": None,
    },
    "gather": {"share_compute": 0.3, "share_disk": 0.7, "wall_seconds": 8.0, "parsecs": 3.0, "tasks": float("nan")},
}


def text_of(report):
    stream = io.StringIO()
    render_text(report, Console(file=stream, width=100, color_system=None))
    return stream.getvalue()


def test_a_run_is_reported_with_evidence_and_remedies_but_no_commits():
    report = report_run(PARTS, machine=Machine("box", "Test CPU", "2"), date=WHEN)
    text = text_of(report)
    lines = text.splitlines()
    assert lines[1] == "  Measured: 2 parts of a run on box (2 cores, Test CPU) on 2026-11-22."
    assert lines[2].rstrip() == "  Classes: disk 1, too little parallel work 1."
    assert "Worth most: clean, too little parallel work (A901), 50 %" in text
    assert "disk-bound: gather, 8 s: the slots wait for the disk (A301)" in text
    assert "split the work into more tasks" in text  # in general words: whose run it is was not said
    for word in ("commit", "Target", "Trend", "Growth", "nan"):
        assert word not in text
    assert "disk-bound" in render_markdown(report)
    (subject,) = json.loads(render_json(report))["subjects"]
    assert [cell["class"] for cell in subject["cells"]] == ["too little parallel work", "disk-bound"]


def test_a_run_of_which_nothing_is_known_is_not_classed():
    text = text_of(report_run({"clean": {}}, machine=Machine("box"), date=WHEN))
    assert "Classes: not probed 1." in text


WHOLE_RUN = {
    **{f"share_{name}": share for name, share in {"compute": 0.62, "idle": 0.34, "gc": 0.04}.items()},
    "wall_seconds": 20.0,
    "cpu_percent": 61.5,
    "cores": 2,
    "tree_peak_bytes": 2_000_000_000,
    "memory_percent": 8.0,
    "read_bytes": 5_000_000,
}


def test_the_whole_run_is_summed_up_apart_and_held_against_no_part():
    rows = {"clean": 1_000_000, WHOLE: 1_250_000}
    report = report_run(PARTS, machine=Machine("box"), date=WHEN, whole=WHOLE_RUN, rows=rows)
    text, markdown = text_of(report), render_markdown(report)
    for page in (text, markdown):
        assert "1,250,000 rows in 20 s in 2 parts: 62.5 k rows/s." in page
        assert "Longest: clean, 12 s, 60 % of it." in page
        assert "Time goes: compute 62 %, idle 34 % of slots x wall." in page
        assert "CPU 61.5 % of 2 cores; peak memory 2 GB, 8 % of the limit." in page
        assert "Disk: read 5 MB." in page
        assert "Measured: 2 parts of a run" in page
        assert f": {WHOLE}" not in page
    (subject,) = json.loads(render_json(report))["subjects"]
    assert (subject["whole"]["rows"], subject["whole"]["figures"]["seconds"]["value"]) == (1_250_000, 20.0)
    assert "class" not in subject["whole"]
    assert [(cell["stage"], cell["rows"]) for cell in subject["cells"]] == [("clean", 1_000_000), ("gather", None)]


def test_of_a_whole_run_is_said_only_what_is_known():
    report = report_run({"clean": {}}, machine=Machine("box"), date=WHEN, whole={"wall_seconds": 2.0, "cores": 2})
    lines = [line.strip() for line in text_of(report).splitlines()]
    start = lines.index("Whole run on box")
    assert lines[start + 1] == "2 s in 1 part."
    assert lines[start + 2].startswith("Put together from its parts")


def test_without_figures_of_the_whole_nothing_is_said_of_it():
    report = report_run(PARTS, machine=Machine("box"), date=WHEN)
    assert "Whole run" not in text_of(report)
    assert json.loads(render_json(report))["subjects"][0]["whole"] is None


def test_nothing_ended_well():
    text = text_of(report_run({}, machine=Machine("box"), date=WHEN))
    assert "No part of it ended well." in text
    assert "benchmark" not in text


def test_a_cause_worth_next_to_nothing_of_the_run_is_no_bottleneck():
    """A disk that takes all of 20 ms says nothing of where 20 s go."""
    parts = PARTS | {"publish": {"share_disk": 0.9, "share_idle": 0.1, "wall_seconds": 0.02}}
    report = report_run(parts, machine=Machine("box"), date=WHEN, whole=WHOLE_RUN)
    text = text_of(report)
    assert "disk-bound: publish" not in text
    assert "Left out, for half of its cause is worth less than 1 % of the run: publish." in text
    assert "(A301): gather\n" in text
    assert "disk 2" in text, "its class stays"
    alone = text_of(report_run({"publish": parts["publish"]}, machine=Machine("box"), date=WHEN, whole=WHOLE_RUN))
    assert "No part has a cause that leads the others." in alone
    assert "No part is in a class that has remedies." in alone
    assert "disk-bound: publish" in text_of(report_run(parts, machine=Machine("box"), date=WHEN)), (
        "no whole, no measure"
    )
