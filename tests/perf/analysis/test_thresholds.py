"""The rules: every class, every edge, every missing figure."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.perf.analysis.thresholds import RULES, Bound, Thresholds, classify

NAMES = ("cpu_percent", "memory_percent", "disk_busy", "ready_queue_max")


def bound(cpu=None, memory=None, disk=None, queue=None, **limits):
    figures = {name: value for name, value in zip(NAMES, (cpu, memory, disk, queue), strict=True) if value is not None}
    return classify(figures, thresholds=Thresholds(**limits)).bound


@pytest.mark.parametrize(
    ("cpu", "memory", "disk", "queue", "expected"),
    [
        (71, 59, 0.0, 0, Bound.COMPUTE),
        (70, 59, 0.0, 0, Bound.BALANCED),
        (71, 60, 0.0, 0, Bound.BALANCED),
        (71, 61, 0.9, 500, Bound.MEMORY),
        (5, 61, 0.9, 500, Bound.MEMORY),
        (29, 59, 0.51, 0, Bound.IO),
        (30, 59, 0.51, 0, Bound.BALANCED),
        (29, 60, 0.51, 0, Bound.BALANCED),
        (29, 59, 0.5, 0, Bound.BALANCED),
        (50, 30, 0.0, 101, Bound.SCHEDULER),
        (50, 30, 0.0, 100, Bound.BALANCED),
        (95, 30, 0.0, 150, Bound.COMPUTE),
        (10, 30, 0.9, 150, Bound.IO),
        (10, 30, 0.1, 150, Bound.SCHEDULER),
        (380, 10, 0.0, 0, Bound.COMPUTE),
    ],
)
def test_classes_and_their_edges(cpu, memory, disk, queue, expected):
    assert bound(cpu, memory, disk, queue) is expected


@pytest.mark.parametrize(
    ("figures", "expected", "missing"),
    [
        ({}, Bound.INSUFFICIENT, ("memory_percent", "cpu_percent", "disk_busy", "ready_queue_max")),
        ({"memory_percent": 80}, Bound.MEMORY, ()),
        ({"memory_percent": 10}, Bound.INSUFFICIENT, ("cpu_percent", "disk_busy", "ready_queue_max")),
        ({"cpu_percent": 90}, Bound.INSUFFICIENT, ("memory_percent", "ready_queue_max")),
        ({"cpu_percent": 90, "memory_percent": 10}, Bound.COMPUTE, ()),
        ({"cpu_percent": 50, "memory_percent": 10}, Bound.INSUFFICIENT, ("ready_queue_max",)),
        ({"cpu_percent": 50, "memory_percent": 10, "ready_queue_max": 3}, Bound.BALANCED, ()),
        ({"cpu_percent": 20, "memory_percent": 10, "ready_queue_max": 300}, Bound.INSUFFICIENT, ("disk_busy",)),
        ({"cpu_percent": 20, "memory_percent": 10, "disk_busy": 0.9}, Bound.IO, ()),
        ({"ready_queue_max": 300}, Bound.INSUFFICIENT, ("memory_percent", "cpu_percent", "disk_busy")),
    ],
)
def test_a_figure_that_could_change_the_class_must_be_there(figures, expected, missing):
    verdict = classify(figures, thresholds=Thresholds())
    assert (verdict.bound, verdict.missing) == (expected, missing)


@given(st.tuples(*[st.sampled_from([None, *values]) for values in ((5, 50, 95), (10, 60, 90), (0, 1), (0, 101))]))
def test_a_class_named_without_a_figure_is_the_class_with_any_value_of_it(partial):
    known = bound(*partial)
    spans = [(part,) if part is not None else (0, 5, 30, 50, 60, 61, 95, 101) for part in partial]
    completed = {bound(*values) for values in itertools.product(*spans)}
    assert Bound.INSUFFICIENT not in completed
    assert known is Bound.INSUFFICIENT or completed == {known}


def test_later_rules_that_hold_are_named_too():
    figures = {"cpu_percent": 90, "memory_percent": 10, "disk_busy": 0.0, "ready_queue_max": 150}
    verdict = classify(figures, thresholds=Thresholds())
    assert (verdict.code, verdict.also) == ("B102", ("B104",))


def test_thresholds_are_the_caller_s_and_frozen():
    assert bound(50, 10, 0.0, 0, cpu_high_percent=49) is Bound.COMPUTE
    assert bound(50, 10, 0.0, 20, queue_high=10) is Bound.SCHEDULER
    with pytest.raises(dataclasses.FrozenInstanceError):
        Thresholds().queue_high = 1


def test_rules_are_whole():
    codes = [rule.code for rule in RULES]
    assert len(set(codes)) == len(codes)
    assert [rule.bound for rule in RULES] == [Bound.MEMORY, Bound.COMPUTE, Bound.IO, Bound.SCHEDULER]
    for rule in RULES:
        assert rule.remedies
        assert not any(remedy.keys for remedy in rule.remedies)  # keys are a project's own
        assert {condition.threshold for condition in rule.conditions} <= {
            f.name for f in dataclasses.fields(Thresholds)
        }
