import datetime as dt
import math
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from vehicle_ids import NULLS, is_null

from cdpipe.columns import BY_NAME, SOURCE, Column
from cdpipe.stages.frames.conversion import type_cells
from cdpipe.stages.frames.frame_columns import type_series
from cdpipe.stages.frames.interop import Cells, text_cells

SPEED, COUNT, TIME, ID = (
    BY_NAME[name]
    for name in ("coreData_speed", "metadata_serialId_serialNumber", "metadata_generatedAt", "coreData_id")
)
PLAIN = Column("plain", "float", "", "no codes")


def read(column, *texts):
    return type_cells(column, text_cells(pd.Series(list(texts), dtype="str")))


def values(typed):
    return [None if pd.isna(value) else value for value in typed.series]


@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_floats_are_read_as_python_reads_them(numbers):
    typed = read(PLAIN, *(repr(number) for number in numbers))
    assert typed.series.dtype == "float64"
    assert typed.series.tolist() == [float(repr(number)) for number in numbers]
    assert not typed.bad.any()


@given(numbers=st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=20))
def test_integers_are_read_as_python_reads_them_or_are_bad(numbers):
    typed = read(COUNT, *map(str, numbers))
    fits = [-(2**63) <= number < 2**63 for number in numbers]
    assert typed.series.dtype == "Int64"
    assert values(typed) == [number if fit else None for number, fit in zip(numbers, fits, strict=True)]
    assert typed.bad.tolist() == [not fit for fit in fits]


@pytest.mark.parametrize("column", [SPEED, COUNT, TIME], ids=lambda column: column.kind)
def test_a_bad_cell_is_null_and_marked_and_touches_no_other(column):
    good = "2020-02-20T21:45:20Z" if column is TIME else "7"
    typed = read(column, good, "foo", good, "", None, "3.145x", "  ")
    assert typed.bad.tolist() == [False, True, False, False, False, True, False]
    assert typed.series.isna().tolist() == [False, True, False, True, True, True, True]
    assert typed.series[0] == typed.series[2]


def test_a_decimal_is_no_integer_and_infinity_no_number():
    assert read(COUNT, "1.5", "7").bad.tolist() == [True, False]
    assert read(PLAIN, "inf", "-Infinity", "1e999", "1").bad.tolist() == [True, True, True, False]


@given(
    times=st.lists(
        st.datetimes(
            min_value=dt.datetime.fromisoformat("1970-01-01"), max_value=dt.datetime.fromisoformat("2199-01-01")
        ),
        min_size=1,
        max_size=20,
    ),
    form=st.sampled_from(
        ["%m/%d/%Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%fZ"]
    ),
)
def test_timestamps_are_read_as_pandas_reads_them_by_their_form(times, form):
    texts = [time.strftime(form) for time in times]
    expected = pd.to_datetime(pd.Series(texts), format=form).dt.tz_localize(None).astype("datetime64[us]")
    pd.testing.assert_series_equal(read(TIME, *texts).series, expected)


@pytest.mark.parametrize("tail", ["", "Z", "Z[UTC]"])
@pytest.mark.parametrize("digits", range(7))
def test_iso_fractions_of_any_length_are_exact(digits, tail):
    fraction = "." + "987654"[:digits] if digits else ""
    text = "2018-05-01T15:55:55" + fraction
    assert read(TIME, text + tail).series[0] == pd.Timestamp(text)


def test_epoch_milliseconds_are_read_as_pandas_reads_them():
    typed = read(TIME, "1564577000123", "1582235120478")
    expected = pd.to_datetime(pd.Series([1564577000123, 1582235120478]), unit="ms").astype("datetime64[us]")
    pd.testing.assert_series_equal(typed.series, expected)


def test_day_and_month_are_never_swapped():
    typed = read(TIME, "07/31/2019 12:41:59 PM", "31/07/2019 12:41:59 PM", "02/30/2019 01:00:00 AM")
    assert typed.bad.tolist() == [False, True, True]
    assert typed.series[0] == pd.Timestamp("2019-07-31 12:41:59")


def moments_of(wall, zone):
    """Return the UTC moments at which a zone's clocks showed a time: none, one or two, the first first."""
    found = {wall.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1)}
    return sorted(utc.replace(tzinfo=None) for utc in found if utc.astimezone(zone).replace(tzinfo=None) == wall)


WALLS = st.datetimes(min_value=dt.datetime.fromisoformat("1990-01-01"), max_value=dt.datetime(2100, 1, 1))  # noqa: DTZ001
CHANGES = st.tuples(
    st.sampled_from(
        ["2019-03-10T01:30", "2019-11-03T00:30", "2019-03-31T01:30", "2019-10-27T00:30", "2018-11-03T23:00"]
    ),
    st.integers(0, 3 * 3_600_000_000),
).map(lambda pair: dt.datetime.fromisoformat(pair[0]) + dt.timedelta(microseconds=pair[1]))
ZONES = ["America/New_York", "America/Denver", "Europe/Dublin", "Asia/Kolkata", "America/Sao_Paulo", "Asia/Tokyo"]


