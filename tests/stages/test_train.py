import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from cdpipe import train
from cdpipe.stages.metrics import measure
from cdpipe.stages.split import SPLITS, split
from cdpipe.stages.train import CLASSIFIERS, TrainParams

FEATURES = ["x_pos", "y_pos", "coreData_speed"]


def labelled(rows=600, vehicles=12, seed=0):
    """Features whose label can be learnt, if not perfectly; row numbers in no order."""
    rng = np.random.default_rng(seed)
    vehicle = rng.integers(0, vehicles, rows)
    attacks = (vehicle % 3 == 0).astype(np.int8)
    return pd.DataFrame(
        {
            "row_number": rng.permutation(rows),
            "vehicle": (vehicle.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15),
            "time_us": rng.integers(0, 10**6, rows),
            "x_pos": rng.normal(attacks, 1.0),
            "y_pos": rng.normal(0, 1, rows),
            "coreData_speed": rng.normal(2 * attacks, 2.0),
            "isAttacker": attacks,
        }
    )


def oracle(name, params):
    return {
        "RandomForest": RandomForestClassifier(n_estimators=params.trees, random_state=params.seed),
        "DecisionTree": DecisionTreeClassifier(random_state=params.seed),
        "KNeighbors": KNeighborsClassifier(n_neighbors=params.neighbors),
    }[name]


@pytest.mark.parametrize("by", SPLITS)
def test_metrics_are_those_of_scikit_learn_called_directly(by):
    frame = labelled()
    params = TrainParams(split=by, trees=12, neighbors=7, seed=11, test_ratio=0.3)
    trained = train(frame, params)
    ordered = frame.sort_values("row_number")
    matrix = ordered[FEATURES].to_numpy(np.float32)
    label = ordered["isAttacker"].to_numpy()
    keys = {name: ordered[name].to_numpy() for name in ("row_number", "vehicle", "time_us")}
    test = split(by=by, test_ratio=0.3, seed=11, **keys)
    assert [each.classifier for each in trained.fitted] == list(CLASSIFIERS)
    for each in trained.fitted:
        model = oracle(each.classifier, params).fit(matrix[~test], label[~test])
        assert each.metrics == measure(label[test], model.predict(matrix[test]))
        assert each.fit_s > 0
        assert each.predict_s > 0
    assert (trained.train_rows, trained.test_rows) == ((~test).sum(), test.sum())
    assert trained.majority_rate == max(label[test].mean(), 1 - label[test].mean())
    assert trained.features == tuple(FEATURES)


def test_the_same_again_gives_the_same_whatever_the_order_of_rows():
    frame = labelled()
    params = TrainParams(trees=10)
    first, again = (train(each, params) for each in (frame, frame.sample(frac=1, random_state=5)))
    assert [each.metrics for each in first.fitted] == [each.metrics for each in again.fitted]
    assert first.ledger == again.ledger


def test_what_can_be_learnt_is_learnt():
    trained = train(labelled(3_000), TrainParams(trees=30, split="row"))
    assert min(each.metrics.accuracy for each in trained.fitted) > trained.majority_rate


def test_a_large_seed_is_taken():
    assert train(labelled(200), TrainParams(seed=2**62, trees=2)).test_rows > 0


def test_rows_with_a_null_feature_are_left_out_and_counted_under_the_first():
    frame = labelled()
    frame.loc[frame.index[:50], "x_pos"] = np.nan
    frame.loc[frame.index[25:60], "y_pos"] = np.nan
    trained = train(frame, TrainParams(classifiers=("DecisionTree",)))
    assert trained.ledger.dropped == {"null in x_pos": 50, "null in y_pos": 10}
    assert trained.train_rows + trained.test_rows == trained.ledger.rows_out == 540
    whole = train(frame.dropna(), TrainParams(classifiers=("DecisionTree",)))
    assert whole.fitted[0].metrics == trained.fitted[0].metrics


def test_nullable_integers_are_features_too():
    frame = labelled()
    ids = pd.array([None if i % 50 == 0 else i for i in range(len(frame))], "UInt64")
    trained = train(frame.assign(coreData_id=ids), TrainParams(classifiers=("KNeighbors",)))
    assert trained.ledger.dropped == {"null in coreData_id": 12}
    assert trained.features[-1] == "coreData_id"


def test_keys_and_label_are_never_features():
    trained = train(labelled(), TrainParams(classifiers=("DecisionTree",)))
    assert not set(trained.features) & {"row_number", "vehicle", "time_us", "isAttacker"}


def test_the_input_is_not_changed():
    frame = labelled()
    before = frame.copy(deep=True)
    train(frame, TrainParams(classifiers=("DecisionTree",)))
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_is_an_error_that_says_what_to_change(label):
    with pytest.raises(
        ValueError, match=rf"all \d+ training messages, of \d+ .*isAttacker = {label}; change attack\.ratio"
    ):
        train(labelled().assign(isAttacker=np.int8(label)), TrainParams())


def test_no_row_with_all_features_is_an_error_that_names_the_nulls():
    with pytest.raises(ValueError, match=r"no row of 600 has all features \(\{'null in y_pos': 600\}\)"):
        train(labelled().assign(y_pos=np.nan), TrainParams())


def test_no_rows_at_all_is_an_error():
    with pytest.raises(ValueError, match="no row of 0"):
        train(labelled().iloc[:0], TrainParams())


def test_more_neighbours_than_messages_is_an_error_naming_both():
    with pytest.raises(ValueError, match=r"train\.neighbors is 500 but only \d+ messages train"):
        train(labelled(), TrainParams(classifiers=("KNeighbors",), neighbors=500))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"classifiers": ("SVM",)}, "'SVM' is no classifier here; use any of RandomForest"),
        ({"test_ratio": 0}, "test_ratio"),
        ({"test_ratio": 1}, "test_ratio"),
        ({"trees": 0}, "trees"),
        ({"neighbors": 0}, "neighbors"),
        ({"split": "random"}, "vehicle"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        TrainParams(**wrong)


def test_a_classifier_named_twice_is_fitted_once():
    assert TrainParams(classifiers=("KNeighbors", "DecisionTree", "KNeighbors")).classifiers == (
        "KNeighbors",
        "DecisionTree",
    )
