import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cdpipe.perf.gate.deciding.looks import FEWEST, correct_many, plan_looks, weigh_looks
from cdpipe.perf.gate.deciding.signed_rank import weigh_signs


@pytest.mark.parametrize(
    ("comparisons", "most", "counts"),
    [
        (1, 24, (10, 14, 18, 22, 24)),
        (8, 24, (12, 16, 20, 24)),
        (8, 25, (12, 16, 20, 25)),
        (100, 24, (16, 20, 24)),
        (8, 6, (6,)),
        (8, 13, (13,)),
    ],
)
def test_looks_begin_where_one_benchmark_alone_can_be_significant(comparisons, most, counts):
    looks = plan_looks(comparisons=comparisons, false_alarms=0.01, most_pairs=most)
    assert looks.counts == counts
    assert looks.most == most
    assert sum(looks.weights) == pytest.approx(1)
    if len(counts) > 1:
        assert 2 / 2 ** counts[0] / looks.weights[0] * comparisons <= 0.01


@given(st.integers(1, 500), st.floats(1e-4, 0.2), st.integers(FEWEST, 80))
def test_a_plan_always_ends_where_it_is_told_to(comparisons, false_alarms, most):
    looks = plan_looks(comparisons=comparisons, false_alarms=false_alarms, most_pairs=most)
    assert looks.most == most
    assert sum(looks.weights) == pytest.approx(1)
    assert list(looks.counts) == sorted(set(looks.counts))
    assert all(FEWEST <= count < looks.counts[0] for count in looks.early)
    assert all(looks.includes(count) for count in (*looks.early, *looks.counts))


def test_too_few_pairs_are_refused():
    with pytest.raises(ValueError, match="5 pairs say nothing; allow at least 6"):
        plan_looks(comparisons=1, false_alarms=0.01, most_pairs=5)


def test_each_look_spends_its_part():
    looks = plan_looks(comparisons=8, false_alarms=0.01, most_pairs=24)
    values = np.random.default_rng(1).normal(0.5, 1, 24)
    expected = [weigh_signs(values[:n]) / weight for n, weight in zip(looks.counts, looks.weights, strict=True)]
    for seen, count in enumerate(looks.counts, start=1):
        assert weigh_looks(values[:count], looks) == pytest.approx(min(1, *expected[:seen]))
    assert weigh_looks(values[:11], looks) == 1.0


def test_what_ends_between_looks_is_tested_with_the_next_one_s_part():
    looks = plan_looks(comparisons=8, false_alarms=0.01, most_pairs=24)
    values = [1.0 + at for at in range(14)]
    assert weigh_looks(values, looks) == weigh_looks(values[:12], looks)
    assert weigh_looks(values, looks, ended=True) == pytest.approx(2 / 2**14 / looks.weights[1])
    assert weigh_looks(values[:9], looks, ended=True) == pytest.approx(2 / 2**9 / looks.weights[0])
    assert weigh_looks([], looks, ended=True) == 1.0


@pytest.mark.parametrize("ended", [True, False])
def test_looking_many_times_has_no_more_false_alarms_than_it_says(ended):
    looks = plan_looks(comparisons=1, false_alarms=0.05, most_pairs=24)
    generator = np.random.default_rng(3)
    alarms = sum(weigh_looks(generator.standard_t(3, 24), looks, ended=ended) <= 0.05 for _ in range(600))
    # Repeated without a plan, four looks at 5 % would have about 75 of 600.
    assert stats.binomtest(alarms, 600, 0.05, alternative="greater").pvalue > 0.001


def test_correction_is_benjamini_and_hochberg_s():
    p_values = [0.01, 0.04, 0.03, 0.005, 0.9]
    np.testing.assert_allclose(correct_many(p_values), stats.false_discovery_control(p_values, method="bh"))
    assert correct_many([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_correction_agrees_with_scipy(p_values):
    np.testing.assert_allclose(correct_many(p_values), stats.false_discovery_control(p_values, method="bh"))
