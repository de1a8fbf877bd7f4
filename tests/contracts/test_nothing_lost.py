"""Invariant 2: every row and every line is accounted for, and what could not be read is kept with its place."""

import json
from itertools import pairwise

import pandas as pd
import pytest
from contract_data import (
    BAD_LINES,
    CENTRE,
    ROWS,
    attack_variants,
    config_of,
    filter_params,
    name_of,
    read_dataset,
    variants,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from cdpipe import RunConfig, run
from cdpipe.columns import BY_NAME, SOURCE
from cdpipe.engine.api.stages import apply_stage
from cdpipe.stages.attacks import ATTACKS
from cdpipe.stages.clean import CleanParams, Filters
from cdpipe.stages.filters import FILTERS
from cdpipe.training.train import TrainParams, train

FOUND_FILTERS = filter_params()
PRESENT = [
    column.name
    for column in SOURCE
    if column.name not in {f"coreData_accelset_accel{x}" for x in ("Lat", "Long", "Vert")}
]
ON_POSITIONS = [variant for variant in attack_variants() if type(variant.params) in ATTACKS]
"""Of attacks on sequences this is said, vehicle by vehicle, in tests/stages/attacks."""
MAY_BE_REQUIRED = [name for name in PRESENT if BY_NAME[name].kind != "text"]


@pytest.mark.parametrize("variant", variants(), ids=name_of)
def test_a_stage_accounts_for_every_row(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    out, ledger = apply_stage(variant.stage, frame, variant.params)
    assert (ledger.stage, ledger.rows_in, ledger.rows_out) == (variant.stage, len(frame), len(out))
    assert ledger.rows_in + sum(ledger.added.values()) == ledger.rows_out + sum(ledger.dropped.values())
    assert set(out["row_number"]) <= set(frame["row_number"])
    assert not out.duplicated([name for name in ("row_number", "copy") if name in out]).any()
    assert sum(ledger.added.values()) == ((out["copy"] > 0).sum() if "copy" in out else 0)
    assert all(count > 0 for count in ledger.dropped.values())


@settings(max_examples=25)
@given(
    required=st.lists(st.sampled_from(MAY_BE_REQUIRED), max_size=4, unique=True),
    filters=st.sets(st.sampled_from([kind.name for kind in FILTERS])),
    position=st.sampled_from(["auto", "columns", "point"]),
    timestamp_parts=st.booleans(),
    coordinates=st.sampled_from(["geographic", "local"]),
)
def test_cleaning_drops_a_row_for_the_first_reason_that_holds(
    raw, required, filters, position, timestamp_parts, coordinates
):
    params = CleanParams(
        required=required,
        filters=Filters(**{name: FOUND_FILTERS[name] for name in filters}),
        position=position,
        timestamp_parts=timestamp_parts,
        coordinates=coordinates,
        centre=CENTRE,
        columns=PRESENT,
    )
    out, ledger = apply_stage("clean", raw, params)
    assert len(raw) == len(out) + sum(ledger.dropped.values()) == ledger.rows_in
    if position != "point":
        nowhere = raw["coreData_position_lat"].isna() | raw["coreData_position_long"].isna()
    else:
        point = raw["coreData_position"]
        nowhere = point.isna() | point.str.contains("180.0000001 90.0000001", regex=False).fillna(True)
    assert ledger.dropped.get("no position", 0) == nowhere.sum()
    alone = {"required": (), "columns": (), "timestamp_parts": False}
    wanted, account = apply_stage("clean", raw, params.model_copy(update=alone))
    assert account.dropped == {
        reason: count for reason, count in ledger.dropped.items() if not reason.startswith("null in ")
    }
    left = raw[raw["row_number"].isin(wanted["row_number"])]
    for name in params.must:
        assert ledger.dropped.get(f"null in {name}", 0) == left[name].isna().sum()
        left = left[left[name].notna()]
    assert out["row_number"].tolist() == left["row_number"].tolist()
    reasons = {"no position", *(f"null in {name}" for name in params.must), *(each.reason for each in FILTERS)}
    assert set(ledger.dropped) <= reasons


@pytest.mark.parametrize("variant", ON_POSITIONS, ids=name_of)
def test_an_attack_changes_positions_of_attackers_and_nothing_else(variant, stage_inputs):
    frame = stage_inputs["attack"]
    out, ledger = apply_stage("attack", frame, variant.params)
    honest = out["isAttacker"].to_numpy() == 0
    assert set(out["isAttacker"].unique()) == {0, 1}
    assert ledger.notes == {"messages of attackers": int((~honest).sum())}
    others = [name for name in frame.columns if name not in ("x_pos", "y_pos")]
    pd.testing.assert_frame_equal(out[others], frame[others])
    for name in ("x_pos", "y_pos"):
        assert out[name].to_numpy()[honest].tobytes() == frame[name].to_numpy()[honest].tobytes()
    moved = (out[["x_pos", "y_pos"]].to_numpy() != frame[["x_pos", "y_pos"]].to_numpy()).any(axis=1)
    assert moved[~honest].mean() > 0.9  # a swap may take a position that is the same
    if variant.params.choose_by == "vehicle":
        by_vehicle = out.groupby("coreData_id")["isAttacker"]
        assert (by_vehicle.min() == by_vehicle.max()).all()
        attackers = out.loc[~honest, "coreData_id"].nunique()
        assert attackers == round(variant.params.ratio * frame["coreData_id"].nunique())


def test_training_accounts_for_every_row_and_drops_what_float32_cannot_hold(stage_inputs):
    frame, _ = apply_stage(
        "features", stage_inputs["features"], next(v for v in variants() if v.stage == "features")[1]
    )
    frame["coreData_speed"] = frame["coreData_speed"].where(frame.index % 7 != 0)
    frame.loc[5, "coreData_elevation"] = 1e300
    trained = train(frame, TrainParams(classifiers=["DecisionTree"]))
    assert trained.ledger.dropped == {
        "null in coreData_speed": int(frame["coreData_speed"].isna().sum()),
        "coreData_elevation beyond the range of float32": 1,
    }
    assert trained.ledger.rows_out == trained.train_rows + trained.test_rows
    assert trained.ledger.rows_in == len(frame)
    counts = trained.fitted[0].metrics
    assert trained.test_rows == sum(
        (counts.true_negatives, counts.false_positives, counts.false_negatives, counts.true_positives)
    )


def test_ledgers_of_a_run_chain_and_its_data_set_has_the_rows_that_they_say(dirty_csv, tmp_path):
    report = run(config_of([dirty_csv], tmp_path))
    names = [*report.ledgers]
    assert names == ["gather", "clean", "attack", "features"]
    for before, after in pairwise(names):
        assert report.ledgers[before].rows_out == report.ledgers[after].rows_in
    frame, _ = read_dataset(tmp_path / "out" / "dataset")
    assert len(frame) == report.ledgers["features"].rows_out == report.trained.ledger.rows_in
    bad = {"too few fields": 10, "too many fields": 10, "quote not closed": 10}
    assert len(BAD_LINES) == 3
    assert report.ledgers["gather"].dropped == bad
    assert report.ledgers["gather"].rows_in == ROWS
    written = json.loads((tmp_path / "out" / "report.json").read_text())["ledgers"]
    assert written == [ledger.as_dict() for ledger in report.ledgers.values()]


def test_every_attack_is_reachable_from_a_configuration():
    for kind in ATTACKS:
        name = kind.model_fields["kind"].default
        config = RunConfig(input={"paths": ["a.csv"]}, clean={"centre": CENTRE}, attack={"kind": name})
        assert type(config.attack) is kind


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("position", ["auto", "columns", "point"])
def test_keeping_the_columns_of_a_position_does_not_change_where_it_is_taken_from(raw, position, order):
    places = ["coreData_position_lat", "coreData_position_long", "coreData_position"][::order]
    without, ledger = apply_stage("clean", raw, CleanParams(position=position))
    kept, account = apply_stage("clean", raw, CleanParams(position=position, columns=(*CleanParams().columns, *places)))
    pd.testing.assert_frame_equal(kept[without.columns], without)
    assert account == ledger
