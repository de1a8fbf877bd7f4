"""A run's own report: the same findings, and nothing about commits."""

import datetime
import io
import json

from rich.console import Console

from cdpipe.perf.measurements import Machine
from cdpipe.perf.report import render_json, render_markdown, render_text
from cdpipe.perf.run_report import report_run

WHEN = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
PARTS = {
    "the run": {
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
    assert "Worth most: the run, too little parallel work (A901), 50 %" in text
    assert "disk-bound: gather, 8 s: the slots wait for the disk (A301)" in text
    assert "[gather] block_mb" in text
    for word in ("commit", "Target", "Trend", "Growth", "nan"):
        assert word not in text
    assert "disk-bound" in render_markdown(report)
    (subject,) = json.loads(render_json(report))["subjects"]
    assert [cell["class"] for cell in subject["cells"]] == ["too little parallel work", "disk-bound"]


def test_a_run_of_which_nothing_is_known_is_not_classed():
    text = text_of(report_run({"the run": {}}, machine=Machine("box"), date=WHEN))
    assert "Classes: not probed 1." in text
