"""Making of the data sets, a part at a time: memory is bounded by a part's, whatever the rows."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks import _messages
from benchmarks._data import place, root
from benchmarks._sizes import count_rows

PART_ROWS: Final = 250_000
LEAST_PARTS: Final = 4

MAKERS: Final[dict[str, Callable[[int, int], pa.Table]]] = {
    "csv": _messages.raw,
    "raw": _messages.raw,
    "gathered": _messages.gathered,
    "cleaned": _messages.cleaned,
    "attacked": _messages.attacked,
    "features": _messages.features,
}
"""By kind: (first row, rows) -> rows."""


def make(kind: str, label: str) -> Path:
    """Make a data set, unless it is there; return where it is. It appears whole or not at all.

    Raises
    ------
    ValueError
        If there is no such kind, or the label means no number of rows.
    OSError
        If it cannot be written.
    """
    if kind not in MAKERS:
        raise ValueError(f"there is no kind of data {kind!r}; use {', '.join(MAKERS)}")
    rows = count_rows(label)
    folder = root() / f"{kind}-{label}"
    with _locked(folder.with_name(f".{folder.name}.lock")):
        if not folder.exists():
            beside = folder.with_name(f".{folder.name}.{uuid4().hex}")
            try:
                beside.mkdir(parents=True)
                _write(kind, rows, beside)
                beside.rename(folder)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
    return place(kind, label)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one maker in at a time; the lock goes with its process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(kind: str, rows: int, folder: Path) -> None:
    parts = (MAKERS[kind](start, stop - start) for start, stop in _cut(rows))
    if kind != "csv":
        for index, part in enumerate(parts):
            pq.write_table(part, folder / f"part-{index:04d}.parquet", row_group_size=max(1, part.num_rows))
        return
    first = next(parts)
    options = pa.csv.WriteOptions(quoting_style="none", quoting_header="none")
    with pa.csv.CSVWriter(folder / "messages.csv", first.schema, write_options=options) as writer:
        writer.write_table(first)
        for part in parts:
            writer.write_table(part)


def _cut(rows: int) -> Iterator[tuple[int, int]]:
    """Cut rows into parts: small enough for memory, and enough of them for every core."""
    step = min(PART_ROWS, max(1, -(-rows // LEAST_PARTS)))
    for start in range(0, rows, step):
        yield start, min(start + step, rows)
