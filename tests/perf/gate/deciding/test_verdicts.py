"""Verdicts on simulated pairs: neither crying wolf nor sleeping, and intervals that hold what they promise."""

import math

import numpy as np
import pytest
from scipy import stats

from cdpipe.perf.gate.deciding.looks import plan_looks
from cdpipe.perf.gate.deciding.series import Series, Verdict, measure_change, summarise_process
from cdpipe.perf.gate.deciding.verdicts import Criteria, decide

from ..simulated import decide_one

LOOKS = plan_looks(comparisons=1, false_alarms=0.01, most_pairs=24)


def judge(base, head, *, unit="seconds", criteria=None, ended=True):
    series = Series("b", unit, list(map(float, base)), list(map(float, head)))
    return decide([series], looks=LOOKS, criteria=criteria or Criteria(), ended=ended)[0]


def noise(seed, count=12, spread=0.01, scale=1.0):
    return scale * np.exp(np.random.default_rng(seed).normal(0, spread, count))


@pytest.mark.parametrize(
    ("unit", "scale", "verdict"),
    [
        ("seconds", 1.5, Verdict.SLOWER), ("seconds", 0.6, Verdict.FASTER), ("seconds", 1.0, Verdict.NO_CHANGE),
        ("bytes", 1.5, Verdict.LARGER), ("bytes", 0.6, Verdict.SMALLER), ("tasks", 2, Verdict.HIGHER),
        ("share", 0.5, Verdict.LOWER),
    ],
)  # fmt: skip
def test_a_change_is_named_by_its_unit(unit, scale, verdict):
    decision = judge(noise(1), noise(2, scale=scale), unit=unit)
    assert decision.verdict is verdict
    assert decision.interval[0] <= decision.change <= decision.interval[1]
    assert decision.change == pytest.approx(scale - 1, rel=0.1, abs=0.02)
    assert decision.extra_pairs is None


def test_a_certain_but_tiny_change_is_none():
    decision = judge(noise(1, 24, 1e-4), noise(2, 24, 1e-4, scale=1.01))
    assert decision.p_value < 0.001
    assert decision.verdict is Verdict.NO_CHANGE
    strict = judge(noise(1, 24, 1e-4), noise(2, 24, 1e-4, scale=1.01), criteria=Criteria(smallest=0.005))
    assert strict.verdict is Verdict.SLOWER


def test_the_floor_is_the_noise_of_equal_code_where_that_is_more_than_what_counts():
    quiet, loud = judge(noise(1), noise(2)), judge(noise(1, spread=0.1), noise(2, spread=0.1))
    assert quiet.floor == pytest.approx(0.02)
    assert loud.floor == loud.noise > 0.05
    # What twelve pairs of equal code differ by in 99 of 100 comparisons.
    assert loud.noise == pytest.approx(math.expm1(2.576 * 0.1 * math.sqrt(2 / 12)), rel=0.5)


def test_what_cannot_be_told_says_how_many_pairs_it_would_take():
    few = judge(noise(1, 3), noise(2, 3))
    assert (few.verdict, few.extra_pairs, few.interval) == (Verdict.CANNOT_TELL, 3, None)
    loud = judge(noise(1, 12, 0.2), noise(2, 12, 0.2))
    assert (loud.verdict, loud.reason) == (Verdict.CANNOT_TELL, "too noisy: the interval leaves either answer open")
    assert loud.extra_pairs > 50
    assert loud.detectable > 0.15
    nothing = judge([], [])
    assert (nothing.verdict, nothing.pairs) == (Verdict.CANNOT_TELL, 0)


def test_figures_that_never_vary_are_told_by_their_number_alone():
    assert judge([40.0] * 12, [40.0] * 12, unit="tasks").verdict is Verdict.NO_CHANGE
    assert judge([40.0] * 12, [80.0] * 12, unit="tasks").verdict is Verdict.HIGHER
    assert judge([40.0] * 7, [80.0] * 7, unit="tasks").verdict is Verdict.CANNOT_TELL


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [(0, 0, 0.0), (0, 5, math.log(1000)), (5, 0, -math.log(1000)), (1, 1e9, math.log(1000)), (2, 3, math.log(1.5))],
)
def test_nothing_against_something_is_a_thousandfold(before, after, change):
    assert measure_change(before, after) == pytest.approx(change)


