"""Train: features -> classifiers fitted on one part of the vehicles and measured on the other."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import IS_ATTACKER, VEHICLE
from cdpipe.limits import count_processors
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.params import choose_params
from cdpipe.training.classifiers import Labels, Matrix
from cdpipe.training.evaluation.evaluate import evaluate
from cdpipe.training.evaluation.folds import Folds, Vehicles, find_vehicles
from cdpipe.training.evaluation.intervals import Estimate, estimate_rates, find_spread, profile_alarms
from cdpipe.training.evaluation.resampling import Resampler
from cdpipe.training.evaluation.result import Evaluation
from cdpipe.training.evaluation.rounds import Judged, Tell, fit_and_judge
from cdpipe.training.examples import Examples, Gathered, gather_examples, select
from cdpipe.training.metrics import Metrics, count_confusion, measure, summarise
from cdpipe.training.params import TrainParams
from cdpipe.training.sampling import choose_vehicles, tally
from cdpipe.training.sides import Sides, choose_sides
from cdpipe.training.split import require_both_labels
from cdpipe.training.tuning import name_chosen, tune

__all__ = ["Fitted", "TrainParams", "Trained", "train", "train_parts"]

NAME: Final = "train"
VERSION: Final = 3

Read = Callable[[Sequence[str] | None], Iterable[pd.DataFrame]]
"""Reads partitions one by one, all columns or some; may be called more than once."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """One classifier's result.

    Attributes
    ----------
    classifier
        Its name.
    metrics
        On the test side, or of all folds and repeats together.
    fit_s, predict_s
        Seconds to fit and to predict.
    estimates
        By name, each rate with its interval of 95 %, by resampling vehicles.
    chosen
        By key of training, what a grid search has chosen; empty where there was none.
    """

    classifier: str
    metrics: Metrics
    fit_s: float
    predict_s: float
    estimates: dict[str, Estimate] = field(default_factory=dict, hash=False)
    chosen: dict[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gave.

    Attributes
    ----------
    fitted
        A result for each classifier.
    ledger
        Rows used; dropped are those outside the sample, with a null feature, or with one that float32 cannot hold.
    features
        Names of the features, in order.
    train_rows, test_rows
        Messages on each side; with folds, those that train in a round, on average, and those that test in a repeat.
    test_vehicles
        Vehicles of the test side: with few, metrics say little, however many messages those sent.
    majority_rate
        Accuracy of always naming the commoner class of the test side: what a classifier must beat.
    evaluation
        Of folds, if they were asked for.
    """

    fitted: tuple[Fitted, ...]
    ledger: Ledger
    features: tuple[str, ...]
    train_rows: int
    test_rows: int
    test_vehicles: int
    majority_rate: float
    evaluation: Evaluation | None = None


def train(
    frame: pd.DataFrame, params: TrainParams | None = None, *, threads: int | None = None, **given: object
) -> Trained:
    """Fit and measure the classifiers.

    Parameters
    ----------
    frame
        What the features stage gives, shape (n, …), in any order of rows; they are put in the order of `row_number`.
    params
        Which classifiers and which split.
    threads
        Threads to use at most; by default as many as this process has processors. Results do not depend on it.
    given
        Keys of `TrainParams`, instead of `params`.

    Raises
    ------
    ValueError
        If no row is left without null features, a side of the split is empty, there is only one class to learn, or
        the sample has no room for a vehicle of each label; if a key or its value is none.

    Examples
    --------
    >>> from cdpipe import attack, clean, features, read
    >>> attacked, _ = attack(clean(read("bsm.csv")[0].compute())[0], "swap_rand", ratio=0.3)
    >>> trained = train(features(attacked)[0], classifiers=["DecisionTree"], split="vehicle")
    >>> trained.fitted[0].classifier, -1 <= trained.fitted[0].metrics.mcc <= 1
    ('DecisionTree', True)
    """
    params = choose_params(TrainParams, params, given)

    def read(columns: Sequence[str] | None) -> list[pd.DataFrame]:
        return [frame if columns is None else frame[list(columns)]]

    return train_parts(read, params, rows=len(frame), threads=threads)


def train_parts(
    read: Read, params: TrainParams, *, rows: int, threads: int | None = None, tell: Tell | None = None
) -> Trained:
    """Fit and measure the classifiers on partitions, which are read one by one.

    A sample is drawn from two columns in a pass before, so that the messages it leaves out are never held.

    Parameters
    ----------
    read
        Gives the partitions of what the features stage gave, in any order.
    params
        Which classifiers, sample and split.
    rows
        Rows of all partitions.
    threads
        As for `train`.
    tell
        Called before each classifier is fitted, with its name, which it is, and of how many; with folds, anew for each
        way to make them.

    Raises
    ------
    ValueError
        As for `train`.
    """
    _require_label(read, params)
    chosen = None
    if params.sample_rows is not None and params.sample_rows < rows:
        counted = tally(read((VEHICLE, params.label)), label=params.label)
        chosen = choose_vehicles(counted, rows=params.sample_rows, seed=params.seed)
        rows = params.sample_rows
    gathered = gather_examples(read(None), rows=rows, stage=NAME, chosen=chosen, label=params.label)
    if gathered.ledger.rows_out == 0:
        why = dict(gathered.ledger.dropped) or "none at all"
        raise ValueError(f"no row of {gathered.ledger.rows_in} has all features ({why}); choose other features")
    working = threads or count_processors()
    if params.evaluation.enabled:
        return _train_folds(gathered, params, threads=working, tell=tell)
    sides = _split_sides(gathered.examples, params)
    ledger, names = gathered.ledger, gathered.names
    del gathered  # the sides are copies
    return _train_once(sides, ledger, names, params, threads=working, tell=tell)


