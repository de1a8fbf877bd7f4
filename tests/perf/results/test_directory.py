"""Reading results: what asv itself wrote, and every odd shape."""

import json
import math

import pytest

from cdpipe.perf.results.directory import choose_headers, load_run, open_results
from cdpipe.perf.results.model import ResultsError, State

from ..results_writing import COLUMNS, COMMIT, DATE_MS, OLDER, benchmark, row

SIZES = [["'1k'", "'10k'"], ["'a'", "'b'"]]


def load(writer, **choice):
    results = open_results(writer.path)
    return load_run(results, choose_headers(results, **choice)[0])


def states(run, name):
    return [m.state.value for m in run.measurements if m.benchmark.name == name]


def write_one(writer, rows, *entries, **changes):
    writer.benchmarks(*entries)
    writer.machine()
    return writer.run(rows, **changes)


@pytest.mark.slow
def test_reads_what_asv_wrote(asv_project):
    results = open_results(asv_project.results)
    (header,) = choose_headers(results)
    assert (header.machine, header.commit) == ("box", asv_project.commit)
    run = load_run(results, header)
    timed = [m for m in run.measurements if m.benchmark.name == "suite.Basic.time_basic"]
    assert [m.params for m in timed][:2] == [("'10k'", "'plain'"), ("'10k'", '"it\'s"')]
    assert [m.state for m in timed] == [State.MEASURED] * 5 + [State.FAILED]
    assert (timed[0].benchmark.stage, timed[0].benchmark.figure) == ("clean/basic", "seconds")
    assert len(timed[0].samples) == 6
    assert min(timed[0].samples) <= timed[0].value <= max(timed[0].samples)
    assert timed[0].interval[0] <= timed[0].value <= timed[0].interval[1]
    assert states(run, "suite.track_skipped") == ["skipped"]
    assert states(run, "suite.peakmem_list") == ["measured"]
    assert (run.outdated, run.unlisted, run.absent) == ((), (), ())
    assert results.machines["box"].cores == "2"


def test_states_of_a_parameterised_benchmark(writer):
    entry = benchmark("b", params=SIZES, param_names=["rows", "mode"])
    write_one(writer, {"b": row([1.5, None, math.nan, math.inf], params=SIZES)}, entry)
    run = load(writer)
    assert states(run, "b") == ["measured", "failed", "skipped", "unreadable"]
    assert [m.params for m in run.measurements][1] == ("'1k'", "'b'")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([None], ["failed"]),
        ([], ["failed"]),
        ([[2.0]], ["measured"]),
        ([2.0], ["measured"]),
        ([["text"]], ["unreadable"]),
        ([[{"a": 1}]], ["unreadable"]),
        ([[1.0, 2.0]], ["unreadable"]),
        ([[]], ["unreadable"]),
    ],
)
def test_short_rows_and_foreign_values(writer, cells, expected):
    write_one(writer, {"b": cells}, benchmark("b"))
    assert states(load(writer), "b") == expected


def test_a_failed_build_fails_every_combination(writer):
    write_one(writer, {"b": row(None, params=SIZES)}, benchmark("b", params=SIZES))
    assert states(load(writer), "b") == ["failed"] * 4


def test_the_results_own_parameters_count(writer):
    entry = benchmark("b", params=[["1", "2", "3"]], param_names=["n"])
    write_one(writer, {"b": row([7.0], params=[["2"]])}, entry)
    (measurement,) = load(writer).measurements
    assert (measurement.params, measurement.value) == (("2",), 7.0)


def test_missing_columns(writer):
    columns = ["result", "version"]
    entry = benchmark("b", params=[["1", "2"]], param_names=["n"])
    write_one(writer, {"b": [[1.0, 2.0], "v1"]}, entry, result_columns=columns)
    assert [m.params for m in load(writer).measurements] == [("1",), ("2",)]
    assert [m.samples for m in load(writer).measurements] == [(), ()]


