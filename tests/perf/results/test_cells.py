"""Bringing measurements together: sizes, variants, fallbacks and what is left over."""

import numpy as np
import pytest

from cdpipe.perf.results.cells import collect_cells
from cdpipe.perf.results.directory import choose_headers, load_run, open_results
from cdpipe.perf.results.figure_reader import FigureReader
from cdpipe.perf.results.sizes import choose_size, parse_rows, unquote

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


def write_units(writer, *, order=None):
    """A suite with one benchmark a unit: the figure is a parameter, the stage of kernels and attacks another."""
    sizes = ["'1M'", "'5M'"]
    more = {"cdpipe_order": order} if order else {}
    names = {"param_names": ["rows", "kind", "figure"], "cdpipe_stage": "attack/{kind}", "cdpipe_figure": "{figure}"}
    shares = [sizes, ["'swap'", "'offset'"], ["'cpu_share'", "'share_gc'"]]
    of_bytes = [sizes, ["'swap'"], ["'tree_peak_bytes'", "'read_bytes'"]]
    entries = [
        benchmark("attack.Attack.track_share", kind="track", unit="share", params=shares, **names),
        benchmark("attack.Attack.track_bytes", kind="track", unit="bytes", params=of_bytes, **names, **more),
        benchmark(
            "curves.time_by_cores", cdpipe_stage="{stage}", cdpipe_figure="seconds",
            params=[["'5M'"], ["1", "2"], ["'attack/swap'"]], param_names=["rows", "cores", "stage"],
        ),
    ]  # fmt: skip
    writer.benchmarks(*entries)
    writer.machine()
    values = [[0.1, 0.01, 0.2, 0.02, 0.5, 0.05, 0.6, 0.06], [100, 10, 500, 50], [4.0, 2.0]]
    rows = {each["name"]: row(line, params=each["params"]) for each, line in zip(entries, values, strict=True)}
    writer.run(rows)


def test_one_benchmark_a_unit_is_read_as_one_a_figure(writer):
    write_units(writer, order={"tree_peak_bytes": "constant"})
    cells, troubles = collect(writer)
    assert troubles == ()
    figures = {(c.title, c.rows_text): {name: f.value for name, f in c.figures.items()} for c in cells}
    assert figures == {
        ("attack/swap", "1M"): {"cpu_percent": 10.0, "share_gc": 0.01, "tree_peak_bytes": 100, "read_bytes": 10},
        ("attack/swap", "5M"): {"cpu_percent": 50.0, "share_gc": 0.05, "tree_peak_bytes": 500, "read_bytes": 50},
        ("attack/offset", "1M"): {"cpu_percent": 20.0, "share_gc": 0.02},
        ("attack/offset", "5M"): {"cpu_percent": 60.0, "share_gc": 0.06},
        ("attack/swap (cores=1)", "5M"): {"seconds": 4.0},
        ("attack/swap (cores=2)", "5M"): {"seconds": 2.0},
    }
    (swap,) = (cell for cell in cells if (cell.title, cell.rows_text) == ("attack/swap", "5M"))
    assert {name: figure.order for name, figure in swap.figures.items() if figure.order} == {
        "tree_peak_bytes": "constant"
    }
    assert swap.figures["cpu_percent"].params == ("'5M'", "'swap'", "'cpu_share'")


def test_history_reads_one_benchmark_a_unit_as_cells_are(writer):
    write_units(writer)
    results = open_results(writer.path)
    (header,) = choose_headers(results)
    cells, _ = collect(writer)
    names = ("cpu_percent", "share_gc", "read_bytes", "seconds", "tasks")
    read = FigureReader(results.benchmarks, cells, names).read(header)
    wanted = [[cell.figures[name].value if name in cell.figures else np.nan for name in names] for cell in cells]
    np.testing.assert_allclose(read, wanted)


def test_a_parameter_in_braces_that_is_not_there_stays_as_it_is(writer):
    writer.benchmarks(benchmark("m.time_x", params=[["1"]], param_names=["n"], cdpipe_stage="a/{kind}"))
    writer.machine()
    writer.run({"m.time_x": row([2.0], params=[["1"]])})
    (cell,), _ = collect(writer)
    assert cell.title == "a/{kind} (n=1)"


