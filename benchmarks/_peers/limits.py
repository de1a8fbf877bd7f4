"""Limits of this machine: reading a file into memory, and moving bytes, on all cores."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks._peers import stages as s
from benchmarks._peers.implementation import Implementation, Work
from benchmarks._peers.reference import distance_m

_DENSE: Final = 0.5


def limit_work(stage: s.Stage, ours: Implementation, *, rows: int) -> Work:
    """Return what a stage is held against, ready to be done again and again."""
    match stage.limit:
        case "parse CSV, 19 columns":
            return lambda: _parse_csv(ours.csv, s.TEXT_IN_CSV)
        case "parse CSV":
            return lambda: _parse_csv(ours.csv, (s.ID,), include_columns=list(stage.columns))
        case "read Parquet":
            return lambda: _read_parquet(ours.parquet, stage.columns)
        case "read 16 B/row, move what stays":
            return _filter_at_best(ours, stage)
        case "read 16 B/row":
            a, b = np.ones(rows), np.ones(rows)
            return _on_all_cores(lambda part: float(np.dot(a[part], b[part])), rows)
        case "copy 8 B/row":
            source, target = np.ones(rows), np.ones(rows)
            return _on_all_cores(lambda part: np.copyto(target[part], source[part]), rows)
    raise ValueError(f"{stage.name} is held against nothing")


def _parse_csv(csv: Path, texts: tuple[str, ...], **options: Any) -> Any:
    import pyarrow as pa
    import pyarrow.csv

    convert = pa.csv.ConvertOptions(column_types=dict.fromkeys(texts, pa.string()), **options)
    return pa.csv.read_csv(csv, convert_options=convert)


def _read_parquet(parquet: Path, columns: Sequence[str]) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(parquet, columns=list(columns))


def _filter_at_best(ours: Implementation, stage: s.Stage) -> Work:
    """Return the work of a filter that knows beforehand what stays: it looks at two columns, and moves the rows.

    NumPy takes them where few stay; else it copies as many as there are, which is quicker than to take them.
    """
    from dask.system import cpu_count

    from benchmarks._peers.ours import partitions

    jobs = []
    for part in partitions(ours.take("cleaned")):
        x, y = part["x_pos"].to_numpy(), part["y_pos"].to_numpy()
        near = distance_m(x, y, s.CENTRE_LON, s.CENTRE_LAT, local=False) <= stage.radius_m
        stays = np.flatnonzero(near) if near.mean() < _DENSE else slice(np.count_nonzero(near))
        jobs.append((x, y, [array for name in part for array in _arrays(part[name])], stays))
    pool = ThreadPoolExecutor(cpu_count())
    return lambda: list(pool.map(lambda job: _look_and_move(*job), jobs))


def _look_and_move(x: Any, y: Any, columns: Sequence[Any], stays: Any) -> list[Any]:
    np.dot(x, y)
    if isinstance(stays, slice):
        return [column[stays].copy() for column in columns]
    return [np.take(column, stays) for column in columns]


def _arrays(series: Any) -> list[Any]:
    """Return the arrays that a column of pandas is made of."""
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):
        return [np.asarray(series.cat.codes)]
    if isinstance(series.dtype, pd.Int64Dtype):
        return [series.to_numpy(np.int64, na_value=0), series.isna().to_numpy()]
    return [series.to_numpy()]


def _on_all_cores(task: Callable[[slice], Any], rows: int) -> Work:
    """Return the work of doing a task to equal shares of the rows, on threads that are already there."""
    from dask.system import cpu_count

    cores = cpu_count()
    pool = ThreadPoolExecutor(cores)
    bounds = [rows * core // cores for core in range(cores + 1)]
    return lambda: list(pool.map(task, map(slice, bounds[:-1], bounds[1:])))
