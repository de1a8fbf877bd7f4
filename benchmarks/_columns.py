"""Columns of the data sets as arrays in memory: what kernels take."""

from typing import Any

import numpy as np

from benchmarks import _data


def read_column(kind: str, rows: str, name: str) -> Any:
    """Return a column of a data set as one Arrow array."""
    import pyarrow.parquet as pq

    return pq.read_table(_data.place(kind, rows), columns=[name])[name].combine_chunks()


def read_positions(rows: str) -> tuple[Any, Any]:
    """Return longitudes and latitudes, NaN where there is none."""
    names = ("coreData_position_long", "coreData_position_lat")
    lon, lat = (read_column("gathered", rows, name).to_numpy(zero_copy_only=False) for name in names)
    return lon, lat


def read_cells(kind: str, rows: str, name: str) -> tuple[Any, Any, Any]:
    """Return a text column as bytes and the bounds of each cell."""
    column = read_column(kind, rows, name).cast("large_string")
    _nulls, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int64)[: len(column) + 1]
    return np.frombuffer(data, np.uint8), bounds[:-1], bounds[1:]