def test_samples_and_intervals_keep_their_places(writer):
    params = [["1", "2"]]
    rows = {"b": row([1.0, 5.0], params=params, intervals=[(0.5, 1.5), (None, None)], samples=[None, [4.0, 6.0]])}
    write_one(writer, rows, benchmark("b", params=params))
    first, second = load(writer).measurements
    assert (first.interval, first.samples) == ((0.5, 1.5), ())
    assert (second.interval, second.samples) == (None, (4.0, 6.0))


def test_changed_removed_and_unmeasured_benchmarks_are_named(writer):
    rows = {"old": row([1.0], version="v0"), "gone": row([1.0]), "b": row([1.0])}
    write_one(writer, rows, benchmark("old"), benchmark("b"), benchmark("never"))
    run = load(writer)
    assert (run.outdated, run.unlisted, run.absent) == (("old",), ("gone",), ("never",))
    assert [m.benchmark.name for m in run.measurements] == ["b"]


def test_every_machine_and_environment_is_chosen_at_its_own_newest_commit(writer):
    writer.benchmarks(benchmark("b"))
    for machine in ("fast", "slow"):
        writer.machine(machine)
    rows = {"b": row([1.0])}
    writer.run(rows, machine="fast", env="py3.11")
    writer.run(rows, machine="fast", env="py3.12")
    writer.run(rows, machine="fast", commit=OLDER, date=DATE_MS - 1000)
    writer.run(rows, machine="slow", commit=OLDER, date=DATE_MS - 1000)
    results = open_results(writer.path)
    chosen = [(h.machine, h.environment, h.commit) for h in choose_headers(results)]
    assert chosen == [("fast", "py3.11", COMMIT), ("fast", "py3.12", COMMIT), ("slow", "py3.11", OLDER)]
    assert {h.commit for h in choose_headers(results, commit=OLDER[:6].upper())} == {OLDER}
    assert [h.machine for h in choose_headers(results, commit=OLDER[:6], machine="slow")] == ["slow"]


def test_commits_of_one_second_are_ordered_by_when_they_were_measured(writer):
    writer.benchmarks(benchmark("b"))
    writer.machine()
    writer.run({"b": row([1.0], started_at=2000)}, commit=OLDER)
    writer.run({"b": row([1.0], started_at=1000)}, commit=COMMIT)
    assert load(writer).header.commit == OLDER


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"commit": "ffff"}, "no results of commit 'ffff'.*newest are a1b2c3d4, a1b2ffff"),
        ({"commit": "HEAD"}, "no results of commit 'HEAD'"),
        ({"commit": "a1b"}, "four or more characters"),
        ({"commit": "a1b2"}, "could be any of a1b2c3d4e5f6, a1b2ffff0000"),
        ({"machine": "none"}, "nothing from machine 'none'; there is: box"),
    ],
)
def test_choices_that_fit_nothing_say_what_there_is(writer, choice, message):
    writer.benchmarks(benchmark("b"))
    writer.machine()
    writer.run({"b": row([1.0])})
    writer.run({"b": row([1.0])}, commit="a1b2ffff0000", date=DATE_MS - 1)
    with pytest.raises(ResultsError, match=message):
        choose_headers(open_results(writer.path), **choice)


@pytest.mark.parametrize("text", ["", "not JSON", "[1, 2]", '{"commit_hash": "a1b2"', "\x00\x01", '{"date": 17'])
def test_files_that_are_not_asv_s_are_named(writer, text):
    path = write_one(writer, {"b": row([1.0])}, benchmark("b"))
    path.write_text(text)
    with pytest.raises(ResultsError, match=str(path)):
        load(writer)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"commit_hash": ...}, "commit_hash"),
        ({"commit_hash": 7}, "commit_hash"),
        ({"date": "yesterday"}, "date"),
        ({"date": None}, "date"),
        ({"date": 10**18}, "date"),
        ({"date": -1}, "date"),
        ({"params": ...}, "params"),
        ({"params": {"cpu": "x"}}, r"params\.machine"),
        ({"env_name": []}, "env_name"),
        ({"version": 1}, "version"),
        ({"version": 3}, "version"),
        ({"version": ...}, "version"),
        ({"result_columns": ...}, "result_columns"),
        ({"result_columns": ["params"]}, "result_columns"),
        ({"results": []}, "results"),
        ({"results": {"b": 5}}, r"results\.b"),
        ({"results": {"b": [[1.0], "x"]}}, r"results\.b\.params"),
    ],
)
def test_a_broken_field_is_named_with_its_file(writer, changes, field):
    path = write_one(writer, {"b": row([1.0])}, benchmark("b"), **changes)
    with pytest.raises(ResultsError, match=f"{path}: field '{field}'"):
        load(writer)


