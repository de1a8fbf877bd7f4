import json

import made_files
import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.columns import BY_NAME, SOURCE
from cdpipe.stages.gather.json_lines import parse_json_lines

ALL = [column.name for column in SOURCE]


def record(**core):
    """A small good record whose coreData is changed by `core`."""
    good = {
        "msgCnt": 7,
        "id": "A0F1B2C3",
        "secMark": 36799,
        "position": {"latitude": 40.5, "longitude": -105.25, "elevation": 1489.0},
        "accelSet": {"accelYaw": 0.5},
        "accuracy": {"semiMajor": 9.3, "semiMinor": 12.05},
        "speed": 22.02,
        "heading": 321.0125,
    }
    return {
        "metadata": {
            "recordType": "bsmTx",
            "payloadType": "us.dot.its.jpo.ode.model.OdeBsmPayload",
            "serialId": {"streamId": "s", "bundleSize": 1, "bundleId": 4, "recordId": 2, "serialNumber": 0},
            "odeReceivedAt": "2019-04-09T18:07:47.798Z",
            "recordGeneratedAt": "2018-05-01T15:55:55.494Z",
        },
        "payload": {"data": {"coreData": {**good, **core}}},
    }


def parse(*lines, columns=ALL, first_line=1):
    data = b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in lines)
    return parse_json_lines(data, first_line=first_line, columns=columns, required=columns)


def codes(parsed):
    return [bad.code for bad in parsed.rejects]


def test_every_published_line_gives_the_row_that_json_says(tmp_path):
    data = made_files.write_ode_json(tmp_path / "ode.json").read_bytes()
    parsed = parse_json_lines(data, first_line=1, columns=ALL, required=ALL)
    assert parsed.rejects == []
    assert parsed.line_numbers.tolist() == list(range(1, made_files.EVENT_ROWS + 1))
    records = [json.loads(line) for line in data.splitlines()]
    for name in ALL:
        path = BY_NAME[name].ode_path
        for value, whole in zip(parsed.frame[name], records, strict=True):
            place = whole if path else None
            for key in path.split(".") if path else ():
                place = place[key]
            assert pd.isna(value) if place is None else value == place, name


def test_errors_as_validators_are_tested_with_are_each_a_reject_that_names_field_and_value(tmp_path):
    data = made_files.write_broken_json(tmp_path / "broken.json").read_bytes()
    parsed = parse_json_lines(data, first_line=1, columns=ALL, required=ALL)
    lines = {2 * index + 1: each for index, each in enumerate(made_files.make_broken_lines())}
    assert [(bad.line_number, bad.code) for bad in parsed.rejects] == [
        (number, code) for number, (_, code) in lines.items() if code
    ]
    assert parsed.line_numbers.tolist() == [number for number, (_, code) in lines.items() if code is None]
    assert [bad.text for bad in parsed.rejects] == [lines[bad.line_number][0] for bad in parsed.rejects]
    reasons = {bad.code: bad.reason for bad in parsed.rejects}
    assert '"foo"' in reasons["coreData_speed: not a number"]
    assert "3.145" in reasons["coreData_id: not text"]
    assert any("OdeTIMPayload" in bad.reason for bad in parsed.rejects)
    first, bare, old, no_speed, no_position = (row for _, row in parsed.frame.iterrows())
    assert pd.isna(no_speed["coreData_speed"])
    assert pd.isna(no_position["coreData_position_lat"])
    assert old["metadata_receivedAt"] == "2017-08-02T19:56:45.822Z[UTC]"
    assert [pd.isna(row["metadata_generatedAt"]) for row in (first, bare, old)] == [False, True, True]
    assert pd.isna(bare["metadata_serialId_streamId"])


