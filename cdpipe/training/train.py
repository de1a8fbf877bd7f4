"""Train: features -> classifiers fitted on one part of the vehicles and measured on the other."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from cdpipe.kernels.draws.thresholds import distinct
from cdpipe.limits import count_processors
from cdpipe.spelling import word_choice
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.params import Params
from cdpipe.training.classifiers import CLASSIFIERS, FAST_TREES, Labels, Matrix, has_fast_engine
from cdpipe.training.examples import Examples, gather_examples
from cdpipe.training.metrics import Metrics, measure
from cdpipe.training.sampling import COLUMNS, choose_vehicles, tally
from cdpipe.training.split import SplitBy, split

NAME: Final = "train"
VERSION: Final = 2

Read = Callable[[Sequence[str] | None], Iterable[pd.DataFrame]]
"""Reads partitions one by one, all columns or some; may be called more than once."""


class TrainParams(Params):
    """Which classifiers learn, and how they are tested."""

    classifiers: tuple[str, ...] = Field(
        default=("RandomForest", "DecisionTree", "KNeighbors"),
        description="any of " + ", ".join(CLASSIFIERS) + "; [] for none",
    )
    split: SplitBy = Field(
        default="vehicle",
        description="row, vehicle (none on both sides; by row flatters every score) or time (the last test)",
    )
    test_ratio: float = Field(default=0.2, gt=0, lt=1, description="share that tests")
    seed: int = Field(default=42, ge=0, lt=2**63, description="seed of the sample, of the split and of the classifiers")
    sample_rows: int | None = Field(
        default=None,
        ge=1,
        le=10**15,
        description="train and test on whole vehicles with at most this many messages; default: all",
    )
    trees: int = Field(default=100, ge=1, le=1_000_000, description="trees of the random forest")
    neighbors: int = Field(default=5, ge=1, le=1_000_000, description="neighbours of KNeighbors")
    scale: bool = Field(default=False, description="KNeighbors: count distance in standard deviations of each feature")
    engine: Literal["scikit-learn", "intelex"] = Field(
        default="scikit-learn",
        description="who grows the random forest: scikit-learn, or intelex (pip install cdpipe[fast])",
    )

    @field_validator("classifiers")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in CLASSIFIERS:
                raise ValueError(f"{name!r} is no classifier here; {word_choice(name, CLASSIFIERS)}")
        return tuple(dict.fromkeys(names))

    @field_validator("engine")
    @classmethod
    def _installed(cls, engine: str) -> str:
        if engine == "intelex" and not has_fast_engine():
            raise ValueError(
                "scikit-learn-intelex is not installed; pip install 'cdpipe[fast]' (x86-64 only), or leave it out"
            )
        return engine

    @model_validator(mode="after")
    def _can_be_grown(self) -> "TrainParams":
        if self.engine == "intelex" and self.trees > FAST_TREES:
            raise ValueError(
                f"train.trees is {self.trees} but train.engine = 'intelex' grows at most {FAST_TREES}; lower it, or "
                "set train.engine = 'scikit-learn'"
            )
        return self


@dataclass(frozen=True, slots=True)
class Fitted:
    """One classifier's result.

    Attributes
    ----------
    classifier
        Its name.
    metrics
        On the test side.
    fit_s, predict_s
        Seconds to fit and to predict.
    """

    classifier: str
    metrics: Metrics
    fit_s: float
    predict_s: float


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
        Messages on each side.
    test_vehicles
        Vehicles of the test side: with few, metrics say little, however many messages those sent.
    majority_rate
        Accuracy of always naming the commoner class of the test side: what a classifier must beat.
    """

    fitted: tuple[Fitted, ...]
    ledger: Ledger
    features: tuple[str, ...]
    train_rows: int
    test_rows: int
    test_vehicles: int
    majority_rate: float


def train(frame: pd.DataFrame, params: TrainParams, *, threads: int | None = None) -> Trained:
    """Fit and measure the classifiers.

    Parameters
    ----------
    frame
        What the features stage gives, shape (n, …), in any order of rows; they are put in the order of `row_number`.
    params
        Which classifiers and which split.
    threads
        Threads to use at most; by default as many as this process has processors. Results do not depend on it.

    Raises
    ------
    ValueError
        If no row is left without null features, a side of the split is empty, there is only one class to learn, or
        the sample has no room for a vehicle of each label.
    """

    def read(columns: Sequence[str] | None) -> list[pd.DataFrame]:
        return [frame if columns is None else frame[list(columns)]]

    return train_parts(read, params, rows=len(frame), threads=threads)


def train_parts(
    read: Read,
    params: TrainParams,
    *,
    rows: int,
    threads: int | None = None,
    tell: Callable[[str, int, int], object] | None = None,
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
        Called before each classifier is fitted, with its name, which it is, and of how many.

    Raises
    ------
    ValueError
        As for `train`.
    """
    chosen = None
    if params.sample_rows is not None and params.sample_rows < rows:
        chosen = choose_vehicles(tally(read(COLUMNS)), rows=params.sample_rows, seed=params.seed)
        rows = params.sample_rows
    gathered = gather_examples(read(None), rows=rows, stage=NAME, chosen=chosen)
    ledger, examples = gathered.ledger, gathered.examples
    if ledger.rows_out == 0:
        why = dict(ledger.dropped) or "none at all"
        raise ValueError(f"no row of {ledger.rows_in} has all features ({why}); choose other features")
    test = _split(examples, params)
    sides = examples.matrix[~test], examples.label[~test], examples.matrix[test], examples.label[test]
    vehicles, share = distinct(examples.vehicle[test]).size, float(sides[3].mean())
    names = gathered.names
    del gathered, examples  # the sides are copies
    working = threads or count_processors()
    fitted = []
    for number, name in enumerate(params.classifiers, 1):
        if tell is not None:
            tell(name, number, len(params.classifiers))
        fitted.append(_fit(name, params, *sides, threads=working))
    testing = len(sides[3])
    return Trained(tuple(fitted), ledger, names, test.size - testing, testing, vehicles, max(share, 1 - share))


def _split(examples: Examples, params: TrainParams) -> NDArray[np.bool_]:
    """Say which examples test; the others train, and have both labels."""
    test = split(
        by=params.split,
        test_ratio=params.test_ratio,
        seed=params.seed,
        row_number=examples.row_number,
        vehicle=examples.vehicle,
        time_us=examples.time_us,
        coarse=examples.coarse,
    )
    label = examples.label[~test]
    if np.unique(label).size == 1:
        raise ValueError(
            f"all {label.size} training messages, of {distinct(examples.vehicle[~test]).size} vehicles, have "
            f"isAttacker = {label[0]}; change attack.ratio, train.split or train.test_ratio, or train nothing: "
            "train.classifiers = []"
        )
    return test


def _fit(
    name: str, params: TrainParams, train_x: Matrix, train_y: Labels, test_x: Matrix, test_y: Labels, *, threads: int
) -> Fitted:
    start = time.perf_counter()
    predict = CLASSIFIERS[name](params, train_x, train_y, threads)
    fitted = time.perf_counter()
    predicted = predict(test_x)
    done = time.perf_counter()
    return Fitted(name, measure(test_y, predicted), fitted - start, done - fitted)
