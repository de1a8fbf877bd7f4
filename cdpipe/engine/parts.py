"""One partition on disk: a Parquet file that is there whole or not at all."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

_COMPRESSION: Final = "lz4"


def write_part(frame: pd.DataFrame, path: Path) -> int:
    """Write a frame beside `path`, flush it to the disk, and only then give it that name; return its bytes.

    A task done again (its worker died) writes the same bytes over its own earlier ones.
    """
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        with beside.open("wb") as stream:
            pq.write_table(table, stream, compression=_COMPRESSION, row_group_size=max(1, len(frame)))
            stream.flush()
            os.fsync(stream.fileno())
        size = beside.stat().st_size
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return size


def read_part(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a partition, or some of its columns, with the types it was written with."""
    table = pq.read_table(path, columns=None if columns is None else list(columns), use_threads=False)
    frame: pd.DataFrame = table.to_pandas()
    return frame
