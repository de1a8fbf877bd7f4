"""One partition on disk: a Parquet file that is there whole or not at all."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from io import FileIO
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cdpipe.engine.files.byte_ranges import open_arrow
from cdpipe.engine.files.digests import DamageError, HashingFile, Kept, hash_bytes, hash_file, reading, require_kept
from cdpipe.oserrors import naming
from cdpipe.stages.frames.conversion import label_values
from cdpipe.stages.frames.pandas_compat import iterate_arrays

_KNOWN_TYPES: Final = 64
_FOOTER_END_BYTES: Final = 8
"""A Parquet file ends with the length of its footer, four bytes, and `PAR1`."""

Flush = Literal["now", "soon", "never"]
"""When a part goes to the disk: before it has its name, while others are written, or when the kernel likes.

Who says "soon" flushes it before anybody relies on it; "never" is for what goes when the run ends, however it ends.
"""

_NOTE: Final = b"cdpipe.nulls"
"""Says that cdpipe wrote the file, and how many nulls each column has: Parquet's own notes are not made of all."""


class Written(NamedTuple):
    """What was written as a part.

    Attributes
    ----------
    rows, bytes
        Its size.
    digest, footer
        Digest of the whole file, and of its footer alone: that is read where nobody needs the rows.
    """

    rows: int
    bytes: int
    digest: str
    footer: str


def write_part(frame: pd.DataFrame, path: Path, *, flush: Flush = "now") -> Written:
    """Write a frame beside `path`, and only then give it that name; return what was written.

    A task done again (its worker died) writes the same bytes over its own earlier ones.
    """
    with writing_beside(path, flush=flush) as stream:
        pq.write_table(to_arrow(frame), stream, row_group_size=max(1, len(frame)), **_encode(frame))
        size = stream.tell()
        return Written(len(frame), size, stream.digest, hash_bytes(_footer(stream)))


@contextmanager
def writing_beside(path: Path, *, flush: Flush) -> Iterator[HashingFile]:
    """Open a file to be written, which gets its name when all is in it, and goes if that fails."""
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with naming(beside), HashingFile(beside) as stream:
            yield stream
            if flush == "now":
                os.fsync(stream.fileno())
            elif flush == "soon":
                stream.begin_flush()
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def note_part(path: Path, rows: int) -> Written:
    """Take what a part has now for what was written there."""
    with path.open("rb", buffering=0) as stream:
        return Written(rows, os.fstat(stream.fileno()).st_size, hash_file(path), hash_bytes(_footer(stream)))


def read_part(path: Path, columns: Sequence[str] | None = None, *, known: Written | None = None) -> pd.DataFrame:
    """Read a partition, or some of its columns, with the types it was written with.

    Parameters
    ----------
    path, columns
        What to read (None: all columns).
    known
        What was written there: the whole file must still be that.

    Raises
    ------
    DamageError
        If it is not.
    """
    if known is None:
        return _decode(path, columns)
    require_kept(Kept(path, known.digest))
    try:
        with reading(path):
            return _decode(path, columns)
    except pa.ArrowInvalid as error:
        raise DamageError(f"{path.name} cannot be read ({error})", path) from None


