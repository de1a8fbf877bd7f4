"""Records of VeReMi's traces: names, values of any kind, and blocks cut anywhere."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.stages.gather.conventions import Convention
from cdpipe.stages.gather.gather import MUST
from cdpipe.stages.gather.json_layouts import LINES, find_layout
from cdpipe.stages.gather.veremi import COLUMNS, Trace, gather_veremi, is_truth, read_name
from cdpipe.stages.gather.veremi_truth import load_truth, write_truth

EXACT = Convention(whole_seconds=False, format="veremi")
REQUIRED = ("metadata_generatedAt", "coreData_id", *MUST)

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("1.5,2.5,0"),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["pos", "spd", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)
names = ["type", "sendTime", "rcvTime", "sender", "messageID", "pos", "pos_noise", "spd", "acl", "hed", "attackerType"]
record = st.fixed_dictionaries({}, optional=dict.fromkeys(names, junk)).map(
    lambda fields: {**fields, "type": 3} if len(fields) % 2 else fields
)
line = record.map(json.dumps) | st.text(st.characters(exclude_characters="\n"), max_size=20)


def gather(text, *, first_row=0, trace=Trace(vehicle=5), layout=LINES, columns=COLUMNS):  # noqa: B008 - a value
    return gather_veremi(
        text.encode("utf-8", "surrogatepass"),
        file="trace.json",
        columns=columns,
        first_row=first_row,
        first_line=first_row + 1,
        required=REQUIRED,
        convention=EXACT,
        layout=layout,
        trace=trace,
    )


@pytest.mark.parametrize(
    ("name", "vehicle", "kind"),
    [
        ("traceJSON-11091-11089-A13-28800-8.json", 11091, 13),
        ("traceJSON-9-7-A0-25200-7.json", 9, 0),
        ("JSONlog-0-7-A16.json", 7, 16),
        ("tracejson-1-2-a3.json", 1, 3),
    ],
)
def test_a_name_says_the_number_that_senders_have_and_the_kind_of_attack(name, vehicle, kind):
    assert read_name(name) == (vehicle, kind)


@pytest.mark.parametrize(
    "name", ["traceJSON-1-2.json", "traceGroundTruthJSON-8.json", "messages.json", "x-1-2-A3.json"]
)
def test_other_names_are_no_traces(name):
    assert read_name(name) is None
    assert is_truth(name) == ("GroundTruth" in name)


@given(lines=st.lists(line, max_size=12), cut=st.integers(0, 12))
def test_whatever_a_line_holds_each_is_a_row_or_a_reject_wherever_the_file_is_cut(lines, cut):
    whole = gather("\n".join(lines))
    assert len(whole.rejects) == whole.ledger.rows_in - whole.ledger.rows_out
    numbers = whole.frame.select_dtypes("float64")
    assert not np.isinf(numbers.to_numpy()).any()
    head, tail = lines[:cut], lines[cut:]
    parts = [gather("\n".join(head) + "\n"), gather("\n".join(tail), first_row=len(head))]
    joined = pd.concat([part.frame.astype({"coreData_id": "str"}) for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole.frame.astype({"coreData_id": "str"}), check_dtype=False)
    assert [reject for part in parts for reject in part.rejects] == whole.rejects


@given(way=st.floats(0, 360, exclude_max=True), length=st.floats(0.001, 1000))
def test_headings_speeds_and_accelerations_are_those_of_their_vectors(way, length):
    east, north = math.sin(math.radians(way)), math.cos(math.radians(way))
    said = {"hed": [east, north, 0], "spd": [length * east, length * north, 0], "acl": [2 * north, -2 * east, 0]}
    frame = gather(json.dumps({"type": 3, "sendTime": 1.0, "sender": 1, "pos": [0, 0], **said})).frame
    turn = (frame["coreData_heading"][0] - way + 180) % 360 - 180
    assert turn == pytest.approx(0, abs=1e-9)
    assert frame["coreData_speed"][0] == pytest.approx(length)
    assert frame["coreData_accelset_accelLong"][0] == pytest.approx(0, abs=1e-9)
    assert frame["coreData_accelset_accelLat"][0] == pytest.approx(2)  # to the right


@pytest.mark.parametrize("huge", [1e308, -1e308, 1e200])
def test_numbers_whose_length_or_time_is_beyond_all_bounds_are_none(huge):
    vectors = {name: [huge, huge, huge] for name in ("pos", "spd", "acl", "hed")}
    said = {"type": 3, "sendTime": 1.0, "rcvTime": huge, "sender": 1, **vectors}
    made = gather(json.dumps(said))
    assert not np.isinf(made.frame.select_dtypes("float64").to_numpy()).any()
    assert made.ledger.notes["rcvTime not readable, read as null"] == 1


def test_a_message_without_a_heading_points_where_it_goes_and_nowhere_at_rest():
    said = [{"type": 3, "sendTime": 1.0, "sender": 1, "pos": [0, 0, 0], "spd": [x, 0, 0]} for x in (-2.0, 0.0)]
    frame = gather("\n".join(map(json.dumps, said))).frame
    assert frame["coreData_heading"][0] == 270
    assert np.isnan(frame["coreData_heading"][1])


def test_the_truth_comes_back_as_it_was_written(tmp_path):
    records = [
        {"type": 4, "sender": 3, "attackerType": 0, "messageID": 7, "pos": [1.0, 2.0, 0.0]},
        {"type": 4, "sender": 4, "attackerType": 2, "messageID": 5, "pos": [3.0, 4.0, 0.0]},
        {"type": 4, "sender": 9, "messageID": 6, "pos": [3.0, 4.0, 0.0]},
        {"type": 4, "sender": True, "attackerType": "x", "messageID": 2**70, "pos": 1},
        [1],
    ]
    lines = [*(json.dumps(each).encode() for each in records), b"{", b"\xff"]
    written = write_truth(tmp_path, {3: 8}, lines)
    truth = load_truth(written.path)
    assert [truth.kind_of(sender) for sender in (3, 4, 9)] == [8, 2, None]
    assert truth.is_moved(7, 1.0, 2.0, (0.01, 0.01)) is False
    assert truth.is_moved(5, 3.0, 4.5, (0.01, 0.01)) is True
    assert truth.is_moved(6, 3.0, 4.0, (0.01, 0.01)) is None
    assert truth.is_moved(2**70, 3.0, 4.0, (0.01, 0.01)) is None
    assert write_truth(tmp_path, {3: 8}, lines).digest == written.digest
    assert write_truth(tmp_path, {3: 0}, lines).digest != written.digest


def test_an_array_over_several_lines_is_read_like_lines():
    said = [{"type": 3, "sendTime": float(t), "sender": 1, "pos": [t, 0, 0], "spd": [1, 0, 0]} for t in range(3)]
    text = json.dumps(said, indent=2)
    made = gather(text, layout=find_layout(text.encode()))
    assert made.frame["position_x"].tolist() == [0, 1, 2]
    assert made.frame["row_number"].is_monotonic_increasing
