"""The resource that moved is named, whatever else moved with it; of functions, those that grew."""

import math

import pytest

from cdpipe.perf.gate.explanation import explain, find_functions, name_resource
from cdpipe.perf.gate.measuring.rounds import Side
from cdpipe.perf.gate.measuring.sighting import Sighting

from .outcomes import make_row

USUAL = {
    "wall_seconds": 1.0, "cpu_seconds": 0.9, "page_faults": 20_000.0, "read_bytes": 6e7, "write_bytes": 2e7,
    "tasks": 16.0, "peak_bytes": 2e8, "kept_bytes": 0.0, "serialisation_seconds": 0.0, "gc_seconds": 0.01,
    "wait_seconds": 0.1,
}  # fmt: skip


def see_processes(changes, *, noise=0.005):
    """Three processes a side, of which the heads use as much more as is said."""
    seen = {side: [] for side in Side}
    for side in Side:
        for turn in (-1, 0, 1):
            factors = {name: changes.get(name, 1.0) if side is Side.HEAD else 1.0 for name in USUAL}
            figures = {name: value * factors[name] * (1 + noise * turn) for name, value in USUAL.items()}
            if side is Side.HEAD:
                figures["kept_bytes"] += changes.get("leak", 0.0)
                figures["serialisation_seconds"] += changes.get("pickling", 0.0)
            seen[side].append(Sighting(figures))
    return seen


@pytest.mark.parametrize(
    ("changes", "resource"),
    [
        ({"cpu_seconds": 1.1}, "cpu_seconds"),
        ({"cpu_seconds": 1.1, "page_faults": 1.02}, "cpu_seconds"),
        ({"cpu_seconds": 1.1, "read_bytes": 2.0}, "read_bytes"),
        ({"cpu_seconds": 1.1, "write_bytes": 1.5, "peak_bytes": 1.02}, "write_bytes"),
        ({"cpu_seconds": 1.1, "tasks": 2.0, "page_faults": 1.3}, "tasks"),
        ({"cpu_seconds": 1.1, "page_faults": 1.6}, "page_faults"),
        ({"cpu_seconds": 1.1, "peak_bytes": 1.5, "page_faults": 1.6}, "peak_bytes"),
        ({"cpu_seconds": 1.05, "leak": 5e7, "peak_bytes": 1.3}, "kept_bytes"),
        ({"cpu_seconds": 1.2, "pickling": 0.15}, "serialisation_seconds"),
        ({"wait_seconds": 2.0}, "wait_seconds"),
        ({}, None),
        ({"cpu_seconds": 0.9}, None),  # less computing does not explain more time
    ],
)
def test_the_most_specific_resource_that_moved_is_named(changes, resource):
    found = name_resource(see_processes(changes), change=math.log(1.1))
    assert (found and found.name) == resource


def test_what_moves_as_much_among_equal_processes_explains_nothing():
    assert name_resource(see_processes({"cpu_seconds": 1.1}, noise=0.2), change=math.log(1.1)) is None


def test_a_benchmark_of_memory_is_explained_by_memory():
    seen = see_processes({"cpu_seconds": 1.4, "peak_bytes": 1.3, "tasks": 2.0})
    assert name_resource(seen, change=math.log(1.3), in_bytes=True).name == "peak_bytes"


def test_a_change_for_the_better_is_explained_as_well():
    assert name_resource(see_processes({"read_bytes": 0.5}), change=math.log(0.9)).name == "read_bytes"


def test_functions_that_grew_stand_apart_on_all_processes():
    base = [{"a": 0.1, "b": 0.5, "c": 0.2}, {"a": 0.11, "b": 0.4, "c": 0.2}]
    head = [{"a": 0.3, "b": 0.45, "c": 0.21, "new": 0.4}, {"a": 0.31, "b": 0.6, "c": 0.2, "new": 0.41}]
    seen = {Side.BASE: [Sighting({}, each) for each in base], Side.HEAD: [Sighting({}, each) for each in head]}
    found = find_functions(seen, grew=True)
    assert [name for name, _, _ in found] == ["new", "a"]
    assert found[1][1:] == pytest.approx((0.105, 0.305))
    assert find_functions(seen, grew=False) == ()


class Witnesses:
    """Sides whose head reads twice; at a tenth of the rows it costs `smaller` times as much."""

    def __init__(self, smaller=None, *, blind=False, shares=()):
        self.smaller, self.blind, self.turn, self.shares = smaller, blind, 0, dict(shares)

    def witness(self, benchmark, side):
        self.turn += 1
        if self.blind:
            return None
        is_head = side is Side.HEAD
        factor = {"a": 1.3, "b": self.smaller}[benchmark] if is_head else 1.0
        figures = {**USUAL, "wall_seconds": factor + self.turn % 3 / 1000, "read_bytes": 6e7 * (1 + is_head)}
        return Sighting(figures, {"stages/clean.py:read": 0.3 if is_head else 0.1})

    def probe(self, benchmark, side):
        return self.shares.get(side, {})

    def find_smaller(self, benchmark):
        return ("b", 10.0) if benchmark == "a" and self.smaller else None


@pytest.mark.parametrize(("smaller", "order"), [(None, ""), (1.3, ""), (1.0, "to the power of 0.11 more than before")])
def test_a_sentence_names_resource_order_function_and_what_to_do(smaller, order):
    row = make_row("a", 0.3)
    explanation = explain(row.series, row.decision, Witnesses(smaller))
    assert explanation.resource == "read_bytes"
    assert explanation.figures["read_bytes"] == (6e7, 1.2e8, "B")
    assert explanation.sentence.startswith("it reads more (read_bytes: 60 MB to 120 MB)")
    assert "stages/clean.py:read took 100 ms, now 300 ms" in explanation.sentence
    assert explanation.sentence.endswith("look for input that is read twice, or not skipped")
    assert order in explanation.sentence
    assert ("to the power of" in explanation.sentence) == bool(order)


def test_what_cannot_be_witnessed_has_no_explanation():
    row = make_row("a", 0.3)
    assert explain(row.series, row.decision, Witnesses(blind=True)) is None


COMPUTING = {"share_compute": 0.9, "share_idle": 0.1, "samples": 400.0}
WAITING = {"share_compute": 0.3, "share_disk": 0.65, "share_idle": 0.05, "samples": 400.0}


@pytest.mark.parametrize(
    ("base", "head", "words"),
    [
        (COMPUTING, WAITING, "and it was compute-bound and is disk-bound"),
        (COMPUTING, COMPUTING, ""),
        (COMPUTING, {}, ""),
        ({"share_compute": 0.5, "share_idle": 0.45, "share_disk": 0.05, "samples": 3.0}, WAITING, ""),
    ],
)
def test_a_class_that_changed_is_said_where_both_are_named(base, head, words):
    row = make_row("a", 0.3)
    sentence = explain(row.series, row.decision, Witnesses(shares={Side.BASE: base, Side.HEAD: head})).sentence
    assert words in sentence
    assert ("bound" in sentence) == bool(words)