def _decode(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    with open_arrow(str(path)) as stream:  # a path costs Arrow a search for file systems and data sets
        return table_to_frame(
            pq.ParquetFile(stream).read(columns=None if columns is None else list(columns), use_threads=False)
        )


def read_types(path: Path, *, known: Written | None = None) -> pd.DataFrame:
    """Read a partition's columns without any row; errors as of `read_notes`."""
    return table_to_frame(read_notes(path, known=known).schema.to_arrow_schema().empty_table())


def read_notes(path: Path, *, known: Written | None = None) -> pq.FileMetaData:
    """Read what a partition's footer notes.

    Parameters
    ----------
    path
        The file.
    known
        What was written there: its footer must still be that.

    Raises
    ------
    DamageError
        If it is not.
    """
    if known is None:
        with open_arrow(str(path)) as stream:
            return pq.read_metadata(stream)
    return pq.read_metadata(pa.BufferReader(read_footer(path, known)))


def read_footer(path: Path, known: Written) -> bytes:
    """Return the footer of a file, with its length and its last letters; errors as of `read_notes`."""
    with reading(path), path.open("rb", buffering=0) as raw:
        footer = _footer(raw)
    if hash_bytes(footer) != known.footer:
        raise DamageError(f"the footer of {path.name} has other bytes than were written there", path)
    return footer


def _footer(stream: FileIO) -> bytes:
    """Return the end of a Parquet file from its footer on; all of a file that does not tell where that is."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _FOOTER_END_BYTES))
    length = int.from_bytes(stream.read(4), "little")
    stream.seek(max(0, size - length - _FOOTER_END_BYTES))
    return stream.read()


def table_to_frame(table: pa.Table) -> pd.DataFrame:
    """Turn an Arrow table of a schema that `to_arrow` made into a frame of the types that it was made of."""
    labels = [name for name, kind in zip(table.column_names, table.schema.types, strict=True) if _is_label(kind)]
    # pandas makes a Python string of every label to see that no two are the same: 30 ms for 50,000.
    frame: pd.DataFrame = table.drop_columns(labels).to_pandas()
    for name in labels:
        frame.insert(table.column_names.index(name), name, _to_labels(table[name]))  # type: ignore[arg-type]
    return frame


def _is_label(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind))


def _to_labels(column: pa.ChunkedArray) -> pd.Categorical:
    array = column.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # of no chunk at all
        array = pa.array([], column.type)
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return label_values(codes.astype(np.int32, copy=False), array.dictionary.cast(pa.large_string()))


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """Turn a frame into an Arrow table whose schema does not depend on its values, nor on how many labels it has.

    Nulls of whatever sort become Arrow's; what has none is not copied.
    """
    names = list(map(str, frame.columns))
    # A Series of each column would cost as much as all the rest does.
    arrays = [_to_array(values) for values in iterate_arrays(frame)]
    notes = _note_types(tuple(zip(names, map(_plain, frame.dtypes), strict=True)))
    nulls = {name: array.null_count for name, array in zip(names, arrays, strict=True)}
    note = json.dumps({"rows": len(frame), "nulls": nulls}).encode()
    fields = [
        pa.field(name, array.type, nullable=_has_nulls(dtype))
        for name, array, dtype in zip(names, arrays, frame.dtypes, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={**notes, _NOTE: note}))


def _has_nulls(dtype: Any) -> bool:  # noqa: ANN401 - any of pandas' types
    """Say whether a column of a type may hold a null; Parquet writes no levels for one that cannot: 0.3 ms in 1."""
    return not isinstance(dtype, np.dtype) or dtype.kind not in "iub"


@lru_cache(maxsize=_KNOWN_TYPES)
def _note_types(types: tuple[tuple[str, Any], ...]) -> dict[bytes, bytes]:
    """Return what pandas needs to know to read the same types back."""
    empty = pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in types})
    notes: dict[bytes, bytes] = pa.Schema.from_pandas(empty, preserve_index=False).metadata
    return notes


def _plain(dtype: Any) -> Any:  # noqa: ANN401 - any of pandas' types
    """Return a column's type, that of labels without the labels."""
    return "category" if isinstance(dtype, pd.CategoricalDtype) else dtype


def find_nulls(metadata: pq.FileMetaData) -> dict[str, int] | None:
    """Return how many nulls each column of a file has if `write_part` made it, and nobody from it; else None."""
    note = json.loads((metadata.metadata or {}).get(_NOTE, b"null"))
    if note is None or (metadata.num_rows, metadata.num_row_groups) != (note["rows"], 1):
        return None
    nulls: dict[str, int] = note["nulls"]
    return nulls


def _to_array(values: Any) -> pa.Array | pa.ChunkedArray:  # noqa: ANN401 - a NumPy array, or one of pandas' own
    if isinstance(values, pd.Categorical):
        codes = np.asarray(values.codes).astype(np.int32, copy=False)
        null = codes < 0
        places = pa.array(codes, mask=null if null.any() else None)
        texts = pa.array(values.categories, pa.large_string())
        return pa.DictionaryArray.from_arrays(places, texts)
    # The least value is nan if any is.
    if isinstance(values, np.ndarray) and values.dtype.kind == "f" and values.size and not np.isnan(values.min()):
        return pa.array(values)
    direct = isinstance(values, np.ndarray) or hasattr(values, "__arrow_array__")
    return pa.array(values if direct else pd.Series(values, copy=False), from_pandas=True)


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
