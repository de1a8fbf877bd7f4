"""Peak memory of one work, in a process of its own that has done nothing else."""

import ctypes
import gc
import multiprocessing
import re
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

T = TypeVar("T")

PRELOAD: Final = ("polars", "duckdb", "pandas", "pyarrow.csv", "pyarrow.parquet", "dask.dataframe")
OWN_PRELOAD: Final = ("cdpipe.engine.frames", "cdpipe.stages.attacks", "cdpipe.engine.threads")
WARM_UP_ROWS: Final = 1_000
_RESET_PEAK: Final = "5"  # Documentation/filesystems/proc.rst of Linux, clear_refs


def apart(function: Callable[..., T], *args: Any) -> T:
    """Return what a function returns in a process of its own: a fork of one that only imported the libraries."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOAD, *OWN_PRELOAD])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args).result()


def peak_mb(stage_name: str, name: str, rows: int, scratch: Path) -> float | None:
    """Return the peak of a stage's work in this process, which should do nothing else; see `measure_peak_mb`.

    Parameters
    ----------
    stage_name, name
        Which stage, and whose work.
    rows
        Of the data set. It must have been made, and one of `WARM_UP_ROWS` rows: with that the work is done once
        before, so that what is loaded or compiled for good does not count.
    scratch
        Where the stage's input is stored. It must be: whoever makes it here leaves room that its allocator keeps, and
        that the work then uses unseen.
    """
    from benchmarks._peers.implementations import BY_NAME
    from benchmarks._peers.messages import place
    from benchmarks._peers.stages import STAGES

    stage = next(each for each in STAGES if each.name == stage_name)
    with TemporaryDirectory(prefix="cdpipe-peers-") as elsewhere:
        few = BY_NAME[name](*place(WARM_UP_ROWS), Path(elsewhere))
        few.discard(few.prepare(stage)())
    one = BY_NAME[name](*place(rows), scratch)
    result: list[Any] = []
    work = one.prepare(stage)
    peak = measure_peak_mb(lambda: result.append(work()))
    one.discard(result[0])
    return peak


def measure_peak_mb(work: Callable[[], Any]) -> float | None:
    """Return how far resident memory rose above what it was before, while the work ran: MB of 1e6 bytes.

    It is the kernel's own record (`VmHWM`), so no moment is missed. Pages of files that the work maps count while they
    are mapped. None of the implementations starts processes; one that the work started, and waited for, would count
    by its own peak.

    Returns
    -------
    float or None
        None where the kernel keeps no record that can be reset (other systems than Linux).
    """
    _settle()
    try:
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    except OSError:
        return None
    before, children = _status_bytes("VmRSS"), _largest_child_bytes()
    result = work()
    started = _largest_child_bytes()
    peak = _status_bytes("VmHWM") + (started if started > children else 0)
    del result
    return (peak - before) / 1e6


def _settle() -> None:
    """Have what loading the input left behind given back, lest the work finds room that was counted before it."""
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _status_bytes(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        raise OSError(f"/proc/self/status tells no {name}")
    return int(found[1]) * 1024


def _largest_child_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
