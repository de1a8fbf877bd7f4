"""Invariant 6: every figure of a report comes from the run; what was not measured is None, never a guess."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from contract_data import config_of, digest_tree
from observing import observing
from sklearn import metrics as oracle

from cdpipe import run
from cdpipe.engine.graph import partition as graph
from cdpipe.probe.probe import ProbeResult
from cdpipe.training.classifiers import CLASSIFIERS
from cdpipe.training.metrics import measure


@pytest.fixture(scope="module")
def first(dirty_csv, tmp_path_factory):
    out = tmp_path_factory.mktemp("measured")
    start = time.perf_counter()
    report = run(config_of([dirty_csv], out, train={"classifiers": [*CLASSIFIERS]}))
    return out, report, time.perf_counter() - start


def written(out):
    return json.loads((out / "out" / "report.json").read_text())


def test_the_report_has_every_figure_that_the_probe_knows(first):
    out, _, outside_s = first
    report = written(out)
    assert set(report["used"]) == set(ProbeResult().as_dict())
    unseen = {name for name, value in report["used"].items() if value is None}
    assert unseen <= {"disk_busy", "disk_busy_source"}, "on this machine all else can be read"
    assert 0 < report["used"]["wall_seconds"] <= report["wall_s"] <= outside_s
    assert 0 < report["used"]["cpu_seconds"] <= outside_s * psutil.cpu_count()


def test_stage_seconds_are_those_of_this_run(first):
    out, report, outside_s = first
    seconds = written(out)["stage_seconds"]
    assert set(seconds) >= set(report.ledgers)
    assert all(0 < spent < outside_s * os.cpu_count() for spent in seconds.values())


def test_a_slow_partition_shows_in_wall_time_and_in_its_stage(dirty_csv, tmp_path, monkeypatch):
    stage = graph.BY_NAME["clean"]

    def slow(frame, params, facts):
        if len(frame):
            time.sleep(0.4)
        return stage.apply(frame, params, facts)

    monkeypatch.setitem(graph.BY_NAME, "clean", replace(stage, apply=slow))
    run(config_of([dirty_csv], tmp_path, train=None))
    report = written(tmp_path)
    assert report["stage_seconds"]["clean"] >= 0.4
    assert report["wall_s"] >= report["used"]["wall_seconds"] >= 0.4
    assert report["stage_seconds"]["features"] < report["stage_seconds"]["clean"]


def test_memory_held_by_the_run_shows_in_its_peak(dirty_csv, tmp_path):
    held = []

    def hold(label, done, total, outcome):
        if not held:
            held.append(bytearray(os.urandom(1)) * 300_000_000)
            time.sleep(0.1)

    before = psutil.Process().memory_info().rss
    run(config_of([dirty_csv], tmp_path, train=None), observer=observing(on_partition=hold))
    held.clear()
    assert written(tmp_path)["used"]["tree_peak_bytes"] >= min(before, 100_000_000) + 290_000_000 - 50_000_000


def test_machine_and_versions_are_this_machine_s(first):
    report = written(first[0])
    assert report["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert report["machine"]["memory_gb"] == pytest.approx(psutil.virtual_memory().total / 1e9, abs=0.1)
    assert report["versions"]["numpy"] == np.__version__


def test_bytes_written_are_at_least_what_the_run_left_on_disk(first):
    out, report, _ = first
    left = sum(path.stat().st_size for path in (out / "out" / "dataset").iterdir())
    assert report.used["syscall_write_bytes"] >= left
    assert report.used["syscall_read_bytes"] > 0


def test_what_came_from_the_cache_took_no_stage_seconds_and_gives_the_same_metrics(first, dirty_csv):
    out, report, _ = first
    before = digest_tree(out / "out" / "dataset")
    second = run(config_of([dirty_csv], out, train={"classifiers": [*CLASSIFIERS]}))
    assert second.cache == {"features": "hit"}
    assert not any(second.seconds.values())
    assert second.ledgers == report.ledgers
    assert {k: v[0] for k, v in digest_tree(out / "out" / "dataset").items()} == {k: v[0] for k, v in before.items()}
    assert [each.metrics for each in second.trained.fitted] == [each.metrics for each in report.trained.fitted]


def test_metrics_are_those_of_scikit_learn(first):
    generator = np.random.default_rng(5)
    truth, said = (generator.integers(0, 2, 4_000).astype(np.int8) for _ in range(2))
    found = measure(truth, said)
    assert found.accuracy == oracle.accuracy_score(truth, said)
    assert found.f1 == pytest.approx(oracle.f1_score(truth, said), abs=1e-15)
    assert found.mcc == pytest.approx(oracle.matthews_corrcoef(truth, said), abs=1e-12)
    assert found.balanced_accuracy == pytest.approx(oracle.balanced_accuracy_score(truth, said), abs=1e-15)
    for each in written(first[0])["training"]["classifiers"]:
        right, wrong = (
            (each["true_positives"], each["true_negatives"]),
            (each["false_positives"], each["false_negatives"]),
        )
        assert sum(right) + sum(wrong) == written(first[0])["training"]["test_rows"]
        assert each["accuracy"] == pytest.approx(sum(right) / (sum(right) + sum(wrong)))


def test_every_classifier_reports_its_own_seconds(first):
    found = written(first[0])["training"]["classifiers"]
    assert [each["name"] for each in found] == list(CLASSIFIERS)
    assert all(each["fit_s"] > 0 and each["predict_s"] > 0 for each in found)
    assert len({each["fit_s"] for each in found}) == len(found)


def test_without_training_there_are_no_metrics(dirty_csv, tmp_path):
    run(config_of([dirty_csv], tmp_path, train=None))
    report = written(tmp_path)
    assert report["training"] is None
    assert not list((tmp_path / "out").glob("*.png"))
    assert all(Path(path).exists() for path in report["outputs"].values())
