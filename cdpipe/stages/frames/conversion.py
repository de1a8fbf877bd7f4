"""Raw values of a column -> typed values with nulls, and which of them could not be read."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from cdpipe.columns import Column, Kind
from cdpipe.kernels.text.dictionary import NULL_CODE, mark_nulls
from cdpipe.kernels.text.numbers import parse_float, parse_integer
from cdpipe.kernels.text.packing import pack_cells
from cdpipe.kernels.text.sentinels import settle_floats
from cdpipe.stages.frames.interop import Cells, borrow, null_mask, number_texts, spread, text_array, view_labels
from cdpipe.stages.frames.time_cells import Times, count_epochs, read_times

_OK: Final = 0
_MALFORMED: Final = 2
_INT64_LIMIT: Final = 2.0**63
_TEXT: Final = pd.StringDtype(storage="pyarrow", na_value=np.nan)
"""What `str` is."""

NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


class Origin(NamedTuple):
    """A column of a file that a typed one was made of: its name there, which cells are unreadable, and why."""

    name: str
    bad: NDArray[np.bool_]
    problem: str


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
    notes
        Counts of what was made of other cells, such as impossible values read as null, by what it was.
    origins
        The file's columns it was made of, where they have other names.
    """

    data: Any
    bad: NDArray[np.bool_]
    problem: str
    notes: Mapping[str, int] = NOTHING
    origins: tuple[Origin, ...] = ()

    @property
    def series(self) -> "pd.Series[Any]":
        """The column as a Series."""
        return self.data if isinstance(self.data, pd.Series) else pd.Series(self.data, copy=False)


def type_cells(column: Column, cells: Cells) -> Typed:
    """Read the cells of one column, shape (n,), as its type; "unavailable" codes become null.

    Empty cells are null. A cell that is not of the column's type is marked bad, and touches no other.
    """
    return _READERS[column.kind](column, cells)


def text_values(texts: pa.LargeStringArray) -> Any:  # noqa: ANN401 - pandas has no public name for it
    """Make pandas' array of `str` of texts and nulls, shape (n,), without a copy."""
    # What a Series of them holds, for an eighth of its price.
    return _TEXT.__from_arrow__(texts)  # type: ignore[attr-defined]


def label_values(codes: NDArray[np.int32], texts: pa.LargeStringArray) -> pd.Categorical:
    """Make pandas' array of `category`.

    Parameters
    ----------
    codes
        Shape (n,): index of each row's text, -1 for null.
    texts
        The k texts, no two the same, none null.
    """
    index = pd.Index(text_values(texts), copy=False)
    # The public constructor makes a Python string of every text to see that no two are the same: 8 ms for 50,000.
    dtype = pd.CategoricalDtype._from_fastpath(index, ordered=False)  # type: ignore[attr-defined]
    return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)


def _read_float(column: Column, cells: Cells) -> Typed:
    values, status = parse_float(*cells)
    typed = type_floats(values, column)
    return typed._replace(bad=status == _MALFORMED, problem="not a number")


def _read_integer(column: Column, cells: Cells) -> Typed:
    values, status = parse_integer(*cells)
    return type_integers(values, status != _OK, column)._replace(bad=status == _MALFORMED, problem="not an integer")


def _read_time(column: Column, cells: Cells) -> Typed:
    return type_times(column, read_times(cells, time_zone=column.time_zone))


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


def type_label_series(series: "pd.Series[Any]") -> Typed:
    """Make labels of a Series of text, shape (n,), as such or as labels."""
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


def type_times(column: Column, times: Times) -> Typed:
    """Make a typed column of moments, shape (n,); local times that clocks showed twice are noted."""
    twice = int(np.count_nonzero(times.ambiguous))
    notes = {f"{column.name} ambiguous local time, the first taken": twice} if twice else NOTHING
    return Typed(times.us.view("M8[us]"), times.bad, "not a timestamp", notes)


def type_epochs(column: Column, series: "pd.Series[Any]") -> Typed:
    """Read a Series of whole numbers and nulls, shape (n,), as milliseconds since 1970."""
    null, ms, unfit = _whole_numbers(series)
    times = count_epochs(ms, null)
    return type_times(column, times._replace(bad=times.bad | unfit))


