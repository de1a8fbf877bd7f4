"""Weights: how many bytes columns of a Parquet file become when they are read, from its footer and its dictionaries.

A footer says how large a column is stored. Where texts are stored once, in a dictionary, and written out when they are
read, they may be a thousand times larger: then the dictionary's longest text bounds them.
"""

from collections.abc import Collection
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cdpipe.columns import BY_NAME, canonical
from cdpipe.engine.files.byte_ranges import open_stream

WRITTEN_BYTES: Final = 1 << 24
"""Texts of a column that may be written out whatever a bound says."""

_WRITTEN_FACTOR: Final = 4
"""Times its stored size that a column's texts may take when written out; of more they are read as a dictionary's."""

_VALUE_BYTES: Final = 8
_PEEKED_BYTES: Final = 1 << 16


def weigh_groups(path: str, columns: Collection[str]) -> tuple[int, ...]:
    """Return how many bytes some columns of each row group of a file take at most when they are read.

    Parameters
    ----------
    path
        Local path or fsspec URL.
    columns
        Columns that are read, in the vocabulary's spelling; those that the file lacks take 8 bytes a row.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read.
    """
    with open_stream(path) as stream:
        file = pq.ParquetFile(stream)
        names = {canonical(name): name for name in file.schema_arrow.names}
        return tuple(
            sum(_weigh(file, stream, group, names.get(name), name) for name in columns)
            for group in range(file.metadata.num_row_groups)
        )


def is_bloated(file: pq.ParquetFile, stream: Any, group: int, leaf: int) -> bool:  # noqa: ANN401 - an open file
    """Return True if a column of texts may be far larger written out than stored; of such a dictionary is read."""
    chunk = file.metadata.row_group(group).column(leaf)
    limit = max(WRITTEN_BYTES, _WRITTEN_FACTOR * int(chunk.total_uncompressed_size))
    # No text is longer than all of them as stored.
    if not chunk.has_dictionary_page or int(chunk.num_values) * int(chunk.total_uncompressed_size) <= limit:
        return False
    return _bound_texts(file, stream, group, leaf) > limit


def find_leaf(file: pq.ParquetFile, name: str) -> int | None:
    """Return the index of a column's only leaf if it holds texts or bytes that can be read as a dictionary's."""
    kind = file.schema_arrow.field(name).type
    is_it = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    is_it |= pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    leaves = _find_leaves(file, name)
    return leaves[0] if is_it and len(leaves) == 1 else None


def _weigh(file: pq.ParquetFile, stream: Any, group: int, name: str | None, wanted: str) -> int:  # noqa: ANN401
    plain = _VALUE_BYTES * int(file.metadata.row_group(group).num_rows)
    if name is None:
        return plain
    leaves = _find_leaves(file, name)
    stored = sum(int(file.metadata.row_group(group).column(leaf).total_uncompressed_size) for leaf in leaves)
    text = find_leaf(file, name)
    numbered = pa.types.is_dictionary(file.schema_arrow.field(name).type)
    is_written = wanted not in BY_NAME or BY_NAME[wanted].kind == "text"
    if text is not None and is_bloated(file, stream, group, text):
        return plain + (_bound_texts(file, stream, group, text) if is_written else stored)
    if numbered and is_written and len(leaves) == 1:
        return plain + _bound_texts(file, stream, group, leaves[0])
    return max(plain, stored)


def _bound_texts(file: pq.ParquetFile, stream: Any, group: int, leaf: int) -> int:  # noqa: ANN401
    """Return how many bytes the texts of a column take at most when each is written out."""
    chunk = file.metadata.row_group(group).column(leaf)
    name = file.metadata.schema.column(leaf).path
    peeking = pq.ParquetFile(stream, metadata=file.metadata, read_dictionary=[name], buffer_size=_PEEKED_BYTES)
    batches = peeking.iter_batches(batch_size=1, row_groups=[group], columns=[name], use_threads=False)
    first = next(batches, None)
    if first is None or not pa.types.is_dictionary(first.column(0).type):
        return int(chunk.total_uncompressed_size)
    texts = first.column(0).dictionary
    kind = texts.type
    if not (pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind)):
        return int(chunk.total_uncompressed_size)
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    return int(chunk.num_values * longest + chunk.total_uncompressed_size)


def _find_leaves(file: pq.ParquetFile, name: str) -> list[int]:
    """Return the indices of the stored columns that make up a column."""
    schema = file.metadata.schema
    paths = (schema.column(index).path for index in range(file.metadata.num_columns))
    return [index for index, path in enumerate(paths) if path == name or path.startswith(f"{name}.")]
