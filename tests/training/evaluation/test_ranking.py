import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from cdpipe.training.evaluation.intervals import add_all, find_spread
from cdpipe.training.evaluation.ranking import (
    LEAST_HONEST,
    as_steps,
    count_steps,
    estimate_rankings,
    profile_scores,
    rank,
    trace_curves,
)
from cdpipe.training.evaluation.resampling import Resampler

SCORED = st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3)), min_size=2, max_size=80).filter(
    lambda pairs: len({label for label, _ in pairs}) == 2
)


def arrays(pairs):
    label, score = np.array(pairs).T
    return label.astype(np.int8), (score / 3).astype(np.float32)


@given(SCORED)
def test_areas_are_those_of_scikit_learn_ties_included(pairs):
    label, score = arrays(pairs)
    found = rank([count_steps(score, label)], least_honest=0)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(label, score), abs=1e-12)
    assert found["average_precision"] == pytest.approx(average_precision_score(label, score), abs=1e-12)
    false, true, _ = roc_curve(label, score, drop_intermediate=False)
    assert found["tpr_at_1_percent_fpr"] == pytest.approx(true[false <= 0.01].max(), abs=1e-12)


@given(st.lists(SCORED, min_size=1, max_size=4))
def test_folds_are_averaged_by_their_pairs_and_by_their_attackers(folds):
    sides = [arrays(pairs) for pairs in folds]
    found = rank([count_steps(score, label) for label, score in sides], least_honest=0)
    pairs = [label.sum() * (1 - label).sum() for label, _ in sides]
    positives = [label.sum() for label, _ in sides]
    area = np.average([roc_auc_score(*side) for side in sides], weights=pairs)
    precision = np.average([average_precision_score(*side) for side in sides], weights=positives)
    assert found["roc_auc"] == pytest.approx(area, abs=1e-12)
    assert found["average_precision"] == pytest.approx(precision, abs=1e-12)


def test_one_label_alone_has_no_areas_and_no_curves():
    steps = count_steps(np.float32([0.1, 0.9]), np.int8([1, 1]))
    assert all(np.isnan(value) for value in rank([steps]).values())
    assert trace_curves([steps]) is None


@pytest.mark.parametrize("honest", [LEAST_HONEST - 1, LEAST_HONEST])
def test_one_percent_of_few_honest_messages_is_not_told(honest):
    label = np.int8([1] * 10 + [0] * honest)
    score = label.astype(np.float32)
    assert np.isnan(rank([count_steps(score, label)])["tpr_at_1_percent_fpr"]) == (honest < LEAST_HONEST)


def noisy(rows=3_000, vehicles=60, seed=1):
    rng = np.random.default_rng(seed)
    code = rng.integers(0, vehicles, rows)
    label = (code % 3 == 0).astype(np.int8)
    return rng.normal(label, 1.0).astype(np.float32), label, code


def test_curves_of_one_fold_are_its_thresholds():
    score, label, _ = noisy()
    roc, recall = trace_curves([count_steps(score, label)])
    false, true, _ = roc_curve(label, score, drop_intermediate=False)
    for x, y in zip(roc.x, roc.y, strict=True):
        assert y == pytest.approx(true[false <= x + 1e-15].max())
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(roc_auc_score(label, score), abs=0.02)
    assert np.trapezoid(recall.y, recall.x) == pytest.approx(average_precision_score(label, score), abs=0.02)


def test_bins_are_exact_for_few_scores_and_near_for_many():
    score, label, code = noisy()
    few = np.round(score).astype(np.float32)
    exact = rank([as_steps(add_all(profile_scores(few, label, code, vehicles=60)))])
    for name, value in rank([count_steps(few, label)]).items():
        assert exact[name] == pytest.approx(value, abs=1e-12), name
    near = rank([as_steps(add_all(profile_scores(score, label, code, vehicles=60)))])
    for name, value in rank([count_steps(score, label)]).items():
        assert near[name] == pytest.approx(value, abs=0.01), name


def test_each_vehicle_keeps_its_messages_in_the_bins():
    score, label, code = noisy()
    code = code * 2  # every other vehicle is in another fold
    bins = profile_scores(score, label, code, vehicles=120)
    assert bins.vehicle.tolist() == list(range(0, 120, 2))
    np.testing.assert_array_equal((bins.negative + bins.positive).sum(axis=1), np.bincount(code)[::2])


def test_intervals_hold_the_figure_and_are_narrower_with_more_vehicles():
    widths = []
    for vehicles in (24, 240):
        score, label, code = noisy(6_000, vehicles)
        resampler = Resampler(np.arange(vehicles) % 3 == 0, 5, 400)
        found = estimate_rankings(
            [(score, label, code)],
            vehicles=vehicles,
            resampler=resampler,
            spread=find_spread(vehicles=vehicles, folds=1),
        )
        assert all(each.low <= each.value <= each.high for each in found.values())
        widths.append(found["roc_auc"].high - found["roc_auc"].low)
    assert widths[1] < widths[0]
