import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from cdpipe.stages.gather.gather import MUST, GatherParams, gather_json, gather_table
from cdpipe.synthetic.generator import SynthParams, synthesize, synthesize_frame

COLUMNS = ("coreData_id", "coreData_speed", "coreData_secMark", "metadata_generatedAt")


def table(**changed):
    made = {
        "COREDATA_ID": ["00A1", "0017", None],
        "coredata_Speed": [1.5, 163.82, None],
        "coreData_secMark": [100, 65535, 7],
        "metadata_generatedat": ["2020-02-20T21:45:20.478", "02/20/2020 09:45:20 PM", None],
        "unused": [object(), object(), object()],
    }
    return pd.DataFrame({**made, **changed})


def gather(frame, columns=COLUMNS, first_row=0, first_line=1, required=MUST):
    return gather_table(
        frame, file="t.parquet", columns=columns, first_row=first_row, first_line=first_line, required=required
    )


def plain(frame):
    """Make labels text: in which order they were met is no part of what a frame says."""
    return frame.astype(dict.fromkeys(frame.select_dtypes("category").columns, "str"))


def values(frame, name):
    return [None if pd.isna(value) else value for value in frame[name]]


def test_a_table_of_any_spelling_gets_the_vocabulary_s_names_types_and_nulls():
    given = table()
    before = given.copy(deep=True)
    frame = gather(given, first_row=40).frame
    assert list(frame) == ["row_number", *COLUMNS, "time_is_coarse"]
    assert frame.dtypes.astype(str).tolist() == ["int64", "category", "float64", "Int64", "datetime64[us]", "int8"]
    assert frame["time_is_coarse"].tolist() == [0, 1, 0]
    assert frame["row_number"].tolist() == [40, 41, 42]
    assert values(frame, "coreData_id") == ["00A1", "0017", None]
    assert values(frame, "coreData_speed") == [1.5, None, None]
    assert values(frame, "coreData_secMark") == [100, None, 7]
    assert values(frame, "metadata_generatedAt") == [
        pd.Timestamp("2020-02-20T21:45:20.478"),
        pd.Timestamp("2020-02-20T21:45:20"),
        None,
    ]
    pd.testing.assert_frame_equal(given, before)


@pytest.mark.parametrize(
    "same",
    [
        lambda frame: frame.astype({"coredata_Speed": "float32"}).round(2),
        lambda frame: frame.astype({"coreData_secMark": "uint16"}),
        lambda frame: frame.astype({"coreData_secMark": "float64"}),
        lambda frame: frame.astype({"COREDATA_ID": "category"}),
        lambda frame: frame.astype({"coreData_secMark": "str", "coredata_Speed": "str"}),
        lambda frame: frame.set_index(np.array([7, 7, 7])),
    ],
    ids=["float32", "uint16", "float", "category", "text", "repeated index"],
)
def test_other_types_that_mean_the_same_give_the_same(same):
    found, expected = gather(same(table())).frame, gather(table()).frame
    assert found.dtypes.astype(str).tolist() == expected.dtypes.astype(str).tolist()
    pd.testing.assert_frame_equal(plain(found), plain(expected))


def test_ids_held_as_numbers_are_refused():
    with pytest.raises(TypeError, match=r"coreData_id.*int64.*as text"):
        gather(table(COREDATA_ID=[17, 18, 19]))


def test_unreadable_cells_of_other_columns_are_null_and_counted():
    gathered = gather(table(coreData_secMark=[1.5, 100.0, np.inf]))
    assert values(gathered.frame, "coreData_secMark") == [None, 100, None]
    assert gathered.rejects == []
    assert gathered.ledger.notes["coreData_secMark not readable, read as null"] == 2


def test_impossible_values_are_null_and_counted():
    gathered = gather(table(coredata_Speed=[-3.0, 163.82, 170.0], coreData_secMark=[-1, 61_000, 60_999]))
    assert values(gathered.frame, "coreData_speed") == [None, None, None]
    assert values(gathered.frame, "coreData_secMark") == [None, None, 60_999]
    assert gathered.ledger.notes["coreData_speed impossible, read as null"] == 2
    assert gathered.ledger.notes["coreData_secMark impossible, read as null"] == 2