@given(walls=st.lists(WALLS | CHANGES, min_size=1, max_size=8), zone=st.sampled_from(ZONES), how=st.sampled_from(
    ["naive", "named", "eastern", "series", "aware"]))  # fmt: skip
def test_local_times_are_read_as_zoneinfo_has_them(walls, zone, how):
    zone = "America/New_York" if how == "eastern" else zone
    column = TIME.in_zone(zone) if how in ("naive", "series") else TIME
    moments = [moments_of(wall, ZoneInfo(zone)) for wall in walls]
    if how == "aware":
        moments = [each for each in moments if each]
        walls = [pd.Timestamp(each[0], tz="UTC").tz_convert(zone) for each in moments]
    if how in ("series", "aware"):
        typed = type_series(column, pd.Series(walls, dtype=None if walls else "datetime64[us]"))
    else:
        mark = {"naive": "", "named": f"[{zone}]", "eastern": " [ET]"}[how]
        typed = read(column, *(f"{wall:%Y-%m-%dT%H:%M:%S.%f}{mark}" for wall in walls))
    assert values(typed) == [pd.Timestamp(each[0]) if each else None for each in moments]
    assert typed.bad.tolist() == [not each for each in moments]
    assert (typed.problem == "not a timestamp") | (not typed.bad.any())
    twice = 0 if how == "aware" else sum(len(each) == 2 for each in moments)
    assert dict(typed.notes) == ({f"{TIME.name} ambiguous local time, the first taken": twice} if twice else {})


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2020-03-08T01:59:59.999999", "2020-03-08T06:59:59.999999"),  # the last moment of winter
        ("2020-03-08T02:00:00", None),  # an hour that no clock showed
        ("2019-03-10 02:15:00.000", None),
        ("2020-03-08T02:59:59.999999", None),
        ("2020-03-08T03:00:00", "2020-03-08T07:00:00"),
        ("2020-11-01T00:59:59", "2020-11-01T04:59:59"),
        ("2020-11-01T01:00:00", "2020-11-01T05:00:00"),  # an hour that clocks showed twice: the first, daylight time
        ("2019-11-03 01:30:00.250", "2019-11-03T05:30:00.250"),
        ("2020-11-01T01:59:59", "2020-11-01T05:59:59"),
        ("2020-11-01T02:00:00", "2020-11-01T07:00:00"),
        ("2020-07-01T12:00:00", "2020-07-01T16:00:00"),
    ],
)
def test_eastern_times_at_the_edges_of_summer(wall, utc):
    mixed = read(TIME, "2020-01-01T00:00:00Z", f"{wall} [ET]", "", "2020-06-01T00:00:00")
    expected = utc and pd.Timestamp(utc)
    assert values(mixed) == [pd.Timestamp("2020-01-01"), expected, None, pd.Timestamp("2020-06-01")]
    assert mixed.bad.tolist() == [False, utc is None, False, False]


@pytest.mark.parametrize(
    "name", ["ET", "Nowhere/City", "America", "localtime", "/etc/localtime", "GMT+01:00", "Etc/UTC/", "-05:00"]
)
def test_a_zone_that_none_knows_makes_the_time_unreadable(name):
    typed = read(TIME, f"2020-07-01T12:00:00[{name}]", "2020-07-01T12:00:00[America/Denver]")
    assert values(typed) == [None, pd.Timestamp("2020-07-01T18:00:00")]
    assert typed.bad.tolist() == [True, False]


def test_a_zone_of_the_column_is_only_for_times_that_name_none():
    texts = ["2020-07-01T12:00:00", "07/01/2020 12:00:00 PM", "2020-07-01T12:00:00Z", "2020-07-01T12:00:00-05:00",
             "2020-07-01T12:00:00 [ET]", "1593604800000", "2020-07-01T12:00Z[UTC]"]  # fmt: skip
    typed = read(TIME.in_zone("America/Denver"), *texts)
    assert [value.hour for value in typed.series] == [18, 18, 12, 17, 16, 12, 12]


def test_a_time_that_its_zone_moves_out_of_the_calendar_is_bad():
    typed = read(TIME, "9999-12-31T23:00:00[America/New_York]", "0001-01-01T01:00:00[Asia/Tokyo]")
    assert typed.bad.tolist() == [True, True]
    assert typed.series.isna().all()


CODED = [(column, code) for column in SOURCE for code in column.unavailable]


