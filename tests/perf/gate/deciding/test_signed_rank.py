"""The signed-rank test and its interval, against SciPy, against counting, and against what they promise."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cdpipe.perf.gate.deciding.signed_rank import estimate_shift, weigh_signs

DIFFERENCES = st.lists(st.floats(-1, 1), min_size=1, max_size=12)


@pytest.mark.parametrize("count", [1, 2, 5, 6, 9, 14, 25])
def test_the_test_is_scipy_s_where_no_two_are_equal(count):
    generator = np.random.default_rng(count)
    for shift in (0.0, 0.5, 1.5):
        values = generator.normal(shift, 1, count)
        assert weigh_signs(values) == pytest.approx(stats.wilcoxon(values, method="exact").pvalue)


def count_all_signs(values):
    """Two-sided p by walking through all ways to choose the signs."""
    values = [value for value in values if value]
    if not values:
        return 1.0
    ranks = stats.rankdata(np.abs(values))
    seen = ranks[np.array(values) > 0].sum()
    sums = [sum(itertools.compress(ranks, signs)) for signs in itertools.product([0, 1], repeat=len(values))]
    tails = (np.mean([s <= seen + 1e-9 for s in sums]), np.mean([s >= seen - 1e-9 for s in sums]))
    return min(1.0, 2 * min(tails))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_ties_and_zeros_are_counted_as_all_choices_of_signs_say(values):
    assert weigh_signs(values) == pytest.approx(count_all_signs(values))


@pytest.mark.parametrize(("count", "least"), [(6, 2 / 2**6), (12, 2 / 2**12), (24, 2 / 2**24), (80, 2 / 2**80)])
def test_differences_of_one_sign_are_the_least_likely(count, least):
    assert weigh_signs([0.1 * at for at in range(1, count + 1)]) == pytest.approx(least)
    assert weigh_signs([0.1] * count) == pytest.approx(least)


@given(DIFFERENCES)
def test_sides_change_places(values):
    opposite = [-value for value in values]
    assert weigh_signs(values) == pytest.approx(weigh_signs(opposite))
    there, back = estimate_shift(values), estimate_shift(opposite)
    assert there.value == pytest.approx(-back.value, abs=1e-12)
    if there.interval:
        assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]), abs=1e-12)
        assert there.interval[0] - 1e-12 <= there.value <= there.interval[1] + 1e-12


def test_the_interval_is_what_the_test_does_not_refuse():
    values = np.random.default_rng(2).normal(0.3, 1, 15)
    low, high = estimate_shift(values).interval
    inside, outside = (low + 1e-9, high - 1e-9), (low - 1e-9, high + 1e-9)
    assert min(weigh_signs(values - shift) for shift in inside) > 0.05
    assert max(weigh_signs(values - shift) for shift in outside) <= 0.05


@pytest.mark.parametrize(("count", "is_known"), [(1, False), (5, False), (6, True), (20, True)])
def test_an_interval_takes_six_pairs(count, is_known):
    assert (estimate_shift(range(count)).interval is not None) == is_known


def test_a_wild_pair_moves_neither_estimate_nor_interval_much():
    values = np.random.default_rng(4).normal(0.05, 0.01, 16)
    wild = values.copy()
    wild[3] = 5.0
    assert estimate_shift(wild).value == pytest.approx(estimate_shift(values).value, abs=0.005)
    assert estimate_shift(wild).interval[1] < 0.07