def type_numbers(column: Column, series: "pd.Series[Any]") -> Typed:
    """Make a typed float or integer column of a Series of numbers, shape (n,)."""
    if column.kind == "float":
        wide = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return type_floats(wide, column, unavailable=_round_codes(column, series.dtype))
    null, whole, bad = _whole_numbers(series)
    return type_integers(whole, null | bad, column)._replace(bad=bad, problem="not an integer")


def _round_codes(column: Column, dtype: Any) -> tuple[float, ...]:  # noqa: ANN401 - any of pandas' types
    """Return the codes as a narrower type holds them, except those that would be numbers which a message can say.

    The nearest float32 to the code 90.0000001 is the latitude of the pole.
    """
    narrow = getattr(dtype, "numpy_dtype", dtype)
    if narrow not in (np.float16, np.float32) or column.counts is None:
        return column.unavailable
    scale = 1 if column.is_counted else column.counts.per_unit
    with np.errstate(over="ignore"):
        rounded = [float(narrow.type(code)) for code in column.unavailable]
    return tuple(code for code in rounded if not column.counts.least <= code * scale <= column.counts.greatest)


def type_floats(values: NDArray[np.float64], column: Column, *, unavailable: tuple[float, ...] | None = None) -> Typed:
    """Make a typed column of a source's numbers, shape (n,), nan where null.

    Codes (the column's, unless others are given) and impossible numbers become null, infinite ones are marked bad.
    """
    out, codes = borrow(values.size, np.float64), column.unavailable if unavailable is None else unavailable
    unfit = settle_floats(values, unavailable=codes, limits=column.limits, out=out)
    bad = np.isinf(values) if unfit.infinite else np.zeros(values.size, np.bool_)
    notes = note_impossible(column, unfit.impossible)
    return Typed(to_units(out, column), bad, "not a number" if unfit.infinite else "", notes)


def to_units(values: NDArray[np.float64], column: Column) -> NDArray[np.float64]:
    """Turn a source's numbers, shape (n,), into the column's unit, in place, each to the nearest float64."""
    return np.divide(values, column.divisor, out=values) if column.divisor != 1 else values


def type_integers(whole: NDArray[np.int64], null: NDArray[np.bool_], column: Column) -> Typed:
    """Make a typed column of a source's whole numbers and nulls, shape (n,), and take both over.

    Codes and impossible numbers become null.
    """
    for code in column.unavailable:
        null |= whole == int(code)
    least, greatest = column.span
    beyond = ((whole < least) | (whole > greatest)) & ~null
    impossible = int(np.count_nonzero(beyond))
    null |= beyond
    notes = note_impossible(column, impossible)
    return Typed(pd.arrays.IntegerArray(whole, null), np.zeros(whole.size, np.bool_), "", notes)


def note_impossible(column: Column, count: int) -> Mapping[str, int]:
    """Return the note that `count` values of a column were impossible; none for 0."""
    return {f"{column.name} impossible, read as null": count} if count else NOTHING


def _whole_numbers(series: "pd.Series[Any]") -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]:
    """Return which numbers are null, all of them as int64, and which do not fit that; 0 stands for null and unfit."""
    if pd.api.types.is_signed_integer_dtype(series.dtype):
        whole = np.array(series.to_numpy(dtype=np.int64, na_value=0))  # its own `copy` does nothing without a null
        return null_mask(series), whole, np.zeros(whole.size, np.bool_)
    if pd.api.types.is_unsigned_integer_dtype(series.dtype):
        wide = series.to_numpy(dtype=np.uint64, na_value=0)
        bad = wide >= np.uint64(_INT64_LIMIT)
        return null_mask(series), np.where(bad, np.uint64(0), wide).astype(np.int64), bad
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    null = np.isnan(values)
    bad = ~null & ((values != np.trunc(values)) | (values < -_INT64_LIMIT) | (values >= _INT64_LIMIT))
    return null, np.where(null | bad, 0, values).astype(np.int64), bad


def make_nulls(column: Column, rows: int) -> Typed:
    """Make a typed column of nulls."""
    bad = np.zeros(rows, np.bool_)
    if column.kind == "label":
        return Typed(label_values(np.full(rows, NULL_CODE, np.int32), pa.array([], pa.large_string())), bad, "")
    return Typed(pd.Series([None] * rows, dtype=column.dtype), bad, "")
