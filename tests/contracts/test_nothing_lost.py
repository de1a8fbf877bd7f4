"""Invariant 2: every row and every line is accounted for, and what could not be read is kept with its place."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract_data import (
    BAD_LINES,
    CENTRE,
    ROWS,
    attack_variants,
    block_mb,
    config_of,
    filter_params,
    name_of,
    read_dataset,
    read_rejects,
    variants,
    write_dirty_csv,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from cdpipe import RunConfig, read, run
from cdpipe.columns import BY_NAME, SOURCE
from cdpipe.engine.frames import apply_stage
from cdpipe.engine.sources import SourceError
from cdpipe.stages.attacks import ATTACKS
from cdpipe.stages.clean import CleanParams, Filters
from cdpipe.stages.filters import FILTERS
from cdpipe.stages.train import TrainParams, train
from cdpipe.synth import SynthParams, synthesize

FOUND_FILTERS = filter_params()
PRESENT = [
    column.name
    for column in SOURCE
    if column.name not in {f"coreData_accelset_accel{x}" for x in ("Lat", "Long", "Vert")}
]
MAY_BE_REQUIRED = [name for name in PRESENT if BY_NAME[name].kind != "text"]


@pytest.mark.parametrize("variant", variants(), ids=name_of)
def test_a_stage_accounts_for_every_row(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    out, ledger = apply_stage(variant.stage, frame, variant.params)
    assert (ledger.stage, ledger.rows_in, ledger.rows_out) == (variant.stage, len(frame), len(out))
    assert ledger.rows_in == ledger.rows_out + sum(ledger.dropped.values())
    assert set(out["row_number"]) <= set(frame["row_number"])
    assert out["row_number"].is_unique
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


@pytest.mark.parametrize("variant", attack_variants(), ids=name_of)
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


# Rejected lines

HEADER = [column.name for column in SOURCE if column.name in {"coreData_id", "coreData_secMark", "coreData_speed"}]
HEADER += ["metadata_generatedAt", "coreData_position_lat", "coreData_position_long", "coreData_elevation"]
HEADER += ["coreData_heading", "metadata_serialId_streamId"]
GOOD = dict(
    zip(
        HEADER,
        ("A0F1B2C3", "100", "12.5", "2019-07-01T06:00:00Z", "41.5", "-106.1", "2154.6", "52.5", '"a, ""b"""'),
        strict=True,
    )
)


def line_of(**changed):
    return ",".join({**GOOD, **changed}.values())


LINES = {
    "": None,
    "   ": None,
    line_of(): None,
    line_of(coreData_speed=""): None,  # null, which is cleaning's affair
    "A0F1B2C3,100": "too few fields",
    line_of() + ",more": "too many fields",
    line_of(metadata_serialId_streamId='"open'): "quote not closed",
    line_of(coreData_speed="fast"): "coreData_speed: not a number",
    line_of(coreData_secMark="1.5"): "coreData_secMark: not an integer",
    line_of(metadata_generatedAt="31/12/2019 11:00:00 AM"): "metadata_generatedAt: not a timestamp",
    line_of(coreData_id="\udcff\udcfe"): "coreData_id: not UTF-8 text",
    line_of(coreData_heading="1e999"): "coreData_heading: not a number",
    line_of(coreData_elevation="NaN"): None,
}


@pytest.fixture(scope="module")
def three_files(tmp_path_factory):
    """Three CSV files with every sort of bad line at known places, and the rejects they must give."""
    folder = tmp_path_factory.mktemp("bad")
    kinds, expected, rows = list(LINES), [], 0
    generator = np.random.default_rng(1)
    for name in ("a", "b", "c"):
        chosen = [kinds[i] for i in generator.integers(0, len(kinds), 400)]
        path = folder / f"{name}.csv"
        text = "\n".join([",".join(HEADER), *chosen])
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        rows += sum(bool(line.strip()) for line in chosen)
        expected += [(str(path), line, LINES[text]) for line, text in enumerate(chosen, 2) if LINES[text]]
    return folder, expected, rows


@pytest.mark.parametrize("blocks", [1, 7])
def test_rejects_are_kept_with_file_line_and_reason(three_files, tmp_path, blocks):
    folder, expected, rows = three_files
    size = block_mb(folder / "a.csv", blocks)
    config = config_of([folder / "*.csv"], tmp_path, gather={"columns": HEADER, "block_mb": size}, train=None)
    report = run(config)
    found = read_rejects(tmp_path / "out")
    assert [(each["file"], each["line"], each["code"]) for each in found] == expected
    ledger = report.ledgers["gather"]
    assert ledger.rows_in == rows
    assert ledger.dropped == Counter(code for _, _, code in expected)
    assert len(found) == sum(ledger.dropped.values())
    for each in found:
        whole = (folder / each["file"]).read_bytes().split(b"\n")[each["line"] - 1]
        assert each["text"] == whole.decode("utf-8", "replace")
    assert any("'fast' is not a number" in each["reason"] for each in found)
    second = run(config)
    assert second.cache["features"] == "hit"
    assert (second.ledgers, read_rejects(tmp_path / "out")) == (report.ledgers, found)


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


