"""A message without a time: dropped and counted, or given the time at which it was received, on every path."""

import json

import numpy as np
import pandas as pd
import pytest
from contract_data import config_of, read_dataset

from cdpipe import clean, features, gather, read, run
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.gather.gather import GatherParams

GENERATED, RECEIVED = "metadata_generatedAt", "metadata_receivedAt"
NOTE = f"{GENERATED} taken from {RECEIVED}"
TIMES = ["2024-08-12T12:32:03.500Z", None, "", None, "2024-08-12T12:32:07.250Z", ""]
RECEIPTS = ["2024-08-12T12:32:04.811Z", "2024-08-12T12:32:05.811Z", "2024-08-12T12:32:06.811Z", None, None, ""]
OWN = [0, 4]
NUMBERS = ("coreData_elevation", "coreData_speed", "coreData_heading")
FILLED = [0, 1, 2, 4]
LOOSE = {"required": ["coreData_id"], "timestamp_parts": False}
NO_ATTACK = {"choose_by": "row", "ratio": 0}


def micros(text):
    return int(pd.Timestamp(text).tz_localize(None).as_unit("us").value // 1000)


ORDER = [micros(TIMES[i] or RECEIPTS[i]) for i in FILLED]


def write(folder, suffix):
    path = folder / f"m.{suffix}"
    table = pd.DataFrame(
        {
            GENERATED: TIMES, "coreData_id": [f"A{i:07d}" for i in range(6)], RECEIVED: RECEIPTS,
            "coreData_position_lat": 41.5, "coreData_position_long": -106.25, "coreData_elevation": 1.0,
            "coreData_speed": np.arange(6.0), "coreData_heading": 2.0,
        }
    )  # fmt: skip
    if suffix == "csv":
        table.to_csv(path, index=False)
    elif suffix == "parquet":
        table.to_parquet(path, row_group_size=2)
    else:
        path.write_text("\n".join(map(json.dumps, map(record, table.to_dict("records")))))
    return str(path)


def record(row):
    core = {
        "id": row["coreData_id"], "speed": row["coreData_speed"], "heading": row["coreData_heading"],
        "position": {"latitude": 41.5, "longitude": -106.25, "elevation": 1.0},
    }  # fmt: skip
    times = {"recordGeneratedAt": row[GENERATED], "odeReceivedAt": row[RECEIVED]}
    times = {key: None if pd.isna(time) else time for key, time in times.items()}
    return {"metadata": times, "payload": {"data": {"coreData": core}}}


SUFFIXES = pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])


@SUFFIXES
@pytest.mark.parametrize("block_mb", [0.0002, 1.0])
def test_the_time_of_receipt_stands_in_by_choice_and_is_counted(tmp_path, suffix, block_mb):
    given = {"missing_time": "received", "block_mb": block_mb}
    report = run(config_of([write(tmp_path, suffix)], tmp_path, train=None, attack=NO_ATTACK, gather=given))
    frame, _ = read_dataset(tmp_path / "out" / "dataset")
    assert frame["row_number"].tolist() == FILLED
    assert frame["time_us"].tolist() == ORDER
    assert report.ledgers["gather"].notes[NOTE] == 2
    assert report.ledgers["clean"].dropped == {f"null in {GENERATED}": 2}
    assert RECEIVED not in frame


@SUFFIXES
def test_without_that_choice_it_is_dropped_and_never_a_number_that_stands_for_nothing(tmp_path, suffix):
    for name, chosen in (("strict", {}), ("loose", LOOSE)):
        out = tmp_path / name
        out.mkdir()
        report = run(config_of([write(tmp_path, suffix)], out, train=None, attack=NO_ATTACK, clean=chosen))
        frame, _ = read_dataset(out / "out" / "dataset")
        assert frame["row_number"].tolist() == OWN
        assert frame["time_us"].tolist() == [micros(TIMES[i]) for i in OWN]
        dropped = {stage: ledger.dropped for stage, ledger in report.ledgers.items() if ledger.dropped}
        assert dropped == {"clean" if name == "strict" else "features": {f"null in {GENERATED}": 4}}
        assert NOTE not in report.ledgers["gather"].notes


def test_the_choice_is_part_of_what_is_cached(tmp_path):
    path = write(tmp_path, "jsonl")
    for chosen, rows in (("null", 2), ("received", 4), ("null", 2), ("received", 4)):
        given = {"missing_time": chosen}
        report = run(config_of([path], tmp_path, train=None, attack=NO_ATTACK, gather=given))
        assert report.ledgers["features"].rows_out == rows
    assert report.cache == {"features": "hit"}


@SUFFIXES
def test_read_and_gather_take_the_choice_too_and_give_the_columns_that_were_asked_for(tmp_path, suffix):
    path = write(tmp_path, suffix)
    for columns in ((GENERATED,), (GENERATED, RECEIVED), ("coreData_id",)):
        params = GatherParams(columns=columns, missing_time="received")
        frame, ledger = read(path, params)
        made = frame.compute()
        assert list(made) == ["row_number", *columns, *["time_is_coarse"] * (GENERATED in columns)]
        assert ledger.compute().notes.get(NOTE, 0) == 2 * (GENERATED in columns)
        kept = gather(path, tmp_path / "-".join(columns), params)
        assert kept.notes.get(NOTE, 0) == 2 * (GENERATED in columns)
        if GENERATED in columns:
            assert made[GENERATED].dtype == "datetime64[us]"
            assert made.loc[made[GENERATED].notna(), "row_number"].tolist() == FILLED


def test_a_frame_s_messages_without_a_time_are_dropped_where_features_are_made(tmp_path):
    raw, _ = read(write(tmp_path, "parquet"))
    cleaned, _ = clean(raw.compute(), CleanParams(columns=(GENERATED, "coreData_id", *NUMBERS), **LOOSE))
    assert len(cleaned) == 6
    made, ledger = features(cleaned.assign(isAttacker=np.int8(0)))
    assert made["row_number"].tolist() == OWN
    assert made["coreData_speed"].tolist() == [0.0, 4.0]
    assert (ledger.rows_in, ledger.rows_out, ledger.dropped) == (6, 2, {f"null in {GENERATED}": 4})