def test_types_are_those_of_the_vocabulary_with_times_and_labels_as_text_even_without_rows():
    for lines in ((record(),), ()):
        frame = parse(*lines).frame
        assert list(frame.columns) == ALL
        for name in ALL:
            kind = BY_NAME[name].kind
            assert str(frame[name].dtype) == {"time": "str", "label": "str"}.get(kind, BY_NAME[name].dtype), name


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"# a remark", "comment"),
        (b"speed,heading", "not JSON"),
        (orjson.dumps(record())[:-30], "not JSON"),
        (orjson.dumps(record())[:-1] + b"}}", "not JSON"),
        (b'{"payload":{"data":{"coreData":{"speed":NaN}}}}', "coreData_speed: not a number"),
        (b'{"payload":{"data":{"coreData":{"speed":-Infinity}}}}', "coreData_speed: not a number"),
        (b'{"payload":{"data":{"coreData":{"speed":1e999}}}}', "coreData_speed: not a number"),
        (b'{"payload":{"data":{"coreData":{"speed":1e99999999999999999999}}}}', "coreData_speed: not a number"),
        (b'{"payload":{"data":{"coreData":{"secMark":-1e999}}}}', "coreData_secMark: not an integer"),
        (b'{"payload":{"data":{"coreData":{"secMark":%s}}}}' % (b"9" * 400), "not JSON"),
        (b'{"payload":{"data":{"coreData":{"id":"\\ud800"}}}}', "not JSON"),
        (b'{"a":"\x00"}', "not JSON"),
        (b"\xff\xfe{\x00", "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "not JSON"),
        (b"null", "not an object"),
        (b"3", "not an object"),
        (b"[{}]", "not an object"),
        (b"{}", "not a BSM"),
        ({"payload": {"data": {"coreData": None}}}, "not a BSM"),
        ({"payload": {"data": {"coreData": {}}}}, "not a BSM"),
        ({"payload": {"data": {"coreData": [1]}}}, "payload.data.coreData: not an object"),
        ({"payload": "x"}, "payload: not an object"),
        ({**record(), "metadata": "x"}, "metadata: not an object"),
        (record(position=[40.5, -105.25]), "payload.data.coreData.position: not an object"),
        (record(position={"latitude": "north"}), "coreData_position_lat: not a number"),
        (record(speed=True), "coreData_speed: not a number"),
        (record(speed="nan"), "coreData_speed: not a number"),
        (record(speed="1_0"), "coreData_speed: not a number"),
        (record(speed="\N{ARABIC-INDIC DIGIT THREE}"), "coreData_speed: not a number"),
        (record(speed="9" * 400), "coreData_speed: not a number"),
        (record(speed=[1]), "coreData_speed: not a number"),
        (record(secMark=3.5), "coreData_secMark: not an integer"),
        (record(secMark="3.5"), "coreData_secMark: not an integer"),
        (record(secMark=2**63), "coreData_secMark: not an integer"),
        (record(secMark=2.0**60), "coreData_secMark: not an integer"),
        (record(secMark=1e30), "coreData_secMark: not an integer"),
        (record(secMark="9" * 19), "coreData_secMark: not an integer"),
        (record(secMark="9" * 5000), "coreData_secMark: not an integer"),
        (record(secMark=False), "coreData_secMark: not an integer"),
        (record(id=3.145), "coreData_id: not text"),
        (record(id=31325433), "coreData_id: not text"),
        (record(id={"x": "y" * 10_000}), "coreData_id: not text"),
    ],
)
def test_a_bad_line_is_one_reject_and_touches_no_other(line, code):
    parsed = parse(record(id="11111111"), line, record(id="22222222"), first_line=10)
    assert [(bad.line_number, bad.code) for bad in parsed.rejects] == [(11, code)]
    assert parsed.rejects[0].reason.startswith(code)
    assert len(parsed.rejects[0].reason) <= 250
    assert parsed.line_numbers.tolist() == [10, 12]
    assert parsed.frame["coreData_id"].tolist() == ["11111111", "22222222"]
    assert parsed.frame["coreData_secMark"].tolist() == [36799, 36799]


def test_a_row_with_two_faults_is_one_reject_by_its_first_column():
    parsed = parse(record(speed="foo", secMark=0.5))
    assert codes(parsed) == ["coreData_secMark: not an integer"]


def test_an_unreadable_cell_that_is_not_required_is_null_and_counted():
    records = [
        record(),
        record(secMark="soon", accelSet={"accelYaw": [1]}),
        record(accelSet="none", accuracy=7),
        record(secMark=2.5, speed="fast"),
        {**record(), "metadata": "none"},
    ]
    lines = [*map(orjson.dumps, records), orjson.dumps(record()).replace(b'"accelYaw":0.5', b'"accelYaw":NaN')]
    columns = ("metadata_generatedAt", "coreData_secMark", "coreData_accelset_accelYaw", "coreData_speed",
               "coreData_accuracy_semiMajor", "coreData_id")  # fmt: skip
    parsed = parse_json_lines(b"\n".join(lines), first_line=1, columns=columns, required=("coreData_speed",))
    assert [(bad.line_number, bad.code) for bad in parsed.rejects] == [(4, "coreData_speed: not a number")]
    assert parsed.line_numbers.tolist() == [1, 2, 3, 5, 6]
    assert parsed.notes == {
        "coreData_secMark not readable, read as null": 1,
        "coreData_accelset_accelYaw not readable, read as null": 3,
        "coreData_accuracy_semiMajor not readable, read as null": 1,
        "metadata_generatedAt not readable, read as null": 1,
    }
    null = parsed.frame.isna().to_numpy().tolist()
    assert null == [
        [False] * 6,
        [False, True, True, False, False, False],
        [False, False, True, False, True, False],
        [True, False, False, False, False, False],
        [False, False, True, False, False, False],
    ]


def test_numbers_in_quotes_blanks_and_nulls():
    parsed = parse(
        record(speed=" 1.5e1 ", secMark="42", position={"latitude": "40.56", "longitude": None, "elevation": ""}),
        record(speed=7, secMark=3.0, id="  ", msgCnt="127.0"),
        columns=["coreData_speed", "coreData_secMark", "coreData_position_lat", "coreData_position_long",
                 "coreData_elevation", "coreData_id", "coreData_msgCnt"],
    )  # fmt: skip
    frame = parsed.frame
    assert parsed.rejects == []
    assert frame["coreData_speed"].tolist() == [15.0, 7.0]
    assert frame["coreData_secMark"].tolist() == [42, 3]
    assert frame["coreData_msgCnt"].tolist() == [7, 127]
    assert frame["coreData_position_lat"].tolist() == [40.56, 40.5]
    assert frame.isna().sum().to_dict() == {
        **dict.fromkeys(frame.columns, 0), "coreData_position_long": 1, "coreData_elevation": 1, "coreData_id": 1,
    }  # fmt: skip


