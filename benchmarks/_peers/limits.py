"""What this machine can do at most: reading a file into memory, and moving bytes, on all cores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._peers import stages as s
from benchmarks._peers.implementation import Work


def limit_work(limit: s.Limit, *, csv: Path, parquet: Path, rows: int) -> Work:
    """Return what a stage is held against, ready to be done again and again."""
    match limit:
        case "parse CSV, 19 columns":
            return lambda: _parse_csv(csv, s.TEXT_IN_CSV)
        case "parse CSV, 12 columns":
            return lambda: _parse_csv(csv, (s.ID,), include_columns=list(s.COLUMNS))
        case "read Parquet, 12 columns":
            return lambda: _read_parquet(parquet)
        case "read 16 B/row":
            a, b = np.ones(rows), np.ones(rows)
            return _on_all_cores(lambda part: float(np.dot(a[part], b[part])), rows)
        case "copy 8 B/row":
            source, target = np.ones(rows), np.ones(rows)
            return _on_all_cores(lambda part: np.copyto(target[part], source[part]), rows)


def _parse_csv(csv: Path, texts: tuple[str, ...], **options: Any) -> Any:
    import pyarrow as pa
    import pyarrow.csv

    convert = pa.csv.ConvertOptions(column_types=dict.fromkeys(texts, pa.string()), **options)
    return pa.csv.read_csv(csv, convert_options=convert)


def _read_parquet(parquet: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(parquet, columns=list(s.COLUMNS))


def _on_all_cores(task: Callable[[slice], Any], rows: int) -> Work:
    """Return the work of doing a task to equal shares of the rows, on threads that are already there."""
    from dask.system import cpu_count

    cores = cpu_count()
    pool = ThreadPoolExecutor(cores)
    bounds = [rows * core // cores for core in range(cores + 1)]
    return lambda: list(pool.map(task, map(slice, bounds[:-1], bounds[1:])))
