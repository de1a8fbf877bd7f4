"""Inputs of the kinds that people met have their right values, in every form of file, however it is cut."""

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract_data import read_rejects
from message_files import FORMS, messages, run_plain, write_messages

from cdpipe import clean, features
from cdpipe.engine.files.sources import SourceError
from cdpipe.stages.clean import CleanParams

GENERATED, MARK = "metadata_generatedAt", "coreData_secMark"


def instants(frame):
    return [f"{time:%H:%M:%S.%f}"[:-3] for time in pd.to_datetime(frame["time_us"], unit="us")]


def at(*pairs):
    return messages(*({GENERATED: time, MARK: mark} for time, mark in pairs))


ROLL = at(
    ("05/06/2018 08:26:29 PM", 28_950),
    ("05/06/2018 08:27:00 PM", 59_950),
    ("05/06/2018 08:26:59 PM", 40),
    ("05/06/2018 08:27:00 PM", 60_050),
    ("05/06/2018 08:26:29 PM", None),
    ("05/06/2018 08:26:29 PM", 65_535),
    ("05/06/2018 08:26:29 PM", 61_000),
    ("05/06/2018 08:26:29 PM", -1),
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("block_mb", [0.0002, 32.0])
def test_second_marks_tell_the_nearest_moment_and_no_mark_leaves_the_second(tmp_path, form, block_mb):
    path = write_messages(tmp_path / f"m.{form}", ROLL)
    report, frame = run_plain([path], tmp_path, gather={"block_mb": block_mb})
    told = ["20:26:28.950", "20:26:59.950", "20:27:00.040", "20:27:00.050", *["20:26:29.000"] * 4]
    assert instants(frame) == told
    assert frame["time_is_coarse"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert report.ledgers["gather"].notes == {"coreData_secMark impossible, read as null": 2}
    assert report.conventions[str(path)].whole_seconds


MIXED = at(
    ("2018-12-06T11:17:33.900Z", 33_565), ("2018-12-06T11:17:34.000Z", 33_665), ("2018-12-06T11:17:34.101Z", 33_765)
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("marks", "second"), [("auto", "11:17:34.000"), ("ignore", "11:17:34.000"), ("use", "11:17:33.665")]
)
@pytest.mark.parametrize("block_mb", [0.0002, 32.0])
def test_a_file_that_records_milliseconds_is_believed_at_a_whole_second(tmp_path, form, marks, second, block_mb):
    path = write_messages(tmp_path / f"m.{form}", MIXED)
    report, frame = run_plain([path], tmp_path, gather={"block_mb": block_mb}, input={"second_marks": marks})
    assert instants(frame) == ["11:17:33.900", second, "11:17:34.101"]
    assert frame["time_is_coarse"].tolist() == [0, 0, 0]
    finer = {"times finer than a second in a file of whole seconds, kept as recorded": 2} if marks == "use" else {}
    assert report.ledgers["gather"].notes == finer


def test_each_file_has_its_own_convention(tmp_path):
    paths = [write_messages(tmp_path / "a.csv", ROLL[:1]), write_messages(tmp_path / "b.csv", MIXED)]
    report, frame = run_plain(paths, tmp_path)
    assert instants(frame) == ["20:26:28.950", "11:17:33.900", "11:17:34.000", "11:17:34.101"]
    assert [each.whole_seconds for each in report.conventions.values()] == [True, False]


@pytest.mark.parametrize(("unit", "whole"), [("s", True), ("ms", False), ("us", False), ("ns", False)])
def test_a_parquet_time_beyond_the_calendar_is_a_reject_and_the_others_decide(tmp_path, unit, whole):
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    ticks = [1_564_576_919 * per_second + (not whole) * per_second // 10, 10**12 if unit == "s" else None]
    table = pa.table({**{name: [value] * 2 for name, value in messages({})[0].items() if name != GENERATED}})
    path = tmp_path / "m.parquet"
    pq.write_table(table.append_column(GENERATED, pa.array(ticks, pa.timestamp(unit, "UTC"))), path)
    report, frame = run_plain([path], tmp_path)
    assert report.conventions[str(path)].whole_seconds is whole
    assert instants(frame) == ["12:41:59.000" if whole else "12:41:59.100"]
    if unit == "s":
        (reject,) = read_rejects(tmp_path / "out")
        assert json.loads(reject["text"])[GENERATED] == "33658-09-27T01:46:40.000Z"
    lost = {**report.ledgers["gather"].dropped, **report.ledgers["clean"].dropped}
    assert lost == {"metadata_generatedAt: not a timestamp" if unit == "s" else "null in metadata_generatedAt": 1}


COUNTS = {
    "coreData_position_lat": 279_434_229,
    "coreData_position_long": -824_556_863,
    "coreData_elevation": -157,
    "coreData_speed": 1_291,
    "coreData_heading": 5_490,
}
RAW = messages(COUNTS, COUNTS | {"coreData_heading": 360}, COUNTS | {"coreData_speed": 8_191})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("units", ["auto", "j2735"])
@pytest.mark.parametrize("block_mb", [0.0002, 32.0])
def test_counts_of_the_standard_become_units(tmp_path, form, units, block_mb):
    path = write_messages(tmp_path / f"m.{form}", RAW)
    report, frame = run_plain([path], tmp_path, input={"units": units}, gather={"block_mb": block_mb})
    assert frame["x_pos"].tolist() == [-82.4556863] * 2
    assert frame["y_pos"].tolist() == [27.9434229] * 2
    assert frame["coreData_elevation"].tolist() == [-15.7] * 2
    assert frame["coreData_speed"].tolist() == [25.82] * 2
    assert frame["coreData_heading"].tolist() == [68.625, 4.5]
    assert report.ledgers["clean"].dropped == {"null in coreData_speed": 1}
    assert set(report.conventions[str(path)].counted) >= set(COUNTS)


@pytest.mark.parametrize("form", FORMS)
def test_a_column_that_cannot_be_right_ends_the_run(tmp_path, form):
    path = write_messages(tmp_path / f"m.{form}", messages(*[{"coreData_speed": 1_291}] * 3))
    with pytest.raises(
        SourceError, match=rf"m\.{form}: column 'coreData_speed': 3 of its first 3 values cannot be m/s"
    ):
        run_plain([path], tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_a_cell_that_cannot_be_right_is_null_and_counted(tmp_path, form):
    rows = messages({}, {"coreData_speed": 170.0}, {"coreData_heading": 359.999}, {"coreData_elevation": 7_000.0})
    report, frame = run_plain([write_messages(tmp_path / f"m.{form}", rows)], tmp_path)
    assert frame["row_number"].tolist() == [0, 2]
    assert report.ledgers["gather"].notes == {
        "coreData_speed impossible, read as null": 1,
        "coreData_elevation impossible, read as null": 1,
    }
    assert report.ledgers["clean"].dropped == {"null in coreData_elevation": 1, "null in coreData_speed": 1}


@pytest.mark.parametrize("form", ["csv", "text.parquet"])
def test_an_unreadable_optional_cell_costs_no_row_and_a_required_one_does(tmp_path, form):
    rows = messages({MARK: "unavailable"}, {MARK: "59,000"}, {MARK: " 59000 "}, {MARK: "59000.0"})
    path = write_messages(tmp_path / f"m.{form}", rows)
    report, frame = run_plain([path], tmp_path)
    assert frame["time_is_coarse"].tolist() == [1, 1, 0, 0]
    assert report.ledgers["gather"].notes == {"coreData_secMark not readable, read as null": 2}
    for number, tables in enumerate(({"clean": {"required": [MARK]}}, {"gather": {"required": [MARK]}})):
        needed, kept = run_plain([path], tmp_path / str(number), **tables)
        assert kept["row_number"].tolist() == [2, 3]
        assert needed.ledgers["gather"].dropped == {"coreData_secMark: not an integer": 2}


def test_frames_given_to_stages_follow_the_same_rules():
    frame = pd.DataFrame(ROLL).astype({MARK: "Int64"})
    made, ledger = clean(frame, CleanParams(columns=tuple(frame.columns)))
    assert ledger.notes == {"coreData_secMark impossible, read as null": 2}
    told, _ = features(made.assign(isAttacker=0))
    assert instants(told)[:4] == ["20:26:28.950", "20:26:59.950", "20:27:00.040", "20:27:00.050"]
    assert told["time_is_coarse"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
