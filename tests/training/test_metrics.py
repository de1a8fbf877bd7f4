import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from cdpipe.training.metrics import compute_rates, measure

LABELS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60)


def expected(truth, predicted):
    """The same figures by scikit-learn, with NaN for a rate over nothing."""
    matrix = oracle.confusion_matrix(truth, predicted, labels=[0, 1])
    figures = {
        "accuracy": oracle.accuracy_score(truth, predicted),
        "precision": oracle.precision_score(truth, predicted, zero_division=math.nan),
        "recall": oracle.recall_score(truth, predicted, zero_division=math.nan),
        "f1": oracle.f1_score(truth, predicted, zero_division=math.nan),
        "specificity": oracle.recall_score(truth, predicted, pos_label=0, zero_division=math.nan),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of classes that are only predicted
        figures["balanced_accuracy"] = oracle.balanced_accuracy_score(truth, predicted)
        figures["mcc"] = oracle.matthews_corrcoef(truth, predicted)
    return matrix.ravel().tolist(), figures


@given(pairs=LABELS)
@example([(0, 0)])
@example([(1, 1)])
@example([(0, 1)])
@example([(1, 0)])
@example([(0, 0), (1, 0)])
@example([(0, 1), (1, 1)])
@example([(0, 1), (1, 0)])
@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8])
def test_counts_and_rates_are_those_of_scikit_learn(dtype, pairs):
    truth, predicted = (np.array(side, dtype) for side in zip(*pairs, strict=True))
    counts, figures = expected(truth, predicted)
    found = measure(truth, predicted)
    assert [found.true_negatives, found.false_positives, found.false_negatives, found.true_positives] == counts
    for name, value in figures.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-12, abs=1e-15, nan_ok=True), name


def test_a_rate_over_nothing_is_null_in_json():
    plain = measure(np.zeros(3, np.int8), np.zeros(3, np.int8)).as_dict()
    assert {name for name, value in plain.items() if value is None} == {"precision", "recall", "f1"}
    assert plain["mcc"] == 0.0
    assert plain["balanced_accuracy"] == plain["specificity"] == plain["accuracy"] == 1.0


def test_same_figures_are_equal_and_others_are_not():
    nothing = np.zeros(2, np.int8)
    one, again = measure(nothing, nothing), replace(measure(nothing, nothing), recall=float("nan"))
    assert math.isnan(one.recall)
    assert (one, hash(one)) == (again, hash(again))
    assert one != replace(one, recall=0.0)
    assert one != measure(nothing, 1 - nothing)
    assert one != one.as_dict()


def test_large_counts_do_not_overflow():
    truth = np.tile(np.array([0, 1], np.int8), 3_000_000)
    found = measure(truth, np.roll(truth, 1))
    assert found.mcc == pytest.approx(-1.0)


@pytest.mark.parametrize(("truth", "predicted"), [([0, 1], [0]), ([0, 2], [0, 1]), ([0, 1], [-1, 1])])
def test_other_shapes_or_labels_are_refused(truth, predicted):
    with pytest.raises(ValueError, match=r"\d"):
        measure(np.array(truth), np.array(predicted))


def test_rounding_takes_no_coefficient_beyond_one():
    counts = np.random.default_rng(0).integers(1, 10**6, (20_000, 4))
    counts[:10_000, 1:3] = 0
    counts[10_000:, 0::3] = 0
    found = compute_rates(counts)["mcc"]
    assert found[:10_000] == pytest.approx(1)
    assert found[10_000:] == pytest.approx(-1)
    assert np.abs(found).max() == 1
