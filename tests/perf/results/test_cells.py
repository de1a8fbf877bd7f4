"""Bringing measurements together: sizes, variants, fallbacks and what is left over."""

import pytest

from cdpipe.perf.results.cells import collect_cells, parse_rows, unquote
from cdpipe.perf.results.directory import choose_headers, load_run, open_results

from ..results_writing import Suite, benchmark, row


def collect(writer):
    results = open_results(writer.path)
    return collect_cells(load_run(results, choose_headers(results)[0]))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("'10k'", 10_000), ("100k", 100_000), ("'1M'", 1_000_000), ("15M", 15_000_000), ("1.5M", 1_500_000),
        ("1e6", 1_000_000), ("1000", 1000), ("10_000", 10_000), (" 5 k", 5000), ("2G", 2_000_000_000),
        ("'x'", None), ("", None), ("-5", None), ("0", None), ("1.5", None), ("10K rows", None), ("m", None),
    ],
)  # fmt: skip
def test_rows_are_read_from_their_names(text, rows):
    assert parse_rows(text) == rows


@pytest.mark.parametrize(
    ("text", "plain"), [("'a'", "a"), ('"it\'s"', "it's"), ("12", "12"), ("'broken", "'broken"), ("'a' (0)", "'a' (0)")]
)
def test_reprs_of_strings_are_unquoted(text, plain):
    assert unquote(text) == plain


def test_figures_of_several_benchmarks_meet_in_one_cell(writer):
    suite = Suite()
    suite.add("gather", "seconds", (1.0, 2.0, 3.0, 4.0), sizes=("1M", "5M"), variant=[("format", ("csv", "json"))])
    suite.add("gather", "cpu_percent", (10, 20, 30, 40), sizes=("1M", "5M"), variant=[("format", ("csv", "json"))])
    suite.write(writer)
    cells, troubles = collect(writer)
    assert [(c.title, c.rows) for c in cells] == [
        ("gather (format=csv)", 1_000_000), ("gather (format=csv)", 5_000_000),
        ("gather (format=json)", 1_000_000), ("gather (format=json)", 5_000_000),
    ]  # fmt: skip
    assert [{k: f.value for k, f in c.figures.items()} for c in cells] == [
        {"seconds": 1.0, "cpu_percent": 10}, {"seconds": 3.0, "cpu_percent": 30},
        {"seconds": 2.0, "cpu_percent": 20}, {"seconds": 4.0, "cpu_percent": 40},
    ]  # fmt: skip
    assert troubles == ()


def test_sizes_written_differently_are_the_same_size(writer):
    suite = Suite()
    suite.add("clean", "seconds", (1.0,), sizes=("1M",))
    suite.add("clean", "cpu_percent", (50,), sizes=("1000k",))
    suite.write(writer)
    (cell,), _ = collect(writer)
    assert set(cell.figures) == {"seconds", "cpu_percent"}


def test_another_project_s_benchmarks_keep_their_names(writer):
    entries = [
        benchmark("m.T.time_x", params=[["'a'", "'b'"]], param_names=["mode"]),
        benchmark("m.T.peakmem_x", kind="peakmemory", unit="bytes"),
        benchmark("m.T.track_x", kind="track", unit="things"),
        benchmark("m.T.mem_x", kind="memory", unit="bytes"),
    ]
    writer.benchmarks(*entries)
    writer.machine()
    rows = {entry["name"]: row([3.0] * (2 if entry["params"] else 1), params=entry["params"]) for entry in entries}
    writer.run(rows)
    cells, troubles = collect(writer)
    assert [(c.title, c.rows, sorted(c.figures)) for c in cells] == [
        ("m.T.peakmem_x", None, ["peak_bytes"]),
        ("m.T.time_x (mode=a)", None, ["seconds"]),
        ("m.T.time_x (mode=b)", None, ["seconds"]),
    ]
    assert [(t.benchmark, t.kind) for t in troubles] == [("m.T.track_x", "not used"), ("m.T.mem_x", "not used")]


def test_a_second_benchmark_for_the_same_figure_is_named_not_mixed_in(writer):
    suite = Suite()
    first = suite.add("clean", "seconds", (1.0,))
    suite.entries.append(benchmark("suite.other", cdpipe_stage="clean", cdpipe_figure="seconds"))
    suite.rows["suite.other"] = row([9.0])
    suite.write(writer)
    (cell,), (trouble,) = collect(writer)
    assert cell.figures["seconds"].value == 1.0
    assert (trouble.benchmark, trouble.kind) == ("suite.other", "not used")
    assert first in trouble.detail


def test_an_unknown_figure_is_named(writer):
    writer.benchmarks(benchmark("b", cdpipe_stage="clean", cdpipe_figure="parsecs"))
    writer.machine()
    writer.run({"b": row([1.0])})
    cells, (trouble,) = collect(writer)
    assert cells == ()
    assert "'parsecs'" in trouble.detail


def test_what_failed_or_was_skipped_is_told_apart(writer):
    suite = Suite()
    suite.add("clean", "seconds", (1.0, None, float("nan")), sizes=("1M", "5M", "10M"))
    suite.entries.append(benchmark("never"))
    suite.write(writer)
    _, troubles = collect(writer)
    assert [(t.kind, t.detail.rpartition(" at ")[2]) for t in troubles] == [
        ("failed", "5M"), ("skipped", "10M"), ("not run", "no result in this file"),
    ]  # fmt: skip


def test_stages_come_in_the_order_of_the_work(writer):
    suite = Suite()
    for stage in ("kernel/x", "zebra", "features", "attack/b", "attack/a", "gather", "pipeline", "clean/basic"):
        suite.add(stage, "seconds", (1.0,))
    suite.write(writer)
    cells, _ = collect(writer)
    stages = ["gather", "clean/basic", "attack/a", "attack/b", "features", "pipeline", "kernel/x", "zebra"]
    assert [cell.stage for cell in cells] == stages
