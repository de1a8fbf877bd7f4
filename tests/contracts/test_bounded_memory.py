"""Invariant 3: peak memory follows block size x threads, not the number of rows, and stays under what was projected."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clusters import environment
from contract_data import config_of

from cdpipe import run
from cdpipe.engine.projection import MemoryLimitError
from cdpipe.synth import SynthParams, synthesize

SMALL, LARGE = 40_000, 160_000
GROWTH_BYTES = 50_000_000
"""Four times the rows are 27 MB more of CSV, and three times that as frames, which a run that kept them would show."""

RUN = """
import json, os, sys, threading
from pathlib import Path
from cdpipe import run
from cdpipe.config import parse_config
from cdpipe.engine.memory import tree_pss_bytes

peak, own, end = 0, 0, threading.Event()

def watch():
    global peak, own
    while not end.wait(0.005):
        peak = max(peak, tree_pss_bytes(os.getpid()) or 0)
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        own = max(own, int(status["RssAnon"].split()[0]) * 1024)

config = parse_config(json.loads(sys.argv[1]))
said = []
watcher = threading.Thread(target=watch)
watcher.start()
report = run(config, say=said.append)
end.set()
watcher.join()
print(json.dumps({"peak": peak, "own": own, "said": said, "rows": report.ledgers["gather"].rows_in}))
"""


def measure(path, out, *, attack, block_mb=2.0):
    """Run in a process of its own; what its process tree held at most, and what it said and reported."""
    config = config_of([path], out, attack=attack, gather={"block_mb": block_mb}, train=None)
    given = config.model_dump_json(exclude_unset=True)
    done = subprocess.run(
        [sys.executable, "-c", RUN, given], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "out" / "report.json").read_text())
    return json.loads(done.stdout) | {"report": report}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    for rows in (SMALL, LARGE):
        synthesize(folder / f"{rows}.csv", SynthParams(rows=rows, vehicles=200))
    return folder


@pytest.fixture(scope="module")
def measured(inputs, tmp_path_factory):
    """Runs of N and 4 N rows, of the streaming stages alone, with the attack that holds most of the whole."""
    attack = {"kind": "swap_rand"}
    return {
        rows: measure(inputs / f"{rows}.csv", tmp_path_factory.mktemp("out"), attack=attack) for rows in (SMALL, LARGE)
    }


def test_four_times_the_rows_take_little_more_memory(measured):
    assert [measured[rows]["rows"] for rows in (SMALL, LARGE)] == [SMALL, LARGE]
    # Its own memory: the share of libraries depends on which other processes of the machine map them.
    assert measured[LARGE]["own"] - measured[SMALL]["own"] < GROWTH_BYTES


def test_memory_stays_under_what_was_projected_and_said(measured):
    for one in measured.values():
        projection = one["report"]["projections"][0]
        assert one["peak"] <= projection["needed_bytes"]
        assert f"at most {projection['needed_bytes'] / 1e9:.2f} GB" in "\n".join(one["said"])


@pytest.mark.measuring
def test_a_run_s_own_probe_misses_little_of_what_an_outsider_sees(inputs, tmp_path_factory):
    one = measure(inputs / f"{SMALL}.csv", tmp_path_factory.mktemp("probed"), attack={"kind": "offset_rand"})
    assert one["report"]["used"]["tree_peak_bytes"] >= 0.9 * one["peak"]


def test_parquet_that_is_packed_tightly_stays_under_what_was_projected(inputs, tmp_path):
    """A row group is read whole, however small it is on disk."""
    rows = 1_000_000
    synthesize(tmp_path / "a.parquet", SynthParams(rows=2_000, dirty_share=0))
    one = pq.read_table(tmp_path / "a.parquet")
    table = pa.concat_tables([one] * (rows // 2_000))
    pq.write_table(table, tmp_path / "tight.parquet", compression="zstd", row_group_size=rows)
    assert (tmp_path / "tight.parquet").stat().st_size < 5_000_000
    found = measure(tmp_path / "tight.parquet", tmp_path / "run", attack={"kind": "offset_rand"})
    assert found["rows"] == rows
    assert found["peak"] <= found["report"]["projections"][0]["needed_bytes"]


def test_a_run_that_cannot_fit_says_so_before_it_starts(inputs, tmp_path):
    session = {"memory_limit_gb": 0.48}
    started = []
    with pytest.raises(MemoryLimitError, match=r"at most 0\.\d+ GB of 0\.48 GB; it would not fit: set .*block_mb"):
        run(
            config_of([inputs / f"{SMALL}.csv"], tmp_path, session=session, gather={"block_mb": 32}),
            on_partition=lambda *seen: started.append(seen),
        )
    assert started == []
    assert not (tmp_path / "out" / "dataset").exists()
    assert not (tmp_path / "out" / "report.json").exists()


def test_training_that_cannot_fit_says_so_before_it_starts(inputs, tmp_path):
    with pytest.raises(MemoryLimitError, match=r"training on 3\d,\d{3} rows: at most .* train\.trees"):
        run(
            config_of(
                [inputs / f"{SMALL}.csv"],
                tmp_path,
                gather={"block_mb": 1},
                session={"memory_limit_gb": 2},
                train={"trees": 10_000, "classifiers": ["RandomForest"]},
            )
        )
