"""Buckets: a partition's messages on disk by ranges of vehicles, so that a task can read one range of all partitions.

A file has a chunk for each bucket that has a message, an Arrow IPC stream of its own, and behind them the list of its
chunks as JSON, the length of that list (4 bytes) and four letters, as a Parquet file ends.
"""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from cdpipe.columns import TIME, VEHICLE
from cdpipe.engine.files.digests import DamageError, HashingFile, hash_bytes, reading
from cdpipe.engine.files.parts import Flush, Written, read_footer, table_to_frame, to_arrow, writing_beside
from cdpipe.stages.order import Key

SUFFIX: Final = ".buckets"
_END: Final = b"CDPB"
_LENGTH_BYTES: Final = 4
_FEW_LABELS: Final = 64


class Chunk(NamedTuple):
    """The messages of one bucket in one file, in their order.

    Attributes
    ----------
    bucket
        Its number.
    offset, bytes, rows
        Where in the file it begins, and its size.
    digest
        Of its bytes.
    first, last
        Keys of its first and its last message, by their times as they were recorded.
    path
        The file.
    """

    bucket: int
    offset: int
    bytes: int
    rows: int
    digest: str
    first: Key
    last: Key
    path: Path = Path()


def number_buckets(vehicle: NDArray[np.uint64], buckets: int) -> NDArray[np.int64]:
    """Return the bucket of each vehicle's hash, shape (n,): equal ranges of hashes, so that it never falls."""
    high = vehicle >> np.uint64(32)
    return ((high * np.uint64(buckets)) >> np.uint64(32)).astype(np.int64)


def write_buckets(frame: pd.DataFrame, path: Path, *, buckets: int, flush: Flush = "now") -> Written:
    """Write ordered messages (`stages.order.apply`) by buckets, as `parts.write_part` writes a part."""
    with writing_beside(path, flush=flush) as stream:
        listed = json.dumps({"chunks": _write_chunks(frame, stream, buckets)}).encode()
        footer = listed + len(listed).to_bytes(_LENGTH_BYTES, "little") + _END
        stream.write(footer)
        return Written(len(frame), stream.tell(), stream.digest, hash_bytes(footer))


def _write_chunks(frame: pd.DataFrame, stream: HashingFile, buckets: int) -> list[Any]:
    """Write the schema, then a chunk for each bucket that has a message; return what is to be listed of them."""
    table = to_arrow(frame)
    stream.write(_pack(table.slice(0, 0)))
    table = table.replace_schema_metadata(None)
    vehicle, time = frame[VEHICLE].to_numpy(np.uint64), frame[TIME].to_numpy(np.int64)
    number = number_buckets(vehicle, buckets)
    bounds = np.flatnonzero(np.diff(number, prepend=-1, append=-1)).tolist() if len(frame) else []
    chunks = []
    for start, stop in pairwise(bounds):
        offset, data = stream.tell(), _pack(table.slice(start, stop - start))
        stream.write(data)
        ends = ((int(vehicle[at]), int(time[at])) for at in (start, stop - 1))
        chunks.append((int(number[start]), offset, len(data), stop - start, hash_bytes(data), *ends))
    return chunks


def list_chunks(path: Path, known: Written) -> list[Chunk]:
    """Return the chunks of a file.

    Raises
    ------
    DamageError
        If its list is not what was written there.
    """
    listed = json.loads(read_footer(path, known)[: -_LENGTH_BYTES - len(_END)])
    return [
        Chunk(bucket, offset, size, rows, digest, Key(*first), Key(*last), path)
        for bucket, offset, size, rows, digest, first, last in listed["chunks"]
    ]


def read_chunk(chunk: Chunk) -> pa.Table:
    """Read a chunk.

    Raises
    ------
    DamageError
        If it is not what was written there.
    """
    with reading(chunk.path), chunk.path.open("rb", buffering=0) as stream:
        stream.seek(chunk.offset)
        data = stream.read(chunk.bytes)
    if len(data) != chunk.bytes or hash_bytes(data) != chunk.digest:
        raise DamageError(f"{chunk.path.name} has other bytes at {chunk.offset:,} than were written there", chunk.path)
    return pa.ipc.open_stream(data).read_all()


def find_place(table: pa.Table, key: Key) -> int:
    """Return the index in a chunk of the first message that does not come before a key."""
    vehicle = table[VEHICLE].to_numpy()
    start, stop = (int(np.searchsorted(vehicle, np.uint64(key.vehicle), side)) for side in ("left", "right"))
    return start + int(np.searchsorted(table[TIME].to_numpy()[start:stop], key.time_us))


def join_chunks(tables: Sequence[pa.Table], schema: pa.Schema, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the rows of some chunks, or some columns of them, one after another, with the types that were written."""
    empty = schema.empty_table() if columns is None else schema.empty_table().select(list(columns))
    return table_to_frame(pa.concat_tables([empty, *tables]).replace_schema_metadata(schema.metadata))


def read_schema(path: Path) -> pa.Schema:
    """Return the schema of a file's chunks, with what pandas notes of its types.

    Raises
    ------
    DamageError
        If it cannot be read.
    """
    with reading(path), path.open("rb") as stream:
        try:
            return pa.ipc.open_stream(stream).schema
        except pa.ArrowInvalid as error:
            raise DamageError(f"{path.name} cannot be read ({error})", path) from None


def _pack(table: pa.Table) -> memoryview:
    """Return rows as an Arrow stream, with no more labels than they have."""
    sink = pa.BufferOutputStream()
    narrow = pa.table([_spare_labels(column) for column in table.columns], schema=table.schema)
    with pa.ipc.new_stream(sink, narrow.schema) as stream:
        stream.write_table(narrow)
    return memoryview(sink.getvalue())


def _spare_labels(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_dictionary(column.type) or column.num_chunks != 1:
        return column
    array = column.chunk(0)
    if len(array.dictionary) <= _FEW_LABELS:
        return column
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    used, places = np.unique(codes, return_inverse=True)
    nulls = int(used.size > 0 and used[0] < 0)
    texts = array.dictionary.take(pa.array(used[nulls:]))
    places = (places - nulls).astype(np.int32)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array(places, mask=places < 0), texts)])
