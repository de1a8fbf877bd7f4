"""Columns of any Arrow type: read as the same values written as text, or refused in words that are true."""

import datetime as dt
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.columns import BY_NAME, GENERATED_AT, LATITUDE, LONGITUDE, POINT, VEHICLE_ID
from cdpipe.stages.frames.arrow_columns import to_pandas, type_arrow
from cdpipe.stages.frames.frame_columns import type_series

TIME, ID, LAT, LON, WKT = (BY_NAME[name] for name in (GENERATED_AT, VEHICLE_ID, LATITUDE, LONGITUDE, POINT))
SPEED, SERIAL = BY_NAME["coreData_speed"], BY_NAME["metadata_serialId_serialNumber"]
TEXTS = {
    ID.name: ["5B820000", "00000012", " ", "ñ"],
    TIME.name: ["2019-07-31T12:41:59.123Z", "1564576919123", "1564576919", "2019-11-03 01:30:00 [ET]", "2019-07-31"],
    WKT.name: ["POINT (-106.1 41.5)", "", "ñ"],
    LAT.name: ["41.2827318", "90.0000001", "x"],
    SERIAL.name: ["17", "17.0", "17.5"],
}
TEXT_TYPES = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()]


def read(column, values, kind=None):
    return type_arrow(column, pa.chunked_array([pa.array(values, kind)]))


def values(typed):
    return [None if pd.isna(value) else value for value in typed.series]


def encode(texts, kind):
    encoded = texts if kind in TEXT_TYPES[:3] else [text if text is None else text.encode() for text in texts]
    return pa.array(encoded, pa.string() if kind in TEXT_TYPES[:3] else pa.binary()).cast(kind)


def check_same(found, expected):
    assert values(found) == values(expected)
    assert found.series.dtype == expected.series.dtype
    assert found.bad.tolist() == expected.bad.tolist()
    assert dict(found.notes) == dict(expected.notes)


def pack(texts, kind, packing):
    if packing == "numbered":
        known = list(dict.fromkeys(text for text in texts if text is not None))
        codes = pa.array([None if text is None else known.index(text) for text in texts], pa.int8())
        return pa.DictionaryArray.from_arrays(codes, encode(known, kind))
    if packing == "run" and "view" not in str(kind):
        ends = pa.array(range(1, len(texts) + 1), pa.int32())
        return pa.RunEndEncodedArray.from_arrays(ends, encode(texts, kind))
    return encode(texts, kind)


@given(
    st.data(),
    st.sampled_from(sorted(TEXTS)),
    st.sampled_from(TEXT_TYPES),
    st.sampled_from(["plain", "numbered", "run"]),
)
def test_text_in_any_layout_is_read_as_text(data, name, kind, packing):
    texts = data.draw(st.lists(st.sampled_from(TEXTS[name]) | st.none(), min_size=1, max_size=12))
    split = data.draw(st.integers(0, len(texts)))
    expected = type_series(BY_NAME[name], pd.Series(texts, dtype="str"))
    chunks = [pack(part, kind, packing) for part in (texts[:split], texts[split:])]
    check_same(type_arrow(BY_NAME[name], pa.chunked_array(chunks)), expected)


@pytest.mark.parametrize("kind", TEXT_TYPES[3:])
@pytest.mark.parametrize("column", [ID, WKT])
def test_bytes_that_are_no_text_are_bad_cells(column, kind):
    typed = read(column, pa.array([b"AB", b"\xff\xfe", None], pa.binary()).cast(kind))
    assert values(typed) == ["AB", None, None]
    assert typed.bad.tolist() == [False, True, False]


decimals = st.decimals(-999, 999, places=7) | st.none()


@given(numbers=st.lists(decimals, min_size=1), wide=st.sampled_from([pa.decimal128(20, 7), pa.decimal256(60, 9)]))
def test_decimals_are_the_nearest_numbers(numbers, wide):
    typed = read(BY_NAME["x_pos"], numbers, wide)
    assert values(typed) == [None if number is None else float(str(number)) for number in numbers]
    assert not typed.bad.any()


