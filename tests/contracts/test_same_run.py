"""Invariant 1, of whole runs: the same for any blocks, threads, clusters and formats, and after a worker's death."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from clusters import HOST, PATIENCE_SECONDS, environment, start_detached, start_scheduler
from contract_data import (
    CENTRE,
    assert_identical,
    block_mb,
    config_of,
    metrics_of,
    read_dataset,
    read_rejects,
)
from observing import observing

from cdpipe import run
from cdpipe.synthetic.generator import SynthParams, synthesize
from cdpipe.training.classifiers import CLASSIFIERS
from cdpipe.training.train import TrainParams, train

EVERY_CLASSIFIER = {"classifiers": [*CLASSIFIERS]}
ATTACK_OF_RUNS = {"kind": "swap_rand"}  # the one that rests on most of what other partitions hold


@pytest.fixture(scope="module")
def reference(dirty_csv, tmp_path_factory):
    """The run that all others must equal: one block, one thread."""
    out = tmp_path_factory.mktemp("reference")
    session = {"threads_per_worker": 1}
    report = run(config_of([dirty_csv], out, attack=ATTACK_OF_RUNS, session=session, train=EVERY_CLASSIFIER))
    frame, parts = read_dataset(out / "out" / "dataset")
    assert parts == 1
    return report, frame, read_rejects(out / "out")


def assert_same_run(reference, report, out, blocks):
    expected, frame, rejects = reference
    found, parts = read_dataset(out / "out" / "dataset")
    assert parts == blocks
    assert_identical(frame, found)
    assert report.ledgers == expected.ledgers
    assert metrics_of(report) == metrics_of(expected)
    assert read_rejects(out / "out") == rejects
    assert len(rejects) == report.ledgers["gather"].rows_in - report.ledgers["gather"].rows_out > 20


def run_in_blocks(path, out, blocks, *, session=None, **more):
    given = config_of(
        [path],
        out,
        attack=ATTACK_OF_RUNS,
        gather={"block_mb": block_mb(path, blocks)},
        session=session or {},
        train=EVERY_CLASSIFIER,
    )
    return run(given, **more)


@pytest.mark.parametrize(
    ("blocks", "threads"),
    [(3, 1), (16, 2), *(pytest.param(*each, marks=pytest.mark.slow) for each in [(1, 1), (1, 2), (3, 2), (16, 1)])],
)
def test_a_run_gives_the_same_for_any_blocks_and_threads(reference, dirty_csv, tmp_path, blocks, threads):
    report = run_in_blocks(dirty_csv, tmp_path, blocks, session={"threads_per_worker": threads})
    assert_same_run(reference, report, tmp_path, blocks)


@pytest.mark.slow
def test_a_run_on_a_local_cluster_of_two_processes_gives_the_same(reference, dirty_csv, tmp_path):
    session = {"scheduler": "local", "workers": 2, "threads_per_worker": 1, "dashboard": False}
    assert_same_run(reference, run_in_blocks(dirty_csv, tmp_path, 16, session=session), tmp_path, 16)


@contextlib.contextmanager
def start_worker(folder, name, address):
    options = ("--nthreads", "1", "--host", HOST, "--no-dashboard", "--no-nanny", "--name", name)
    place = folder / name
    place.mkdir()
    command = ("distributed.cli.dask_worker", address, *options, "--local-directory", str(place))
    with start_detached(folder, name, *command) as pid:
        yield pid


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers, started from the command line: (address, process ids of the workers)."""
    from distributed import Client

    folder = tmp_path_factory.mktemp("cluster")
    with (
        start_scheduler(folder) as address,
        start_worker(folder, "one", address) as one,
        start_worker(folder, "two", address) as two,
    ):
        with Client(address, timeout=PATIENCE_SECONDS, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=PATIENCE_SECONDS)
        yield address, (one, two)


def test_a_run_on_a_remote_scheduler_with_two_workers_gives_the_same(reference, dirty_csv, tmp_path, cluster):
    address, _ = cluster
    report = run_in_blocks(dirty_csv, tmp_path, 16, session={"scheduler": address})
    assert_same_run(reference, report, tmp_path, 16)


