"""One partition on disk: a Parquet file that is there whole or not at all."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cdpipe.stages.arrays import label_series

_NOTE: Final = b"cdpipe.nulls"
"""Says that cdpipe wrote the file, and how many nulls each column has: Parquet's own notes are not made of all."""


def write_part(frame: pd.DataFrame, path: Path) -> int:
    """Write a frame beside `path`, flush it to the disk, and only then give it that name; return its bytes.

    A task done again (its worker died) writes the same bytes over its own earlier ones.
    """
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with beside.open("wb", buffering=0) as stream:
            pq.write_table(to_arrow(frame), stream, row_group_size=max(1, len(frame)), **_encode(frame))
            os.fsync(stream.fileno())
        size = beside.stat().st_size
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return size


def read_part(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a partition, or some of its columns, with the types it was written with."""
    return _to_frame(pq.read_table(path, columns=None if columns is None else list(columns), use_threads=False))


def read_types(path: Path) -> pd.DataFrame:
    """Read a partition's columns without any row."""
    return _to_frame(pq.read_schema(path).empty_table())


def _to_frame(table: pa.Table) -> pd.DataFrame:
    labels = [name for name, kind in zip(table.column_names, table.schema.types, strict=True) if _is_label(kind)]
    # pandas makes a Python string of every label to see that no two are the same: 30 ms for 50,000.
    frame: pd.DataFrame = table.drop_columns(labels).to_pandas()
    columns = {name: _to_labels(table[name]) if name in labels else frame[name] for name in table.column_names}
    return pd.DataFrame(columns, copy=False)


def _is_label(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind))


def _to_labels(column: pa.ChunkedArray) -> "pd.Series[Any]":
    array = column.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # of no chunk at all
        array = pa.array([], column.type)
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return label_series(codes.astype(np.int32, copy=False), array.dictionary.cast(pa.large_string()))


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """Turn a frame into an Arrow table whose schema does not depend on its values, nor on how many labels it has.

    Nulls of whatever sort become Arrow's; what has none is not copied.
    """
    arrays = [_to_array(frame[name]) for name in frame.columns]
    # What pandas needs to know to read the same types back.
    notes = pa.Schema.from_pandas(frame.iloc[:0], preserve_index=False).metadata
    names = list(map(str, frame.columns))
    nulls = {name: array.null_count for name, array in zip(names, arrays, strict=True)}
    note = json.dumps({"rows": len(frame), "nulls": nulls}).encode()
    return pa.Table.from_arrays(arrays, names=names, metadata={**notes, _NOTE: note})


def find_nulls(metadata: pq.FileMetaData) -> dict[str, int] | None:
    """Return how many nulls each column of a file has if `write_part` made it, and nobody from it; else None."""
    note = json.loads((metadata.metadata or {}).get(_NOTE, b"null"))
    if note is None or (metadata.num_rows, metadata.num_row_groups) != (note["rows"], 1):
        return None
    nulls: dict[str, int] = note["nulls"]
    return nulls


def _to_array(series: "pd.Series[Any]") -> pa.Array | pa.ChunkedArray:
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes = np.asarray(series.array.codes).astype(np.int32, copy=False)
        null = codes < 0
        places = pa.array(codes, mask=null if null.any() else None)
        texts = pa.array(series.dtype.categories, pa.large_string())
        return pa.DictionaryArray.from_arrays(places, texts)
    if isinstance(series.dtype, np.dtype) and series.dtype.kind == "f" and len(series):
        values = series.to_numpy()
        if not np.isnan(values.min()):  # the least value is nan if any is
            return pa.array(values)
    return pa.array(series, from_pandas=True)


def _encode(frame: pd.DataFrame) -> dict[str, Any]:
    """Choose how each column is stored: what is quick to write and small, and bounds for the columns that are ranges.

    Whole numbers and times as differences, labels as numbers of their texts, all else as it is: dictionaries of
    numbers and compression take five times as long to write for a third of the size. Bounds of texts nobody asks for.
    """
    kinds = {name: dtype.kind for name, dtype in frame.dtypes.items()}
    labels = [name for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
    return {
        "compression": "none",
        "use_dictionary": labels or False,
        "column_encoding": {name: "DELTA_BINARY_PACKED" for name, kind in kinds.items() if kind in "iM"},
        "write_statistics": [name for name, kind in kinds.items() if kind in "iufM"],
    }
