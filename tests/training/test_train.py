from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_array

from cdpipe import train
from cdpipe.training import classifiers
from cdpipe.training.classifiers import CLASSIFIERS
from cdpipe.training.metrics import measure
from cdpipe.training.split import SPLITS, split
from cdpipe.training.train import TrainParams, train_parts

FEATURES = ["x_pos", "y_pos", "coreData_speed"]
EVERY = tuple(CLASSIFIERS)


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
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=params.seed),
    }[name]


@pytest.mark.parametrize("by", SPLITS)
def test_metrics_are_those_of_scikit_learn_called_directly(by):
    frame = labelled()
    params = TrainParams(classifiers=EVERY, split=by, trees=12, neighbors=7, seed=11, test_ratio=0.3)
    trained = train(frame, params)
    ordered = frame.sort_values("row_number")
    matrix = ordered[FEATURES].to_numpy(np.float32)
    label = ordered["isAttacker"].to_numpy()
    keys = {name: ordered[name].to_numpy() for name in ("row_number", "vehicle", "time_us")}
    test = split(by=by, test_ratio=0.3, seed=11, **keys)
    assert [each.classifier for each in trained.fitted] == list(EVERY)
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
    params = TrainParams(classifiers=EVERY, trees=10)
    first, again = (train(each, params) for each in (frame, frame.sample(frac=1, random_state=5)))
    assert [each.metrics for each in first.fitted] == [each.metrics for each in again.fitted]
    assert first.ledger == again.ledger


def test_what_can_be_learnt_is_learnt():
    trained = train(labelled(3_000), TrainParams(classifiers=EVERY, trees=30, split="row"))
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
        ({"classifiers": ("SVM",)}, "'SVM' is no classifier here; use one of RandomForest"),
        ({"test_ratio": 0}, "test_ratio"),
        ({"test_ratio": 1}, "test_ratio"),
        ({"trees": 0}, "trees"),
        ({"neighbors": 0}, "neighbors"),
        ({"sample_rows": 0}, "sample_rows"),
        ({"sample_rows": -5}, "sample_rows"),
        ({"sample_rows": 1.5}, "sample_rows"),
        ({"engine": "cuml"}, "engine"),
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


def test_the_three_classifiers_are_the_default():
    assert TrainParams().classifiers == ("RandomForest", "DecisionTree", "KNeighbors")


def test_threads_of_a_run_change_nothing():
    frame = labelled()
    one, two = (train(frame, TrainParams(trees=8), threads=threads) for threads in (1, 2))
    assert [each.metrics for each in one.fitted] == [each.metrics for each in two.fitted]


@pytest.mark.parametrize("name", EVERY)
def test_blocks_of_rows_are_labelled_as_the_whole(name, monkeypatch):
    frame = labelled(2_000)
    params = TrainParams(classifiers=(name,), trees=10, split="row", test_ratio=0.5)
    whole = train(frame, params, threads=1)
    monkeypatch.setattr(classifiers, "_BLOCK_ROWS", 37)
    assert train(frame, params, threads=2).fitted[0].metrics == whole.fitted[0].metrics


def test_classifiers_get_what_scikit_learn_need_not_copy(monkeypatch):
    seen = []

    def spy(params, x, y, threads):
        seen.append(x)
        assert x.flags.c_contiguous
        assert (x.dtype, y.dtype) == (np.float32, np.int8)
        assert x.base is None  # no view that keeps the whole matrix alive
        return CLASSIFIERS["DecisionTree"](params, x, y, threads)

    monkeypatch.setitem(CLASSIFIERS, "RandomForest", spy)
    train(labelled(), TrainParams(classifiers=("RandomForest",)))
    assert np.shares_memory(check_array(seen[0], dtype=np.float32), seen[0])