@pytest.mark.parametrize(("column", "code"), CODED, ids=lambda given: getattr(given, "name", str(given)))
@pytest.mark.parametrize("dtype", ["str", "float64", "float32", "int64", "Int64"])
def test_unavailable_codes_are_null_and_their_neighbours_are_not(column, code, dtype):
    if code != int(code) and dtype in ("int64", "Int64"):
        code = next(raw for raw in column.unavailable if raw == int(raw))
    possible = column.counts.greatest // column.counts.per_unit // 2
    near = possible + 0.5 * (column.kind == "float" and "int" not in dtype.lower())
    number = int if column.kind == "integer" else float
    typed = type_series(column, pd.Series([number(code), near], dtype=dtype))
    # The nearest float32 to these two codes is a pole, and the meridian of 180 degrees.
    is_position = dtype == "float32" and code in (90.0000001, 180.0000001)
    assert typed.series.isna().tolist() == [not is_position, False]
    assert not typed.bad.any()


@pytest.mark.parametrize("column", SOURCE, ids=lambda column: column.name)
def test_nothing_but_nulls_is_the_column_s_type_whatever_it_was(column):
    nothings = [pd.Series([None] * 3), pd.Series([np.nan] * 3), pd.Series([None] * 3, dtype="str"), pd.Series([])]
    nothings += [pd.Series(pd.Categorical([None] * 3, categories=given)) for given in ([], [1.5], ["A"], None)]
    for nothing in nothings:
        typed = type_series(column, nothing)
        assert typed.series.dtype == column.dtype
        assert typed.series.isna().all()
        assert len(typed.series) == typed.bad.size == len(nothing)


@given(whole=st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=1, max_size=9))
def test_nullable_integers_stay_exact(whole):
    assume(any(number is not None for number in whole))
    assert values(type_series(COUNT, pd.Series(whole, dtype="Int64"))) == whole


def test_numbers_that_are_no_integers_are_bad_and_nothing_wraps_around():
    typed = type_series(COUNT, pd.Series([1.0, math.inf, 1e30, 2.5, None, -(2.0**63)]))
    assert values(typed) == [1, None, None, None, None, -(2**63)]
    assert typed.bad.tolist() == [False, True, True, True, False, False]
    typed = type_series(COUNT, pd.Series([2**63 + 5, 7], dtype="uint64"))
    assert (values(typed), typed.bad.tolist()) == ([None, 7], [True, False])


def test_an_infinite_number_is_bad_as_its_text_is():
    typed = type_series(PLAIN, pd.Series([1.5, math.inf, -math.inf, None]))
    assert (values(typed), typed.bad.tolist()) == ([1.5, None, None, None], [False, True, True, False])


EPOCHS = [1564577000123, 10**10, 10**13 - 1, 10**10 - 1, 10**13, 1564577000, 0, -1564577000123]


@pytest.mark.parametrize("dtype", ["int64", "Int64", "float64", "Float64", "object", "int64[pyarrow]"])
def test_numbers_in_a_time_column_are_what_their_text_is(dtype):
    """Milliseconds of 11 to 13 digits: seconds are refused, never taken for the spring of 1970."""
    typed = type_series(TIME, pd.Series(EPOCHS, dtype=dtype))
    assert typed.series.dtype == "datetime64[us]"
    assert values(typed) == [pd.Timestamp(ms * 1000, unit="us") for ms in EPOCHS[:3]] + [None] * 5
    assert typed.bad.tolist() == [False] * 3 + [True] * 5
    assert typed.problem == "not a timestamp"
    assert values(typed) == values(read(TIME, *map(str, EPOCHS)))


@given(ms=st.lists(st.floats(1e9, 2e13) | st.integers(10**9 * 2**10, 10**13 * 2**10).map(lambda n: n / 2**10)))
def test_epoch_milliseconds_with_a_fraction_are_what_their_text_is(ms):
    expected = read(TIME, *map(repr, ms))
    for dtype in ("float64", "Float64", "object"):
        typed = type_series(TIME, pd.Series(ms, dtype=dtype))
        assert values(typed) == values(expected)
        assert typed.bad.tolist() == expected.bad.tolist()


def test_nulls_among_numbers_of_times_stay_nulls():
    for dtype in ("Int64", "float64", "object"):
        typed = type_series(TIME, pd.Series([1564577000123, None, 10**18], dtype=dtype))
        assert typed.bad.tolist() == [False, False, True]
        assert typed.series.isna().tolist() == [False, True, True]
    typed = type_series(TIME, pd.Series([1564577000123.0, math.inf, math.nan]))
    assert typed.bad.tolist() == [False, True, False]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_any_resolution_and_zone_become_naive_utc_microseconds(unit):
    wall = pd.Series(pd.DatetimeIndex(["2020-01-01T00:00:01", None]).as_unit(unit))
    for series in (wall, wall.dt.tz_localize("Etc/GMT-5").dt.tz_convert("America/Denver")):
        typed = type_series(TIME, series)
        assert typed.series.dtype == "datetime64[us]"
        shift = 0 if series is wall else 5
        assert values(typed) == [pd.Timestamp("2020-01-01T00:00:01") - pd.Timedelta(hours=shift), None]


