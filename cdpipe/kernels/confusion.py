"""Confusion counts of a two-class prediction."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cdpipe.kernels.arrays import as_input
from cdpipe.kernels.jit import jit


@jit
def _count(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> tuple[np.int64, np.int64, np.int64, np.int64]:
    positive, claimed, both = np.int64(0), np.int64(0), np.int64(0)
    every = np.uint8(0)
    for i in range(truth.size):
        positive += truth[i]
        claimed += predicted[i]
        both += truth[i] & predicted[i]
        every |= truth[i] | predicted[i]
    return positive, claimed, both, np.int64(every)


def _as_labels(values: ArrayLike, *, name: str) -> NDArray[np.uint8]:
    array = np.asarray(values)
    if array.dtype.kind not in "biu":
        raise ValueError(
            f"{name} is {array.dtype}; labels are integers or booleans, 1 for an attacker's message, else 0"
        )
    if array.dtype.itemsize > 1:
        wrong = array[(array != 0) & (array != 1)]
        if wrong.size:
            raise ValueError(f"{name} holds {wrong.flat[0]}; labels are 1 for an attacker's message, else 0")
        return as_input(array.astype(np.uint8), np.uint8)
    return as_input(np.ascontiguousarray(array).view(np.uint8), np.uint8)


def count_confusion(truth: ArrayLike, predicted: ArrayLike) -> tuple[int, int, int, int]:
    """Count true negatives, false positives, false negatives and true positives.

    Parameters
    ----------
    truth, predicted
        Labels 0/1, integers or booleans, shape (n,). There is no null label.

    Returns
    -------
    tn, fp, fn, tp
        Python integers that add up to n.

    Raises
    ------
    ValueError
        If the shapes differ, or a label is neither 0 nor 1.
    """
    t, p = _as_labels(truth, name="truth"), _as_labels(predicted, name="predicted")
    if t.size != p.size:
        raise ValueError(f"truth has {t.size} labels, predicted {p.size}; they must be of the same rows")
    positive, claimed, both, every = _count(t, p)
    if every > 1:
        name, labels = ("truth", t) if (t > 1).any() else ("predicted", p)
        wrong = np.asarray(truth if name == "truth" else predicted).reshape(-1)[int(np.argmax(labels > 1))]
        raise ValueError(f"{name} holds {wrong}; labels are 1 for an attacker's message, else 0")
    return int(t.size - positive - claimed + both), int(claimed - both), int(positive - both), int(both)