@pytest.mark.parametrize(
    ("figure", "unit", "value", "read"),
    [
        ("seconds", "ms", 250.0, 0.25), ("seconds", "us", 5.0, 5e-6), ("seconds", "minutes", 2.0, 120.0),
        ("tree_peak_bytes", "MB", 12.0, 12e6), ("tree_peak_bytes", "MiB", 2.0, 2.0 * 1024**2),
        ("cpu_percent", "share", 0.5, 50.0), ("share_disk", "percent", 40.0, 0.4), ("tasks", "unit", 7.0, 7.0),
        ("disk_busy", "%", 25.0, 0.25), ("seconds", "", 3.0, 3.0), ("cpu_share", "share", 0.5, 50.0),
        ("cpu_share", "unit", 0.5, 50.0), ("cpu_share", "percent", 50.0, 50.0),
    ],
)  # fmt: skip
def test_a_figure_is_read_in_its_unit_now_and_over_commits(writer, figure, unit, value, read):
    name = {"cpu_share": "cpu_percent"}.get(figure, figure)
    writer.benchmarks(benchmark("b", kind="track", unit=unit, cdpipe_stage="s", cdpipe_figure=figure))
    writer.machine()
    writer.run({"b": row([value], intervals=[(value, 2 * value)])})
    results = open_results(writer.path)
    (cell,), troubles = collect_cells(load_run(results, results.headers[0]))
    assert troubles == ()
    assert cell.figures[name].value == pytest.approx(read)
    assert cell.figures[name].interval == pytest.approx((read, 2 * read))
    (again,) = FigureReader(results.benchmarks, [cell], [name]).read(results.headers[0])[0]
    assert again == pytest.approx(read)


@pytest.mark.parametrize(("figure", "unit"), [("seconds", "furlongs"), ("read_bytes", "Mb"), ("cpu_percent", "ms")])
def test_a_figure_in_a_unit_that_is_none_of_its_own_is_refused_by_name(writer, figure, unit):
    writer.benchmarks(benchmark("b", kind="track", unit=unit, cdpipe_stage="s", cdpipe_figure=figure))
    writer.machine()
    writer.run({"b": row([1.0])})
    cells, (trouble,) = collect(writer)
    assert cells == ()
    assert (trouble.benchmark, trouble.kind) == ("b", "not used")
    assert repr(unit) in trouble.detail
    assert repr(figure) in trouble.detail


@pytest.mark.parametrize(
    ("names", "params", "size"),
    [
        (["n"], [["10", "1000"]], "n"),
        (["n"], [["np.int64(1000)", "np.int64(5000)"]], "n"),
        (["rows"], [["np.int64(1000)"]], "rows"),
        (["dtype", "shape"], [["'int'", "'float'"], ["100", "10000"]], "shape"),
        (["depth", "n"], [["1", "2"], ["10", "100000"]], "n"),  # that which spans more
        (["threads"], [["1", "2"]], ""),
        (["axis"], [["0", "1"]], ""),  # nothing has no size
        (["ratio"], [["0.5", "0.25"]], ""),
        (["k", "rows"], [["1", "1000000"], ["'10k'", "'20k'"]], "rows"),
        (["n"], [["7"]], ""),
    ],
)
def test_the_size_is_the_parameter_of_numbers_that_spans_most(names, params, size):
    assert choose_size(names, params) == size


def test_a_project_names_its_sizes():
    assert choose_size(["depth", "n"], [["1", "2"], ["10", "1000"]], ("depth",)) == "depth"


def test_rows_of_numpy_are_sizes(writer):
    params = [["np.int64(1000)", "np.int64(5000)"]]
    writer.benchmarks(benchmark("b", params=params, param_names=["rows"]))
    writer.machine()
    writer.run({"b": row([1.0, 5.0], params=params)})
    cells, _ = collect(writer)
    assert [(cell.rows, cell.rows_text, cell.size_name) for cell in cells] == [
        (1000, "1k", "rows"),
        (5000, "5k", "rows"),
    ]
