"""Row groups of a Parquet file -> typed messages, a column at a time: only one is in memory as the file held it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cdpipe.columns import canonical
from cdpipe.engine.files.byte_ranges import open_arrow
from cdpipe.engine.files.column_weights import find_leaf, is_bloated
from cdpipe.engine.files.partitions import NO_KEYS
from cdpipe.stages.frames.arrow_columns import is_text, to_pandas, type_arrow
from cdpipe.stages.frames.conversion import make_nulls
from cdpipe.stages.frames.interop import name_canonically
from cdpipe.stages.gather.column_map import Mapped, name_columns
from cdpipe.stages.gather.conventions import USUAL, Convention
from cdpipe.stages.gather.gather import KEPT_TEXT, Gathered, gather_typed
from cdpipe.stages.gather.mapped_values import find_mapped, make_columns, spell_numbers

_TICKS_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_RECURRING: Final = frozenset(("label", "time"))
_TAKEN_ROWS: Final = 4096
_FEW_ROWS: Final = 64
"""Rows that are held at a time where a cell may be large."""

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
        Row number of the first row, and its number in the file, from 1.
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
        names = name_columns({canonical(name): name for name in plain.schema_arrow.names}, convention.mapped)
        raw, mapped = convention.raw_columns(columns), find_mapped(convention.mapped)
        wanted = [names[key] for keys in raw.values() for key in keys if key in names]
        rows = sum(plain.metadata.row_group(group).num_rows for group in groups)
        packed = _find_packed(plain, stream, groups, wanted)
        packing = pq.ParquetFile(stream, metadata=plain.metadata, read_dictionary=packed)
        typed = {}
        for key, column in ((key, column) for each in raw.values() for key, column in each.items()):
            if key in names:
                values = _read(packing, groups, [names[key]]).column(0)
                typed[key] = type_arrow(column, spell_numbers(values, mapped[key]) if key in mapped else values)
            elif keys.get(key) is not None:
                typed[key] = type_arrow(column, _repeat(str(keys[key]), rows))
            else:
                typed[key] = make_nulls(column, rows)

        def show(places: list[int]) -> pd.DataFrame:
            table = _take(packing, groups, wanted, places)
            frame: pd.DataFrame = to_pandas(table)
            lacking = (name for name in columns if name not in names and name not in mapped)
            return name_canonically(frame).assign(**{name: keys.get(name) for name in lacking})

        return gather_typed(
            make_columns(raw, typed, convention.mapped),
            rows,
            file=file,
            first_row=first_row,
            first_line=first_line,
            show=show,
            required=required,
            convention=convention,
        )


def first_values(
    path: str,
    names: Collection[str],
    *,
    rows: int,
    keys: Mapping[str, str | None] = NO_KEYS,
    maps: Sequence[Mapped] = (),
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
    maps
        Columns that the file has under other names.
    """
    with open_arrow(path) as stream:
        file = pq.ParquetFile(stream)
        spelling = name_columns({canonical(name): name for name in file.schema_arrow.names}, maps)
        wanted = {name: spelling[name] for name in names if name in spelling}
        groups = range(min(1, file.num_row_groups))
        packed = _find_packed(file, stream, groups, list(wanted.values()))
        packing = pq.ParquetFile(stream, metadata=file.metadata, read_dictionary=packed)
        found: dict[str, list[object]] = {name: [] for name in wanted}
        batches: Iterator[pa.RecordBatch] = packing.iter_batches(
            batch_size=_FEW_ROWS, columns=list(wanted.values()), use_threads=False
        )
        read = 0
        for batch in islice(batches, -(-rows // _FEW_ROWS)):
            read += len(batch)
            for name, given in wanted.items():
                found[name] += _list_values(_cut_texts(batch.column(given)))
        found |= {name: [keys[name]] * read for name in names if name in keys}
        return {name: values[:rows] for name, values in found.items()} if read else {}


def _repeat(text: str, rows: int) -> pa.ChunkedArray:
    """Return a column of one text, shape (rows,), which takes four bytes a row."""
    codes = pa.array(np.zeros(rows, np.int32))
    return pa.chunked_array([pa.DictionaryArray.from_arrays(codes, pa.array([text], pa.large_string()))])


def _list_values(values: pa.Array) -> list[object]:
    """Return texts and numbers as Python's, times as milliseconds since 1970, and none of what says nothing else.

    Not every date or duration that a file can hold has an object of Python's.
    """
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_timestamp(values.type):
        per_second = _TICKS_PER_SECOND[values.type.unit]
        return [None if ticks is None else ticks * 1000 / per_second for ticks in values.cast(pa.int64()).to_pylist()]
    if pa.types.is_temporal(values.type) or pa.types.is_nested(values.type):
        return []
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values.to_pylist()]


def _read(file: pq.ParquetFile, groups: range, names: Sequence[str]) -> pa.Table:
    """Read columns, whole; of one of lists or records, which no column can be, no more than shows that it is none."""
    if any(pa.types.is_nested(file.schema_arrow.field(name).type) for name in names):
        batches = file.iter_batches(_FEW_ROWS, row_groups=list(groups), columns=list(names), use_threads=False)
        found = next((batch for batch in batches if batch.column(0).null_count < len(batch)), None)
        if found is not None:
            return pa.Table.from_batches([found])
    return file.read_row_groups(groups, columns=names, use_threads=False)


def _take(file: pq.ParquetFile, groups: range, names: Sequence[str], places: Sequence[int]) -> pa.Table:
    """Read some rows, given in ascending order; of texts the beginning, which is all that is shown."""
    wanted, first, taken = np.array(places), 0, []
    for batch in file.iter_batches(_TAKEN_ROWS, row_groups=list(groups), columns=list(names), use_threads=False):
        here = wanted[(wanted >= first) & (wanted < first + len(batch))] - first
        first += len(batch)
        if here.size:
            rows = batch.take(pa.array(here))
            shown = [_cut_texts(column) for column in rows.columns]
            taken.append(pa.RecordBatch.from_arrays(shown, names=rows.schema.names))
    return pa.Table.from_batches(taken)


def _cut_texts(values: pa.Array) -> pa.Array:
    """Return texts cut to what is shown of them, each written out; other values as they are."""
    if pa.types.is_dictionary(values.type):
        texts = _cut_texts(values.dictionary)
        return pa.DictionaryArray.from_arrays(values.indices, texts).dictionary_decode()
    if is_text(values.type):
        return pc.utf8_slice_codeunits(values, 0, KEPT_TEXT)
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        return pc.binary_slice(values, 0, 4 * KEPT_TEXT)
    return values


def _find_packed(file: pq.ParquetFile, stream: Any, groups: range, names: Collection[str]) -> list[str]:  # noqa: ANN401
    """Find the columns of texts that are stored as a dictionary's, and need not, or must not, be written out."""
    found = []
    for name in names:
        leaf = find_leaf(file, name)
        if leaf is None:
            continue
        recurs = USUAL.column_of(canonical(name)).kind in _RECURRING and is_text(file.schema_arrow.field(name).type)
        chunks = [file.metadata.row_group(group).column(leaf) for group in groups]
        if (recurs and all(map(_is_packed, chunks))) or any(is_bloated(file, stream, group, leaf) for group in groups):
            found.append(name)
    return found


def _is_packed(chunk: pq.ColumnChunkMetaData) -> bool:
    return bool(chunk.has_dictionary_page and chunk.total_uncompressed_size <= _PACKED_BYTES * chunk.num_values)