def test_an_old_file_of_another_commit_does_no_harm(writer):
    write_one(writer, {"b": row([1.0])}, benchmark("b"))
    writer.run({"b": row([1.0])}, commit=OLDER, date=DATE_MS - 1, version=1)
    assert load(writer).header.commit == COMMIT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is missing; run `asv run --bench just-discover`"),
        ("{", "is not JSON"),
        ('{"b": {}}', "field 'version': is missing"),
        ('{"b": [], "version": 2}', "field 'b': is not an object"),
        ('{"b": {"params": "x"}, "version": 2}', r"field 'b\.params'"),
    ],
)
def test_a_broken_list_of_benchmarks_is_named(writer, content, message):
    write_one(writer, {"b": row([1.0])}, benchmark("b"))
    path = writer.path / "benchmarks.json"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(ResultsError, match=message):
        load(writer)


def test_directories_without_results(writer, tmp_path):
    with pytest.raises(ResultsError, match="is not a directory"):
        open_results(tmp_path / "absent")
    with pytest.raises(ResultsError, match=r"benchmarks\.json: is missing"):
        open_results(writer.path)
    writer.benchmarks(benchmark("b"))
    writer.machine()
    with pytest.raises(ResultsError, match=r"holds no <commit>-<environment>\.json"):
        open_results(writer.path)


def test_machine_json_may_be_absent_but_not_broken(writer):
    write_one(writer, {"b": row([1.0])}, benchmark("b"))
    path = writer.path / "box" / "machine.json"
    path.write_text('{"cpu": "x"}')
    with pytest.raises(ResultsError, match=r"machine\.json: field 'machine'"):
        load(writer)
    path.unlink()
    assert open_results(writer.path).machines["box"].cpu == ""
    assert states(load(writer), "b") == ["measured"]


@pytest.mark.parametrize("layout", ["sorted and indented", "results first", "a long environment"])
def test_headers_are_found_wherever_they_are(writer, layout):
    path = write_one(writer, {"b": row([1.0])}, benchmark("b"))
    data = json.loads(path.read_text())
    if layout == "sorted and indented":
        text = json.dumps(data, sort_keys=True, indent=4)
    elif layout == "results first":
        text = json.dumps({"results": data.pop("results"), **data})
    else:
        text = json.dumps({"env_vars": {"PATH": "é" * 70_000}, **data}, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    run = load(writer)
    assert (run.header.commit, run.header.date_ms, states(run, "b")) == (COMMIT, DATE_MS, ["measured"])


def test_a_number_cut_by_the_end_of_the_first_bytes_is_read_whole(writer, monkeypatch):
    path = write_one(writer, {"b": row([1.0])}, benchmark("b"))
    text = path.read_text()
    monkeypatch.setattr("cdpipe.perf.results.files._HEAD_BYTES", text.index(str(DATE_MS)) + 4)
    assert load(writer).header.date_ms == DATE_MS


def test_hostile_and_unicode_names_pass_through(writer):
    names = ["b.<script>", "b.zeit_ü", 'b."quoted"', "b.\x1b[31mred", "b.\u202ertl"]
    write_one(writer, {name: row([1.0]) for name in names}, *(benchmark(name) for name in names))
    assert sorted(m.benchmark.name for m in load(writer).measurements) == sorted(names)


@pytest.mark.slow
def test_columns_are_those_asv_writes(asv_project):
    (path,) = asv_project.results.glob("box/*-*.json")
    assert json.loads(path.read_text())["result_columns"] == COLUMNS
