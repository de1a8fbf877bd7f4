"""Columns of frames that hold Python objects, or types of their own: read as their text is, or refused."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.columns import BY_NAME, COARSE, GENERATED_AT, ROW_NUMBER
from cdpipe.stages import clean
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.frames.frame_columns import type_series

TIME, ID, SPEED, SERIAL = (
    BY_NAME[name] for name in (GENERATED_AT, "coreData_id", "coreData_speed", "metadata_serialId_serialNumber")
)
DENVER = dt.timezone(dt.timedelta(hours=-6))
MOMENT = dt.datetime(2019, 7, 31, 12, 41, 59, 250_000)  # noqa: DTZ001


def objects(*given_):
    return pd.Series(list(given_), dtype=object)


def values(typed):
    return [None if pd.isna(value) else value for value in typed.series]


@pytest.mark.parametrize(
    ("column", "series", "expected", "bad"),
    [
        (SPEED, objects(1, 2.5, None, np.float64(3), 2**70), [1.0, 2.5, None, 3.0, None], []),
        (SPEED, objects(Decimal("7.52"), None, Decimal("1E+1")), [7.52, None, 10.0], []),
        (SPEED, objects("7.52", None, float("nan")), [7.52, None, None], []),
        (SPEED, objects(b"7.52", b"x", None), [7.52, None, None], [1]),
        (SPEED, pd.Series(pd.Categorical([7.5, 1.0, None, 7.5])), [7.5, 1.0, None, 7.5], []),
        (SPEED, pd.Series([Decimal("7.52"), None], dtype=pd.ArrowDtype(pa.decimal128(9, 3))), [7.52, None], []),
        (SPEED, pd.Series([7.52, None], dtype="double[pyarrow]"), [7.52, None], []),
        (SPEED, pd.Series([7, None], dtype="uint8[pyarrow]"), [7.0, None], []),
        (SPEED, pd.Series(pd.arrays.SparseArray([1.5, np.nan])), [1.5, None], []),
        (SERIAL, objects(1, 2**70, None), [1, None, None], [1]),
        (SERIAL, objects(Decimal("12.00"), Decimal("12.5")), [12, None], [1]),
        (SERIAL, objects(12.0, 12.5, None), [12, None, None], [1]),
        (TIME, objects(1564576919250, 1564576919, None), [MOMENT, None, None], [1]),
        (TIME, objects(1564576919250.0, 1564576919.0), [MOMENT, None], [1]),
        (TIME, objects(Decimal("1564576919250.0"), Decimal("1564576919.0")), [MOMENT, None], [1]),
        (TIME, objects(MOMENT, pd.NaT, None), [MOMENT, None, None], []),
        (
            TIME,
            objects(MOMENT.replace(tzinfo=dt.UTC), MOMENT.replace(tzinfo=DENVER) - dt.timedelta(hours=6)),
            [MOMENT] * 2,
            [],
        ),
        (TIME, objects(MOMENT, MOMENT.replace(tzinfo=DENVER)), [MOMENT, MOMENT + dt.timedelta(hours=6)], []),
        (TIME, objects(pd.Timestamp(MOMENT) + pd.Timedelta(999, unit="ns")), [MOMENT], []),
        (TIME, objects(np.datetime64(MOMENT)), [MOMENT], []),
        (TIME, pd.Series([MOMENT, None], dtype="timestamp[ns][pyarrow]"), [MOMENT, None], []),
        (TIME, pd.Series(["2019-07-31T12:41:59.25", "x"], dtype="string[pyarrow]"), [MOMENT, None], [1]),
        (TIME, pd.Series(pd.Categorical(["2019-07-31T12:41:59.25", "x"])), [MOMENT, None], [1]),
        (ID, objects("5B820000", None, float("nan")), ["5B820000", None, None], []),
        (ID, objects(b"5B820000", b"\xff", None), ["5B820000", None, None], [1]),
        (ID, pd.Series(["5B820000", None], dtype=pd.ArrowDtype(pa.large_string())), ["5B820000", None], []),
        (ID, pd.Series([b"[\x82\x00\x00"], dtype=pd.ArrowDtype(pa.binary(4))), ["5B820000"], []),
    ],
)
def test_values_of_any_type_are_read(column, series, expected, bad):
    before = series.copy(deep=True)
    typed = type_series(column, series)
    assert values(typed) == [pd.Timestamp(each) if isinstance(each, dt.datetime) else each for each in expected]
    assert typed.series.dtype == column.dtype
    assert np.flatnonzero(typed.bad).tolist() == bad
    pd.testing.assert_series_equal(series, before)


@pytest.mark.parametrize(
    ("column", "series", "words"),
    [
        (SPEED, pd.Series([True, False]), "but is bool: true and false are no numbers; write the numbers, or leave"),
        (SPEED, pd.Series([True, None], dtype="boolean"), "but is boolean: true and false"),
        (SPEED, pd.Series([True], dtype="bool[pyarrow]"), "true and false are no numbers"),
        (SPEED, objects(True, None), r"but is object \(boolean\): true and false"),
        (SPEED, objects(1.0, True), r"but is object \(mixed\): its values are of several types"),
        (SPEED, objects(1, True), "its values are of several types"),
        (SPEED, pd.Series(pd.Categorical([True])), r"but is category \(boolean\)"),
        (SERIAL, pd.Series([True]), "must hold whole numbers but is bool"),
        (TIME, pd.Series([True]), "must hold times but is bool"),
        (ID, pd.Series([True]), "must hold text but is bool"),
        (SPEED, pd.Series([1 + 2j]), "but is complex128: complex numbers are no measurements; write numbers"),
        (SERIAL, pd.Series([1 + 0j], dtype="complex64"), "but is complex64"),
        (SPEED, objects(1j, None), r"but is object \(complex\): complex"),
        (TIME, pd.Series([1j]), "must hold times but is complex128"),
        (SPEED, objects("1.5", 2.5), "its values are of several types"),
        (SPEED, objects([1.5]), "its values are of several types"),
        (TIME, objects(dt.date(2019, 7, 31)), r"but is object \(date\): a date is no moment"),
        (TIME, objects(dt.time(1)), "a time of day is no moment"),
        (TIME, objects(dt.timedelta(1)), "a duration is no moment"),
        (TIME, pd.Series([pd.Timedelta(1)]), "a duration is no moment"),
        (TIME, pd.Series([1.5e12], dtype="float32"), "two minutes at best"),
        (TIME, pd.Series(pd.period_range("2019", "2020", freq="D")), "but is period"),
        (ID, pd.Series([12], dtype="category"), r"but is category \(integer\): ids read as numbers have lost"),
        (ID, objects(Decimal(12)), "ids read as numbers"),
        (ID, objects("A", 1), "its values are of several types"),
        (SPEED, pd.Series([MOMENT]), "must hold numbers but is datetime64"),
    ],
)
def test_values_that_cannot_mean_the_column_are_refused_in_true_words(column, series, words):
    with pytest.raises(TypeError, match=f"column '{column.name}' .*{words}"):
        type_series(column, series)


@given(moments=st.lists(st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)), min_size=1))  # noqa: DTZ001
def test_the_same_moments_in_any_form_are_the_same_times(moments):
    texts = type_series(TIME, pd.Series([f"{moment.isoformat()}Z" for moment in moments], dtype="str"))
    forms = [
        pd.Series(moments, dtype="datetime64[us]"),
        pd.Series(moments, dtype="datetime64[us]").dt.tz_localize("UTC").dt.tz_convert("Asia/Kolkata"),
        pd.Series(moments, dtype="timestamp[us][pyarrow]"),
        objects(*moments),
        objects(*(moment.replace(tzinfo=dt.UTC) for moment in moments)),
    ]
    for form in forms:
        assert values(type_series(TIME, form)) == values(texts)


def frame(times):
    rows = len(times)
    numbers = {"coreData_elevation": 2000.0, "coreData_speed": 7.5, "coreData_heading": 82.5}
    return pd.DataFrame(
        {ROW_NUMBER: range(rows), GENERATED_AT: times, "coreData_id": "5B820000", COARSE: np.zeros(rows, np.int8)}
        | {"coreData_position_lat": 41.5, "coreData_position_long": -106.0}
        | numbers
    )


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64", "object", "str"])
def test_cleaning_refuses_epoch_seconds_and_reads_milliseconds(dtype):
    times = pd.Series([1564576919250, 1564576919, 1564576919251], dtype="int64").astype(dtype)
    made, ledger = clean.apply(frame(times), CleanParams(columns=(GENERATED_AT,)))
    assert made[GENERATED_AT].tolist() == [pd.Timestamp(MOMENT), pd.Timestamp(MOMENT) + pd.Timedelta(1, unit="ms")]
    assert dict(ledger.dropped) == {f"{GENERATED_AT}: not a timestamp": 1}


def test_cleaning_counts_local_times_that_clocks_showed_twice():
    times = pd.Series(["2019-11-03 01:30:00.25 [ET]", "2019-03-10 02:15:00 [ET]", "2019-11-03 02:00:00 [ET]"])
    made, ledger = clean.apply(frame(times), CleanParams(columns=(GENERATED_AT,)))
    assert made[GENERATED_AT].tolist() == [pd.Timestamp("2019-11-03T05:30:00.25"), pd.Timestamp("2019-11-03T07:00:00")]
    assert dict(ledger.dropped) == {f"{GENERATED_AT}: not a timestamp": 1}
    assert ledger.notes == {f"{GENERATED_AT} ambiguous local time, the first taken": 1}
