"""Confusion counts against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from cdpipe.training.metrics import count_confusion

PAIRS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=600)


@given(PAIRS, st.sampled_from(["uint8", "bool", "int8", "int64", "uint64"]))
def test_counts_equal_scikit_learns(pairs, kind):
    truth, predicted = np.array(pairs).astype(kind).T
    expected = tuple(confusion_matrix(truth, predicted, labels=[0, 1]).ravel().tolist())
    assert count_confusion(truth, predicted) == expected


@pytest.mark.parametrize("rows", [255, 256, 1_000, 70_000])
def test_counts_do_not_overflow_the_labels_type(rows):
    ones = np.ones(rows, np.uint8)
    assert count_confusion(ones, ones) == (0, 0, 0, rows)
    assert count_confusion(1 - ones, ones) == (0, rows, 0, 0)
    assert count_confusion(ones, 1 - ones) == (0, 0, rows, 0)
    assert count_confusion(1 - ones, 1 - ones) == (rows, 0, 0, 0)


def test_types_mix_and_nothing_is_nothing():
    assert count_confusion([True, False], np.array([1, 1], np.int64)) == (0, 1, 0, 1)
    assert count_confusion(np.empty(0, np.uint8), np.empty(0, np.uint8)) == (0, 0, 0, 0)
    assert all(type(count) is int for count in count_confusion([1, 0], [0, 1]))


def test_inputs_are_not_changed():
    truth = np.array([0, 1, 1], np.uint8)
    count_confusion(truth, truth)
    assert truth.tolist() == [0, 1, 1]
    assert truth.flags.writeable


@pytest.mark.parametrize(
    ("truth", "predicted", "words"),
    [
        ([0, 1], [0, 1, 1], "truth has 2 labels, predicted 3"),
        ([0, 2], [0, 1], "truth holds 2"),
        ([0, 1], np.array([0, 200], np.uint8), "predicted holds 200"),
        (np.array([-1, 1], np.int8), [0, 1], "truth holds -1"),
        ([0, 1], [0, 256], "predicted holds 256"),
        ([0.0, 1.0], [0, 1], "truth is float64"),
        (["0", "1"], [0, 1], "truth is"),
    ],
)
def test_errors_name_the_side_and_the_value(truth, predicted, words):
    with pytest.raises(ValueError, match=words):
        count_confusion(truth, predicted)
