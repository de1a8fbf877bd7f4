"""Workloads that compute, and those that compute on too few slots.

Passes over memory count as computing: without hardware counters a core that waits for memory looks like one at work.
"""

from cdpipe.perf.analysis.bounds import Bound

from . import outside, work
from .ground import Workload, task

FULL = frozenset({Bound.COMPUTE})
IDLE = frozenset({Bound.PARALLELISM})


def _each(function, count, *arguments):
    return lambda _ground: [task(function, *arguments) for _ in range(count)]


def _chain(function, links, cpu_s):
    def make(_ground):
        last = None
        for _ in range(links):
            last = task(function, last, cpu_s)
        return [last]

    return make


def _straggler(short, short_s, long_s):
    return lambda _ground: [task(work.mix, long_s), *(task(work.mix, short_s) for _ in range(short))]


def _forest(_ground):
    import numpy as np

    features = np.random.default_rng(1).random((4_000, 10), dtype=np.float32)
    return [task(work.fit_forest, 80, features, features[:, 0] + features[:, 1] > 1)]


SLOTS_FULL = "every slot has a task that never blocks"
HELPERS = "the one task waits for threads of a library, which have both cores busy"
COMPUTING = (
    Workload("compute/kernel, 1 slot", FULL, SLOTS_FULL, _each(work.mix, 4, 0.15), "1 slot"),
    Workload("compute/kernel, 2 slots", FULL, SLOTS_FULL, _each(work.mix, 8, 0.15)),
    Workload("compute/hash, 40 short tasks", FULL, SLOTS_FULL, _each(work.digest, 40, 0.03)),
    Workload(
        "compute/Python, 1 slot", FULL, "nobody else wants the interpreter's lock", _each(work.count, 4, 0.15), "1 slot"
    ),
    Workload(
        "compute/Python, 2 processes", FULL, "each process has a lock of its own", _each(work.count, 8, 0.15), "cluster"
    ),
    Workload("compute/kernel, 2 processes", FULL, SLOTS_FULL, _each(work.mix, 8, 0.15), "cluster"),
    Workload(
        "compute/child processes", FULL, "each task waits for a child that computes", _each(work.burn_in_child, 4, 0.3)
    ),
    Workload(
        "compute/helper threads",
        FULL,
        "the one task waits for two threads it started",
        _each(work.digest_on_helpers, 1, 0.6),
    ),
    Workload(
        "compute/helper threads of a moment",
        FULL,
        "the tasks wait for threads that they start, one pair after the other",
        _each(work.digest_on_helpers, 40, 0.015),
    ),
    Workload(
        "compute/child processes that are polled",
        FULL,
        "each task naps until its child has computed",
        _each(work.burn_in_child, 4, 0.3, 60),
    ),
    Workload("compute/BLAS threads", FULL, HELPERS, _each(work.multiply_matrices, 1, 0.6)),
    Workload(
        "compute/CSV on Arrow's threads", FULL, HELPERS, lambda ground: [task(work.parse_with_arrow, 0.6, ground.text)]
    ),
    Workload("compute/sorting in Arrow", FULL, SLOTS_FULL, _each(work.sort_with_arrow, 4, 0.3)),
    Workload("compute/forest on joblib's threads", FULL, HELPERS, _forest),
    Workload("compute/passes over memory, 2 slots", FULL, SLOTS_FULL, _each(work.add_arrays, 4, 0.3)),
    Workload(
        "compute/compressing",
        FULL,
        SLOTS_FULL,
        lambda g: [task(work.compress_with_arrow, 0.3, "zstd", g.text) for _ in range(4)],
    ),
    Workload(
        "compute/gzip from the page cache",
        FULL,
        "the file is in memory: all time goes into unpacking it",
        lambda g: [task(work.read_gzip, str(g.gzip_file), 6) for _ in range(4)],
    ),
    Workload(
        "compute/Parquet from the page cache",
        FULL,
        "the file is in memory: all time goes into decoding it",
        lambda g: [task(work.read_parquet, str(g.parquet_file), 5) for _ in range(4)],
    ),
    Workload(
        "compute/copying from the page cache",
        FULL,
        "the file is in memory: the kernel copies it, on a core",
        lambda g: [task(work.read_whole, str(g.cached_file), 20) for _ in range(4)],
    ),
    Workload(
        "compute/garbage collection, 1 slot",
        FULL,
        "the only slot collects garbage, on a core",
        _each(work.collect_garbage, 2, 0.3, 300_000),
        "1 slot",
    ),
    Workload(
        "compute/80 % beside 20 % sleep",
        FULL,
        "the slot computes four fifths of the time",
        _each(outside.sleep_and_mix, 1, 0.16, 0.64, 16),
        "1 slot",
    ),
)

ALONE = "one task at a time can run, and it uses one core: the other slot is empty"
EMPTY = (
    Workload("parallelism/chain of kernels", IDLE, ALONE, _chain(work.digest_after, 40, 0.015)),
    Workload("parallelism/chain of Python tasks", IDLE, ALONE, _chain(work.count_after, 12, 0.05)),
    Workload("parallelism/chain on a cluster", IDLE, ALONE, _chain(work.digest_after, 8, 0.1), "cluster"),
    Workload("parallelism/1 task", IDLE, ALONE, _each(work.mix, 1, 0.6)),
    Workload("parallelism/1 task on a cluster", IDLE, ALONE, _each(work.mix, 1, 0.6), "cluster"),
    Workload(
        "parallelism/straggler", IDLE, "15 short tasks end early; one long one goes on", _straggler(15, 0.005, 0.6)
    ),
    Workload(
        "parallelism/straggler on a cluster",
        IDLE,
        "3 short tasks end early; one long one goes on",
        _straggler(3, 0.02, 0.7),
        "cluster",
    ),
    Workload(
        "parallelism/3 tasks",
        IDLE,
        "after the first two, one of the three runs alone for as long again; half of that is a third",
        lambda _g: [task(work.mix, 0.15), task(work.mix, 0.6)],
    ),
    Workload(
        "parallelism/caller computes",
        IDLE,
        "no task is handed out: the caller computes by itself",
        lambda _g: lambda: work.mix(0.6),
    ),
)
