"""Frame columns as the arrays kernels take, and back, without copying where the memory allows it."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from cdpipe.kernels.hashing import hash_text
from cdpipe.kernels.memory import view_bytes, view_int64

_NULL_CELL: Final = np.empty(0, np.uint8)


class Cells(NamedTuple):
    """A text column as bytes and bounds: cell i is `data[starts[i]:stops[i]]`, empty where null."""

    data: NDArray[np.uint8]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]


def text_cells(series: "pd.Series[Any]") -> Cells:
    """View a text column as bytes and cell bounds.

    Parameters
    ----------
    series
        Text, shape (n,); `str`, object or categorical dtype. Nulls become empty cells.

    Returns
    -------
    Cells
        Views of the column's own memory where it is Arrow text in one piece, else of a converted copy.

    Raises
    ------
    TypeError
        If the column does not hold text: ids read as numbers have already lost their leading zeros.
    """
    if not (isinstance(series.dtype, pd.CategoricalDtype) or pd.api.types.is_string_dtype(series.dtype)):
        raise TypeError(
            f"column {series.name!r} must hold text but is {series.dtype}: read it with cdpipe.read, or as str"
        )
    try:
        array = pa.array(series, type=pa.large_string(), from_pandas=True)
    except pa.ArrowTypeError as error:
        raise TypeError(f"column {series.name!r} must hold text: {error}; write it again as text") from None
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return arrow_cells(array)


def arrow_cells(array: pa.Array) -> Cells:
    """View an Arrow `large_string` array, shape (n,), as bytes and cell bounds; nulls become empty cells."""
    _, offsets, data = array.buffers()
    if len(array) == 0 or data is None:
        zeros = np.zeros(len(array), np.int64)
        return Cells(_NULL_CELL, zeros, zeros)
    bounds = view_int64(offsets)[array.offset : array.offset + len(array) + 1]
    starts, stops = bounds[:-1], bounds[1:]
    if array.null_count:
        null = array.is_null().to_numpy(zero_copy_only=False)
        stops = np.where(null, starts, stops)
    return Cells(view_bytes(data), starts, stops)


def text_series(values: NDArray[np.uint8], offsets: NDArray[np.int64], null: NDArray[np.bool_]) -> "pd.Series[Any]":
    """Make a `str` column of packed UTF-8 bytes, shape (bytes,), their offsets, (n + 1,), and nulls, (n,)."""
    validity = pa.array(~null).buffers()[1] if null.any() else None
    array = pa.LargeStringArray.from_buffers(len(null), pa.py_buffer(offsets), pa.py_buffer(values), validity)
    return pd.Series(array, dtype="str")


def hash_ids(series: "pd.Series[Any]") -> NDArray[np.uint64]:
    """Hash vehicle ids, shape (n,), to one 64-bit number each (XXH64); a null id hashes as the empty text.

    Raises
    ------
    TypeError
        If the column does not hold text.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        of_category = hash_text(*text_cells(pd.Series(series.cat.categories, name=series.name)))
        codes = series.cat.codes.to_numpy()
        hashes = np.append(of_category, hash_text(_NULL_CELL, np.zeros(1, np.int64), np.zeros(1, np.int64)))
        return hashes[codes]
    return hash_text(*text_cells(series))


def masked_integers(values: NDArray[np.int64], null: NDArray[np.bool_]) -> "pd.Series[Any]":
    """Make a nullable `Int64` column of values and nulls, both shape (n,)."""
    return pd.Series(pd.arrays.IntegerArray(values, null))


def null_mask(series: "pd.Series[Any]") -> NDArray[np.bool_]:
    """Say which values of a column, shape (n,), are null."""
    return series.isna().to_numpy(dtype=np.bool_)


def require_columns(frame: pd.DataFrame, names: Iterable[str], *, stage: str) -> None:
    """Check that a frame has the columns that a stage reads.

    Raises
    ------
    KeyError
        Naming the stage, the missing columns and those there are.
    """
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise KeyError(f"{stage} needs {', '.join(missing)}; the frame has {', '.join(map(str, frame.columns))}")
