"""Years of results of a large suite: one commit is classed in seconds, and the others are not read in full."""

import io
import json
import time

import pytest
from rich.console import Console

from cdpipe.perf.asv_results import choose_headers, open_results
from cdpipe.perf.page import render_page
from cdpipe.perf.report import build_report, render_json, render_markdown, render_text

from .results_writing import DATE_MS, ResultsWriter, Suite, row

STAGES, COMMITS = 2_000, 100


@pytest.fixture(scope="module")
def years(tmp_path_factory):
    """Results of 10,000 benchmarks at 100 commits, as asv lays them out."""
    writer = ResultsWriter(tmp_path_factory.mktemp("years") / "results")
    suite = Suite()
    sizes = ("1M", "5M", "10M")
    for place in range(STAGES):
        stage = f"stage{place:04}"
        for figure in ("seconds", "cpu_percent", "memory_percent", "disk_busy", "ready_queue_max"):
            suite.add(stage, figure, (1.0, 5.0, 10.0), sizes=sizes, intervals=[(0.9, 1.1), (4.9, 5.1), (9.9, 10.1)])
    newest = suite.write(writer, commit=f"{0:040x}", date=DATE_MS)
    assert len(suite.rows) == 10_000
    text = newest.read_text()
    for place in range(1, COMMITS):
        old = text.replace(f"{0:040x}", f"{place:08x}{0:032x}", 1).replace(str(DATE_MS), str(DATE_MS - place), 1)
        (newest.parent / f"{place:08x}-py3.11.json").write_text(old)
    return writer.path


def test_ten_thousand_benchmarks_at_a_hundred_commits(years):
    start = time.perf_counter()
    report = build_report(years)
    built = time.perf_counter() - start
    assert len(report.subjects[0].findings) == STAGES * 3
    assert report.subjects[0].commit == f"{0:040x}"
    stream = io.StringIO()
    render_text(report, Console(file=stream, width=100))
    for rendered in (render_json(report), render_markdown(report), render_page(report, project="x")):
        assert f"stage{STAGES - 1:04}" in rendered
    taken = time.perf_counter() - start
    assert built < 5
    assert taken < 15


def test_only_the_chosen_commit_is_read_in_full(years, monkeypatch):
    read = []
    loads = json.loads
    monkeypatch.setattr("cdpipe.perf.asv_files.json.loads", lambda text: read.append(len(text)) or loads(text))
    results = open_results(years)
    choose_headers(results)
    assert len(results.headers) == COMMITS
    assert len(read) == 2  # benchmarks.json and machine.json


def test_time_grows_with_benchmarks_not_faster(writer):
    taken = {}
    for count in (500, 4000):
        suite = Suite()
        for place in range(count):
            suite.add(f"s{place}", "seconds", (1.0, 5.0), sizes=("1M", "5M"))
        suite.rows = {name: row([1.0, 5.0], params=[["'1M'", "'5M'"]]) for name in suite.rows}
        suite.write(writer)
        start = time.perf_counter()
        build_report(writer.path)
        taken[count] = time.perf_counter() - start
    assert taken[4000] < 8 * taken[500] * 3
