"""The statistics, against SciPy, against counting, and against what they promise."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cdpipe.perf.analysis.statistics import (
    _count_u,
    _interval_rank,
    compare_groups,
    compare_pairs,
    correct_holm,
    estimate_median,
)

TIMES = st.floats(1e-6, 1e3)


def test_the_counts_of_u_are_those_of_all_orders():
    n, m = 3, 4
    counted = [0] * (n * m + 1)
    for places in itertools.combinations(range(n + m), n):
        counted[sum(place - rank for rank, place in enumerate(places))] += 1
    assert _count_u(n, m) == counted


@pytest.mark.parametrize(("n", "critical"), [(4, 0), (5, 2), (6, 5), (8, 13), (10, 23), (20, 127)])
def test_interval_ranks_are_the_published_critical_values(n, critical):
    # Mann-Whitney table, two-sided 5 %: reject at U <= critical, so the interval starts one order further in.
    assert _interval_rank(n, n, 0.025) == critical + 1


def test_large_samples_use_the_normal_distribution_without_a_step():
    assert _interval_rank(50, 50, 0.025) / 2500 == pytest.approx(_interval_rank(51, 51, 0.025) / 2601, abs=0.01)


def test_the_median_s_interval_covers_it_as_often_as_it_says():
    generator = np.random.default_rng(3)
    intervals = [estimate_median(generator.lognormal(size=9)).interval for _ in range(1000)]
    assert np.mean([low <= 1.0 <= high for low, high in intervals]) >= 0.95


@pytest.mark.parametrize(("count", "known"), [(1, False), (5, False), (6, True), (7, True)])
def test_a_median_s_interval_takes_six_samples(count, known):
    estimate = estimate_median(range(count))
    assert estimate.value == (count - 1) / 2
    assert (estimate.interval is not None) == known


@given(st.lists(TIMES, min_size=2, max_size=9), st.lists(TIMES, min_size=2, max_size=9))
def test_sides_change_places(before, after):
    there, back = compare_groups(before, after), compare_groups(after, before)
    assert there.ratio.value * back.ratio.value == pytest.approx(1.0)
    assert there.p_value == pytest.approx(back.p_value)
    if there.ratio.interval:
        low, high = there.ratio.interval
        assert low <= there.ratio.value <= high
        assert back.ratio.interval == pytest.approx((1 / high, 1 / low))


def test_groups_are_compared_as_scipy_does_and_scale_shows_as_ratio():
    before = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]
    after = [2.05 * x for x in before]
    comparison = compare_groups(before, after)
    assert comparison.ratio.value == pytest.approx(2.05)
    assert comparison.p_value == pytest.approx(stats.mannwhitneyu(after, before, method="exact").pvalue)
    assert comparison.p_value == pytest.approx(comparison.p_smallest)
    assert comparison.p_smallest == pytest.approx(2 / math.comb(14, 7))


def test_six_against_six_can_never_reach_asv_s_own_limit():
    assert compare_groups([1.0] * 6, [2.0] * 6).p_smallest > 0.002


@pytest.mark.parametrize("compare", [compare_groups, compare_pairs])
def test_equal_sides_are_no_difference(compare):
    comparison = compare([3.0] * 8, [3.0] * 8)
    assert (comparison.ratio.value, comparison.p_value) == (1.0, 1.0)


def test_three_samples_a_side_have_no_interval():
    assert compare_groups([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]).ratio.interval is None


def test_pairs_see_through_a_machine_that_changes_speed():
    generator = np.random.default_rng(11)
    weather = np.exp(generator.normal(0, 0.5, 12))
    before = weather * np.exp(generator.normal(0, 0.01, 12))
    after = 1.08 * weather * np.exp(generator.normal(0, 0.01, 12))
    paired, apart = compare_pairs(before.tolist(), after.tolist()), compare_groups(before.tolist(), after.tolist())
    assert paired.ratio.interval[0] > 1.05
    assert paired.ratio.interval[1] < 1.11
    assert paired.p_value == pytest.approx(2 / 2**12)
    assert apart.p_value > 0.05


def test_the_sign_test_is_scipy_s():
    before = [1.0] * 10
    after = [1.2] * 8 + [0.9] * 2
    assert compare_pairs(before, after).p_value == pytest.approx(stats.binomtest(2, 10).pvalue)


def test_no_difference_gives_uniform_p_values():
    generator = np.random.default_rng(5)
    p_values = [compare_groups(generator.lognormal(size=10), generator.lognormal(size=10)).p_value for _ in range(600)]
    assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.08


def test_holm_is_holm():
    corrected = correct_holm([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(corrected, [0.03, 0.06, 0.06, 0.02])
    assert correct_holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert correct_holm([]).tolist() == []


@pytest.mark.parametrize(("n", "m", "levels"), [(3, 3, 2), (4, 5, 3), (6, 4, 5), (5, 5, 1)])
def test_ties_are_counted_as_all_choices_say(n, m, levels):
    generator = np.random.default_rng(n)
    for _ in range(20):
        values = generator.integers(1, levels + 2, n + m).astype(float)
        if np.ptp(values) == 0:
            continue
        ranks = stats.rankdata(values)
        sums = [sum(choice) for choice in itertools.combinations(ranks, n)]
        seen = ranks[:n].sum()
        tails = [np.mean([total <= seen + 1e-9 for total in sums]), np.mean([total >= seen - 1e-9 for total in sums])]
        expected = min(1.0, 2 * min(tails)) if len(np.unique(values)) < n + m else None
        if expected is not None:
            assert compare_groups(values[n:], values[:n]).p_value == pytest.approx(expected)


def test_three_equal_samples_a_side_are_too_few():
    assert compare_groups([100e6] * 3, [120e6] * 3).p_value == pytest.approx(2 / 20)
