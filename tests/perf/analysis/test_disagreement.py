"""The sentence that says why thresholds and shares differ."""

import itertools

import pytest

from cdpipe.perf.analysis.attribution import attribute
from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.disagreement import explain_disagreement
from cdpipe.perf.analysis.thresholds import RULES, Thresholds, classify

CALM = {"cpu_percent": 50.0, "memory_percent": 20.0, "disk_busy": 0.1, "ready_queue_max": 4.0}


def explain(shares, **figures):
    known = {**CALM, **figures, **{f"share_{name}": value for name, value in shares.items()}}
    return explain_disagreement(attribute(known), classify(known, thresholds=Thresholds()), known)


def test_a_queue_of_long_tasks_is_not_the_scheduler():
    said = explain({"compute": 0.98, "scheduling": 0.003}, ready_queue_max=150.0, task_seconds_p50=0.5)
    assert said == (
        "by thresholds scheduler-bound, by shares compute-bound: a queue of 150 tasks of 500 ms is work to do; "
        "the slots waited for the scheduler 0.3 % of their time"
    )


def test_busy_cores_with_tiny_tasks_are():
    shares = {"compute": 0.35, "scheduling": 0.55, "idle": 0.1}
    said = explain(shares, cpu_percent=95.0, tasks=12_000.0, task_seconds_p50=0.001)
    assert "cores that were busy 95 % do not say with what" in said
    assert "55 % of the slots' time went into handing out 12,000 tasks of 1 ms" in said


@pytest.mark.parametrize(
    ("shares", "figures"),
    [
        ({"compute": 0.9}, {"cpu_percent": 90.0}),
        ({"compute": 0.9}, {"memory_percent": 90.0}),
        ({"disk": 0.9}, {"cpu_percent": 10.0, "disk_busy": 0.9}),
        ({"scheduling": 0.9}, {"ready_queue_max": 400.0}),
        ({"compute": 0.5, "disk": 0.5}, {}),
    ],
)
def test_nothing_is_said_where_they_agree(shares, figures):
    assert explain(shares, **figures) == ""


def test_each_pair_of_classes_has_a_sentence_without_holes():
    causes = ("compute", "memory", "disk", "network", "serialisation", "scheduling", "gil", "lock", "sleep", "idle")
    by_shares = [{name: 1.0} for name in causes] + [{"compute": 0.5, "disk": 0.5}, {"compute": 0.2}]
    by_thresholds = [
        {"cpu_percent": 90.0}, {"memory_percent": 70.0}, {"cpu_percent": 10.0, "disk_busy": 0.9},
        {"ready_queue_max": 200.0}, {},
    ]  # fmt: skip
    said = [explain(shares, **figures) for shares, figures in itertools.product(by_shares, by_thresholds)]
    spoken = [text for text in said if text]
    assert len(spoken) == len(said) - len(RULES) - 1  # each threshold class agrees with one of the others
    assert all(text.startswith("by thresholds ") and "  " not in text and "None" not in text for text in spoken)
    assert len(set(spoken)) == len(spoken)


def test_what_computes_is_not_added_to_what_others_took():
    said = explain({"compute": 0.58, "contention": 0.36, "idle": 0.06}, cpu_percent=65.0)
    assert said.endswith("the slots are full of computing: compute 58 % of their time")
    assert "94 %" not in said


def test_two_shares_of_a_class_are_named_apart():
    said = explain({"compute": 0.45, "gil": 0.3, "lock": 0.2, "idle": 0.05}, cpu_percent=50.0)
    assert said.endswith("gil 30 % and lock 20 % of their time")


def test_nothing_is_said_of_what_is_disturbed():
    assert explain({"compute": 0.1, "contention": 0.89}, cpu_percent=95.0) == ""


def test_thresholds_that_lack_figures_disagree_with_nothing():
    figures = {"share_compute": 1.0, "cpu_percent": 95.0}
    verdict = classify(figures, thresholds=Thresholds())
    assert verdict.bound is Bound.INSUFFICIENT
    assert explain_disagreement(attribute(figures), verdict, figures) == ""