@pytest.mark.parametrize(
    ("column", "series"),
    [
        (ID, pd.Series([1, 2])),
        (ID, pd.Series([1.0, None])),
        (ID, pd.Series([1, 2], dtype=object)),
        (ID, pd.Series([1, 2], dtype="category")),
        (ID, pd.Series(pd.Categorical(["A", 1]))),
        (ID, pd.Series([True, False])),
        (ID, pd.Series([dt.datetime(2020, 1, 1)])),  # noqa: DTZ001
        (SPEED, pd.to_datetime(pd.Series(["2020-01-01"]))),
        (TIME, pd.Series(pd.to_timedelta([1], unit="s"))),
        (TIME, pd.Series([dt.date(2020, 1, 1)])),
    ],
)
def test_what_cannot_mean_the_column_is_refused_by_its_name(column, series):
    with pytest.raises(TypeError, match=f"column '{column.name}' must hold"):
        type_series(column, series)


TEXT = BY_NAME["coreData_position"]
KINDS = pytest.mark.parametrize("column", [TEXT, ID], ids=["text", "label"])


@KINDS
def test_text_that_is_not_utf8_is_bad_and_the_others_are_kept(column):
    data = np.frombuffer("añb".encode() + b"\xff\xfe" + b"xy" + b"\xff\xfe", np.uint8)
    bounds = np.array([0, 4, 6, 8, 8, 10])
    typed = type_cells(column, Cells(data, bounds[:-1], bounds[1:]))
    assert typed.series.dtype == column.dtype
    assert values(typed) == ["añb", None, "xy", None, None]
    assert typed.bad.tolist() == [False, True, False, False, True]
    assert typed.problem == "not UTF-8 text"


TEXTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(NULLS) | st.none(), max_size=9
)


@given(texts=TEXTS)
def test_text_is_kept_as_it_is_and_blank_text_is_null(texts):
    typed = read(TEXT, *texts)
    assert typed.series.dtype == TEXT.dtype
    assert values(typed) == [text if text and text.encode().strip() else None for text in texts]
    assert not typed.bad.any()


@given(texts=TEXTS)
def test_labels_are_kept_as_they_are_and_blanks_and_null_words_are_null(texts):
    expected = [None if is_null((text or "").encode()) else text for text in texts]
    labels = pd.Series(
        pd.Categorical(texts, categories=pd.Index(list({text: 0 for text in texts if text is not None}), dtype="str"))
    )
    for typed in (read(ID, *texts), type_series(ID, labels), type_series(ID, pd.Series(texts, dtype=object))):
        assert typed.series.dtype == ID.dtype
        assert values(typed) == expected
        assert not typed.bad.any()


@given(texts=st.lists(st.sampled_from(["B2", "A1", "", " ", "\t\n", "ñ", "A1 ", " A1"]) | st.none(), max_size=30))
def test_labels_are_numbered_in_the_order_in_which_they_first_occur(texts):
    typed = read(ID, *texts)
    kept = [text for text in texts if text and text.strip()]
    assert typed.series.cat.categories.tolist() == list(dict.fromkeys(kept))
    assert typed.series.cat.categories.dtype == "str"
    assert not typed.series.cat.ordered
    assert (typed.series.cat.codes < 0).tolist() == [not (text and text.strip()) for text in texts]


@given(
    texts=st.lists(st.sampled_from(["B2", "A1", "", " ", "ñ"]) | st.none(), max_size=30),
    order=st.permutations(["B2", "A1", "", " ", "ñ", "unused", "\t"]),
)
def test_labels_of_any_frame_are_the_same_as_text_of_it(texts, order):
    given_ = pd.Series(pd.Categorical(texts, categories=order))
    before = given_.copy(deep=True)
    typed = type_series(ID, given_)
    assert values(typed) == values(type_series(ID, pd.Series(texts, dtype="str")))
    assert typed.series.cat.categories.tolist() == [text for text in order if text.strip()]
    assert not typed.bad.any()
    if len(texts) > 1:  # and what was made can be written to
        made = typed.series
        made.iloc[0] = made.iloc[-1]
    pd.testing.assert_series_equal(given_, before)


@pytest.mark.parametrize("count", [127, 128, 32_767, 32_768])
def test_labels_beyond_the_width_of_a_code_are_told_apart(count):
    texts = [f"{i:08X}" for i in range(count)]
    typed = read(ID, *texts, None, *texts[::-1])
    assert values(typed) == [*texts, None, *texts[::-1]]
    again = type_series(ID, typed.series)
    pd.testing.assert_series_equal(again.series, typed.series)
