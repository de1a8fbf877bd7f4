"""That the ground truth can be run: some of its workloads, once. `make ground-truth` runs all of them, often."""

from collections import Counter
from dataclasses import replace

import pytest

from cdpipe.perf.analysis.bounds import Bound

from .causes import CORES, DISK, PREDICTED, SPLITS, Cell, count_agreed
from .ground import SESSIONS, open_ground
from .measuring import Outcome, measure
from .run import are_named, summarise
from .workloads import WORKLOADS

pytestmark = pytest.mark.measuring

BY_NAME = {each.name: each for each in WORKLOADS}
CONTENDED = 0.4


@pytest.fixture(scope="module")
def ground():
    with open_ground("2 slots") as opened:
        yield opened


@pytest.mark.parametrize(
    "name", ["compute/kernel, 2 slots", "parallelism/1 task", "lock/threading.Lock", "network/slow answers"]
)
def test_a_known_bottleneck_is_named(ground, name):
    outcome = measure(BY_NAME[name], ground, busy=False)
    assert sum(outcome.shares.values()) == pytest.approx(1)
    # On a machine that others use as much as this, little can be told.
    assert outcome.verdict == "right" or outcome.shares["contention"] > CONTENDED


def test_there_are_enough_workloads_of_every_class():
    assert len(BY_NAME) == len(WORKLOADS) >= 40
    classes = Counter(bound for each in WORKLOADS for bound in each.accepted)
    assert set(classes) == set(Bound) - {Bound.IO, Bound.MIXED, Bound.BALANCED, Bound.INSUFFICIENT, Bound.DISTURBED}
    assert min(classes.values()) >= 3
    for each in WORKLOADS:
        assert each.session in SESSIONS
        assert each.why


def test_counts_are_over_runs():
    outcome = Outcome(BY_NAME["parallelism/1 task"], False, Bound.PARALLELISM, {}, 1.0, 1.0, 100)
    runs = [outcome, replace(outcome, bound=Bound.MIXED), replace(outcome, bound=Bound.DISK), outcome]
    runs.append(replace(outcome, bound=Bound.DISTURBED))
    assert summarise(runs) == {
        "workloads": 1,
        "right": 2,
        "mixed": 1,
        "disturbed": 1,
        "wrong": 1,
        "confusion": {
            "too little parallel work": {"too little parallel work": 2, "mixed": 1, "disk-bound": 1, "disturbed": 1}
        },
    }


@pytest.mark.parametrize(
    ("busy", "right", "disturbed", "wrong", "named"),
    [
        (False, 99, 1, 0, True),
        (False, 98, 2, 0, False),  # an idle machine disturbs nothing
        (True, 95, 5, 0, True),  # what is disturbed is not right
        (True, 94, 6, 0, False),
        (True, 97, 0, 3, False),
    ],
)
def test_enough_must_be_right_and_disturbed_is_not(busy, right, disturbed, wrong, named):
    outcome = Outcome(BY_NAME["parallelism/1 task"], busy, Bound.PARALLELISM, {}, 1.0, 1.0, 100)
    runs = [outcome] * right + [replace(outcome, bound=Bound.DISTURBED)] * disturbed
    assert are_named([*runs, *[replace(outcome, bound=Bound.DISK)] * wrong]) is named


def test_a_prediction_is_of_the_tax_that_hurts_most():
    cell = Cell("clean", 1000, False, Bound.COMPUTE, {}, 1.0, {CORES: 1.9, DISK: 1.05, SPLITS: 1.4})
    assert (cell.predicted, cell.measured) == (CORES, CORES)
    slow = replace(cell, slowdowns={CORES: 1.2, DISK: 1.9, SPLITS: 1.1})
    assert slow.measured == DISK
    assert count_agreed([cell, slow, replace(slow, bound=Bound.DISK)]) == 2
    assert replace(cell, slowdowns={CORES: 1.1, DISK: 1.0}).measured == PREDICTED[Bound.PARALLELISM]