def _require_label(read: Read, params: TrainParams) -> None:
    """Refuse to learn a label that the messages do not have; each has the usual one."""
    if params.label == IS_ATTACKER:
        return
    first = next(iter(read(None)), None)
    if first is not None and params.label not in first.columns:
        raise ValueError(
            f"train.label is {params.label!r}, but the messages have no such column, only {IS_ATTACKER!r}; leave "
            "train.label out"
        )


def _split(examples: Examples, params: TrainParams) -> Sides:
    """Say which examples train, with both labels, and which test."""
    sides = choose_sides(examples, params)
    require_both_labels(examples.label[sides.trains], vehicle=examples.vehicle[sides.trains], params=params)
    return sides


class _Sides(NamedTuple):
    """What trains and what tests, and the vehicles of both."""

    train_x: Matrix
    train_y: Labels
    train_vehicle: NDArray[np.uint64]
    test_x: Matrix
    test_y: Labels
    vehicles: Vehicles


def _split_sides(examples: Examples, params: TrainParams) -> _Sides:
    trains, test = _split(examples, params)
    label = examples.label[test]
    return _Sides(
        examples.matrix[trains],
        examples.label[trains],
        examples.vehicle[trains],
        examples.matrix[test],
        label,
        find_vehicles(examples.vehicle[test], label),
    )


def _train_once(
    sides: _Sides,
    ledger: Ledger,
    names: tuple[str, ...],
    params: TrainParams,
    *,
    threads: int,
    tell: Tell | None,
) -> Trained:
    """Fit and measure the classifiers on the sides of one split."""
    fitted = []
    for number, name in enumerate(params.classifiers, 1):
        if tell is not None:
            tell(name, number, len(params.classifiers))
        tuned = tune(name, params, sides.train_x, sides.train_y, sides.train_vehicle, threads=threads)
        _judge, verdict, fit_s, predict_s = fit_and_judge(
            name, tuned, sides.train_x, sides.train_y, sides.test_x, threads=threads, names=names
        )
        estimates = _estimate(verdict.label, sides, params)
        measured = measure(sides.test_y, verdict.label)
        fitted.append(Fitted(name, measured, fit_s, predict_s, estimates, name_chosen(name, tuned)))
    share = float(sides.test_y.mean())
    return Trained(
        tuple(fitted),
        ledger,
        names,
        len(sides.train_y),
        len(sides.test_y),
        sides.vehicles.hashes.size,
        max(share, 1 - share),
    )


def _estimate(alarm: Labels, sides: _Sides, params: TrainParams) -> dict[str, Estimate]:
    """Estimate the rates of alarms on the test side by resampling its vehicles."""
    vehicles = sides.vehicles
    alarms = profile_alarms(vehicles.code, sides.test_y, alarm, vehicles=vehicles.hashes.size)
    resampler = Resampler(vehicles.attacks, params.seed, params.evaluation.resamples)
    if not resampler.is_able:
        return estimate_rates(alarms, None, None)
    spread = find_spread(vehicles=vehicles.hashes.size, folds=1)
    return estimate_rates(alarms, resampler.add_up([alarms])[0], spread)


def _train_folds(gathered: Gathered, params: TrainParams, *, threads: int, tell: Tell | None) -> Trained:
    """Fit and measure the classifiers fold by fold, or as `folds = 1` has it on one split, and evaluate them."""
    examples, once = gathered.examples, params.folds == 1
    split_once = None
    if once:
        sides = _split(examples, params)
        kept = sides.trains | sides.tests
        examples, split_once = select(examples, kept), np.where(sides.tests[kept], 0, -1).astype(np.int16)
    found = evaluate(examples, gathered.names, params, split=split_once, threads=threads, tell=tell)
    share, tests = found.evaluation.positive_share, found.evaluation.messages
    rounds = found.evaluation.folds
    training = examples.label.size - tests if once else round(tests * (rounds - 1) / rounds)
    results = {each.classifier: each for each in found.evaluation.classifiers}
    fitted = tuple(
        Fitted(
            name,
            _measure_all(examples, judged, found.folds),
            sum(each.fit_s for each in judged),
            sum(each.predict_s for each in judged),
            results[name].rates,
        )
        for name, judged in found.judged.items()
    )
    return Trained(
        fitted,
        gathered.ledger,
        gathered.names,
        training,
        tests,
        found.evaluation.vehicles,
        max(share, 1 - share),
        found.evaluation,
    )


def _measure_all(examples: Examples, judged: list[Judged], folds: list[Folds]) -> Metrics:
    """Measure a classifier over all messages that test, in all repeats together."""
    counts = np.zeros(4, np.int64)
    for each, fold in zip(judged, folds, strict=True):
        counts += count_confusion(examples.label[fold >= 0], each.alarm[fold >= 0])
    tn, fp, fn, tp = counts.tolist()
    return summarise((tn, fp, fn, tp))
