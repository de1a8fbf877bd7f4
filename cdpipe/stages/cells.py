"""Raw values of a column -> typed values with nulls, and which of them could not be read."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from cdpipe.columns import Column, Kind
from cdpipe.kernels.labels import NULL_CODE, mark_nulls
from cdpipe.kernels.numbers import parse_float, parse_integer
from cdpipe.kernels.pack import pack_cells
from cdpipe.kernels.timestamps import parse_timestamps
from cdpipe.kernels.unavailable import settle_floats
from cdpipe.stages.arrays import (
    Cells,
    borrow,
    is_text,
    null_mask,
    number_texts,
    spread,
    text_array,
    text_cells,
    view_labels,
)

_OK: Final = 0
_MALFORMED: Final = 2
_EASTERN: Final = 1
_EASTERN_ZONE: Final = "America/New_York"
_US_PER_MS: Final = 1000
_LEAST_MS: Final = -62_135_596_800_000
_GREATEST_MS: Final = 253_402_300_799_999
_INT64_LIMIT: Final = 2.0**63
_WORDS: Final = {"label": "text"}
_TEXT: Final = pd.StringDtype(storage="pyarrow", na_value=np.nan)
"""What `str` is."""

NAT: Final = np.iinfo(np.int64).min


class Typed(NamedTuple):
    """A typed column, and which of its cells could not be read.

    Attributes
    ----------
    data
        Shape (n,), null where bad: an array where it is new, the caller's Series where it had the type already (pandas
        then copies it before either is written to). Frames are made of arrays in a third of the time.
    bad
        Shape (n,): cells that could not be read.
    problem
        What is wrong with those.
    """

    data: Any
    bad: NDArray[np.bool_]
    problem: str

    @property
    def series(self) -> "pd.Series[Any]":
        """The column as a Series."""
        return self.data if isinstance(self.data, pd.Series) else pd.Series(self.data, copy=False)


def type_cells(column: Column, cells: Cells) -> Typed:
    """Read the cells of one column, shape (n,), as its type; "unavailable" codes become null.

    Empty cells are null. A cell that is not of the column's type is marked bad, and touches no other.
    """
    return _READERS[column.kind](column, cells)


def type_series(column: Column, series: "pd.Series[Any]") -> Typed:
    """Bring a column of any frame, shape (n,), to the vocabulary's type.

    Text is read as cells are; numbers and timestamps are converted exactly.

    Raises
    ------
    TypeError
        If the values are of a sort that cannot mean this column, such as ids held as numbers.
    """
    if series.dtype == column.dtype and column.kind not in ("float", "integer", "text", "label"):
        return Typed(series, np.zeros(len(series), np.bool_), "")
    if is_text(series):
        series = series.rename(column.name)
        return _of_label_series(series) if column.kind == "label" else type_cells(column, text_cells(series))
    if column.kind == "time" and pd.api.types.is_datetime64_any_dtype(series.dtype):
        return _of_times(series)
    if column.kind == "time" and pd.api.types.is_numeric_dtype(series.dtype):
        return _of_epochs(series)
    if column.kind in ("float", "integer") and pd.api.types.is_numeric_dtype(series.dtype):
        return _of_numbers(column, series)
    if series.isna().all():
        return _nothing(column, len(series))
    raise TypeError(
        f"column {column.name!r} must hold {_WORDS.get(column.kind, column.kind)} values but is {series.dtype}; "
        "write the file again with that column as text"
    )


def text_values(texts: pa.LargeStringArray) -> Any:  # noqa: ANN401 - pandas has no public name for it
    """Make pandas' array of `str` of texts and nulls, shape (n,), without a copy."""
    # What a Series of them holds, for an eighth of its price.
    return _TEXT.__from_arrow__(texts)  # type: ignore[attr-defined]


