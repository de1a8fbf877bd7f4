"""History in `make peers`: all tell the same, a difference is seen, and a run on one thread of its own."""

import json

import numpy as np
import pytest

from benchmarks._peers import command
from benchmarks._peers.history import race

pytest.importorskip("polars", reason="polars is of the extra `peers`, which only `make peers` installs")
ROWS = 20_000


def gappy_columns():
    """Messages with equal times, silences longer than the gap, and positions said twice."""
    columns = race.make_columns(ROWS)
    time_us = columns["time_us"] // 200_000 * 200_000
    time_us[ROWS // 2 :] += 61_000_000
    again = {name: np.where(np.arange(ROWS) % 5 < 2, np.round(columns[name], 2), columns[name]) for name in "xy"}
    return {**columns, **again, "time_us": time_us}


@pytest.mark.parametrize("columns", [race.make_columns(ROWS), gappy_columns()], ids=["even", "gaps"])
def test_all_tell_the_same(columns):
    works = race.make_works(columns)
    ours = works.pop("cdpipe")()
    assert ours.shape == (18, ROWS)
    assert [list(race.compare(ours, work())) for work in works.values()] == [[], []]


def test_a_difference_is_said_with_its_column():
    works = race.make_works(race.make_columns(ROWS))
    ours, theirs = works["cdpipe"]().copy(), works["pandas"]()
    ours[3, :7] += 1
    assert list(race.compare(ours, theirs)) == ["7 values of moved differ, by 1 at most"]


def test_threads_are_one_there_and_as_they_were_here(monkeypatch):
    monkeypatch.setenv("POLARS_MAX_THREADS", "7")
    with race._one_thread():
        assert race.os.environ["POLARS_MAX_THREADS"] == "1"
    assert race.os.environ["POLARS_MAX_THREADS"] == "7"


@pytest.mark.slow
def test_a_run_from_end_to_end(tmp_path, capsys):
    pytest.importorskip("duckdb")
    out = tmp_path / "peers.json"
    assert command.run(["--rows", str(ROWS), "--repeats", "2", "--stages", "history", "--json", str(out)]) == 0
    (line,) = json.loads(out.read_text(encoding="utf-8"))["stages"]
    assert set(line["mrows_per_s"]) == {"cdpipe", "polars", "pandas"}
    assert set(line["ratios"]) == {"polars", "pandas"}
    assert line["complaints"] == []
    assert "x polars" in capsys.readouterr().out
