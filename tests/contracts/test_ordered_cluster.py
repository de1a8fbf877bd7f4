"""Invariant 1, of runs whose messages are put in order: on a cluster, and when a worker dies in either pass."""

import os
import signal

import pytest
from clusters import PATIENCE_SECONDS, start_scheduler
from contract_data import CENTRE, assert_identical, block_mb, config_of, read_dataset
from observing import observing
from test_same_run import start_worker

from cdpipe import run

pytestmark = pytest.mark.slow

MIX = {"kind": "mix", "kinds": ["offset_rand", "dos", "stale", "replay", "sybil", "disruptive"], "ratio": 0.8}
PASSES = ("gather → clean → order", "attack → features")


def config(path, out, blocks, **session):
    return config_of(
        [path],
        out,
        clean={"centre": CENTRE},
        attack=MIX,
        features={"history": True, "checks": True},
        gather={"block_mb": block_mb(path, blocks)},
        session=session,
        train={"classifiers": []},
    )


@pytest.fixture(scope="module")
def reference(dirty_csv, tmp_path_factory):
    out = tmp_path_factory.mktemp("reference")
    report = run(config(dirty_csv, out, 1, threads_per_worker=1))
    return report.ledgers, read_dataset(out / "out" / "dataset")[0]


def assert_same(reference, report, out):
    ledgers, frame = reference
    assert_identical(frame, read_dataset(out / "out" / "dataset")[0])
    assert report.ledgers == ledgers


@pytest.mark.parametrize(("blocks", "threads"), [(3, 2), (16, 1), (16, 2)])
def test_threads_and_blocks_make_no_difference(reference, dirty_csv, tmp_path, blocks, threads):
    assert_same(reference, run(config(dirty_csv, tmp_path, blocks, threads_per_worker=threads)), tmp_path)


def test_a_local_cluster_makes_no_difference(reference, dirty_csv, tmp_path):
    session = {"scheduler": "local", "workers": 2, "threads_per_worker": 1, "dashboard": False}
    assert_same(reference, run(config(dirty_csv, tmp_path, 16, **session)), tmp_path)


@pytest.fixture
def workers(tmp_path):
    """A scheduler and two workers of this test alone: (address, process ids of the workers)."""
    from distributed import Client

    with (
        start_scheduler(tmp_path) as address,
        start_worker(tmp_path, "one", address) as one,
        start_worker(tmp_path, "two", address) as two,
    ):
        with Client(address, timeout=PATIENCE_SECONDS, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=PATIENCE_SECONDS)
        yield address, (one, two)


@pytest.mark.parametrize("during", PASSES)
def test_a_worker_that_dies_makes_no_difference(reference, dirty_csv, tmp_path, workers, during):
    address, (_, victim) = workers
    deaths = []

    def kill(label, done, _total, _outcome):
        if label == during and done == 2 and not deaths:
            os.kill(victim, signal.SIGKILL)
            deaths.append(label)

    report = run(config(dirty_csv, tmp_path, 16, scheduler=address), observer=observing(on_partition=kill))
    assert deaths == [during]
    assert_same(reference, report, tmp_path)