def test_a_run_during_which_a_worker_is_killed_gives_the_same(reference, dirty_csv, tmp_path, cluster):
    address, (_, victim) = cluster
    deaths = []

    def kill(label, done, total, outcome):
        if done == 4 and not deaths:
            os.kill(victim, signal.SIGKILL)
            deaths.append(label)

    report = run_in_blocks(
        dirty_csv, tmp_path, 16, session={"scheduler": address}, observer=observing(on_partition=kill)
    )
    assert deaths, "nobody was killed"
    assert not psutil.pid_exists(victim) or psutil.Process(victim).status() == psutil.STATUS_ZOMBIE
    assert_same_run(reference, report, tmp_path, 16)


@pytest.mark.slow
def test_a_run_in_another_process_gives_the_same(reference, dirty_csv, tmp_path):
    """Hash randomisation and the order of sets differ between processes."""
    script = (
        "import sys; from pathlib import Path; from contract_data import config_of; from cdpipe import run\n"
        "run(config_of([Path(sys.argv[1])], Path(sys.argv[2]), attack={'kind': 'swap_rand'}))"
    )
    places = os.pathsep.join([environment()["PYTHONPATH"], str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-c", script, str(dirty_csv), str(tmp_path)],
        env=environment(PYTHONPATH=places, PYTHONHASHSEED="12345"),
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert_identical(reference[1], read_dataset(tmp_path / "out" / "dataset")[0])


@pytest.mark.parametrize("by", ["row", "vehicle", "time"])
def test_training_gives_the_same_in_any_order_of_rows(reference, by):
    _, frame, _ = reference
    params = TrainParams(split=by, trees=5)
    one, other = train(frame, params), train(frame.sample(frac=1, random_state=3), params)
    assert [(each.classifier, each.metrics) for each in one.fitted] == [
        (each.classifier, each.metrics) for each in other.fitted
    ]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_formats_of_the_same_messages_give_the_same(tmp_path, suffix):
    params = SynthParams(rows=2_000, dirty_share=0.05)
    for each in (".csv", suffix):
        synthesize(tmp_path / f"messages{each}", params)
    # ODE JSON has no POINT text: where a latitude is missing, CSV must not take the position from there either.
    tables = {"clean": {"position": "columns", "centre": CENTRE}, "attack": {"kind": "override_rand"}}
    one = run(config_of([tmp_path / "messages.csv"], tmp_path / "one", **tables))
    other = run(config_of([tmp_path / f"messages{suffix}"], tmp_path / "two", **tables))
    assert_identical(
        read_dataset(tmp_path / "one" / "out" / "dataset")[0], read_dataset(tmp_path / "two" / "out" / "dataset")[0]
    )
    assert one.ledgers == other.ledgers
    assert metrics_of(one) == metrics_of(other)


def test_a_split_input_gives_the_same_as_the_whole_file(reference, dirty_csv, tmp_path):
    header, *lines = dirty_csv.read_text().splitlines()
    for place, some in enumerate((lines[:1], lines[1:1_700], lines[1_700:])):
        (tmp_path / f"piece-{place}.csv").write_text("\n".join([header, *some]) + "\n")
    run(config_of([tmp_path / "piece-*.csv"], tmp_path, attack=ATTACK_OF_RUNS))
    found, parts = read_dataset(tmp_path / "out" / "dataset")
    assert parts == 3
    assert_identical(reference[1], found)


def test_line_ends_and_a_missing_last_one_change_nothing(reference, dirty_csv, tmp_path):
    text = dirty_csv.read_text()
    (tmp_path / "dos.csv").write_bytes(b"\xef\xbb\xbf" + text.rstrip("\n").replace("\n", "\r\n").encode())
    run(config_of([tmp_path / "dos.csv"], tmp_path, attack=ATTACK_OF_RUNS, gather={"block_mb": 0.1}))
    found, _ = read_dataset(tmp_path / "out" / "dataset")
    assert_identical(reference[1], found)
