"""Result of an evaluation: what a report tells of it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cdpipe.training.evaluation.decisions import Waits
from cdpipe.training.evaluation.intervals import Estimate
from cdpipe.training.evaluation.params import Rung
from cdpipe.training.evaluation.ranking import Curve

Rates = dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class VehicleResult:
    """What a classifier's alarms say of whole vehicles.

    Attributes
    ----------
    decisions
        Rates of the decisions, by name.
    honest_alarmed, attackers_alarmed
        Share of honest vehicles and of attackers with one alarm or more.
    waits
        Messages until an attacker's first alarm.
    """

    decisions: Rates
    honest_alarmed: Estimate
    attackers_alarmed: Estimate
    waits: Waits


@dataclass(frozen=True, slots=True)
class GroupImportance:
    """A group of features, and by how much MCC falls when other messages' values stand in their place."""

    group: str
    features: tuple[str, ...]
    fall: Estimate


@dataclass(frozen=True, slots=True)
class RungResult:
    """A rung of the ladder of leaks.

    Attributes
    ----------
    rung
        How folds were made.
    mcc, macro_f1
        None where it could not be tested.
    excess
        Its MCC less that of whole vehicles at random; None of that rung itself.
    missing
        Why it could not be tested.
    """

    rung: Rung
    mcc: Estimate | None
    macro_f1: Estimate | None
    excess: Estimate | None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class ClassifierResult:
    """One classifier's evaluation.

    Attributes
    ----------
    classifier
        Its name.
    rates
        Rates of its alarms, by name.
    rankings
        Areas of its curves, and its true positive rate at a false positive rate of 1 %.
    vehicles
        What its alarms say of whole vehicles.
    precisions
        By share of attackers' messages, the precision that its two error rates would give.
    curves
        ROC and precision-recall; None with messages of one label only.
    importance
        By group of features, the one that matters most first.
    ladder
        Rungs, the one that leaks most first.
    """

    classifier: str
    rates: Rates
    rankings: Rates
    vehicles: VehicleResult
    precisions: dict[float, Estimate]
    curves: tuple[Curve, Curve] | None
    importance: tuple[GroupImportance, ...] = ()
    ladder: tuple[RungResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Baseline:
    """One feature as it is, taken for a score: nothing was learnt but whether high or low values are suspicious."""

    feature: str
    suspicious: str
    rankings: Rates


@dataclass(frozen=True, slots=True)
class Predictions:
    """Each tested message's keys and what was said of it.

    Attributes
    ----------
    row_number, vehicle, time_us, label
        Shape (n,).
    fold
        By repeat, shape (repeats, n); -1 where a message did not test.
    alarm, score
        By classifier, shape (repeats, n).
    """

    row_number: NDArray[np.int64]
    vehicle: NDArray[np.uint64]
    time_us: NDArray[np.int64]
    label: NDArray[np.int8]
    fold: NDArray[np.int16]
    alarm: dict[str, NDArray[np.int8]]
    score: dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation found.

    Attributes
    ----------
    label
        What was learnt.
    folds, repeats, resamples
        How it was made.
    vehicles, attackers
        Vehicles that tested, and those that attack among them.
    messages
        That tested.
    positive_share
        Share of label 1 among them.
    classifiers
        A result for each.
    baselines
        Features as they are, the best first.
    predictions
        What `predictions.parquet` holds.
    """

    label: str
    folds: int
    repeats: int
    resamples: int
    vehicles: int
    attackers: int
    messages: int
    positive_share: float
    classifiers: tuple[ClassifierResult, ...]
    baselines: tuple[Baseline, ...]
    predictions: Predictions | None = field(default=None, repr=False)