def test_nothing_before_and_much_after_is_larger():
    decision = judge([0.0] * 12, [5e6] * 12, unit="bytes")
    assert decision.verdict is Verdict.LARGER
    assert decision.change == pytest.approx(999)


def test_one_figure_stands_for_a_process():
    assert summarise_process([5.0, 1.0, 3.0, 9.0], unit="seconds") == 2.0
    assert summarise_process([5.0, 1.0, 3.0], unit="bytes") == 3.0
    assert summarise_process([2.0], unit="seconds") == 2.0


def bound(count, of, *, above):
    """One-sided 95 % bound of a rate (Clopper and Pearson)."""
    interval = stats.binomtest(count, of).proportion_ci(confidence_level=0.9, method="exact")
    return interval.high if above else interval.low


def repeat(runs, change, **options):
    return [decide_one(change, seed=seed, **options) for seed in range(runs)]


@pytest.mark.parametrize(
    "options",
    [{"spread": 0.03}, {"spread": 0.025, "noise": "heavy", "second": 0.01, "weather": 0.3}],
    ids=["normal", "heavy, with an order effect and weather"],
)
def test_equal_code_raises_no_alarm_and_is_told_to_be_equal(options):
    decisions = [decision for first, rest in repeat(30, 0.0, **options) for decision in (first, *rest)]
    alarms = sum(decision.has_changed for decision in decisions)
    assert bound(alarms, len(decisions), above=True) < 0.02
    told = [decision for decision in decisions if decision.verdict is Verdict.NO_CHANGE]
    assert len(told) >= 0.9 * len(decisions)
    assert all(low > -0.05 and high < 0.05 for low, high in (decision.interval for decision in told))


@pytest.mark.parametrize(("change", "least"), [(0.05, 0.9), (0.10, 0.98), (0.30, 0.98), (2.0, 1.0)])
def test_a_slowdown_is_found(change, least):
    found = [first.verdict is Verdict.SLOWER for first, _ in repeat(16, change, spread=0.03)]
    assert np.mean(found) >= least


@pytest.mark.slow
@pytest.mark.parametrize("noise_", ["normal", "heavy"])
@pytest.mark.parametrize(("spread", "change"), [(0.01, 0.03), (0.03, 0.0), (0.03, 0.03), (0.03, 0.05), (0.06, 0.1)])
def test_intervals_cover_the_truth_after_stopping(noise_, spread, change):
    runs = repeat(400, change, spread=spread, noise=noise_)
    covered = sum(first.interval[0] <= change <= first.interval[1] for first, _ in runs)
    assert 0.92 <= covered / 400 <= 0.985


@pytest.mark.slow
def test_intervals_of_all_changes_together_cover_between_93_and_97_of_100():
    runs = [
        (change, decide_one(change, spread=spread, seed=seed)[0])
        for seed in range(60)
        for spread in (0.01, 0.02, 0.03)
        for change in (0.0, 0.03, 0.05, 0.10, 0.30)
    ]
    covered = np.mean([decision.interval[0] <= change <= decision.interval[1] for change, decision in runs])
    assert 0.93 <= covered <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.01, 0.06, 0.17])
def test_runs_of_equal_code_raise_an_alarm_as_rarely_as_they_say(spread):
    runs = repeat(600, 0.0, spread=spread, noise="heavy", second=0.05)
    alarms = sum(any(decision.has_changed for decision in (first, *rest)) for first, rest in runs)
    assert stats.binomtest(alarms, len(runs), 0.01, alternative="greater").pvalue > 0.001


def test_pairs_are_added_only_where_it_is_unsure():
    same, unsure, clear = (
        np.mean([first.pairs for first, _ in repeat(6, change, spread=spread)])
        for change, spread in ((0.0, 0.03), (0.04, 0.06), (0.5, 0.03))
    )
    assert same < clear == 12 < unsure <= 24
