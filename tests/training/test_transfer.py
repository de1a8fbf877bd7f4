import numpy as np
import pandas as pd
import pytest

from cdpipe.training.train import TrainParams, train
from cdpipe.training.transfer import train_for_transfer


def features(seed, rows=600, vehicles=30):
    rng = np.random.default_rng(7)
    vehicle = rng.integers(0, vehicles, rows).astype(np.uint64)
    label = (vehicle % 3 == 0).astype(np.int8)
    moved = np.random.default_rng(abs(seed)).normal(0, 1, rows)
    return pd.DataFrame(
        {
            "row_number": np.arange(rows),
            "vehicle": vehicle * np.uint64(2**58 + 1),
            "time_us": np.arange(rows) * 1_000,
            "time_is_coarse": np.zeros(rows, np.int8),
            "x_pos": moved + label * seed,
            "isAttacker": label,
        }
    )


@pytest.mark.parametrize("split", ["row", "vehicle", "time"])
@pytest.mark.parametrize("sample_rows", [None, 300])
def test_on_its_own_frame_it_is_training(split, sample_rows):
    frame = features(3)
    params = TrainParams(classifiers=("DecisionTree",), split=split, sample_rows=sample_rows)
    assert train_for_transfer(frame, params, threads=1)(frame) == train(frame, params).fitted[0].metrics


def test_what_one_attack_teaches_may_not_see_another():
    params = TrainParams(classifiers=("DecisionTree",), split="row")
    test = train_for_transfer(features(8), params, threads=1)
    assert test(features(8)).mcc > 0.95
    assert test(features(-8)).mcc < 0.5


def test_it_is_of_one_classifier_and_of_two_classes():
    with pytest.raises(ValueError, match="one classifier at a time"):
        train_for_transfer(features(1), TrainParams(classifiers=("DecisionTree", "KNeighbors")), threads=1)
    with pytest.raises(ValueError, match="have one label"):
        train_for_transfer(features(1).assign(isAttacker=0), TrainParams(classifiers=("DecisionTree",)), threads=1)
