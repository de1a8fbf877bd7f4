"""The kernels that read CSV text, compiled by a process beside this one: on a machine's first run, and only then.

They take half of all that a first run compiles, and Numba compiles one function at a time in a process. Meanwhile this
one compiles what the other stages need, and finds these on disk afterwards. So do the workers of a cluster, which would
otherwise all compile them at once.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import numpy as np

from cdpipe.kernels.buffers.selection import Kept
from cdpipe.kernels.compiling.jit import is_kept, why_unkept
from cdpipe.kernels.csv import records
from cdpipe.kernels.draws.keyed import ATTACKER
from cdpipe.kernels.draws.thresholds import choose_threshold, is_chosen
from cdpipe.kernels.text.dictionary import number_cells
from cdpipe.kernels.text.packing import pack_cells

_CHILD: Final = "from cdpipe.kernels.warm_up import read_one_line; read_one_line()"
LEAST_PATIENCE_S: Final = 30.0
"""How long the other process may still take when this one has compiled its half; or as long as that took, if longer."""

_WIDTHS: Final = (np.uint8, np.uint16, np.uint64)


def needs_compiling() -> bool:
    """Return True if the kernels that read are not on disk yet, and will be kept there."""
    return not is_kept(records._read) and not why_unkept()


@contextmanager
def compiling_ahead() -> Iterator[None]:
    """Have the reading kernels compiled beside what is done within, and be done with both at the end.

    Where their machine code is on disk, or none can be kept there, nothing happens. Where the other process cannot be
    started, fails or hangs nothing is lost but time: a kernel that is not on disk is compiled when it is called.
    """
    child = _start() if needs_compiling() else None
    if child is None:
        yield
        return
    start_s = time.monotonic()
    try:
        yield
        _compile_what_follows()
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(LEAST_PATIENCE_S, time.monotonic() - start_s))
    finally:
        child.kill()
        with suppress(subprocess.TimeoutExpired):  # the kernel may hold it at a disk; it is waited for some other time
            child.wait(LEAST_PATIENCE_S)


def _start() -> subprocess.Popen[bytes] | None:
    """Start the process that compiles; None if none can be had."""
    if not sys.executable:
        return None
    # It finds the modules that this process finds, and none that only happen to lie in its folder (-P).
    with suppress(OSError):
        return subprocess.Popen(  # noqa: S603 - our own interpreter and words
            [sys.executable, "-P", "-c", _CHILD],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    return None


def read_one_line() -> None:
    """Read a record with a column of each sort, which compiles all that reading takes."""
    nothing: list[tuple[()]] = [()]
    wanted = records.want(floats=[0], integers=[1], times=[2], texts=[3], float_nulls=nothing, integer_nulls=nothing)
    records.read_records(b"1.5,1,2019-07-01,a\n", wanted, fields=4)


def _compile_what_follows() -> None:
    """Compile what partitions with rows need, and the rehearsal of stages without rows does not."""
    text, bounds = np.frombuffer(b"ab", np.uint8), np.arange(3)
    number_cells(text, bounds[:-1], bounds[1:])
    pack_cells(text, bounds[:-1], bounds[1:])
    for width in _WIDTHS:
        Kept(np.array([True, False])).of(np.zeros(2, width))
    key, last = choose_threshold(bounds, seed=0, purpose=ATTACKER, count=1)
    is_chosen(bounds, seed=0, purpose=ATTACKER, threshold_key=key, threshold_hash=last)
