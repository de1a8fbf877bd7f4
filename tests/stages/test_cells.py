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
from cdpipe.stages.arrays import Cells, text_cells
from cdpipe.stages.cells import type_cells, type_series

SPEED, COUNT, TIME, ID = (
    BY_NAME[name] for name in ("coreData_speed", "coreData_msgCnt", "metadata_generatedAt", "coreData_id")
)
PLAIN = Column("plain", "float", "", "no codes")
EASTERN = ZoneInfo("America/New_York")


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


def eastern(wall):
    """UTC of a US Eastern wall clock: fold=1 is standard time; in the gap, the first moment behind it."""
    aware = wall.replace(tzinfo=EASTERN, fold=1)
    utc = aware.astimezone(dt.UTC)
    if utc.astimezone(EASTERN).replace(tzinfo=None) != wall:
        day = dt.datetime(wall.year, wall.month, wall.day, 3, tzinfo=EASTERN)
        utc = day.astimezone(dt.UTC)
    return utc.replace(tzinfo=None)


@given(
    wall=st.datetimes(
        min_value=dt.datetime.fromisoformat("2007-03-01"), max_value=dt.datetime.fromisoformat("2037-01-01")
    )
)
def test_eastern_times_are_read_as_zoneinfo_has_them(wall):
    assert read(TIME, f"{wall:%Y-%m-%dT%H:%M:%S.%f} [ET]").series[0] == pd.Timestamp(eastern(wall))


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2020-03-08T01:59:59.999999", "2020-03-08T06:59:59.999999"),  # the last moment of winter
        ("2020-03-08T02:00:00", "2020-03-08T07:00:00"),  # an hour that no clock showed
        ("2020-03-08T02:30:00", "2020-03-08T07:00:00"),
        ("2020-03-08T03:00:00", "2020-03-08T07:00:00"),
        ("2020-11-01T00:59:59", "2020-11-01T04:59:59"),
        ("2020-11-01T01:00:00", "2020-11-01T06:00:00"),  # an hour that clocks showed twice: the second, standard time
        ("2020-11-01T01:59:59", "2020-11-01T06:59:59"),
        ("2020-11-01T02:00:00", "2020-11-01T07:00:00"),
        ("2020-07-01T12:00:00", "2020-07-01T16:00:00"),
    ],
)
def test_eastern_times_at_the_edges_of_summer(wall, utc):
    assert pd.Timestamp(eastern(dt.datetime.fromisoformat(wall))) == pd.Timestamp(utc)
    mixed = read(TIME, "2020-01-01T00:00:00Z", f"{wall} [ET]", "", "2020-06-01T00:00:00")
    assert values(mixed) == [pd.Timestamp("2020-01-01"), pd.Timestamp(utc), None, pd.Timestamp("2020-06-01")]


CODED = [(column, code) for column in SOURCE for code in column.unavailable]


@pytest.mark.parametrize(("column", "code"), CODED, ids=lambda given: getattr(given, "name", str(given)))
@pytest.mark.parametrize("dtype", ["str", "float64", "float32", "int64", "Int64"])
def test_unavailable_codes_are_null_and_their_neighbours_are_not(column, code, dtype):
    if code != int(code) and dtype in ("int64", "Int64"):
        code = next(raw for raw in column.unavailable if raw == int(raw))
    near = code + 1 if dtype == "str" else code // 2
    number = int if column.kind == "integer" else float
    typed = type_series(column, pd.Series([number(code), near], dtype=dtype))
    assert typed.series.isna().tolist() == [True, False]
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


@pytest.mark.parametrize("dtype", ["int64", "Int64", "float64"])
def test_numbers_in_a_time_column_are_epoch_milliseconds(dtype):
    typed = type_series(TIME, pd.Series([1564577000123, 0], dtype=dtype))
    assert typed.series.dtype == "datetime64[us]"
    assert values(typed) == [pd.Timestamp(1564577000123, unit="ms"), pd.Timestamp(0)]


def test_epoch_milliseconds_may_be_null_and_those_beyond_the_calendar_are_bad():
    typed = type_series(TIME, pd.Series([1564577000123, None, 10**18, -(10**18)], dtype="Int64"))
    assert typed.bad.tolist() == [False, False, True, True]
    assert typed.series.isna().tolist() == [False, True, True, True]


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
        (SPEED, pd.Series([1.5, 2.5], dtype="category")),
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
