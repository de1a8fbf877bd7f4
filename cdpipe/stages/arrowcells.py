"""Columns as Arrow holds them, a Parquet file's -> typed values, where it can be without a detour through pandas."""

from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from cdpipe.columns import Column
from cdpipe.kernels.pack import is_plain
from cdpipe.stages.arrays import arrow_cells, borrow, spread
from cdpipe.stages.cells import (
    NAT,
    Typed,
    mask_integers,
    text_values,
    type_cells,
    type_floats,
    type_labels,
    type_series,
)

_NULLABLE: Final = {getattr(pa, name.lower())(): pd.api.types.pandas_dtype(name) for name in ("Int32", "Int64")}


def type_arrow(column: Column, values: pa.ChunkedArray) -> Typed:
    """Bring a column of a Parquet file, shape (n,), to the vocabulary's type: what `type_series` does to pandas'.

    Of a dictionary each text is read once. What is neither text nor a number of 64 bits goes through pandas.

    Raises
    ------
    TypeError
        As of `type_series`.
    """
    kind = values.type
    if pa.types.is_dictionary(kind) and is_text(kind.value_type) and column.kind in ("label", "time"):
        return _of_dictionary(column, values)
    if is_text(kind):
        return _of_texts(column, values)
    if pa.types.is_float64(kind) and column.kind == "float":
        return type_floats(values.to_numpy(), column.unavailable)
    if pa.types.is_int64(kind) and column.kind == "integer":
        return _of_integers(column, values)
    frame = to_pandas(pa.table({column.name: values}))
    return type_series(column, frame[column.name])


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Turn a table into the frame that `type_series` takes columns of.

    Neither an index that pandas noted in the file nor a null among integers changes what a column is.
    """
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, types_mapper=_NULLABLE.get)
    return frame


def is_text(kind: pa.DataType) -> bool:
    """Say whether an Arrow type is that of text, each value written out."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _of_dictionary(column: Column, values: pa.ChunkedArray) -> Typed:
    codes, texts = _number(values)
    cells = arrow_cells(texts)
    if column.kind == "label":
        return type_labels(codes, cells)
    typed = type_cells(column, cells)
    return Typed(spread(codes, typed.data, of_null=NAT), _spread_bad(codes, typed.bad), typed.problem)


def _spread_bad(codes: NDArray[np.int32], bad: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return spread(codes, bad, of_null=False) if bad.any() else np.zeros(codes.size, np.bool_)


def _number(values: pa.ChunkedArray) -> tuple[NDArray[np.int32], pa.LargeStringArray]:
    """Return the number of each row's text, shape (n,), -1 for null, and the texts, shape (k,)."""
    # Many small dictionaries, each with numbers of one byte, together may need wider ones.
    wide = [
        pa.DictionaryArray.from_arrays(each.indices.cast(pa.int32()), each.dictionary, safe=False)
        for each in values.chunks
    ]
    kind = pa.dictionary(pa.int32(), values.type.value_type)
    whole = _join(pa.chunked_array(wide, type=kind).unify_dictionaries())
    codes = borrow(len(whole), np.int32)  # not Arrow's own, which nobody may write to
    codes[:] = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, whole.dictionary.cast(pa.large_string())


def _of_texts(column: Column, values: pa.ChunkedArray) -> Typed:
    texts = _join(values.cast(pa.large_string()))
    cells = arrow_cells(texts)
    if column.kind == "text" and not texts.null_count and is_plain(*cells):
        return Typed(text_values(texts), np.zeros(len(texts), np.bool_), "")
    return type_cells(column, cells)


def _of_integers(column: Column, values: pa.ChunkedArray) -> Typed:
    null = values.is_null().to_numpy() if values.null_count else np.zeros(len(values), np.bool_)
    whole = borrow(len(values), np.int64)
    whole[:] = values.fill_null(0).to_numpy()
    return Typed(mask_integers(whole, null, column.unavailable), np.zeros(len(values), np.bool_), "")


def _join(values: pa.ChunkedArray) -> pa.Array:
    """Return the chunks as one; a single one is not copied, as Arrow would."""
    if values.num_chunks == 1:
        return values.chunk(0)
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
