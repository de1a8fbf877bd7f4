import json
import math
from decimal import Decimal

import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.columns import SOURCE
from cdpipe.stages.gather.gather import gather_json
from cdpipe.stages.gather.json_lines import parse_json_lines

ALL = tuple(column.name for column in SOURCE)
UNITS = {
    "coreData_position_lat": ("lat", "1e-7", 900000001),
    "coreData_position_long": ("long", "1e-7", 1800000001),
    "coreData_elevation": ("elev", "0.1", -4096),
    "coreData_speed": ("speed", "0.02", 8191),
    "coreData_heading": ("heading", "0.0125", 28800),
    "coreData_accelset_accelLat": ("accelSet.lat", "0.01", 2001),
    "coreData_accelset_accelLong": ("accelSet.long", "0.01", 2001),
    "coreData_accelset_accelVert": ("accelSet.vert", "0.02", -127),
    "coreData_accelset_accelYaw": ("accelSet.yaw", "0.01", None),
    "coreData_accuracy_semiMajor": ("accuracy.semiMajor", "0.05", 255),
    "coreData_accuracy_semiMinor": ("accuracy.semiMinor", "0.05", 255),
}


def frame_of(**core):
    """A message frame as the ODE's schema 9 has it, given its core data by dotted path."""
    made = {"msgCnt": 25, "id": "12A7A951", "secMark": 2800, "transmission": "unavailable"}
    for path, value in core.items():
        *parents, key = path.split(".")
        inner = made
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[key] = value
    value = {"BasicSafetyMessage": {"coreData": made}}
    return {
        "metadata": {"payloadType": "OdeMessageFramePayload", "recordGeneratedAt": "2025-08-12T12:32:03.500Z"},
        "payload": {"data": {"messageId": 20, "value": value}},
    }


def gathered(*records):
    data = b"\n".join(map(orjson.dumps, records))
    return gather_json(data, file="m.jsonl", columns=ALL, first_row=0, first_line=1)


def test_values_are_those_of_the_layout_before():
    raw = dict(zip(UNITS, (405671913, -1050342901, 15059, 14, 28752, 12, -3, 49, -150, 100, 40), strict=True))
    (row,) = gathered(frame_of(**{UNITS[name][0]: value for name, value in raw.items()})).frame.to_dict("records")
    expected = dict(
        zip(UNITS, (40.5671913, -105.0342901, 1505.9, 0.28, 359.4, 0.12, -0.03, 0.98, -1.5, 5.0, 2.0), strict=True)
    )
    assert {name: row[name] for name in UNITS} == expected
    assert (row["coreData_id"], row["coreData_msgCnt"], row["coreData_secMark"]) == ("12A7A951", 25, 2800)
    assert row["metadata_generatedAt"] == pd.Timestamp("2025-08-12T12:32:03.500")


@given(st.sampled_from(list(UNITS)), st.integers(-(2**31), 2**31), st.booleans())
def test_each_is_the_nearest_number_to_raw_times_unit(name, raw, quoted):
    path, unit, _ = UNITS[name]
    parsed = parse_json_lines(
        orjson.dumps(frame_of(**{path: str(raw) if quoted else raw})), first_line=1, columns=(name,), required=(name,)
    )
    assert parsed.frame[name].tolist() == [float(raw * Decimal(unit))]


def test_unavailable_codes_and_what_is_not_there_are_null():
    codes = {path: code for path, _, code in UNITS.values() if code is not None}
    for core in (codes, {}, dict.fromkeys(codes, None)):
        (row,) = gathered(frame_of(**{**core, "secMark": 65535})).frame.to_dict("records")
        assert [name for name in UNITS if not math.isnan(row[name])] == []
        assert pd.isna(row["coreData_secMark"])


def test_values_that_are_no_numbers_reject_the_record_by_column_if_that_is_required():
    bad = frame_of(speed="fast", lat=1)
    found = gathered(frame_of(lat=1), bad, frame_of(accelSet=[1]))
    rejects = found.rejects
    assert found.ledger.notes["coreData_accelset_accelLat not readable, read as null"] == 1
    assert [(each.line, each.code) for each in rejects] == [
        (2, "coreData_speed: not a number"),
    ]
    assert json.loads(rejects[0].text) == bad


@pytest.mark.parametrize(
    "data",
    [
        {"messageId": 31, "value": {"TravelerInformation": {"msgCnt": 1}}},
        {"messageId": 20, "value": {"BasicSafetyMessage": {}}},
        {"messageId": 20, "value": {"BasicSafetyMessage": "0014"}},
        {"messageId": 20, "value": []},
    ],
)
def test_frames_of_other_messages_are_no_bsm(data):
    rejects = gathered({**frame_of(), "payload": {"data": data}}).rejects
    assert [each.code for each in rejects] == ["not a BSM"]
    assert "OdeMessageFramePayload" in rejects[0].reason