def label_values(codes: NDArray[np.int32], texts: pa.LargeStringArray) -> pd.Categorical:
    """Make pandas' array of `category`.

    Parameters
    ----------
    codes
        Shape (n,): place of each row's text, -1 for null.
    texts
        The k texts, no two the same, none null.
    """
    index = pd.Index(text_values(texts), copy=False)
    # The public constructor makes a Python string of every text to see that no two are the same: 8 ms for 50,000.
    dtype = pd.CategoricalDtype._from_fastpath(index, ordered=False)  # type: ignore[attr-defined]
    return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)


def _read_float(column: Column, cells: Cells) -> Typed:
    values, status = parse_float(*cells)
    for code in column.unavailable:
        values[values == code] = np.nan
    return Typed(values, status == _MALFORMED, "not a number")


def _read_integer(column: Column, cells: Cells) -> Typed:
    values, status = parse_integer(*cells)
    null = (status != _OK) | np.isin(values, np.array(column.unavailable, np.int64))
    return Typed(pd.arrays.IntegerArray(values, null), status == _MALFORMED, "not an integer")


def _read_time(_: Column, cells: Cells) -> Typed:
    values, status, zone = parse_timestamps(*cells)
    eastern = (zone == _EASTERN) & (status == _OK)
    if eastern.any():
        values[eastern] = _from_eastern(values[eastern])
    values[status != _OK] = NAT
    return Typed(values.view("M8[us]"), status == _MALFORMED, "not a timestamp")