@given(numbers=st.lists(st.decimals(-(2**63), 2**63 - 1, places=2), min_size=1))
def test_decimals_are_whole_numbers_or_bad(numbers):
    typed = read(SERIAL, numbers, pa.decimal128(30, 2))
    is_whole = [number == int(number) for number in numbers]
    assert values(typed) == [int(number) if fit else None for number, fit in zip(numbers, is_whole, strict=True)]
    assert typed.bad.tolist() == [not fit for fit in is_whole]


def test_decimal_positions_of_a_real_file():
    assert values(read(LAT, [Decimal("41.2827318"), Decimal("90.0000001")])) == [41.2827318, None]


EPOCHS = [1564576919123, 10**10, 10**13 - 1, 1564576919, 0, None]


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.uint64(), pa.float64(), pa.decimal128(20, 0), pa.decimal128(30, 3), pa.string()]
)
def test_numbers_as_times_are_what_their_text_is(kind):
    given_ = pa.array(EPOCHS, pa.int64()).cast(kind)
    typed = type_arrow(TIME, pa.chunked_array([given_]))
    assert values(typed) == [pd.Timestamp(ms * 1000, unit="us") for ms in EPOCHS[:3]] + [None] * 3
    assert typed.bad.tolist() == [False] * 3 + [True, True, False]
    assert typed.problem == "not a timestamp"


@pytest.mark.parametrize("kind", [pa.int32(), pa.uint32(), pa.int64(), pa.float64()])
def test_epoch_seconds_are_refused_cell_by_cell(kind):
    assert read(TIME, [1564576919, None], kind).bad.tolist() == [True, False]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/Denver", "+05:30"])
def test_timestamps_of_any_unit_and_zone_are_exact(unit, zone):
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    ticks = [1_564_576_919 * per_second, None, -1, 0]
    typed = read(TIME, ticks, pa.timestamp(unit, zone))
    expected = [t if t is None else pd.Timestamp(t * 10**6 // per_second, unit="us") for t in ticks]
    assert values(typed) == expected
    local = type_arrow(TIME.in_zone("America/Denver"), pa.chunked_array([pa.array(ticks, pa.timestamp(unit, zone))]))
    shift = pd.Timedelta(hours=7) if zone is None else pd.Timedelta(0)
    assert values(local)[2:] == [each + shift for each in expected[2:]]


def test_timestamps_beyond_the_calendar_are_bad():
    typed = read(TIME, [2**60, 0, None], pa.timestamp("s"))
    assert (values(typed), typed.bad.tolist()) == ([None, pd.Timestamp(0), None], [True, False, False])


def test_ambiguous_local_times_are_counted_by_row():
    twice = ["2019-11-03 01:30:00 [ET]"] * 3 + ["2019-11-03 05:30:00Z"]
    for values_ in (pa.array(twice), pa.array(twice).dictionary_encode()):
        typed = type_arrow(TIME, pa.chunked_array([values_]))
        assert typed.notes == {"metadata_generatedAt ambiguous local time, the first taken": 3}
        assert values(typed) == [pd.Timestamp("2019-11-03T05:30:00")] * 4


def test_ids_of_a_fixed_number_of_bytes_are_their_hexadecimal_digits():
    raw = [b"[\x82\x00\x00", None, b"\x00\x00\x00\x00", b"\xff\xaa\x0f\xf0", b"    "]
    expected = [None if each is None else each.hex().upper() for each in raw]
    whole = pa.array(raw, pa.binary(4))
    assert values(type_arrow(ID, pa.chunked_array([whole]))) == expected
    assert values(type_arrow(ID, pa.chunked_array([whole.slice(2), whole.slice(0, 2)]))) == expected[2:] + expected[:2]
    name = uuid.UUID("5b820000-0000-4000-8000-00805f9b34fb")
    assert values(type_arrow(ID, pa.chunked_array([pa.array([name.bytes], pa.uuid())]))) == [name.hex.upper()]


NUMBERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)] + ["float16", "float32", "float64"]


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_any_width_keep_their_values(kind):
    for column in (SERIAL, LAT):
        typed = read(column, [7, None, 90], getattr(pa, kind)())
        assert values(typed) == [7, None, 90]
        assert typed.series.dtype == column.dtype


def test_unsigned_numbers_beyond_int64_are_bad_and_their_neighbours_exact():
    typed = read(SERIAL, [2**64 - 1, None, 2**63 - 1, 2**53 + 1], pa.uint64())
    assert (values(typed), typed.bad.tolist()) == ([None, None, 2**63 - 1, 2**53 + 1], [True, False, False, False])


