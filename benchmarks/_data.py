"""Inputs of the benchmarks: made once a machine by a frozen generator, and kept outside asv's environments.

The tested commit must not make what it is measured on, so nothing here imports cdpipe; the messages themselves are in
`_messages`. `VERSION` is in the folder's name: whoever changes what is generated raises it, and a test with digests
reminds them. Data sets are made in a process of their own, so that the peak memory of a benchmark does not see it.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks import _messages
from benchmarks._sizes import FAMILIES, WARM_UP, count_rows, sizes

VERSION: Final = 1
PART_ROWS: Final = 250_000
LEAST_PARTS: Final = 4

KINDS: Final[dict[str, Callable[[int, int], pa.Table]]] = {
    "csv": _messages.raw,
    "raw": _messages.raw,
    "gathered": _messages.gathered,
    "cleaned": _messages.cleaned,
    "attacked": _messages.attacked,
    "features": _messages.features,
}
"""(first row, rows) -> rows. `csv` is one text file, the others folders of Parquet parts."""


def root() -> Path:
    """Return the folder of all data sets of this version: in `CDPIPE_BENCH_DATA`, else in the user's cache folder."""
    own = os.environ.get("CDPIPE_BENCH_DATA")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(own) if own else Path(base) / "cdpipe-benchmarks").absolute() / f"v{VERSION}"


def place(kind: str, label: str) -> Path:
    """Return where a data set is or will be: a CSV file, or a folder of Parquet files."""
    folder = root() / f"{kind}-{label}"
    return folder / "messages.csv" if kind == "csv" else folder


def wanted(suite: str) -> list[tuple[str, str]]:
    """Return the data sets, (kind, label) each, that a suite reads, the smallest first."""
    pairs = {
        (kind, label)
        for name, family in FAMILIES.items()
        for kind in family.data
        for label in (*sizes(suite, name), WARM_UP)
    }
    return sorted(pairs, key=lambda pair: (count_rows(pair[1]), pair[0]))


@cache
def need(kind: str, label: str) -> Path:
    """Return where a data set is, after a process of its own has made it, if it was missing.

    Raises
    ------
    OSError
        If it could not be made.
    """
    where = place(kind, label)
    if not where.exists():
        package = Path(__file__).resolve().parent
        path = os.pathsep.join(filter(None, (str(package.parent), os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-m", package.name, "make", kind, label]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=False)
        if done.returncode:
            raise OSError(f"{where}: could not be made: {done.stderr.decode(errors='replace').strip()}")
    return where


def make(kind: str, label: str) -> Path:
    """Make a data set, unless it is there; return where it is. Memory is bounded by a part's.

    Raises
    ------
    ValueError
        If there is no such kind, or the label means no number of rows.
    OSError
        If it cannot be written.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no kind of data {kind!r}; use {', '.join(KINDS)}")
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
    parts = (KINDS[kind](start, stop - start) for start, stop in _cut(rows))
    if kind != "csv":
        for index, part in enumerate(parts):
            pq.write_table(part, folder / f"part-{index:04d}.parquet", row_group_size=max(1, part.num_rows))
        return
    first = next(parts)
    options = pa.csv.WriteOptions(quoting_style="none")
    with pa.csv.CSVWriter(folder / "messages.csv", first.schema, write_options=options) as writer:
        writer.write_table(first)
        for part in parts:
            writer.write_table(part)


def _cut(rows: int) -> Iterator[tuple[int, int]]:
    """Cut rows into parts: small enough for memory, and enough of them for every core."""
    step = min(PART_ROWS, max(1, -(-rows // LEAST_PARTS)))
    for start in range(0, rows, step):
        yield start, min(start + step, rows)