def _from_eastern(wall_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Convert US Eastern wall-clock microseconds to UTC; the hour met twice in autumn is taken as standard time."""
    wall = pd.DatetimeIndex(wall_us.view("M8[us]"))
    local = wall.tz_localize(_EASTERN_ZONE, ambiguous=np.zeros(len(wall), np.bool_), nonexistent="shift_forward")
    return local.tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy().view(np.int64)


def _read_text(_: Column, cells: Cells) -> Typed:
    packed, offsets, ascii_only = pack_cells(*cells)
    null = _find_blank(packed, offsets)
    bad = np.zeros(null.size, np.bool_)
    if not ascii_only and not _is_utf8(packed):
        bad = np.array([not _is_utf8(packed[a:b]) for a, b in pairwise(offsets)])
        starts, stops = cells.starts, np.where(bad, cells.starts, cells.stops)
        packed, offsets, _ascii = pack_cells(cells.data, starts, stops)
        null = null | bad
    return Typed(text_values(text_array(packed, offsets, null)), bad, "not UTF-8 text")


def _read_label(_: Column, cells: Cells) -> Typed:
    return type_labels(*number_texts(cells))


def _of_label_series(series: "pd.Series[Any]") -> Typed:
    codes, texts = view_labels(series)
    if isinstance(series.dtype, pd.CategoricalDtype) and series.cat.categories.dtype == "str":
        _marks, nulls = mark_nulls(*texts)
        if nulls == 0:  # as it nearly always is
            return Typed(series.rename(None), np.zeros(len(series), np.bool_), "")
    return type_labels(codes, texts)


def type_labels(codes: NDArray[np.signedinteger[Any]], texts: Cells) -> Typed:
    """Make labels of numbered texts; those that are blank, a null word, or no UTF-8, become null.

    Parameters
    ----------
    codes
        Shape (n,): number of each row's text, -1 for null.
    texts
        The k texts, no two the same.
    """
    packed, offsets, ascii_only = pack_cells(*texts)
    null, nulls = mark_nulls(packed, offsets[:-1], offsets[1:])
    unfit = np.zeros(null.size, np.bool_)
    if not ascii_only and not _is_utf8(packed):
        unfit = np.array([not _is_utf8(packed[a:b]) for a, b in pairwise(offsets)])
    bad = np.zeros(codes.size, np.bool_)
    if nulls or unfit.any():
        bad = spread(codes, unfit, of_null=False)
        stay = np.flatnonzero(~(null | unfit))
        renumbered = np.full(null.size, NULL_CODE, np.int32)
        renumbered[stay] = np.arange(stay.size, dtype=np.int32)
        codes = spread(codes, renumbered, of_null=NULL_CODE)
        packed, offsets, _ascii = pack_cells(texts.data, texts.starts[stay], texts.stops[stay])
    return Typed(label_values(codes, text_array(packed, offsets)), bad, "not UTF-8 text")


def _find_blank(packed: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which texts are empty or nothing but white space; few begin with any, so few are looked at closely."""
    blank: NDArray[np.bool_] = offsets[1:] == offsets[:-1]
    filled = np.flatnonzero(~blank)
    for i in filled[packed[offsets[filled]] <= ord(" ")]:
        blank[i] = not packed[offsets[i] : offsets[i + 1]].tobytes().strip()
    return blank


def _is_utf8(text: NDArray[np.uint8]) -> bool:
    try:
        text.tobytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


_READERS: Final[dict[Kind, Callable[[Column, Cells], Typed]]] = {
    "text": _read_text,
    "label": _read_label,
    "float": _read_float,
    "integer": _read_integer,
    "count": _read_integer,
    "time": _read_time,
}


def _of_times(series: "pd.Series[Any]") -> Typed:
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    return Typed(series.astype("datetime64[us]"), np.zeros(len(series), np.bool_), "")


def _of_epochs(series: "pd.Series[Any]") -> Typed:
    """Read numbers as milliseconds since 1970; those that are not whole, or beyond the years 1 to 9999, are bad."""
    null, ms, unfit = _whole_numbers(series)
    bad = ~null & (unfit | (ms < _LEAST_MS) | (ms > _GREATEST_MS))
    times = np.where(null | bad, NAT, np.where(bad, 0, ms) * _US_PER_MS)
    return Typed(times.view("M8[us]"), bad, "not a timestamp")


def _of_numbers(column: Column, series: "pd.Series[Any]") -> Typed:
    if column.kind == "float":
        codes = np.array(column.unavailable)
        if series.dtype == np.float32:
            codes = codes.astype(np.float32).astype(np.float64)
        return type_floats(series.to_numpy(dtype=np.float64, na_value=np.nan), codes.tolist())
    null, whole, bad = _whole_numbers(series)
    return Typed(mask_integers(whole, null | bad, column.unavailable), bad, "not an integer")


def type_floats(values: NDArray[np.float64], unavailable: Sequence[float]) -> Typed:
    """Make a typed column of numbers, shape (n,), nan where null: without codes, and infinite ones marked bad."""
    out = borrow(values.size, np.float64)
    infinite = settle_floats(values, unavailable=unavailable, out=out)
    return Typed(out, np.isinf(values) if infinite else np.zeros(values.size, np.bool_), "not a number" * infinite)


def mask_integers(whole: NDArray[np.int64], null: NDArray[np.bool_], unavailable: Sequence[float]) -> Any:  # noqa: ANN401
    """Make pandas' array of `Int64` of whole numbers and nulls, shape (n,), both of which it takes over."""
    for code in unavailable:
        null |= whole == int(code)
    return pd.arrays.IntegerArray(whole, null)


def _whole_numbers(series: "pd.Series[Any]") -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]:
    """Return which numbers are null, all of them as int64, and which do not fit that; 0 stands for null and unfit."""
    if pd.api.types.is_signed_integer_dtype(series.dtype):
        whole = np.array(series.to_numpy(dtype=np.int64, na_value=0))  # its own `copy` does nothing without a null
        return null_mask(series), whole, np.zeros(whole.size, np.bool_)
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    null = np.isnan(values)
    bad = ~null & ((values != np.trunc(values)) | (values < -_INT64_LIMIT) | (values >= _INT64_LIMIT))
    if pd.api.types.is_unsigned_integer_dtype(series.dtype):
        return null, series.where(~bad, 0).to_numpy(dtype=np.int64, na_value=0), bad
    return null, np.where(null | bad, 0, values).astype(np.int64), bad


def _nothing(column: Column, rows: int) -> Typed:
    bad = np.zeros(rows, np.bool_)
    if column.kind == "label":
        return Typed(label_values(np.full(rows, NULL_CODE, np.int32), pa.array([], pa.large_string())), bad, "")
    return Typed(pd.Series([None] * rows, dtype=column.dtype), bad, "")
