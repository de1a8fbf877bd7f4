"""Row groups of a Parquet file -> typed messages, a column at a time: only one is in memory as the file held it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cdpipe.columns import canonical
from cdpipe.engine.partitions import NO_KEYS
from cdpipe.engine.streams import open_arrow
from cdpipe.stages.arrays import name_canonically
from cdpipe.stages.arrowcells import is_text, to_pandas, type_arrow
from cdpipe.stages.cells import make_nulls
from cdpipe.stages.conventions import USUAL, Convention
from cdpipe.stages.gather import Gathered, gather_typed

_TICKS_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_RECURRING: Final = frozenset(("label", "time"))
_PACKED_BYTES: Final = 8
"""A value of a column of texts takes no more if most are noted as numbers of a dictionary's entries."""


def read_groups(
    path: str,
    groups: range,
    *,
    file: str,
    columns: Sequence[str],
    first_row: int,
    first_line: int,
    required: Collection[str],
    convention: Convention,
    keys: Mapping[str, str | None] = NO_KEYS,
) -> Gathered:
    """Read some row groups of a file into a typed frame.

    Parameters
    ----------
    path
        Local path or fsspec URL.
    groups
        Which row groups.
    file
        Name of the file, for rejects.
    columns
        Columns to read, in the vocabulary's spelling; those that the file lacks become null.
    first_row, first_line
        Row number of the first row, and its place in the file, from 1.
    required
        Columns in which an unreadable cell rejects the record.
    convention
        How the file writes its values.
    keys
        Values of all its rows that the names of its folders tell, by column.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read.
    TypeError
        If a column's type cannot mean what the vocabulary says.
    """
    with open_arrow(path) as stream:
        plain = pq.ParquetFile(stream)
        if groups.stop > plain.num_row_groups:
            raise OSError("became shorter while it was read; run again on a file at rest")
        names = {canonical(name): name for name in plain.schema_arrow.names}
        rows = sum(plain.metadata.row_group(group).num_rows for group in groups)
        packed = _find_packed(plain, groups, [names[name] for name in columns if name in names])
        packing = pq.ParquetFile(stream, metadata=plain.metadata, read_dictionary=packed)
        typed = {}
        for name in columns:
            column = convention.column_of(name)
            if name in names:
                typed[name] = type_arrow(column, _read(packing, groups, [names[name]]).column(0))
            elif keys.get(name) is not None:
                typed[name] = type_arrow(column, _repeat(str(keys[name]), rows))
            else:
                typed[name] = make_nulls(column, rows)

        def show(places: list[int]) -> pd.DataFrame:
            frame: pd.DataFrame = to_pandas(_read(plain, groups, [names[name] for name in columns if name in names]))
            frame = name_canonically(frame).assign(**{name: keys.get(name) for name in columns if name not in names})
            return frame.iloc[places]

        return gather_typed(
            typed,
            rows,
            file=file,
            first_row=first_row,
            first_line=first_line,
            show=show,
            required=required,
            convention=convention,
        )


def first_values(
    path: str, names: Collection[str], *, rows: int, keys: Mapping[str, str | None] = NO_KEYS
) -> dict[str, list[object]]:
    """Return values of a file's first rows, by column, for deciding how the file writes its values.

    Parameters
    ----------
    path
        Local path or fsspec URL.
    names
        Columns to look at, in the vocabulary's spelling; those that the file lacks are left out.
    rows
        How many rows at most.
    keys
        As for `read_groups`.
    """
    with open_arrow(path) as stream:
        file = pq.ParquetFile(stream)
        spelling = {canonical(name): name for name in file.schema_arrow.names}
        wanted = {name: spelling[name] for name in names if name in spelling}
        batches: Iterator[pa.RecordBatch] = file.iter_batches(
            batch_size=rows, columns=list(wanted.values()), use_threads=False
        )
        first = next(batches, None)
        if first is None:
            return {}
        told: dict[str, list[object]] = {name: [keys[name]] * len(first) for name in names if name in keys}
        return told | {name: _list_values(first.column(given)) for name, given in wanted.items()}


def _repeat(text: str, rows: int) -> pa.ChunkedArray:
    """Return a column of one text, shape (rows,), which takes four bytes a row."""
    codes = pa.array(np.zeros(rows, np.int32))
    return pa.chunked_array([pa.DictionaryArray.from_arrays(codes, pa.array([text], pa.large_string()))])


def _list_values(values: pa.Array) -> list[object]:
    """Return values as Python's; times as milliseconds since 1970, for not every one has a Python date."""
    if pa.types.is_timestamp(values.type):
        per_second = _TICKS_PER_SECOND[values.type.unit]
        return [None if ticks is None else ticks * 1000 / per_second for ticks in values.cast(pa.int64()).to_pylist()]
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values.to_pylist()]


def _read(file: pq.ParquetFile, groups: range, names: Sequence[str]) -> pa.Table:
    return file.read_row_groups(groups, columns=names, use_threads=False)


def _find_packed(file: pq.ParquetFile, groups: range, names: Collection[str]) -> list[str]:
    """Find the columns of recurring texts that are stored as a dictionary's, and so need not be written out."""
    metadata = file.metadata
    leaves = {metadata.schema.column(place).path: place for place in range(metadata.num_columns)}
    recurring = [name for name in names if name in leaves and USUAL.column_of(canonical(name)).kind in _RECURRING]
    found = []
    for name in recurring:
        chunks = [metadata.row_group(group).column(leaves[name]) for group in groups]
        if is_text(file.schema_arrow.field(name).type) and all(map(_is_packed, chunks)):
            found.append(name)
    return found


def _is_packed(chunk: pq.ColumnChunkMetaData) -> bool:
    return bool(chunk.has_dictionary_page and chunk.total_uncompressed_size <= _PACKED_BYTES * chunk.num_values)
