"""Inputs of the benchmarks: made once a machine by a frozen generator, and kept outside asv's environments.

The tested commit must not make what it is measured on, so nothing here or in `_make` imports cdpipe. `VERSION` is in
the folder's name: whoever changes what is generated raises it, and a test with digests reminds them. Data sets are made
in a process of their own, so that the peak memory of a benchmark does not see it. This module is imported by every
process that asv starts, and so imports little.
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

from benchmarks._sizes import FAMILIES, WARM_UP, count_rows, sizes

VERSION: Final = 1
KINDS: Final = ("csv", "raw", "gathered", "cleaned", "attacked", "features")
"""What of each stage is its input: `csv` is one text file, the others folders of Parquet parts (`_make.MAKERS`)."""

LONGITUDE_DEG: Final = -106.0831353
LATITUDE_DEG: Final = 41.5430216
"""Centre of the area; one message in twenty is within 20 km of it."""


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