def test_older_schemas_and_epoch_milliseconds():
    old, epoch = record(), record()
    old["metadata"] = {"receivedAt": "2017-08-02T19:56:45.822Z[UTC]", "generatedAt": "2017-08-02T19:56:44Z[UTC]"}
    epoch["metadata"] |= {"recordGeneratedAt": 1525190155494, "odeReceivedAt": None}
    frame = parse(old, epoch).frame
    assert frame["metadata_generatedAt"].tolist() == ["2017-08-02T19:56:44Z[UTC]", "1525190155494"]
    assert frame["metadata_receivedAt"].isna().tolist() == [False, True]


def test_duplicate_keys_count_as_said_last_and_nul_in_text_survives():
    line = orjson.dumps(record(id="a\x00b")).replace(b'"speed":22.02', b'"speed":"foo","speed":1.5')
    parsed = parse(line)
    assert parsed.frame["coreData_speed"].tolist() == [1.5]
    assert parsed.frame["coreData_id"].tolist() == ["a\x00b"]


def test_line_ends_blank_lines_and_byte_order_mark():
    line = orjson.dumps(record())
    parsed = parse_json_lines(
        b"\xef\xbb\xbf" + line + b"\r\n\r\n  \n\t" + line + b"\r\n#x\r\n", first_line=1, columns=ALL, required=ALL
    )
    assert parsed.line_numbers.tolist() == [1, 4]
    assert [(bad.line_number, bad.text) for bad in parsed.rejects] == [(5, "#x")]
    # Files put together have such marks on later lines too.
    parsed = parse(line, b"\xef\xbb\xbf" + line, b"\xef\xbb\xbf \r", b" " + line)
    assert parsed.line_numbers.tolist() == [1, 2, 4]
    assert parsed.rejects == []


def test_a_record_over_several_lines_is_one_reject_and_its_other_lines_are_counted():
    spread = json.dumps(record(partII=[1, "a", {"b": 2}, [{"c": True}]]), indent=1).encode()
    parsed = parse(record(id="11111111"), spread, record(id="22222222"))
    lines = spread.count(b"\n") + 1
    assert [(bad.line_number, bad.code) for bad in parsed.rejects] == [(2, "not JSON")]
    assert "jq -c . FILE" in parsed.rejects[0].reason
    assert parsed.notes == {"lines inside records over several lines": lines - 1}
    assert parsed.line_numbers.tolist() == [1, lines + 2]


def test_unavailable_codes_stay_as_recorded():
    frame = parse(record(speed=8191, secMark=65535, heading=28800)).frame
    assert frame.loc[0, ["coreData_speed", "coreData_secMark", "coreData_heading"]].tolist() == [8191, 65535, 28800]


def test_blocks_make_no_difference():
    lines = [record(id=f"{i:08X}", speed=i / 4 if i % 7 else "foo") for i in range(200)]
    whole = parse(*lines)
    parts = [parse(*lines[a : a + 40], first_line=a + 1) for a in range(0, 200, 40)]
    pd.testing.assert_frame_equal(whole.frame, pd.concat([part.frame for part in parts], ignore_index=True))
    assert whole.rejects == [bad for part in parts for bad in part.rejects]
    assert whole.line_numbers.tolist() == np.concatenate([part.line_numbers for part in parts]).tolist()


def test_an_unknown_column_is_named():
    with pytest.raises(ValueError, match="'x_pos'"):
        parse(record(), columns=["x_pos"])


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["latitude", "id"]), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.sampled_from(["id", "secMark", "speed", "position", "accelSet"]), JSON), max_size=6))
def test_any_value_anywhere_gives_a_row_or_a_reject(changes):
    lines = [record(**{key: value}) for key, value in changes]
    parsed = parse(*lines)
    assert parsed.notes == {}
    seen = sorted([*parsed.line_numbers.tolist(), *(bad.line_number for bad in parsed.rejects)])
    assert seen == list(range(1, len(lines) + 1))


@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_give_rows_or_rejects(noise, cut):
    line = orjson.dumps(record())
    data = line[:cut] + noise + line[cut:] + b"\n" + line
    parsed = parse_json_lines(data, first_line=1, columns=ALL, required=ALL)
    taken = {*parsed.line_numbers.tolist(), *(bad.line_number for bad in parsed.rejects)}
    filled = {i for i, part in enumerate(data.split(b"\n"), 1) if part.strip()}
    passed = len(filled - taken)  # a byte order mark alone is blank
    assert taken <= filled
    assert passed == sum(parsed.notes.values()) + data.split(b"\n").count(b"\xef\xbb\xbf")
    assert len({*parsed.rows.tolist()}) == len(parsed.frame)
    assert parsed.line_numbers[-1] == data.count(b"\n") + 1
