import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as oracle

from cdpipe.training.evaluation.intervals import (
    Estimate,
    Spread,
    add_all,
    as_matrices,
    estimate,
    estimate_rates,
    find_spread,
    profile_alarms,
)
from cdpipe.training.evaluation.resampling import Profiles, Resampler
from cdpipe.training.metrics import RATES, compute_rates


def made(vehicles=30, rows=900, seed=0, right=0.8):
    rng = np.random.default_rng(seed)
    code = rng.integers(0, vehicles, rows)
    label = (code % 3 == 0).astype(np.int8)
    alarm = np.where(rng.random(rows) < right, label, 1 - label).astype(np.int8)
    return code, label, alarm


def test_profiles_count_each_vehicles_messages():
    code, label, alarm = made()
    profiles = profile_alarms(code, label, alarm, vehicles=31)
    for vehicle in range(31):
        mine = code == vehicle
        assert profiles.negative[vehicle].tolist() == [np.sum(mine & (label == 0) & (alarm == said)) for said in (0, 1)]
        assert profiles.positive[vehicle].tolist() == [np.sum(mine & (label == 1) & (alarm == said)) for said in (0, 1)]
    matrix = as_matrices(add_all(profiles))
    assert matrix.tolist() == oracle.confusion_matrix(label, alarm).ravel().tolist()


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40))
def test_macro_f1_is_that_of_scikit_learn(pairs):
    truth, said = np.array(pairs).T
    counts = np.bincount(2 * truth + said, minlength=4)
    assert compute_rates(counts)["macro_f1"] == pytest.approx(
        oracle.f1_score(truth, said, average="macro", zero_division=0), abs=1e-12
    )


def test_rates_of_many_matrices_are_those_of_each():
    counts = np.random.default_rng(2).integers(0, 4, (200, 4))
    together = compute_rates(counts)
    for place, row in enumerate(counts):
        alone = compute_rates(row)
        for name in RATES:
            np.testing.assert_array_equal(together[name][place], alone[name])


@pytest.mark.parametrize(("vehicles", "folds"), [(6, 1), (30, 1), (30, 5), (1000, 10)])
def test_intervals_are_read_further_out_for_few_vehicles_and_for_folds(vehicles, folds):
    few = stats.t.ppf(0.975, vehicles - 2) * math.sqrt(vehicles / (vehicles - 1))
    assert find_spread(vehicles=vehicles, folds=folds).tail == pytest.approx(
        stats.norm.cdf(-few * math.sqrt(1 + (folds - 1) / folds))
    )


def test_an_undefined_figure_has_no_value_and_one_often_undefined_no_interval():
    drawn = np.linspace(0, 1, 1000)
    assert estimate(math.nan, drawn, Spread(0.025)) == Estimate(None, None, None)
    assert estimate(0.5, None, Spread(0.025)) == Estimate(0.5, None, None)
    low, high = estimate(0.5, drawn, Spread(0.025))[1:]
    assert (low, high) == pytest.approx((0.025, 0.975))
    drawn[:101] = np.nan
    assert estimate(0.5, drawn, Spread(0.025)) == Estimate(0.5, None, None)


def test_a_perfect_detector_of_few_vehicles_is_not_sure_to_be_one():
    code = np.repeat(np.arange(10), 20)
    label = (code < 4).astype(np.int8)
    alarms = profile_alarms(code, label, label, vehicles=10)
    resampler = Resampler(np.arange(10) < 4, 1, 2_000)
    found = estimate_rates(alarms, resampler.add_up([alarms])[0], find_spread(vehicles=10, folds=1))
    assert found["mcc"].value == pytest.approx(1)
    assert found["mcc"].high == pytest.approx(1)
    assert found["mcc"].low < 0.9


def test_resamples_have_as_many_of_each_kind_and_one_more():
    attacks = np.arange(12) % 3 == 0
    one = Profiles((~attacks)[:, np.newaxis].astype(float), attacks[:, np.newaxis].astype(float))
    total = Resampler(attacks, 3, 300).add_up([one])[0]
    assert set(total.negative.ravel()) == {9.0}
    assert set(total.positive.ravel()) == {5.0}


def test_resamples_are_those_of_numpy_in_distribution():
    code, label, alarm = made(vehicles=60, rows=3_000)
    alarms = profile_alarms(code, label, alarm, vehicles=60)
    attacks = np.arange(60) % 3 == 0
    drawn = Resampler(attacks, 3, 4_000).add_up([alarms])[0].positive[:, 1]
    rng = np.random.default_rng(0)
    mine, either = alarms.positive[attacks, 1], (alarms.positive + alarms.negative)[:, 1]
    other = mine[rng.integers(0, 20, (4_000, 20))].sum(axis=1) + either[rng.integers(0, 60, 4_000)]
    assert drawn.std() == pytest.approx(other.std(), rel=0.06)
    assert drawn.mean() == pytest.approx(other.mean(), rel=0.01)


def test_draws_do_not_depend_on_how_many_are_made_at_a_time(monkeypatch):
    code, label, alarm = made()
    alarms = profile_alarms(code, label, alarm, vehicles=30)
    part = Profiles(alarms.negative[5:9], alarms.positive[5:9], np.arange(5, 9))
    resampler = Resampler(np.arange(30) % 3 == 0, 9, 250)
    whole = resampler.add_up([alarms, part])
    monkeypatch.setattr("cdpipe.training.evaluation.resampling._CHUNK", 100)
    for one, other in zip(whole, resampler.add_up([alarms, part]), strict=True):
        np.testing.assert_array_equal(one.negative, other.negative)
        np.testing.assert_array_equal(one.positive, other.positive)


@pytest.mark.parametrize(
    ("attacks", "able"),
    [([1, 1, 0, 0, 0], False), ([1, 1, 1, 0, 0], False), ([1, 1, 1, 0, 0, 0], True), ([1] * 5, True), ([0] * 9, False)],
)
def test_too_few_vehicles_have_no_intervals(attacks, able):
    """Where all have both labels, one kind of vehicle is enough; where none attacks, there is nothing to tell."""
    assert Resampler(np.array(attacks, bool), 1, 200).is_able is able
