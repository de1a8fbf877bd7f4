"""Results of any shape: no crash, no guess, and what today's report says is what its history says of today."""

import io
import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from cdpipe.figures import UNITS
from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Rules
from cdpipe.perf.analysis.thresholds import BOUNDS
from cdpipe.perf.page.page import render_page
from cdpipe.perf.report.render import build_report, render_json, render_markdown, render_text

from .results_writing import DATE_MS, ResultsWriter, benchmark, row

names = st.sampled_from(
    ["a.time_x", "b.track_é", "c.peakmem_<b>", "d.T.mem_`", "e._|_", "f.timeraw_y", "g\n.z", "h.\udcff"]
)
values = st.one_of(
    st.none(), st.just(math.nan), st.just(math.inf), st.floats(-1e9, 1e12), st.integers(0, 10**20), st.booleans(),
    st.just(10**400), st.text(max_size=3), st.just({"x": 1}), st.just([1.0, 2.0]), st.floats(0, 1), st.floats(0, 100),
)  # fmt: skip
parameters = st.sampled_from(["'10k'", "'1M'", "5", "None", "'1e9'", "'x'", "0", "'\\udcff'", "'NaN'"])
axes = st.lists(st.lists(parameters, max_size=3), max_size=2)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "cdpipe_stage": st.sampled_from(["gather", "clean/basic", "", "é/|", 7]),
        "cdpipe_figure": st.sampled_from([*UNITS, "parsecs", "", 3]),
        "cdpipe_order": st.sampled_from(["linear", "fast", 2]),
    },
)
kinds = st.sampled_from(
    [("time", "seconds"), ("peakmemory", "bytes"), ("track", "unit"), ("memory", "bytes"), ("", "")]
)
param_names = st.lists(st.sampled_from(["rows", "cores", "partition_rows", "mode"]), max_size=2)


@st.composite
def suites(draw):
    """Draw the benchmarks of a suite, and for each of some runs rows that may or may not fit them."""
    entries = {}
    for name in draw(st.lists(names, max_size=6, unique=True)):
        kind, unit = draw(kinds)
        given_names = draw(param_names)
        entries[name] = benchmark(
            name, kind=kind, unit=unit, params=draw(axes), param_names=given_names, **draw(attributes)
        )
    runs = draw(st.lists(st.dictionaries(names, rows_of(entries), max_size=6), min_size=1, max_size=4))
    return list(entries.values()), runs


def rows_of(entries):
    """Draw a row as asv writes it, or a broken one, of one of the benchmarks or of none."""
    params = st.sampled_from([entry["params"] for entry in entries.values()] or [[]])
    count = params.map(lambda known: (known, math.prod(map(len, known))))
    fitting = count.flatmap(
        lambda pair: st.lists(values, min_size=pair[1], max_size=pair[1]).map(lambda got: row(got, params=pair[0]))
    )
    return st.one_of(fitting, st.lists(values, max_size=4).map(row), st.lists(values, max_size=1))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(suites(), st.sampled_from(list(Rules)))
def test_any_results_are_reported_and_none_is_guessed_at(suite, rules):
    entries, runs = suite
    with tempfile.TemporaryDirectory() as folder:
        writer = ResultsWriter(Path(folder) / "results")
        writer.benchmarks(*entries)
        for place, rows in enumerate(runs):
            machine, env = ("box", "slow")[place % 2], ("py3.11", "py-x")[place // 3]
            writer.run(rows, machine=machine, env=env, commit=f"{place:x}" * 40, date=DATE_MS + place)
        report = build_report(writer.path, rules=rules)
    check_report(report)


def check_report(report):
    for subject in report.subjects:
        named = [BOUNDS[place] if place >= 0 else Bound.INSUFFICIENT for place in subject.history.bounds[-1].tolist()]
        assert named == [finding.bound for finding in subject.findings]
        for finding in subject.findings:
            if not finding.probed:
                assert finding.bound is Bound.INSUFFICIENT
            if finding.bound is Bound.INSUFFICIENT and finding.rules is Rules.REPORT:
                assert finding.verdict.missing
    render_text(report, Console(file=io.StringIO(), width=80))
    json.loads(render_json(report))
    assert render_markdown(report)
    assert render_page(report, project="x")


@pytest.mark.parametrize("column", ["version", "params", "samples", "stats_ci_99_a"])
def test_columns_that_are_missing_change_no_class(writer, column):
    from .results_writing import COLUMNS, attributed_suite

    suite = attributed_suite()
    suite.write(writer)
    whole = build_report(writer.path).subjects[0]
    place = COLUMNS.index(column)
    rows = {name: given[:place] + given[place + 1 :] for name, given in suite.rows.items()}
    writer.run(rows, result_columns=COLUMNS[:place] + COLUMNS[place + 1 :])
    report = build_report(writer.path)
    assert [f.label for f in report.subjects[0].findings] == [f.label for f in whole.findings]
    check_report(report)


def test_a_report_of_nothing_but_other_figures_stands(writer):
    writer.benchmarks(benchmark("b", kind="track", unit="things", cdpipe_stage="s", cdpipe_figure="hit_rate"))
    writer.run({"b": row([0.5])})
    report = build_report(writer.path)
    assert report.subjects[0].findings == ()
    check_report(report)