def test_json_lines_are_accounted_for_in_every_block(tmp_path):
    synthesize(tmp_path / "a.jsonl", SynthParams(rows=600, dirty_share=0))
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    changed = {
        10: ("# a comment", "comment"),
        77: ("{", "not JSON"),
        200: ("[1]", "not an object"),
        300: ('{"metadata": {}}', "not a BSM"),
        450: (lines[450].replace('"speed":', '"speed":"foo","x":'), "coreData_speed: not a number"),
        599: ("", None),
    }
    for place, (text, _) in changed.items():
        lines[place] = text
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    for blocks in (1, 5):
        out = tmp_path / str(blocks)
        report = run(
            config_of([tmp_path / "a.jsonl"], out, gather={"block_mb": block_mb(tmp_path / "a.jsonl", blocks)})
        )
        found = [(each["line"], each["code"]) for each in read_rejects(out / "out")]
        assert found == [(place + 1, code) for place, (_, code) in changed.items() if code]
        assert report.ledgers["gather"].rows_in == 599
        assert report.ledgers["gather"].rows_out == 594


def test_parquet_rows_that_cannot_be_read_are_counted_with_their_place(tmp_path):
    write_dirty_csv(tmp_path / "a.csv", rows=500, every=10_000)
    frame = pd.read_csv(tmp_path / "a.csv", dtype="str")
    frame.loc[[3, 250, 499], "coreData_speed"] = "foo"
    frame.loc[251, "metadata_generatedAt"] = "13/13/2019"
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=100)
    report = run(config_of([tmp_path / "a.parquet"], tmp_path, gather={"block_mb": 0.001}))
    assert len(list((tmp_path / "out" / "dataset").iterdir())) == 5
    found = [(each["line"], each["code"]) for each in read_rejects(tmp_path / "out")]
    speed = "coreData_speed: not a number"
    assert found == [(4, speed), (251, speed), (252, "metadata_generatedAt: not a timestamp"), (500, speed)]
    assert report.ledgers["gather"].dropped == {speed: 3, "metadata_generatedAt: not a timestamp": 1}


def test_integers_of_parquet_keep_their_last_digit_beside_a_null(tmp_path):
    write_dirty_csv(tmp_path / "a.csv", rows=200, every=10_000)
    frame = pd.read_csv(tmp_path / "a.csv", dtype="str")
    numbers = [None, 2**53 + 1, *range(198)]
    frame = frame.assign(metadata_serialId_serialNumber=pd.array(numbers, dtype="Int64"))
    frame.to_parquet(tmp_path / "noted.parquet")
    pq.write_table(pa.Table.from_pandas(frame).replace_schema_metadata(None), tmp_path / "bare.parquet")
    for name in ("noted", "bare"):
        column = read(tmp_path / f"{name}.parquet")[0].compute()["metadata_serialId_serialNumber"]
        assert column.dtype == BY_NAME[column.name].dtype
        assert column.iloc[1] == 2**53 + 1
        assert column.isna().tolist()[:2] == [True, False]


def test_parquet_whose_ids_are_an_index_is_read_like_any_other(tmp_path):
    synthesize(tmp_path / "a.parquet", SynthParams(rows=1_000))
    pd.read_parquet(tmp_path / "a.parquet").set_index("coreData_id").to_parquet(tmp_path / "indexed.parquet")
    run(config_of([tmp_path / "a.parquet"], tmp_path / "one"))
    run(config_of([tmp_path / "indexed.parquet"], tmp_path / "two"))
    one, two = (read_dataset(tmp_path / name / "out" / "dataset")[0] for name in ("one", "two"))
    pd.testing.assert_frame_equal(one, two)


def test_a_parquet_file_with_a_column_twice_is_refused(tmp_path):
    synthesize(tmp_path / "a.parquet", SynthParams(rows=100))
    pd.read_parquet(tmp_path / "a.parquet").assign(COREDATA_ID="FF").to_parquet(tmp_path / "b.parquet")
    with pytest.raises(SourceError, match=r"b.parquet: columns \d+ and \d+ are both 'coreData_id'"):
        run(config_of([tmp_path / "b.parquet"], tmp_path))


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