@pytest.mark.parametrize("parts", [1, 2, 7])
@pytest.mark.parametrize("sample_rows", [None, 400])
def test_partitions_give_what_one_frame_gives(parts, sample_rows):
    frame = labelled(vehicles=30)
    frame.loc[frame.index[:50], "x_pos"] = np.nan
    params = TrainParams(classifiers=("DecisionTree",), sample_rows=sample_rows)
    cuts = np.linspace(0, len(frame), parts + 1).astype(int)
    pieces = [frame.iloc[a:b] for a, b in pairwise(cuts)][::-1]
    pieces.append(frame.iloc[:0])
    asked = []

    def read(columns):
        asked.append(columns)
        return iter([piece if columns is None else piece[list(columns)] for piece in pieces])

    found = train_parts(read, params, rows=len(frame))
    whole = train(frame, params)
    assert found.fitted[0].metrics == whole.fitted[0].metrics
    assert found.ledger == whole.ledger
    assert list(found.ledger.dropped) == list(whole.ledger.dropped)
    assert asked == [None] if sample_rows is None else [("vehicle", "isAttacker"), None]


def test_a_sample_is_of_whole_vehicles_and_what_it_leaves_out_is_accounted_for():
    frame = labelled(2_000, vehicles=50)
    frame.loc[frame.index[:100], "y_pos"] = np.nan
    trained = train(frame, TrainParams(classifiers=("DecisionTree",), sample_rows=700))
    dropped = dict(trained.ledger.dropped)
    outside = dropped.pop("vehicle outside the sample of train.sample_rows")
    assert 0 < trained.train_rows + trained.test_rows + sum(dropped.values()) == 2_000 - outside <= 700
    assert set(dropped) == {"null in y_pos"}
    assert trained.ledger.rows_in == 2_000
    assert trained.test_vehicles < 50


def test_a_sample_of_all_rows_or_more_leaves_nothing_out():
    frame = labelled()
    whole = train(frame, TrainParams(classifiers=("DecisionTree",)))
    for rows in (600, 10**12):
        sampled = train(frame, TrainParams(classifiers=("DecisionTree",), sample_rows=rows))
        assert sampled.ledger == whole.ledger
        assert sampled.fitted[0].metrics == whole.fitted[0].metrics


def test_a_sample_too_small_for_a_vehicle_of_each_label_names_the_least_that_works():
    frame = labelled()
    with pytest.raises(
        ValueError, match=r"train\.sample_rows is 3, .* set it to [\d,]+ or more .*600 messages"
    ) as caught:
        train(frame, TrainParams(sample_rows=3))
    least = int(str(caught.value).partition("set it to ")[2].partition(" ")[0].replace(",", ""))
    with pytest.raises(ValueError, match=f"train.sample_rows is {least - 1}"):
        train(frame, TrainParams(sample_rows=least - 1))
    params = TrainParams(sample_rows=least, classifiers=("DecisionTree",), split="row")
    assert train(frame, params).ledger.rows_out <= least


def test_scaled_neighbours_are_those_of_scikit_learn_after_its_scaler():
    frame = labelled(1_500).assign(coreData_speed=lambda f: 1_000 * f["coreData_speed"])
    params = TrainParams(classifiers=("KNeighbors",), scale=True, split="row", neighbors=3)
    trained = train(frame, params)
    ordered = frame.sort_values("row_number")
    matrix, label = ordered[FEATURES].to_numpy(np.float32), ordered["isAttacker"].to_numpy()
    keys = {name: ordered[name].to_numpy() for name in ("row_number", "vehicle", "time_us")}
    test = split(by="row", test_ratio=0.2, seed=42, **keys)
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(n_neighbors=3)).fit(matrix[~test], label[~test])
    assert trained.fitted[0].metrics == measure(label[test], model.predict(matrix[test]))
    plain = train(frame, params.model_copy(update={"scale": False}))
    assert plain.fitted[0].metrics != trained.fitted[0].metrics


@pytest.mark.skipif(not classifiers.has_fast_engine(), reason="scikit-learn-intelex is not installed")
def test_the_fast_engine_grows_another_forest_that_learns_as_well_on_any_threads():
    frame = labelled(3_000)
    params = TrainParams(classifiers=("RandomForest",), split="row")
    plain = train(frame, params).fitted[0].metrics
    fast = params.model_copy(update={"engine": "intelex"})
    found = [train(frame, fast, threads=threads).fitted[0].metrics for threads in (1, 2, 2)]
    assert found[0] == found[1] == found[2]
    assert found[0] != plain
    assert found[0].accuracy == pytest.approx(plain.accuracy, abs=0.03)


def test_no_partition_at_all_is_an_error():
    with pytest.raises(ValueError, match="no partition to train on"):
        train_parts(lambda _columns: [], TrainParams(), rows=0)
