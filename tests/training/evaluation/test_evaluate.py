import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.metrics import matthews_corrcoef, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from cdpipe import train
from cdpipe.training.classifiers import CLASSIFIERS
from cdpipe.training.params import TrainParams
from cdpipe.training.train import train_parts

TREE = ("DecisionTree",)
SHARES = ("DecisionTree", "KNeighbors", "RandomForest")
QUICK = {"resamples": 300}


def messages(rows=1_500, vehicles=30, seed=0, *, told=1.0, own=0.0):
    """Messages whose features tell an attack by `told`, and a vehicle from the others by `own`."""
    rng = np.random.default_rng(seed)
    vehicle = rng.integers(0, vehicles, rows)
    attacks = (np.arange(vehicles) % 3 == 0)[vehicle].astype(np.int8)
    home = own * rng.normal(size=(vehicles, 2))[vehicle]
    hashes = rng.integers(0, 2**64, vehicles, dtype=np.uint64)
    return pd.DataFrame(
        {
            "row_number": rng.permutation(rows),
            "vehicle": hashes[vehicle],
            "time_us": rng.integers(0, 10**9, rows),
            "x_pos": home[:, 0] + rng.normal(size=rows),
            "y_pos": home[:, 1] + rng.normal(size=rows),
            "coreData_speed": told * attacks + rng.normal(size=rows),
            "isAttacker": attacks,
        }
    )


def evaluated(frame, classifiers=TREE, threads=None, **how):
    params = TrainParams(classifiers=classifiers, trees=10, evaluation={**QUICK, **how})
    return train(frame, params, threads=threads)


def test_figures_of_folds_are_those_of_their_predictions_by_scikit_learn():
    trained = evaluated(
        messages(), ("DecisionTree", "KNeighbors", "RandomForest"), repeats=2, importance=False, ladder=[]
    )
    kept = trained.evaluation.predictions
    assert kept.fold.shape == (2, 1_500)
    for result, fitted in zip(trained.evaluation.classifiers, trained.fitted, strict=True):
        alarm, score = kept.alarm[result.classifier], kept.score[result.classifier]
        truth = np.tile(kept.label, 2)
        assert result.rates["mcc"].value == pytest.approx(matthews_corrcoef(truth, alarm.ravel()))
        assert fitted.metrics.mcc == result.rates["mcc"].value
        assert fitted.estimates == result.rates
        assert sum(vars_of(fitted.metrics)) == 3_000
        folds = [(r, kept.fold[r] == f) for r in range(2) for f in range(5)]
        areas = [roc_auc_score(kept.label[mine], score[r][mine]) for r, mine in folds]
        pairs = [kept.label[mine].sum() * (1 - kept.label[mine]).sum() for _, mine in folds]
        assert result.rankings["roc_auc"].value == pytest.approx(np.average(areas, weights=pairs))
        assert np.all((alarm == 1) >= (score > 0.5001))


def vars_of(metrics):
    return metrics.true_negatives, metrics.false_positives, metrics.false_negatives, metrics.true_positives


def test_a_fold_is_judged_by_what_was_learnt_from_the_others():
    frame = messages().sort_values("row_number")
    kept = evaluated(frame, importance=False, ladder=[]).evaluation.predictions
    matrix = frame[["x_pos", "y_pos", "coreData_speed"]].to_numpy(np.float32)
    for number in range(5):
        mine = kept.fold[0] == number
        judge = CLASSIFIERS["DecisionTree"](TrainParams(), np.ascontiguousarray(matrix[~mine]), kept.label[~mine], 1)
        np.testing.assert_array_equal(judge(matrix[mine]).label, kept.alarm["DecisionTree"][0][mine])
        assert not set(kept.vehicle[mine]) & set(kept.vehicle[~mine])


