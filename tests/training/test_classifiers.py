import numpy as np
import pytest
from pydantic import ValidationError

from cdpipe.training import classifiers
from cdpipe.training.classifiers import CLASSIFIERS, THRESHOLD, fit
from cdpipe.training.train import TrainParams

EVERY = tuple(CLASSIFIERS)


@pytest.mark.parametrize("name", EVERY)
def test_the_number_of_threads_changes_no_bit(name, monkeypatch):
    monkeypatch.setattr(classifiers, "_BLOCK_ROWS", 64)
    monkeypatch.setattr(classifiers, "_BOOSTING_ROWS_PER_THREAD", 500)
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2_000, 4)).astype(np.float32), rng.integers(0, 2, 2_000).astype(np.int8)
    test = rng.normal(size=(1_000, 4)).astype(np.float32)
    params = TrainParams(trees=30)  # an even number of trees and random labels: many ties
    labels = [CLASSIFIERS[name](params, x, y, threads)(test).label for threads in (1, 2)]
    assert labels[0].dtype == np.int8
    assert 0 < labels[0].sum() < 1_000
    np.testing.assert_array_equal(*labels)


@pytest.mark.skipif(classifiers.has_fast_engine(), reason="scikit-learn-intelex is installed")
def test_an_engine_that_is_not_installed_is_refused_before_anything_runs():
    with pytest.raises(ValidationError, match=r"not installed; pip install 'cdpipe\[fast\]'"):
        TrainParams(engine="intelex")


def test_more_trees_than_the_fast_engine_grows_are_refused(monkeypatch):
    monkeypatch.setattr("cdpipe.training.params.has_fast_engine", lambda: True)
    with pytest.raises(ValidationError, match=r"train\.trees is 7000 but .*at most 6024; lower it"):
        TrainParams(engine="intelex", trees=7_000)


def test_the_threshold_detector_alarms_where_any_check_is_below_one_half():
    x = np.array([[9, 1, 1], [-9, 0.4, 1], [0, 0.5, 0.9], [0, 1, 0], [9, 0.6, 0.25]], np.float32)
    judge = fit(THRESHOLD, TrainParams(), x, np.zeros(5, np.int8), 1, ("x_pos", "check_speed", "check_turn"))
    verdict = judge(x)
    assert verdict.label.tolist() == [0, 1, 0, 1, 1]
    np.testing.assert_allclose(verdict.score, [0, 0.6, 0.5, 1, 0.75], atol=1e-6)
    assert (verdict.label.dtype, verdict.score.dtype) == (np.int8, np.float32)
    assert judge(x[:0]).label.size == 0


def test_the_threshold_detector_says_which_features_it_needs():
    with pytest.raises(ValueError, match=r"none is a feature; set features\.checks = true"):
        fit(THRESHOLD, TrainParams(), np.zeros((2, 1), np.float32), np.zeros(2, np.int8), 1, ("x_pos",))