@pytest.mark.parametrize("kind", [pa.float32(), pa.float16()])
def test_narrow_numbers_keep_the_pole_and_lose_codes(kind):
    assert values(read(LAT, [90.0, -90.0], kind)) == [90.0, -90.0]
    assert values(read(LON, [180.0, None], kind)) == [180.0, None]
    assert values(read(SPEED, [163.82, 12.5], kind)) == [None, 12.5]


def test_numbers_in_a_dictionary_are_read():
    numbered = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0]), pa.array([1.5, 90.0000001]))
    assert values(type_arrow(LAT, pa.chunked_array([numbered]))) == [1.5, None, None, 1.5]


ARROW_REFUSALS = [
    (
        TIME,
        [dt.date(2019, 7, 31)],
        None,
        r"must hold times but is date32\[day\]: a date is no moment; write timestamps",
    ),
    (TIME, [dt.date(2019, 7, 31)], pa.date64(), "a date is no moment"),
    (TIME, [1], pa.time32("s"), r"is time32\[s\]: a time of day is no moment"),
    (TIME, [1], pa.time64("us"), "a time of day is no moment"),
    (TIME, [1], pa.duration("s"), r"is duration\[s\]: a duration is no moment"),
    (TIME, [1.5645769e12], pa.float32(), "is float: it tells epoch milliseconds to two minutes at best"),
    (TIME, [True], None, "is bool: true and false are no times"),
    (LAT, [True, None], None, "must hold numbers but is bool: true and false are no numbers; write the numbers"),
    (SERIAL, [True], None, "must hold whole numbers but is bool"),
    (LAT, [dt.date(2019, 7, 31)], None, "is date32.*: write numbers"),
    (LAT, [dt.datetime(2019, 7, 31)], None, "must hold numbers but is timestamp"),  # noqa: DTZ001
    (LAT, [[1.5]], None, "is list<.*>: a cell holds several values; write the one that is meant as a column"),
    (ID, [{"id": "A"}], None, "must hold text but is struct<id: string>: a cell holds several values"),
    (ID, [[("a", 1)]], pa.map_(pa.string(), pa.int64()), "is map<.*>: a cell holds several values"),
    (ID, [12], None, "must hold text but is int64: ids read as numbers have lost their leading zeros"),
    (ID, [1.5], None, "ids read as numbers"),
    (ID, [Decimal(12)], None, r"is decimal128\(2, 0\): ids read as numbers"),
    (ID, pa.array([1, 2]).dictionary_encode(), None, "is dictionary<values=int64.*: ids read as numbers"),
    (ID, [True], None, "true and false are no text"),
    (WKT, [1.5], None, "must hold text but is double: write that column again as text"),
    (BY_NAME["metadata_recordType"], [b"abcd"], pa.binary(4), r"is fixed_size_binary\[4\]: write that column again"),
]


@pytest.mark.parametrize(("column", "given_", "kind", "words"), ARROW_REFUSALS)
def test_what_cannot_mean_the_column_is_refused_in_true_words(column, given_, kind, words):
    with pytest.raises(TypeError, match=f"column '{column.name}' .*{words}"):
        read(column, given_, kind)


@pytest.mark.parametrize(
    "kind", [pa.bool_(), pa.int64(), pa.date32(), pa.list_(pa.int8()), pa.null(), pa.binary(4), pa.float32()]
)
def test_a_column_of_nulls_is_null_whatever_its_type(kind):
    for column in (ID, TIME, LAT, SERIAL, WKT):
        for rows in (0, 2):
            typed = read(column, [None] * rows, kind)
            assert values(typed) == [None] * rows
            assert typed.series.dtype == column.dtype


def test_rows_are_shown_with_their_bytes_as_text():
    table = pa.table(
        {"a": [b"x", b"\xff"], "b": pa.array([b"[\x82", None], pa.binary(2)), "c": [Decimal("1.50"), None]}
    )
    frame = to_pandas(table)
    assert frame["a"].tolist() == ["x", "\\xff"]
    assert frame["b"].iloc[0] == "[\\x82"
    assert frame.iloc[1].to_json()
    assert np.array_equal(frame["c"].isna(), [False, True])
