import numpy as np
import pandas as pd
import pytest

from cdpipe.training.train import TrainParams, train
from cdpipe.training.transfer import train_for_transfer
from cdpipe.training.tuning import GRIDS, tune


def frame(noise, rows=900, vehicles=45):
    rng = np.random.default_rng(3)
    vehicle = rng.integers(0, vehicles, rows).astype(np.uint64)
    label = (vehicle % 3 == 0).astype(np.int8)
    return pd.DataFrame(
        {
            "row_number": np.arange(rows),
            "vehicle": vehicle * np.uint64(2**58 + 1),
            "time_us": np.arange(rows) * 1_000,
            "time_is_coarse": np.zeros(rows, np.int8),
            "x_pos": label + rng.normal(0, noise, rows),
            "isAttacker": label,
        }
    )


def test_what_is_noisy_takes_more_neighbours_than_the_least():
    params = TrainParams(classifiers=("KNeighbors",), grid_search=True, neighbors=1)
    found = train(frame(0.7), params).fitted[0]
    assert found.chosen["neighbors"] in GRIDS["KNeighbors"]["neighbors"][2:]
    alone = train(frame(0.7), TrainParams(classifiers=("KNeighbors",), neighbors=found.chosen["neighbors"])).fitted[0]
    assert found.metrics == alone.metrics
    assert alone.chosen == {}


def test_of_equals_the_first_is_taken():
    sides = frame(0.001)
    params = TrainParams(classifiers=("KNeighbors",), grid_search=True)
    tuned = tune(
        "KNeighbors",
        params,
        sides[["x_pos"]].to_numpy(np.float32),
        sides["isAttacker"].to_numpy(),
        sides["vehicle"].to_numpy(),
        threads=1,
    )
    assert tuned.neighbors == GRIDS["KNeighbors"]["neighbors"][0]


def test_a_classifier_without_such_keys_is_left_alone():
    params = TrainParams(classifiers=("DecisionTree",), grid_search=True)
    assert train(frame(0.7), params).fitted[0].chosen == {}


@pytest.mark.parametrize("threads", [1, 2])
def test_the_choice_is_the_same_for_any_threads_and_in_a_transfer(threads):
    params = TrainParams(classifiers=("KNeighbors",), grid_search=True)
    found = train(frame(0.7), params, threads=1).fitted[0]
    assert train(frame(0.7), params, threads=threads).fitted[0].chosen == found.chosen
    assert train_for_transfer(frame(0.7), params, threads=threads)(frame(0.7)) == found.metrics