def test_rows_with_bad_required_cells_are_rejected_one_by_one_with_their_place():
    frame = table(coreData_secMark=[1.5, 100.0, np.inf])
    required = ("coreData_secMark",)
    gathered = gather(frame.drop(columns="unused"), first_row=10, first_line=501, required=required)
    assert gathered.frame["row_number"].tolist() == [11]
    assert [(r.file, r.line, r.code, r.reason) for r in gathered.rejects] == [
        ("t.parquet", 501, "coreData_secMark: not an integer", "coreData_secMark: '1.5' is not an integer"),
        ("t.parquet", 503, "coreData_secMark: not an integer", "coreData_secMark: 'inf' is not an integer"),
    ]
    assert json.loads(gathered.rejects[0].text)["coreData_secMark"] == 1.5
    assert gathered.ledger.as_dict()["dropped"] == {"coreData_secMark: not an integer": 2}


def test_what_was_gathered_can_be_written_to_and_the_source_does_not_change():
    given = synthesize_frame(SynthParams(rows=50, vehicles=5))
    before = given.copy(deep=True)
    frame = gather(given, columns=tuple(given.columns[1:])).frame
    for name in frame.columns:
        frame.loc[0, name] = frame[name].iloc[-1]
    pd.testing.assert_frame_equal(given, before)


def test_json_lines_keep_their_places_as_row_numbers_and_rejects_theirs(tmp_path):
    synthesize(tmp_path / "m.jsonl", SynthParams(rows=6, vehicles=2, dirty_share=0))
    lines = (tmp_path / "m.jsonl").read_bytes().splitlines()
    broken = json.loads(lines[2])
    broken["payload"]["data"]["coreData"]["speed"] = "foo"
    late = json.loads(lines[4])
    late["metadata"]["recordGeneratedAt"] = "31/31/2019 1:00:00 PM"
    data = b"\n".join([lines[0], b"", b"# comment", json.dumps(broken).encode(), json.dumps(late).encode(), lines[5]])
    gathered = gather_json(data, file="m.jsonl", columns=COLUMNS, first_row=100, first_line=11)
    assert gathered.frame["row_number"].tolist() == [100, 105]
    assert [r.line for r in gathered.rejects] == [13, 14, 15]
    assert gathered.rejects[2].reason == "metadata_generatedAt: '31/31/2019 1:00:00 PM' is not a timestamp"
    assert gathered.rejects[2].text == json.dumps(late)
    assert (gathered.ledger.rows_in, gathered.ledger.rows_out) == (5, 2)


def test_the_three_forms_of_a_file_give_the_same_frame(tmp_path):
    from cdpipe import read

    params = SynthParams(rows=400, vehicles=10, dirty_share=0.2)
    frames = []
    for suffix in ("csv", "parquet", "jsonl"):
        synthesize(tmp_path / f"m.{suffix}", params)
        lazy, ledger = read(tmp_path / f"m.{suffix}", GatherParams(columns=(*COLUMNS, "coreData_position_lat")))
        frames.append(lazy.compute(scheduler="sync").reset_index(drop=True))
        assert ledger.compute(scheduler="sync").dropped == {}
    frames = [plain(frame) for frame in frames]
    pd.testing.assert_frame_equal(frames[0], frames[1])
    pd.testing.assert_frame_equal(frames[0], frames[2])
    frame = frames[0].drop(columns="time_is_coarse")
    pd.testing.assert_frame_equal(frame, plain(synthesize_frame(params, names=(*COLUMNS, "coreData_position_lat"))))


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        (None, ("coreData_id", "coreData_speed")),
        ((), ("coreData_id", "coreData_speed")),
        (("COREDATA_SPEED", "weather"), ("coreData_speed", "weather", "coreData_id")),
    ],
)
def test_wanted_columns_are_those_asked_for_and_those_needed(columns, wanted):
    assert GatherParams(columns=columns).wanted(("coredata_id", "coreData_speed")) == wanted


@pytest.mark.parametrize("wrong", [{"block_mb": 0}, {"block_mb": 2000}, {"blok_mb": 1}])
def test_parameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(ValidationError):
        GatherParams(**wrong)
