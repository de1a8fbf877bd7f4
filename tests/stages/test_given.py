"""Labels: what an attack writes of a message's claim, and labels that the input has."""

import numpy as np
import pandas as pd
import pytest
from attacked_messages import CENTRE, FRAME, KINDS, attacked, params

from cdpipe import attack, features
from cdpipe.stages.attack import conclude, merge, needs_survey, survey
from cdpipe.stages.attacks import Given
from cdpipe.stages.features import KEYS, FeatureParams

BY_ROW = Given(choose_by="row")


def given_frame(labels, false=None, ids=None):
    """Clean messages with labels of their own; each of another vehicle unless ids say so."""
    rows = len(labels)
    frame = pd.DataFrame(
        {
            "row_number": np.arange(rows),
            "coreData_id": pd.Series(ids or [f"{row:X}" for row in range(rows)], dtype="str"),
            "x_pos": np.arange(rows, dtype=float),
            "y_pos": np.zeros(rows),
            "given_isAttacker": pd.array(labels, dtype="Int64"),
        }
    )
    return frame if false is None else frame.assign(given_isFalse=pd.array(false, dtype="Int64"))


@pytest.mark.parametrize("kind", ["offset_const", "offset_rand"])
def test_a_message_that_is_moved_by_nothing_is_no_lie_though_its_vehicle_attacks(kind):
    still = {"offset_const": {"distance_m": 0}, "offset_rand": {"min_m": 0, "max_m": 0}}[kind]
    after, hit, _ = attacked(kind, FRAME, coordinates="local", **still)
    assert hit.any()
    assert after["isFalse"].sum() == 0


def test_a_claim_that_happens_to_be_the_truth_is_none():
    frame = FRAME.assign(x_pos=CENTRE["longitude"], y_pos=CENTRE["latitude"])
    frame.loc[frame.index[::2], "x_pos"] += 0.5
    after, hit, _ = attacked("override_const", frame, distance_m=0)
    moved = (after["x_pos"] != frame["x_pos"]) | (after["y_pos"] != frame["y_pos"])
    assert 0 < moved.sum() < hit.sum()
    np.testing.assert_array_equal(after["isFalse"] == 1, moved)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["isAttacker", "isFalse"])
def test_labels_that_messages_have_are_not_overwritten_by_an_attack(kind, name):
    with pytest.raises(ValueError, match=rf'column {name!r} already.*attack\.kind = "given", or rename it'):
        attack(FRAME.assign(**{name: 1}), params(kind))


def test_given_labels_are_taken_and_no_position_changes():
    before = given_frame([0, 1, 13, 0])
    made, ledger = attack(before, Given())
    assert made["isAttacker"].tolist() == made["isFalse"].tolist() == [0, 1, 1, 0]
    assert {str(made[name].dtype) for name in ("isAttacker", "isFalse")} == {"int8"}
    assert "given_isAttacker" not in made
    pd.testing.assert_frame_equal(made[["x_pos", "y_pos"]], before[["x_pos", "y_pos"]])
    assert ledger.as_dict()["notes"] == {"messages of attackers": 2}


def test_a_vehicle_attacks_if_any_message_of_its_does_and_each_message_lies_by_itself():
    before = given_frame([0, 1, 0, 0], ids=["a1", "0xA1", "B2", "A1.0"])
    made, _ = attack(before, Given())
    assert made["isAttacker"].tolist() == [1, 1, 0, 1]
    assert made["isFalse"].tolist() == [0, 1, 0, 0]
    alone, _ = attack(before, BY_ROW)
    assert alone["isAttacker"].tolist() == alone["isFalse"].tolist() == [0, 1, 0, 0]


def test_a_label_of_the_message_itself_goes_before_that_of_its_vehicle():
    made, _ = attack(given_frame([0, 4, 4, 4], false=[0, 0, 2, None]), Given())
    assert made["isAttacker"].tolist() == [0, 1, 1, 1]
    assert made["isFalse"].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("chosen", [Given(), BY_ROW])
def test_a_message_without_a_label_is_dropped_and_counted(chosen):
    made, ledger = attack(given_frame([0, None, 1]), chosen)
    assert made["row_number"].tolist() == [0, 2]
    assert made["isAttacker"].tolist() == [0, 1]
    assert ledger.dropped == {"null in given_isAttacker": 1}


def test_surveys_of_given_labels_merge_in_any_order():
    frame = given_frame([0, 1, 0, 2, 0, 0, 1], ids=["A", "A", "B", "C", "C", "D", "E"])
    chosen = Given()
    parts = [survey(frame.iloc[a:b], chosen) for a, b in ((0, 1), (1, 4), (4, 7))]
    one = conclude(merge(merge(parts[0], parts[1], chosen), parts[2], chosen), chosen)
    other = conclude(merge(parts[2], merge(parts[1], parts[0], chosen), chosen), chosen)
    np.testing.assert_array_equal(one.named, other.named)
    np.testing.assert_array_equal(one.named, conclude(survey(frame, chosen), chosen).named)
    assert one.attackers == 3
    assert needs_survey(chosen)
    assert not needs_survey(BY_ROW)


def test_without_labels_the_error_names_the_column():
    with pytest.raises(KeyError, match="attack needs given_isAttacker"):
        attack(given_frame([1]).drop(columns="given_isAttacker"), Given())


def test_labels_are_no_features():
    made, _ = attack(given_frame([0, 1]), Given())
    made = made.assign(metadata_generatedAt=pd.Timestamp("2019-07-31").as_unit("us"))
    told, _ = features(made, FeatureParams(columns="all"))
    assert list(told) == [
        *(key for key in KEYS if key not in ("copy", "place", "is_test")),
        "coreData_id",
        "x_pos",
        "y_pos",
        "isAttacker",
        "isFalse",
    ]
    for name in ("isFalse", "given_isAttacker"):
        with pytest.raises(ValueError, match=f"{name} is the label"):
            FeatureParams(columns=(name,))