def test_folds_find_what_scikit_learns_grouped_folds_find():
    frame = messages(4_000, 60).sort_values("row_number")
    found = evaluated(frame, repeats=2, importance=False, ladder=[]).evaluation
    matrix, label = frame[["x_pos", "y_pos", "coreData_speed"]].to_numpy(np.float32), frame["isAttacker"].to_numpy()
    said = np.zeros(len(frame), np.int8)
    splits = StratifiedGroupKFold(5, shuffle=True, random_state=1).split(matrix, label, frame["vehicle"])
    for trains, tests in splits:
        judge = CLASSIFIERS["DecisionTree"](TrainParams(), matrix[trains], label[trains], 1)
        said[tests] = judge(matrix[tests]).label
    assert found.classifiers[0].rates["mcc"].value == pytest.approx(matthews_corrcoef(label, said), abs=0.04)


def test_the_same_bits_for_any_order_partition_and_threads():
    frame = messages()
    mixed = frame.sample(frac=1, random_state=1)

    def read(columns):
        parts = np.array_split(np.arange(len(mixed)), 4)
        return [mixed.iloc[part] if columns is None else mixed.iloc[part][list(columns)] for part in parts]

    params = TrainParams(classifiers=("RandomForest",), trees=5, evaluation=QUICK)
    one = train(frame, params, threads=1).evaluation
    other = train_parts(read, params, rows=len(mixed), threads=2).evaluation
    assert str(one) == str(other)
    np.testing.assert_array_equal(one.predictions.score["RandomForest"], other.predictions.score["RandomForest"])
    np.testing.assert_array_equal(one.classifiers[0].curves, other.classifiers[0].curves)


def test_one_split_has_the_metrics_it_has_without_an_evaluation():
    frame = messages()
    plain = train(frame, TrainParams(classifiers=TREE))
    found = evaluated(frame, folds=1, resamples=2_000)
    assert found.fitted[0].metrics == plain.fitted[0].metrics
    assert found.fitted[0].estimates == plain.fitted[0].estimates
    assert (found.train_rows, found.test_rows, found.test_vehicles) == (
        plain.train_rows,
        plain.test_rows,
        plain.test_vehicles,
    )
    assert found.evaluation.predictions.label.size == plain.test_rows
    assert [each.rung for each in found.evaluation.classifiers[0].ladder] == ["row", "vehicle", "time", "place"]


def test_a_row_split_that_knows_vehicles_again_is_a_leak_and_one_that_cannot_is_none():
    for own, told, leaks in ((30.0, 0.0, True), (0.0, 1.5, False)):
        result = evaluated(messages(3_000, 40, own=own, told=told), importance=False).evaluation.classifiers[0]
        rows = next(each for each in result.ladder if each.rung == "row")
        assert (rows.excess.low > 0) is leaks
        assert rows.excess.value == pytest.approx(rows.mcc.value - result.rates["mcc"].value)
        if leaks:
            assert rows.mcc.value > 0.9
            assert result.rates["mcc"].holds(0)


def test_what_tells_is_important_and_a_good_baseline_and_what_does_not_is_neither():
    found = evaluated(messages(3_000, told=2.0), ladder=[]).evaluation
    first, *others = found.classifiers[0].importance
    assert (first.group, first.features) == ("motion", ("coreData_speed",))
    assert first.fall.low > 0
    assert all(each.fall.holds(0) or abs(each.fall.value) < 0.05 for each in others)
    assert [each.group for each in others] == ["position"]
    assert (found.baselines[0].feature, found.baselines[0].suspicious) == ("coreData_speed", "high")
    assert found.baselines[0].rankings["roc_auc"].low > 0.8
    turned = messages(3_000, told=-2.0)
    assert evaluated(turned, ladder=[]).evaluation.baselines[0].suspicious == "low"


def test_precision_falls_with_the_share_of_attackers():
    found = evaluated(messages(), importance=False, ladder=[], prevalences=[0.5, 0.01]).evaluation.classifiers[0]
    recall, rest = found.rates["recall"].value, 1 - found.rates["specificity"].value
    for share, precision in found.precisions.items():
        assert precision.value == pytest.approx(share * recall / (share * recall + (1 - share) * rest))
        assert precision.low <= precision.value <= precision.high
    assert list(found.precisions) == [0.5, 0.01]


