"""Train: features -> classifiers fitted on one part of the vehicles and measured on the other."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_validator

from cdpipe.columns import IS_ATTACKER, ROW_NUMBER, TIME, VEHICLE
from cdpipe.stages.features import KEYS
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.metrics import Metrics, measure
from cdpipe.stages.params import Params
from cdpipe.stages.split import SplitBy, split

NAME: Final = "train"
VERSION: Final = 1


def _random_forest(params: "TrainParams") -> Any:  # noqa: ANN401 - scikit-learn is untyped
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - slow to import, and only training needs it

    return RandomForestClassifier(n_estimators=params.trees, random_state=params.seed % 2**32, n_jobs=-1)


def _decision_tree(params: "TrainParams") -> Any:  # noqa: ANN401
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415

    return DecisionTreeClassifier(random_state=params.seed % 2**32)


def _k_neighbors(params: "TrainParams") -> Any:  # noqa: ANN401
    from sklearn.neighbors import KNeighborsClassifier  # noqa: PLC0415

    return KNeighborsClassifier(n_neighbors=params.neighbors, n_jobs=-1)


CLASSIFIERS: Final[dict[str, Callable[["TrainParams"], Any]]] = {
    "RandomForest": _random_forest,
    "DecisionTree": _decision_tree,
    "KNeighbors": _k_neighbors,
}


class TrainParams(Params):
    """Which classifiers learn, and how they are tested."""

    classifiers: tuple[str, ...] = Field(
        tuple(CLASSIFIERS), description="any of " + ", ".join(CLASSIFIERS) + "; [] for none"
    )
    split: SplitBy = Field(
        "vehicle", description="row, vehicle (none on both sides; by row flatters every score) or time (the last test)"
    )
    test_ratio: float = Field(0.2, gt=0, lt=1, description="share that tests")
    seed: int = Field(42, ge=0, lt=2**63, description="seed of the split and of the classifiers")
    trees: int = Field(100, ge=1, description="trees of the random forest")
    neighbors: int = Field(5, ge=1, description="neighbours of KNeighbors")

    @field_validator("classifiers")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in CLASSIFIERS:
                raise ValueError(f"{name!r} is no classifier here; use any of {', '.join(CLASSIFIERS)}")
        return tuple(dict.fromkeys(names))


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
        Rows used; dropped are those with a null feature, or one that scikit-learn's float32 cannot hold.
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


def train(frame: pd.DataFrame, params: TrainParams) -> Trained:
    """Fit and measure the classifiers.

    Parameters
    ----------
    frame
        What the features stage gives, shape (n, …), in any order of rows; they are put in the order of `row_number`.
    params
        Which classifiers and which split.

    Raises
    ------
    ValueError
        If no row is left without null features, a side of the split is empty, or there is only one class to learn.
    """
    frame = frame.sort_values(ROW_NUMBER, kind="stable", ignore_index=True)
    names = tuple(name for name in map(str, frame.columns) if name not in (*KEYS, IS_ATTACKER))
    matrix, dropped = _matrix(frame, names)
    whole: NDArray[np.bool_] = np.asarray(np.isfinite(matrix).all(axis=1))
    ledger = Ledger(NAME, len(frame), int(np.count_nonzero(whole)), dropped)
    if not whole.any():
        raise ValueError(f"no row of {len(frame)} has all features ({dropped or 'none at all'}); choose other features")
    matrix, frame = matrix[whole], frame.loc[whole]
    label, vehicle = frame[IS_ATTACKER].to_numpy(np.int8), frame[VEHICLE].to_numpy(np.uint64)
    test = split(
        by=params.split,
        test_ratio=params.test_ratio,
        seed=params.seed,
        row_number=frame[ROW_NUMBER].to_numpy(np.int64),
        vehicle=vehicle,
        time_us=frame[TIME].to_numpy(np.int64),
    )
    if np.unique(label[~test]).size == 1:
        raise ValueError(
            f"all {np.count_nonzero(~test)} training messages, of {np.unique(vehicle[~test]).size} vehicles, have "
            f"isAttacker = {label[~test][0]}; change attack.ratio, train.split or train.test_ratio, or train nothing: "
            "train.classifiers = []"
        )
    sides = matrix[~test], label[~test], matrix[test], label[test]
    fitted = tuple(_fit(name, params, *sides) for name in params.classifiers)
    share = float(label[test].mean())
    testing, vehicles = int(test.sum()), np.unique(vehicle[test]).size
    return Trained(fitted, ledger, names, test.size - testing, testing, vehicles, max(share, 1 - share))


def _matrix(frame: pd.DataFrame, names: tuple[str, ...]) -> tuple[NDArray[np.float32], dict[str, int]]:
    """Return the features as float32, shape (n, features), NaN where null, and how many rows are dropped, by reason."""
    matrix = np.empty((len(frame), len(names)), np.float32)
    dropped: dict[str, int] = {}
    seen = np.zeros(len(frame), np.bool_)
    for place, name in enumerate(names):
        with np.errstate(over="ignore"):
            matrix[:, place] = frame[name].to_numpy(dtype=np.float32, na_value=np.nan)
        null = np.isnan(matrix[:, place])
        huge = np.isinf(matrix[:, place])
        for reason, bad in ((f"null in {name}", null), (f"{name} beyond the range of float32", huge)):
            if (bad & ~seen).any():
                dropped[reason] = int(np.count_nonzero(bad & ~seen))
            seen |= bad
    return matrix, dropped


def _fit(
    name: str,
    params: TrainParams,
    train_x: NDArray[np.float32],
    train_y: NDArray[np.int8],
    test_x: NDArray[np.float32],
    test_y: NDArray[np.int8],
) -> Fitted:
    if name == "KNeighbors" and params.neighbors > len(train_y):
        raise ValueError(f"train.neighbors is {params.neighbors} but only {len(train_y)} messages train; use fewer")
    model = CLASSIFIERS[name](params)
    start = time.perf_counter()
    model.fit(train_x, train_y)
    fitted = time.perf_counter()
    if name == "RandomForest":
        # Threads would add the trees' shares up in the order in which they end, and the last bit decides a tie.
        model.set_params(n_jobs=1)
    predicted = model.predict(test_x)
    return Fitted(name, measure(test_y, predicted), fitted - start, time.perf_counter() - fitted)
