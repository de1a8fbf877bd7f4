"""Invariant 1: the same answer for any number of partitions, workers, threads and schedulers, and after a death."""

import contextlib
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import dask
import dask.dataframe as dd
import numpy as np
import psutil
import pytest
from clusters import HOST, environment, start_detached, start_scheduler
from contract_data import (
    CENTRE,
    assert_identical,
    attack_variants,
    block_mb,
    config_of,
    join,
    metrics_of,
    name_of,
    read_dataset,
    read_rejects,
    types_of,
    variants,
)

from cdpipe import read, run
from cdpipe.engine.frames import apply_stage
from cdpipe.stages.attacks.offset_rand import OffsetRand
from cdpipe.stages.features import FeatureParams
from cdpipe.stages.gather import GatherParams
from cdpipe.stages.train import CLASSIFIERS, TrainParams, train
from cdpipe.synth import SynthParams, synthesize

EVERY = variants()


def compute_both(laid, ledger, scheduler="threads"):
    """Compute a lazy frame and its account in one go: dask warns of a frame and a delayed value together."""
    *parts, account = dask.compute(*laid.to_delayed(), ledger, scheduler=scheduler)
    return join(parts), account


def lay(pieces):
    """A Dask frame of these partitions as they are: `from_pandas` would give text another type."""
    return dd.from_delayed([dask.delayed(piece) for piece in pieces], meta=pieces[0].iloc[:0], verify_meta=False)


def cut(frame, partitions):
    bounds = np.linspace(0, len(frame), partitions + 1).astype(int)
    return [frame.iloc[start:stop] for start, stop in pairwise(bounds)]


def on_dask(variant, frame, partitions):
    laid, ledger = apply_stage(variant.stage, lay(cut(frame, partitions)), variant.params)
    assert laid.npartitions == partitions
    return compute_both(laid, ledger)


# Stages


@pytest.mark.parametrize("variant", EVERY, ids=name_of)
def test_a_stage_gives_the_same_on_pandas_and_on_1_3_and_16_partitions(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    whole, ledger = apply_stage(variant.stage, frame, variant.params)
    assert len(whole) > 100, "a filter that keeps nothing would prove nothing"
    for partitions in (1, 3, 16):
        parted, account = on_dask(variant, frame, partitions)
        assert_identical(whole.reset_index(drop=True), parted)
        assert account == ledger


@pytest.mark.parametrize("variant", EVERY, ids=name_of)
def test_a_stage_gives_the_same_rows_in_any_order_of_rows(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    whole, ledger = apply_stage(variant.stage, frame, variant.params)
    mixed, account = apply_stage(variant.stage, frame.sample(frac=1, random_state=7), variant.params)
    assert not mixed["row_number"].is_monotonic_increasing
    assert_identical(
        whole.sort_values("row_number", ignore_index=True), mixed.sort_values("row_number", ignore_index=True)
    )
    assert account == ledger


@pytest.mark.parametrize("variant", EVERY, ids=name_of)
def test_a_stage_gives_the_same_whatever_the_index_of_rows(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    whole, _ = apply_stage(variant.stage, frame, variant.params)
    odd = frame.set_axis(np.zeros(len(frame), np.int64))
    assert_identical(
        whole.reset_index(drop=True), apply_stage(variant.stage, odd, variant.params)[0].reset_index(drop=True)
    )


@pytest.mark.parametrize("variant", EVERY, ids=name_of)
def test_empty_partitions_change_nothing(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    whole, ledger = apply_stage(variant.stage, frame, variant.params)
    pieces = [frame.iloc[:0], frame.iloc[:1], frame.iloc[1:1], frame.iloc[1:], frame.iloc[:0]]
    done, account = compute_both(*apply_stage(variant.stage, lay(pieces), variant.params))
    assert_identical(whole.reset_index(drop=True), done)
    assert account == ledger


@pytest.mark.parametrize("variant", EVERY, ids=name_of)
def test_a_stage_takes_a_data_set_without_rows(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    whole, _ = apply_stage(variant.stage, frame, variant.params)
    none, ledger = apply_stage(variant.stage, frame.iloc[:0], variant.params)
    assert (len(none), ledger.rows_in, ledger.rows_out) == (0, 0, 0)
    assert types_of(none) == types_of(whole)


@pytest.mark.parametrize("variant", EVERY, ids=name_of)
def test_the_types_promised_by_a_lazy_frame_are_those_it_has(variant, stage_inputs):
    laid, _ = apply_stage(variant.stage, lay(cut(stage_inputs[variant.stage], 3)), variant.params)
    assert types_of(laid) == types_of(laid.compute(scheduler="sync"))


def test_a_frame_without_row_numbers_is_numbered_alike(stage_inputs):
    frame = stage_inputs["clean"].drop(columns="row_number")
    variant = EVERY[0]
    whole, _ = apply_stage(variant.stage, frame, variant.params)
    assert whole["row_number"].max() > 2_000
    for partitions in (1, 3, 16):
        assert_identical(whole, on_dask(variant, frame, partitions)[0])


def test_the_text_type_of_a_frame_from_pandas_changes_nothing_else(stage_inputs):
    frame = stage_inputs["attack"]
    for stage, params in (("attack", OffsetRand()), ("features", FeatureParams(columns="all"))):
        whole, _ = apply_stage(stage, frame, params)
        laid, ledger = apply_stage(stage, dd.from_pandas(frame, npartitions=3, sort=False), params)
        done, _ = compute_both(laid, ledger)
        text = whole.select_dtypes("str").columns
        assert_identical(whole, done.astype(dict.fromkeys(text, "str")))
        frame = whole


@pytest.mark.parametrize("variant", attack_variants(), ids=name_of)
def test_attackers_and_offsets_follow_the_seed_and_nothing_else(variant, stage_inputs):
    frame = stage_inputs["attack"]
    one, _ = apply_stage("attack", frame, variant.params)
    other, _ = apply_stage("attack", frame, variant.params.model_copy(update={"seed": 43}))
    assert_identical(one, apply_stage("attack", frame, variant.params)[0])
    assert not one["isAttacker"].equals(other["isAttacker"])


def test_reading_gives_the_same_for_any_block_size(dirty_csv, raw):
    for blocks in (1, 3, 16):
        laid, ledger = read(dirty_csv, GatherParams(block_mb=block_mb(dirty_csv, blocks)))
        assert laid.npartitions == blocks
        done, account = compute_both(laid, ledger)
        assert_identical(raw, done)
        assert (account.rows_in, account.rows_out) == (3_000, len(raw))


# Whole runs

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


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("blocks", [1, 3, 16])
def test_a_run_gives_the_same_for_any_blocks_and_threads(reference, dirty_csv, tmp_path, blocks, threads):
    report = run_in_blocks(dirty_csv, tmp_path, blocks, session={"threads_per_worker": threads})
    assert_same_run(reference, report, tmp_path, blocks)


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
        with Client(address, timeout=20, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
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

    report = run_in_blocks(dirty_csv, tmp_path, 16, session={"scheduler": address}, on_partition=kill)
    assert deaths, "nobody was killed"
    assert not psutil.pid_exists(victim) or psutil.Process(victim).status() == psutil.STATUS_ZOMBIE
    assert_same_run(reference, report, tmp_path, 16)


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