def test_few_vehicles_have_figures_and_no_intervals():
    frame = messages(600, 6)
    found = evaluated(frame, folds=2, importance=False).evaluation
    result = found.classifiers[0]
    assert (found.vehicles, found.attackers) == (6, 2)
    assert result.rates["mcc"].value is not None
    every = [*result.rates.values(), *result.rankings.values(), *result.precisions.values()]
    assert all(each.low is each.high is None for each in every)
    assert all(each.rankings["roc_auc"].low is None for each in found.baselines)


def test_one_attacker_cannot_be_tested_by_folds_and_that_is_said():
    frame = messages(400, 3)
    with pytest.raises(ValueError, match=r"all \d+ training messages.*isAttacker = 0; .*train\.evaluation\.folds"):
        evaluated(frame, folds=2)
    with pytest.raises(ValueError, match=r"folds is 5, but messages are of 3 vehicles; set it to that or lower"):
        evaluated(frame)


@pytest.mark.parametrize("label", [0, 1])
def test_one_label_alone_is_an_error_that_names_it(label):
    with pytest.raises(
        ValueError, match=rf"all \d+ training messages, of \d+ vehicles, have isAttacker = {label}; change"
    ):
        evaluated(messages().assign(isAttacker=np.int8(label)))


def test_vehicles_of_both_labels_have_intervals_too():
    frame = messages(told=0.0)
    label = (np.random.default_rng(4).random(len(frame)) < 0.3).astype(np.int8)  # attackers by row
    found = evaluated(frame.assign(isAttacker=label), importance=False, ladder=[]).evaluation
    assert found.attackers == found.vehicles == 30
    mcc = found.classifiers[0].rates["mcc"]
    assert mcc.low < mcc.value < mcc.high
    assert mcc.holds(0)
    assert found.classifiers[0].vehicles.decisions["specificity"].value is None


def test_a_rung_that_cannot_be_tested_says_why():
    frame = messages().drop(columns=["x_pos"])
    ladder = {each.rung: each for each in evaluated(frame, importance=False).evaluation.classifiers[0].ladder}
    assert ladder["place"].mcc is None
    assert "x_pos and y_pos are not among the features" in ladder["place"].missing
    assert ladder["time"].mcc is not None


def test_another_label_is_learnt_if_it_is_there():
    frame = messages()
    params = TrainParams(classifiers=TREE, label="isFalse", evaluation={**QUICK, "importance": False, "ladder": []})
    with pytest.raises(ValueError, match=r"train\.label is 'isFalse', but the messages have no such column"):
        train(frame, params)
    false = (np.arange(len(frame)) % 2 & frame["isAttacker"].to_numpy()).astype(np.int8)
    trained = train(frame.assign(isFalse=false), params)
    assert trained.features == ("x_pos", "y_pos", "coreData_speed")
    assert trained.evaluation.positive_share == pytest.approx(false.mean())
    assert train(frame.assign(isFalse=false), TrainParams(classifiers=TREE)).features == trained.features


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"evaluation": {"enabled": True}, "split": "row"},
            r"folds is 5, .* so train\.split would not be used",
        ),
        ({"evaluation": {"folds": 5}, "test_ratio": 0.3}, r"train\.test_ratio would not be used"),
        ({"evaluation": {"folds": 1, "repeats": 3}}, r"folds is 1, one split, which cannot be drawn 3 times"),
        ({"evaluation": {"prevalences": [1.5]}}, "less than 1"),
        ({"evaluation": {"fold": 3}}, "fold"),
    ],
)
def test_what_would_not_be_heeded_is_refused(wrong, words):
    with pytest.raises(ValidationError, match=words):
        TrainParams(**wrong)


def test_a_split_by_vehicle_goes_with_folds_and_any_with_one():
    assert TrainParams(split="vehicle", evaluation={"repeats": 2}).folds == 5
    assert TrainParams(split="row", test_ratio=0.4, evaluation={"folds": 1}).folds == 1


def test_any_key_of_the_table_asks_for_an_evaluation_and_none_does_not():
    assert not TrainParams().evaluation.enabled
    assert not TrainParams(evaluation={"enabled": False, "folds": 3}).evaluation.enabled
    assert TrainParams(evaluation={"importance": False}).evaluation.enabled
    assert TrainParams(evaluation={"enabled": False, "folds": 3}, split="row").folds == 1
