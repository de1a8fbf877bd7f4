"""Why slots have nothing to do: each reason by construction, and none where the figures do not tell."""

import pytest

from cdpipe.perf.analysis.attribution import attribute
from cdpipe.perf.analysis.idleness import CHAINED, ONE_LONG, OUTSIDE, TOO_FEW, UNKNOWN, find_idle_cause, say_at_once


def run_of(tasks, mean_s, *, wall_s, slots=2, longest_s=None, middle_s=None):
    return {
        "tasks": tasks, "task_seconds_mean": mean_s, "wall_seconds": wall_s, "cores": slots,
        "task_seconds_max": longest_s or mean_s, "task_seconds_p50": middle_s or mean_s,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("figures", "idle", "code"),
    [
        (run_of(1, 10.0, wall_s=10.0), 0.5, TOO_FEW),
        (run_of(3, 1.0, wall_s=2.0), 0.25, TOO_FEW),
        (run_of(642, 0.01, wall_s=6.4), 0.5, CHAINED),  # one after the other
        (run_of(642, 0.012, wall_s=6.4), 0.4, CHAINED),
        (run_of(642, 0.001, wall_s=6.4), 0.5, OUTSIDE),  # for nine tenths of the time there was none
        (run_of(0, 0.0, wall_s=6.4), 0.5, OUTSIDE),
        (run_of(41, 0.1, wall_s=3.5, longest_s=3.0, middle_s=0.03), 0.4, ONE_LONG),
        (run_of(41, 0.1, wall_s=20.0, longest_s=0.5, middle_s=0.1), 0.9, OUTSIDE),  # it explains little of the time
        ({"tasks": 642, "cores": 2}, 0.5, UNKNOWN),
        ({}, 0.5, UNKNOWN),
    ],
)
def test_what_keeps_slots_waiting(figures, idle, code):
    assert find_idle_cause(figures, idle) == code


def test_more_partitions_are_no_remedy_where_there_are_many_tasks():
    shares = {"share_compute": 0.5, "share_idle": 0.5}
    found = attribute(shares | run_of(642, 0.01, wall_s=6.4))
    assert found.code == CHAINED
    assert "tasks wait for each other" in found.title
    assert "1 tasks ran at once on average, on 2 slots" in found.evidence
    assert "642 tasks for 2 slots" in found.evidence


def test_how_many_ran_at_once_is_said_only_if_known():
    assert say_at_once({"tasks": 3.0}) == ""
    assert say_at_once(run_of(30, 0.5, wall_s=10.0)) == "1.5 tasks ran at once on average, on 2 slots"
