"""Who attacks, and that nothing else changes: by seed and row, whatever the order, the partitions and the ids' type."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from attacked_messages import (
    ANY,
    FRAME,
    KINDS,
    attacked,
    messages,
    params,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats
from vehicle_ids import FORMS, NULLS, vehicle_of

from cdpipe import attack
from cdpipe.stages import BY_NAME
from cdpipe.stages.attack import POOL_ROWS, VERSION, conclude, merge, needs_survey, survey


def test_whoever_changes_what_swaps_draw_from_changes_the_version_too():
    """Else outputs that are kept from before would go on being used; see docs/adr/0007."""
    assert (VERSION, POOL_ROWS) == (5, 1 << 17)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at_once", [1, 7, 599])
def test_however_many_rows_are_worked_out_at_once_the_attack_is_the_same(kind, at_once, monkeypatch):
    whole, _hit, _ledger = attacked(kind)
    monkeypatch.setattr("cdpipe.stages.attacks.displacing.ROWS_AT_ONCE", at_once)
    pd.testing.assert_frame_equal(attacked(kind)[0], whole, check_exact=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("choose_by", ["vehicle", "row"])
def test_only_attackers_positions_change_and_nothing_else_does(kind, choose_by):
    before = FRAME.copy(deep=True)
    after, hit, ledger = attacked(kind, choose_by=choose_by)
    pd.testing.assert_frame_equal(FRAME, before)
    assert list(after) == [*FRAME.columns, "isAttacker", "isFalse"]
    assert after["isAttacker"].dtype == after["isFalse"].dtype == "int8"
    others = [name for name in FRAME if name not in ("x_pos", "y_pos")]
    pd.testing.assert_frame_equal(after[others], FRAME[others])
    pd.testing.assert_frame_equal(after.loc[~hit, ["x_pos", "y_pos"]], FRAME.loc[~hit, ["x_pos", "y_pos"]])
    moved = ((after["x_pos"] != FRAME["x_pos"]) | (after["y_pos"] != FRAME["y_pos"])).to_numpy()
    np.testing.assert_array_equal(moved, hit)
    np.testing.assert_array_equal(after["isFalse"] == 1, moved)
    assert ledger.as_dict()["notes"] == {"messages of attackers": hit.sum()}
    assert ledger.rows_in == ledger.rows_out == len(FRAME)


@given(ratio=st.floats(0, 1), vehicles=st.integers(1, 60), seed=st.integers(0, 2**63 - 1))
def test_exactly_the_rounded_share_of_vehicles_attacks_with_all_their_messages(ratio, vehicles, seed):
    frame = messages(300, vehicles, seed=vehicles)
    after, _, _ = attacked("offset_const", frame, ratio=ratio, seed=seed)
    by_vehicle = after.groupby("coreData_id")["isAttacker"].agg(["min", "max"])
    assert (by_vehicle["min"] == by_vehicle["max"]).all()
    assert by_vehicle["max"].sum() == round(ratio * len(by_vehicle))


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_rows_are_drawn_alone_with_their_ratio(ratio):
    frame = messages(20_000)
    _, hit, _ = attacked("offset_const", frame, ratio=ratio, choose_by="row")
    assert stats.binomtest(int(hit.sum()), len(frame), ratio).pvalue > 1e-4  # 0 where a ratio of 0 or 1 is not exact
    share = frame.assign(hit=hit).groupby("coreData_id")["hit"].mean()
    assert share.between(0, 1, inclusive="both" if ratio in (0, 1) else "neither").all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_draws_follow_the_seed(kind):
    first = attacked(kind, seed=1)[0]
    pd.testing.assert_frame_equal(first, attacked(kind, seed=1)[0])
    assert not first["isAttacker"].equals(attacked(kind, seed=2)[0]["isAttacker"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_does_not_depend_on_the_order_of_rows(kind):
    shuffled = FRAME.sample(frac=1, random_state=3)
    again, _, _ = attacked(kind, shuffled)
    straight, _, _ = attacked(kind)
    pd.testing.assert_frame_equal(again.sort_index(), straight)


def with_unused(ids):
    return ids.astype(pd.CategoricalDtype(["unused", *sorted(set(ids), reverse=True), "", "also unused"]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wrap",
    [lambda ids: ids.astype("category"), with_unused, lambda ids: ids.astype(object), lambda ids: ids.astype("string")],
    ids=["labels", "labels with others", "objects", "string"],
)
def test_the_answer_does_not_depend_on_how_ids_are_held(kind, wrap):
    wrapped = FRAME.assign(coreData_id=wrap(FRAME["coreData_id"]))
    again, _, ledger = attacked(kind, wrapped)
    expected, _, account = attacked(kind)
    assert ledger == account
    pd.testing.assert_series_equal(again["coreData_id"], wrapped["coreData_id"])
    pd.testing.assert_frame_equal(again.drop(columns="coreData_id"), expected.drop(columns="coreData_id"))


def test_the_pool_is_bounded_and_drawn_evenly_from_all_rows(monkeypatch):
    monkeypatch.setattr("cdpipe.stages.attack.POOL_ROWS", 500)
    frame = messages(5_000)
    facts = conclude(survey(frame, params("swap_rand")), params("swap_rand"))
    assert facts.pool.row_number.size == 500 < POOL_ROWS
    assert np.isin(facts.pool.row_number, frame["row_number"]).all()
    assert len(set(facts.pool.row_number.tolist())) == 500
    assert stats.kstest(facts.pool.row_number, stats.uniform(0, 15_000).cdf).pvalue > 1e-3


@pytest.mark.parametrize("kind", ["swap_rand", "offset_rand"])
@pytest.mark.parametrize("choose_by", ["vehicle", "row"])
@given(cuts=st.lists(st.integers(0, 200), max_size=6), order=st.randoms(use_true_random=False))
def test_surveys_merge_in_any_order_into_the_survey_of_all(kind, choose_by, cuts, order):
    frame, chosen = messages(200, 9), params(kind, choose_by=choose_by)
    bounds = [0, *sorted(cuts), 200]
    parts = [survey(frame.iloc[a:b], chosen) for a, b in pairwise(bounds)]
    while len(parts) > 1:
        order.shuffle(parts)
        parts.append(merge(parts.pop(), parts.pop(), chosen))
    whole = survey(frame, chosen)
    np.testing.assert_array_equal(parts[0].vehicles, whole.vehicles)
    merged, expected = conclude(parts[0], chosen), conclude(whole, chosen)
    assert merged[:3] == expected[:3]
    for part, same in zip(merged.pool or (), expected.pool or (), strict=True):
        np.testing.assert_array_equal(part, same)


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_must_know_all_messages_is_surveyed(kind):
    assert needs_survey(params(kind))
    assert needs_survey(params(kind, choose_by="row")) == (kind == "swap_rand")
    with pytest.raises(ValueError, match="surveyed first"):
        BY_NAME["attack"].apply(FRAME, params(kind), None)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_frame_gives_an_empty_frame(kind):
    for choose_by in ("vehicle", "row"):
        after, ledger = attack(FRAME.iloc[:0], params(kind, choose_by=choose_by))
        assert list(after) == [*FRAME, "isAttacker", "isFalse"]
        assert ledger.rows_in == 0


@given(
    texts=st.lists(st.sampled_from(["A", "a.0", "B", "", " ", "C", "nan", None]), min_size=1, max_size=40),
    order=st.permutations(["A", "a.0", "B", "", " ", "C", "nan", "unused", "D"]),
    kind=st.sampled_from(["offset_const_per_id", "swap_rand"]),
    ratio=st.floats(0, 1),
)
def test_labels_and_text_are_the_same_vehicles(texts, order, kind, ratio):
    """All that is null is one vehicle, as are all forms of an id; labels that no row has are none."""
    frame = messages(len(texts), 1).assign(coreData_id=pd.Series(texts, dtype="str"))
    labels = frame.assign(coreData_id=pd.Categorical(texts, categories=order))
    before = labels.copy(deep=True)
    chosen = params(kind, ratio=ratio)
    one, other = survey(frame, chosen), survey(labels, chosen)
    assert one.vehicles.tolist() == other.vehicles.tolist()
    assert one.vehicles.tolist() == sorted({vehicle_of(text) for text in texts})
    expected, account = attack(frame, chosen)
    made, ledger = attack(labels, chosen)
    assert ledger == account
    pd.testing.assert_frame_equal(made.drop(columns="coreData_id"), expected.drop(columns="coreData_id"))
    pd.testing.assert_frame_equal(labels, before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", ["str", "category"])
@pytest.mark.parametrize("ratio", [0.1, 0.5])
def test_a_vehicle_attacks_with_all_its_messages_however_its_id_is_written(kind, wrap, ratio):
    plain = FRAME.assign(coreData_id=FRAME["coreData_id"].where(FRAME.index % 37 != 5))
    rng = np.random.default_rng(4)
    written = [
        NULLS[rng.integers(len(NULLS))] if pd.isna(text) else FORMS[rng.integers(len(FORMS))].format(int(text, 16))
        for text in plain["coreData_id"]
    ]
    assert len(set(written)) > 300
    expected, _, account = attacked(kind, plain, ratio=ratio)
    frame = plain.assign(coreData_id=pd.Series(written, dtype="str").astype(wrap))
    made, _, ledger = attacked(kind, frame, ratio=ratio)
    assert ledger == account
    pd.testing.assert_series_equal(made["coreData_id"], frame["coreData_id"])
    pd.testing.assert_frame_equal(made.drop(columns="coreData_id"), expected.drop(columns="coreData_id"))


@pytest.mark.parametrize("dtype", ["str", "category"])
def test_a_null_id_is_one_vehicle_of_its_own(dtype):
    frame = messages(100, 4).assign(coreData_id=pd.Series(["A", None, "B", None] * 25, dtype="str").astype(dtype))
    after, _, _ = attacked("offset_const", frame, ratio=1 / 3)
    by_vehicle = after.astype({"coreData_id": "str"}).groupby("coreData_id", dropna=False)
    assert by_vehicle["isAttacker"].nunique().tolist() == [1, 1, 1]
    assert after["isAttacker"].sum() in (25, 50)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "offset_rand", "min_m": 5, "max_m": 1}, r"min_m 5\.0 is greater than max_m 1\.0"),
        ({"kind": "override_const"}, "override_const needs a centre"),
        ({"kind": "override_rand"}, "override_rand needs a centre"),
        ({"kind": "swap_rand", "distance_m": 5}, "distance_m"),
        ({"kind": "offset_const", "ratio": 1.01}, "ratio"),
        ({"kind": "offset_const", "seed": -1}, "seed"),
        ({"kind": "offset_const", "bearing_deg": 361}, "bearing_deg"),
        ({"kind": "teleport"}, "teleport"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        ANY.validate_python(wrong)
