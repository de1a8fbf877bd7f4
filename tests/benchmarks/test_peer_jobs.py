"""Whole jobs of `make peers`: programs do the same work, and what they took is seen from outside."""

import re
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from benchmarks._peers import messages, report, stages
from benchmarks._peers.jobs import job, process, race

ROWS = 6_000
JOBS = [stage for stage in stages.STAGES if stage.task == "job"]
NAMED = {stage.name: stage for stage in JOBS}


def spend(megabytes, *, then=""):
    return [sys.executable, "-c", f"held = bytearray({megabytes} * 10**6)\nimport time; time.sleep(0.2)\n{then}"]


@pytest.mark.parametrize(
    "stage", [NAMED["job/csv"], pytest.param(NAMED["job/parquet/20km"], marks=pytest.mark.slow)], ids=lambda s: s.name
)
def test_programs_do_the_same_work(stage, data_folder):
    for name in stages.JOB_PEERS:
        pytest.importorskip(name, reason=f"{name} is of the extra `peers`, which only `make peers` installs")
    with ExitStack() as stack:
        line = race.Race(*messages.make(ROWS), stack).run(stage, rows=ROWS, repeats=1)
    assert line.complaints == []
    assert set(line.rows_out) == set(line.samples) == {stages.OURS, *stages.JOB_PEERS}
    fewest, most = (pick(line.rows_out.values()) for pick in (min, max))
    assert 0 < fewest <= most < 1.02 * fewest  # the peers measure on a sphere
    assert all(peak > 20 for peak in line.peak_mb.values())


def test_what_no_attack_moves_is_held_against_ours():
    key = np.arange(4, dtype=np.uint64)
    ours = race._Rows(key, {name: np.arange(4.0) for name in race.UNMOVED})
    assert list(race._compare(race._Rows(key[1:], {name: np.arange(1.0, 4.0) for name in race.UNMOVED}), ours)) == []
    wrong = race._Rows(key, ours.columns | {"minute": np.array([0.0, 1.0, 2.0, 4.0])})
    assert list(race._compare(wrong, ours)) == ["minute differs from cdpipe's"]


@pytest.mark.parametrize("program", ["in_polars.py", "in_duckdb.py"])
def test_a_peers_program_is_its_own(program):
    text = (Path(job.__file__).parent / program).read_text(encoding="utf-8")
    assert not re.search(r"^\s*(?:from|import) (?:cdpipe|benchmarks)", text, re.MULTILINE)


def test_peak_is_that_of_the_program_and_its_children():
    floor, alone = process.run(spend(0)), process.run(spend(100))
    if floor is None:
        pytest.skip("this system keeps no record of a process's peak")
    assert 95 < alone - floor < 115
    child = f"import subprocess; subprocess.run({spend(100)!r})"
    both = process.run(spend(100, then=child))
    assert 195 < both - floor < 260


def test_a_program_that_fails_has_its_last_words_told():
    with pytest.raises(process.ProgramError, match=r"ended with status 3: .*no such column"):
        process.run([sys.executable, "-c", "import sys; print('no such column'); sys.exit(3)"])


def test_tables_fit_100_columns(capsys, monkeypatch):
    monkeypatch.setattr(report, "version", lambda name: f"{len(name)}.10.2")  # peers are an extra
    spread = {"ratio_to_fastest_peer": 12.345, "low": 10.123, "high": 14.567, "fastest_peer": "duckdb"}
    own = {"fastest_peer": None, "ratio_to_offset_rand": {"median": 1.0, "low": 0.9, "high": 1.1}}
    scaling = {"fastest_peer": None} | {
        name: {"all": {"median": 0.5, "low": 0.4, "high": 0.6}}
        for name in ("share_of_ideal_scaling", "share_of_graph_and_scheduling")
    }
    ratios = {name: {"median": 12.345, "low": 10.123, "high": 14.567} for name in ("polars", "pandas")}
    found = [
        {
            "stage": stage.name,
            "ratios": ratios,
            "rows": 15_000_000,
            "mrows_per_s": dict.fromkeys(stage.implementations, 12345.6),
            "peak_mb": dict.fromkeys(stage.implementations, 12345.6),
            "seconds": {name: [123.4] for name in stage.implementations},
            "share_of_limit": 1.234,
            **(spread if stage.has_peers else own if stage.task != "scaling" else scaling),
        }
        for stage in stages.STAGES
    ]
    report.show(report.describe(5_000_000, found, repeats=5))
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= 100
    assert all(any(f" {stage.name} " in text for text in shown) for stage in stages.STAGES)
