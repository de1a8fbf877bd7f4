"""Metrics: what a confusion matrix says of a classifier."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

RATES: Final = ("accuracy", "precision", "recall", "f1", "specificity", "balanced_accuracy", "mcc", "macro_f1")
"""Names of the rates, in the order of `Metrics`."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Counts and rates of a binary classifier; attackers (1) are the positives. A rate over nothing is NaN.

    Attributes
    ----------
    true_negatives, false_positives, false_negatives, true_positives
        The confusion matrix.
    accuracy, precision, recall, f1, specificity, balanced_accuracy
        Shares, 0 to 1.
    mcc
        Matthews correlation coefficient, -1 to 1; 0 where a row or column of the matrix is empty, as in scikit-learn.
    macro_f1
        Mean of the F1 of both classes; of one, where the other is neither true nor predicted.
    """

    true_negatives: int
    false_positives: int
    false_negatives: int
    true_positives: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    specificity: float
    balanced_accuracy: float
    mcc: float
    macro_f1: float

    def __eq__(self, other: object) -> bool:
        """Return True if all figures are equal; NaN equals NaN."""
        return self.as_dict() == other.as_dict() if isinstance(other, Metrics) else NotImplemented

    def __hash__(self) -> int:
        """Return a hash of the confusion matrix."""
        return hash((self.true_negatives, self.false_positives, self.false_negatives, self.true_positives))

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the metrics as JSON-able values, with None for NaN."""
        return {name: None if math.isnan(value) else value for name, value in asdict(self).items()}


def measure(truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> Metrics:
    """Compare predicted labels with true ones, shape (n,) each, 0 or 1.

    Raises
    ------
    ValueError
        If the shapes differ or a label is neither 0 nor 1.
    """
    return summarise(count_confusion(truth, predicted))


def summarise(counts: tuple[int, int, int, int]) -> Metrics:
    """Return the metrics of counts of true negatives, false positives, false negatives and true positives."""
    rates = compute_rates(np.array(counts, np.int64))
    return Metrics(*counts, *(float(rates[name]) for name in RATES))


def compute_rates(counts: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Compute the rates of many confusion matrices at once.

    Parameters
    ----------
    counts
        True negatives, false positives, false negatives and true positives, numbers >= 0, shape (..., 4).

    Returns
    -------
    dict
        By name, as in `RATES`: float64, shape (...); NaN where a rate is over nothing.

    Examples
    --------
    >>> float(compute_rates(np.array([6, 2, 1, 3]))["precision"])
    0.6
    """
    tn, fp, fn, tp = (counts[..., place] for place in range(4))
    recall, specificity = _share(tp, tp + fn), _share(tn, tn + fp)
    spread = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    f1 = _share(2 * tp, 2 * tp + fp + fn)
    found = {
        "accuracy": _share(tp + tn, tp + tn + fp + fn),
        "precision": _share(tp, tp + fp),
        "recall": recall,
        "f1": f1,
        "specificity": specificity,
        "balanced_accuracy": _mean_of_both(recall, specificity),
        "mcc": np.clip(np.nan_to_num(_share(tp * tn - fp * fn, spread), nan=0.0), -1.0, 1.0),  # rounding goes beyond
        "macro_f1": _mean_of_both(f1, _share(2 * tn, 2 * tn + fp + fn)),
    }
    return {name: found[name] for name in RATES}


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
    tn, fp, fn, tp = np.bincount(2 * t + p, minlength=4).tolist()
    return tn, fp, fn, tp


def _as_labels(values: ArrayLike, *, name: str) -> NDArray[np.uint8]:
    array = np.asarray(values)
    if array.dtype.kind not in "biu":
        raise ValueError(
            f"{name} is {array.dtype}; labels are integers or booleans, 1 for an attacker's message, else 0"
        )
    wrong = array[(array != 0) & (array != 1)]
    if wrong.size:
        raise ValueError(f"{name} holds {wrong.flat[0]}; labels are 1 for an attacker's message, else 0")
    return array.astype(np.uint8)


def _share(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Return part / whole, NaN where that is over nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(whole > 0, np.true_divide(part, whole), np.nan))


def _mean_of_both(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of two rates, or the one that is defined where the other is not."""
    return np.where(np.isnan(one), other, np.where(np.isnan(other), one, (one + other) / 2))
