"""Columns as pandas holds them -> typed values: what `cdpipe.stages.frames.arrow_columns` does to Arrow's."""

import datetime as dt
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from cdpipe.columns import Column
from cdpipe.stages.frames.arrow_columns import type_arrow
from cdpipe.stages.frames.conversion import Typed, make_nulls, type_cells, type_label_series, type_numbers, type_times
from cdpipe.stages.frames.interop import arrow_cells, is_text, text_cells
from cdpipe.stages.frames.refusals import refuse
from cdpipe.stages.frames.time_cells import count_times

_NUMBERS: Final = frozenset(("integer", "floating", "mixed-integer-float", "decimal"))
_MOMENTS: Final = frozenset(("datetime", "datetime64"))
_SORTS: Final = {
    "boolean": "boolean",
    "complex": "complex",
    "date": "date",
    "time": "clock",
    "timedelta": "duration",
    "timedelta64": "duration",
    **dict.fromkeys(_NUMBERS, "number"),
}
_READ: Final = ("float", "integer", "text", "label")
"""A column of these kinds is read even if it has the type: it may hold codes, or blanks."""


def type_series(column: Column, series: "pd.Series[Any]") -> Typed:
    """Bring a column of any frame, shape (n,), to the vocabulary's type.

    Text is read as cells are; numbers and timestamps are converted exactly. Python objects are read as their text is.

    Raises
    ------
    TypeError
        If the values are of a sort that cannot mean this column, such as ids held as numbers.
    """
    dtype = series.dtype
    is_naive = column.kind == "time" and column.time_zone != "UTC"
    if dtype == column.dtype and column.kind not in _READ and not is_naive:
        return Typed(series, np.zeros(len(series), np.bool_), "")
    if isinstance(dtype, pd.ArrowDtype):
        return type_arrow(column, pa.chunked_array(pa.array(series.array)))
    if _is_all_text(series):
        series = series.rename(column.name)
        return type_label_series(series) if column.kind == "label" else type_cells(column, text_cells(series))
    if series.isna().all():
        return make_nulls(column, len(series))
    is_apart = dtype == np.object_ or isinstance(dtype, pd.CategoricalDtype)
    return _of_objects(column, series) if is_apart else _of_array(column, series)


def _is_all_text(series: "pd.Series[Any]") -> bool:
    values: Any = series.cat.categories if isinstance(series.dtype, pd.CategoricalDtype) else series
    if values.dtype != np.object_:
        return is_text(series)
    return pd.api.types.infer_dtype(values, skipna=True) in ("string", "empty")


def _of_timestamps(column: Column, series: "pd.Series[Any]") -> Typed:
    zone = column.time_zone
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series, zone = series.dt.tz_convert("UTC").dt.tz_localize(None), "UTC"
    ticks = series.to_numpy()
    unit, _ = np.datetime_data(ticks.dtype)
    return type_times(column, count_times(ticks.view(np.int64), unit, time_zone=zone))


def _of_array(column: Column, series: "pd.Series[Any]") -> Typed:
    dtype = series.dtype
    if column.kind == "time" and pd.api.types.is_datetime64_any_dtype(dtype):
        return _of_timestamps(column, series)
    if pd.api.types.is_bool_dtype(dtype):
        raise refuse(column, str(dtype), "boolean")
    if pd.api.types.is_complex_dtype(dtype):
        raise refuse(column, str(dtype), "complex")
    if not pd.api.types.is_numeric_dtype(dtype):
        raise refuse(column, str(dtype), "duration" if pd.api.types.is_timedelta64_dtype(dtype) else "")
    if column.kind == "time":
        return type_arrow(column, pa.chunked_array([pa.array(series, from_pandas=True)]))
    if column.kind in ("float", "integer"):
        return type_numbers(column, series)
    raise refuse(column, str(dtype), "number")


def _of_objects(column: Column, series: "pd.Series[Any]") -> Typed:
    held, series = str(series.dtype), series.astype(object)
    sort = pd.api.types.infer_dtype(series, skipna=True)
    if sort == "bytes":
        return type_cells(column, arrow_cells(pa.array(series, pa.large_binary(), from_pandas=True)))
    has_meaning = sort in _NUMBERS and column.kind in ("float", "integer", "time")
    if not has_meaning and not (sort in _MOMENTS and column.kind == "time"):
        raise refuse(column, f"{held} ({sort})", _SORTS.get(sort, "mixed"))
    texts = [None if null else _spell(value) for value, null in zip(series, series.isna(), strict=True)]
    return type_cells(column, text_cells(pd.Series(texts, dtype="str")))


def _spell(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dt.datetime | np.datetime64):
        moment = pd.Timestamp(value)
        return (moment if moment.tzinfo is None else moment.tz_convert("UTC")).isoformat()
    return str(value)
