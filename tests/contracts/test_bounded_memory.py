"""Invariant 3: peak memory follows block size x threads, not the number of rows, and stays under what was projected."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clusters import environment
from contract_data import config_of
from observing import observing

from cdpipe import run
from cdpipe.engine.run.memory_projection import MemoryLimitError
from cdpipe.synthetic.generator import SynthParams, synthesize

SMALL, LARGE = 40_000, 160_000
GROWTH_BYTES = 50_000_000
"""Four times the rows are 27 MB more of CSV, and three times that as frames, which a run that kept them would show."""

RUN = """
import json, os, sys, threading
from pathlib import Path
from cdpipe import run
from cdpipe.config.model import parse_config
from cdpipe.engine.run.observer import RunObserver, Said
from cdpipe.probe.system.process_memory import tree_pss_bytes

peak, own, end = 0, 0, threading.Event()

def watch():
    global peak, own
    while not end.wait(0.005):
        peak = max(peak, tree_pss_bytes(os.getpid()) or 0)
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        own = max(own, int(status["RssAnon"].split()[0]) * 1024)

config = parse_config(json.loads(sys.argv[1]))
said = []

def see(event):
    if isinstance(event, Said):
        said.append(event.sentence)

watcher = threading.Thread(target=watch)
watcher.start()
try:
    report = run(config, observer=RunObserver(see))
finally:
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


@pytest.mark.slow
@pytest.mark.measuring
def test_a_run_s_own_probe_misses_little_of_what_an_outsider_sees(inputs, tmp_path_factory):
    one = measure(inputs / f"{SMALL}.csv", tmp_path_factory.mktemp("probed"), attack={"kind": "offset_rand"})
    assert one["report"]["used"]["tree_peak_bytes"] >= 0.9 * one["peak"]


@pytest.mark.slow
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


LONG = "a" * 100_000
slow = pytest.mark.slow


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "texts", "how"),
    [
        ("coreData_id", [LONG], {}),
        pytest.param("coreData_id", [LONG], {"use_dictionary": False}, marks=slow),
        pytest.param("coreData_id", [f"{i:08X}{LONG}" for i in range(50)], {}, marks=slow),
        pytest.param("metadata_generatedAt", [f"2019-07-31T12:41:59Z{LONG.replace('a', ' ')}"], {}, marks=slow),
        pytest.param("coreData_speed", [f"{LONG.replace('a', ' ')}1.5"], {}, marks=slow),
        pytest.param("coreData_position_lat", [LONG], {}, marks=slow),
        pytest.param("other", [LONG], {}, marks=slow),
    ],
)
def test_long_texts_of_a_tiny_parquet_file_stay_under_what_was_projected(tmp_path, name, texts, how):
    synthesize(tmp_path / "a.parquet", SynthParams(rows=5_000, dirty_share=0))
    table = pq.read_table(tmp_path / "a.parquet").drop_columns([name] if name != "other" else [])
    table = table.append_column(name, pa.array(texts * (5_000 // len(texts))))
    pq.write_table(table, tmp_path / "long.parquet", compression="zstd", **how)
    assert (tmp_path / "long.parquet").stat().st_size < 400_000
    if name == "coreData_position_lat":
        config = config_of([tmp_path / "long.parquet"], tmp_path, train=None)
        with pytest.raises(ValueError, match="no message of 5,000 is left"):
            run(config)
        return
    found = measure(tmp_path / "long.parquet", tmp_path / "run", attack={"kind": "offset_rand"})
    assert found["rows"] == 5_000
    assert found["peak"] <= found["report"]["projections"][0]["needed_bytes"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "lines", [",\n" * 1_000_000, pytest.param("x" * 200_000_000 + "\n", marks=slow)], ids=["commas", "long line"]
)
def test_a_flood_that_is_no_record_stays_under_what_was_projected(inputs, tmp_path, lines):
    good = (inputs / f"{SMALL}.csv").read_text()
    (tmp_path / "m.csv").write_text(good + lines + good.split("\n", 1)[1])
    found = measure(tmp_path / "m.csv", tmp_path / "run", attack={"kind": "offset_rand"})
    assert found["rows"] == 2 * SMALL + lines.count("\n")
    assert found["peak"] <= found["report"]["projections"][0]["needed_bytes"]
    assert (tmp_path / "run" / "out" / "rejects.jsonl").stat().st_size < 5_000_000


def test_blocks_that_nobody_chose_are_made_small_enough(inputs, tmp_path):
    said = []
    session = {"memory_limit_gb": 0.5, "threads_per_worker": 2}
    report = run(
        config_of([inputs / f"{SMALL}.csv"], tmp_path, session=session, train=None), observer=observing(said=said)
    )
    assert report.config["gather"]["block_mb"] < 4
    assert said[0].startswith("gather.block_mb is ")
    (projection,) = report.projections
    assert projection[1] <= projection[2]


@pytest.mark.slow
@pytest.mark.parametrize("limit", [600_000_000, 480_000_000])
def test_a_run_under_a_hard_limit_finishes(inputs, tmp_path, limit):
    """With the allocators as they are: what they reserve counts as well."""
    config = config_of([inputs / f"{LARGE}.csv"], tmp_path, train=None)
    (tmp_path / "c.json").write_text(config.model_dump_json(exclude_unset=True))
    script = f"import resource; resource.setrlimit(resource.RLIMIT_DATA, ({limit}, {limit}))\n"
    script += "from cdpipe.cli import main; main()"
    command = [sys.executable, "-c", script, "run", str(tmp_path / "c.json")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "gather.block_mb is" in done.stderr


def test_a_run_that_cannot_fit_says_so_before_it_starts(inputs, tmp_path):
    session = {"memory_limit_gb": 0.48}
    started = []
    with pytest.raises(MemoryLimitError, match=r"at most 0\.\d+ GB of 0\.48 GB; it would not fit: set .*block_mb"):
        run(
            config_of([inputs / f"{SMALL}.csv"], tmp_path, session=session, gather={"block_mb": 32}),
            observer=observing(on_partition=lambda *seen: started.append(seen)),
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
