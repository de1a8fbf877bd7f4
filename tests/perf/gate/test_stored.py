"""Verdicts from results that asv has stored."""

import numpy as np
import pytest

from cdpipe.perf.gate.comparison import compare_results
from cdpipe.perf.gate.deciding.series import Verdict
from cdpipe.perf.gate.measuring.rounds import Side
from cdpipe.perf.results.model import ResultsError

from ..results_writing import COMMIT, OLDER, benchmark, row


def samples(scale=1.0, *, rounds=16, repeat=3, seed=0):
    generator = np.random.default_rng([seed, round(scale * 100)])
    processes = np.repeat(np.exp(generator.normal(0, 0.01, rounds)), repeat)
    return (scale * processes * np.exp(generator.normal(0, 0.003, len(processes)))).tolist()


@pytest.fixture
def stored(writer):
    """Two commits: one benchmark slower, one the same, one that fails, one that only the newer has."""
    names = ("slow", "same", "broken", "new")
    writer.benchmarks(*(benchmark(f"s.time_{name}", rounds=16) for name in names))
    writer.machine()
    for commit, scale, date in ((OLDER, 1.0, 1_000), (COMMIT, 1.2, 2_000)):
        rows = {
            "s.time_slow": row([scale], samples=[samples(scale)]),
            "s.time_same": row([1.0], samples=[samples(1.0, seed=date)]),
            "s.time_broken": row([1.0] if commit == OLDER else [None]),
        }
        if commit == COMMIT:
            rows["s.time_new"] = row([1.0], samples=[samples()])
        writer.run(rows, commit=commit, date=date)
    return writer.path


def compare(path, **options):
    chosen = {"rounds": None, "machine": None, **options}
    outcome = compare_results(path, OLDER[:8], COMMIT[:8], **chosen)
    return outcome, {each.series.name: each.decision for each in outcome.rows}


def test_rounds_are_processes_and_their_pairs_decide(stored):
    outcome, decisions = compare(stored)
    assert decisions["s.time_slow"].verdict is Verdict.SLOWER
    assert decisions["s.time_slow"].change == pytest.approx(0.2, abs=0.02)
    assert decisions["s.time_same"].verdict is Verdict.NO_CHANGE
    assert {decision.pairs for decision in decisions.values()} == {16}
    assert [(each.benchmark, each.side) for each in outcome.failures] == [("s.time_broken", Side.HEAD)]
    assert outcome.missing == {"s.time_new": Side.HEAD}
    assert outcome.status == 1
    assert "If the rounds did not alternate" in outcome.design[1]


def test_samples_of_few_processes_are_few_pairs_however_many_they_are(stored):
    outcome, decisions = compare(stored, rounds=2)
    assert {decision.pairs for decision in decisions.values()} == {2}
    assert {decision.verdict for decision in decisions.values()} == {Verdict.CANNOT_TELL}
    assert outcome.status == 2
    assert "takes 10 rounds or more to be certain, whatever its size" in outcome.design[2]


def test_rounds_that_do_not_divide_the_samples_make_one_process(stored):
    _, decisions = compare(stored, rounds=7)
    assert {decision.pairs for decision in decisions.values()} == {1}


def test_a_commit_without_results_is_named(stored):
    with pytest.raises(ResultsError, match="no results of commit '12345678'"):
        compare_results(stored, OLDER[:8], "12345678", rounds=None, machine=None)


def test_commits_of_two_machines_are_not_compared(writer):
    writer.benchmarks(benchmark("s.time_a"))
    for commit, machine in ((OLDER, "box"), (COMMIT, "other")):
        writer.run({"s.time_a": row([1.0])}, commit=commit, machine=machine)
    with pytest.raises(ResultsError, match="no machine and environment measured both commits"):
        compare_results(writer.path, OLDER, COMMIT, rounds=None, machine=None)
