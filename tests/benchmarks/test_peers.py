"""`make peers`: the rounds, the figures, the options, and a run from end to end."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks._peers import command, comparison, limits, memory, ours, report, rounds, stages
from benchmarks._peers import line as lines
from benchmarks._peers.rounds import Sample

ROOT = Path(command.__file__).parents[2]
ROWS = 6_000
NAMED = {stage.name: stage for stage in stages.STAGES}


def need_peers():
    for name in stages.PEERS:
        pytest.importorskip(name, reason=f"{name} is of the extra `peers`, which only `make peers` installs")


def samples(*seconds):
    return [Sample(each, 0.0) for each in seconds]


def test_rounds_begin_with_another_and_keep_the_order():
    order = []
    works = {name: lambda name=name: order.append(name) for name in "abc"}
    taken = rounds.measure(works, discard={}, repeats=3)
    assert "".join(order) == "abcbcacab"
    assert {name: len(each) for name, each in taken.items()} == {"a": 3, "b": 3, "c": 3}


def test_results_are_discarded_outside_the_measured_time():
    gone = []
    works = {"a": lambda: "result"}
    rounds.measure(works, discard={"a": gone.append}, repeats=2)
    assert gone == ["result", "result"]


def test_spread_of_few_rounds_is_their_range():
    assert rounds.spread([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)


def test_spread_of_many_rounds_is_a_bootstrap_within_their_range():
    values = [1.0, 1.1, 1.2, 1.3, 5.0, 1.15, 1.25]
    median, low, high = rounds.spread(values)
    assert median == 1.2
    assert 1.0 <= low < median < high < 5.0
    assert rounds.spread(values) == (median, low, high)


def test_line_is_held_against_the_fastest_peer_round_by_round():
    taken = {
        "cdpipe": samples(1, 2, 1),
        "polars": samples(4, 4, 5),
        "duckdb": samples(3, 3, 9),
        "pandas": samples(9, 9, 9),
        "limit": samples(0.5, 0.5, 0.5),
    }
    line = lines.Line(NAMED["clean"], 3_000_000, taken, {"cdpipe": 1.0}, rows_out={"cdpipe": 5})
    found = lines.as_dict(line)
    assert found["fastest_peer"] == "duckdb"
    assert (found["ratio_to_fastest_peer"], found["low"], found["high"]) == (3.0, 1.5, 9.0)
    assert found["mrows_per_s"] == {"cdpipe": 3.0, "polars": 0.75, "duckdb": 1.0, "pandas": pytest.approx(1 / 3)}
    assert found["share_of_limit"] == 0.5
    assert found["limit"] == {"of": "read 16 B/row", "mrows_per_s": 6.0}
    assert "ratio_to_offset_rand" not in found


@pytest.mark.parametrize("near", [3, 9])
def test_the_limit_of_a_filter_moves_as_many_rows_as_pass(near):
    messages = pd.DataFrame(
        {
            "x_pos": [stages.CENTRE_LON + (0.0 if place < near else 9.0) for place in range(10)],
            "y_pos": [stages.CENTRE_LAT] * 10,
            "coreData_id": pd.Categorical(["A", None] * 5),
            "coreData_secMark": pd.array([1, None] * 5, "Int64"),
        }
    )

    class Ours(ours.Ours):
        def take(self, name):
            return ours.lay([messages, messages])

    work = limits.limit_work(NAMED["spatial/20km"], Ours(Path(), Path(), Path()), rows=20)
    for moved in work():
        assert [column.size for column in moved] == [near] * 5
        assert moved[0].tolist() == messages["x_pos"].tolist()[:near]
        assert [column.dtype for column in moved] == [np.float64, np.float64, np.int8, np.int64, np.bool_]


def test_attack_without_peers_is_held_against_our_own():
    taken = {"cdpipe": samples(2, 2), "offset_rand": samples(1, 3), "limit": samples(1, 1)}
    found = lines.as_dict(lines.Line(NAMED["attack/swap_rand"], 1_000_000, taken))
    assert found["ratio_to_fastest_peer"] is found["fastest_peer"] is found["low"] is None
    assert found["ratio_to_offset_rand"] == {"median": 1.0, "low": 0.5, "high": 1.5}
    assert found["mrows_per_s"] == {"cdpipe": 0.5}


def test_peak_memory_is_what_the_work_held_at_most():
    def work():
        np.ones(10_000_000)
        return np.ones(2_500_000)

    peak = memory.measure_peak_mb(work)
    if peak is None:
        pytest.skip("this system keeps no peak that can be reset")
    assert 79 < peak < 95


def test_all_stages_of_the_issue_are_there():
    kinds = {"offset_const", "offset_rand", "offset_const_per_id", "swap_rand", "override_const", "override_rand"}
    assert {stage.name for stage in stages.STAGES} == {
        *("gather", "clean", "spatial/2km", "spatial/20km", "spatial/200km", "features"),
        *("job/csv", "job/csv/20km", "job/parquet", "job/parquet/20km"),
        *("chain/csv", "chain/csv/point", "chain/parquet", "chain/parquet/point", "history", "dask/scaling"),
        *(f"attack/{kind}{local}" for kind in kinds for local in ("", "/local")),
    }


def test_a_name_chooses_what_is_below_it():
    assert stages.choose("") == stages.STAGES
    assert [stage.name for stage in stages.choose("spatial, clean")] == [
        "clean",
        *(f"spatial/{km}km" for km in (2, 20, 200)),
    ]
    assert [stage.name for stage in stages.choose("chain/csv")] == ["chain/csv", "chain/csv/point"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stages", "cleam"], "there is no stage 'cleam'; use job/csv, job/csv/20km"),
        (["--rows", "many"], "'many' is no number of rows"),
        (["--rows", "10"], "10 rows are too few to measure; use at least 1000"),
        (["--repeats", "0"], "0 rounds measure nothing"),
        (["--repeats", "few"], "invalid literal"),
    ],
)
def test_wrong_option_says_what_is_right(arguments, message):
    with pytest.raises(ValueError, match=message):
        command.run(arguments)


@pytest.mark.parametrize(("text", "rows"), [("5000000", 5_000_000), ("1e6", 1_000_000), ("15M", 15_000_000)])
def test_rows_may_be_written_as_people_do(text, rows):
    assert command.read_rows(text) == rows


def test_missing_peer_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "polars" else name)
    with pytest.raises(ValueError, match=r"polars not installed; run `make peers`"):
        command.run(["--rows", "1000"])


def test_disagreement_is_an_error_exit(monkeypatch, capsys):
    need_peers()
    line = lines.Line(NAMED["dask/scaling"], 1_000, complaints=["clean, polars: ids differ"])
    monkeypatch.setattr(comparison, "compare", lambda *_, **__: [line])
    monkeypatch.setattr(lines, "as_dict", lambda line: {"complaints": line.complaints})
    monkeypatch.setattr(report, "show", lambda _: None)
    monkeypatch.setattr(report, "verdict", lambda _: "as fast")
    assert command.run(["--rows", "1000"]) == 1
    assert "disagreement: clean, polars: ids differ" in capsys.readouterr().err


def test_modules_import_nothing_that_asv_does_not_have_anyway():
    code = (
        "import sys, pkgutil, importlib, benchmarks._peers as peers\n"
        "for each in pkgutil.iter_modules(peers.__path__, 'benchmarks._peers.'): importlib.import_module(each.name)\n"
        "heavy = {'polars', 'duckdb', 'pandas', 'pyarrow', 'dask', 'scipy', 'rich', 'cdpipe'}\n"
        "print(heavy & {name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_run_from_end_to_end(data_folder, tmp_path):
    need_peers()
    chosen = "job/csv/20km,gather,spatial/20km,attack/offset_const,attack/offset_rand,dask"
    options = [
        "--rows",
        str(ROWS),
        "--job-rows",
        str(2 * ROWS),
        "--repeats",
        "2",
        "--stages",
        chosen,
        "--json",
        str(tmp_path / "peers.json"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "peers", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found = json.loads((tmp_path / "peers.json").read_text(encoding="utf-8"))
    assert found["machine"]["cores"] > 0
    assert found["rows"] == ROWS
    by_name = {each["stage"]: each for each in found["stages"]}
    assert list(by_name) == [stage.name for stage in stages.choose(chosen)]
    for name in ("gather", "spatial/20km", "attack/offset_rand", "attack/offset_rand/local"):
        each = by_name[name]
        assert set(each["mrows_per_s"]) == set(each["peak_mb"]) == {stages.OURS, *stages.PEERS}
        assert each["low"] <= each["ratio_to_fastest_peer"] <= each["high"]
        assert each["fastest_peer"] in stages.PEERS
        assert each["share_of_limit"] > 0
        assert len(set(each["rows_out"].values())) == 1
        assert f" {name} " in done.stdout
    job = by_name["job/csv/20km"]
    assert job["rows"] == 2 * ROWS
    assert set(job["mrows_per_s"]) == set(job["peak_mb"]) == {stages.OURS, *stages.JOB_PEERS}
    assert [len(each) for each in job["peaks_mb"].values()] == [2, 2, 2]
    assert "job/csv/20km" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert by_name["attack/offset_const"]["ratio_to_fastest_peer"] is None
    assert by_name["attack/offset_const"]["ratio_to_offset_rand"]["median"] > 0
    assert 0 < by_name["dask/scaling"]["share_of_ideal_scaling"]["clean, attack, features"]["median"] < 1.5
    assert 0 < by_name["dask/scaling"]["share_of_graph_and_scheduling"]["clean"]["median"] <= 1
    assert list(tmp_path.iterdir()) == [tmp_path / "peers.json"]
