"""Every finding that the attribution can make: its code, title, supporting figures, remedies and what they are worth.

A `Cause` is data. Which of those of a class it is, if the class has several, the shares say: `decider` is the share
that must be the largest of the class's.
"""

from dataclasses import dataclass
from typing import Final

from cdpipe.perf.analysis.bounds import Bound, Remedy


@dataclass(frozen=True, slots=True)
class Fact:
    """Figures that a finding rests on, and their wording; it is said if all of them were measured."""

    text: str
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """A finding.

    Attributes
    ----------
    code, title
        Short name and wording.
    bound
        The class it is of.
    decider
        The share that tells it from other findings of the class; `""` where there is no other, or for the peak of
        memory, which is no share.
    facts
        Supporting figures.
    remedies
        What to do, the most effective first.
    gain
        What is gained where the share shrinks, after which the factor is written.
    """

    code: str
    title: str
    bound: Bound
    decider: str
    facts: tuple[Fact, ...]
    remedies: tuple[Remedy, ...]
    gain: str


_TASKS: Final = Fact("task_seconds_p50 = {} over {} tasks", ("task_seconds_p50", "tasks"))
_QUEUE: Final = Fact("queue_mean = {}, ready_queue_max = {}", ("queue_mean", "ready_queue_max"))
_CPU: Final = Fact("cpu_percent = {} of {} cores", ("cpu_percent", "cores"))
_PEAK: Final = Fact("tree_peak_bytes = {}, {} of the limit", ("tree_peak_bytes", "memory_percent"))
_SPILLED: Final = Fact("spilled_bytes = {}", ("spilled_bytes",))
_SLOWEST: Final = Fact("slowest task {}, half of them below {}", ("task_seconds_max", "task_seconds_p50"))

_SMALLER: Final = Remedy("make partitions smaller", ("gather.block_mb",))
_LARGER: Final = Remedy("make partitions larger, so that there are fewer of them", ("gather.block_mb",))
_THREADS: Final = Remedy(
    "run in this process's threads, which hand over nothing, if the work fits one machine", ("session.scheduler",)
)
_KEEP: Final = Remedy("do not compute twice: keep the stage's output", ("cache.enabled", "cache.stages"))
_MEMORY: Final = (
    _SMALLER,
    Remedy("hold fewer partitions at once", ("session.workers", "session.threads_per_worker")),
    Remedy("raise the limit, if the machine has the memory", ("session.memory_limit_gb",)),
    Remedy(
        "let a local cluster spill, early and to a fast disk",
        ("session.scheduler", "session.spill_target", "session.spill_directory"),
    ),
    Remedy("work in increments: keep finished stages, so that a run holds one at a time", ("cache.stages",)),
)

CAUSES: Final[tuple[Cause, ...]] = (
    Cause(
        "A101",
        "the slots are full of computing",
        Bound.COMPUTE,
        "compute",
        (_CPU, _TASKS),
        (
            Remedy("use more cores, here or on a cluster", ("session.workers", "session.scheduler")),
            _KEEP,
            Remedy("read and carry fewer columns", ("gather.columns", "clean.columns", "features.columns")),
            Remedy("profile it; give the hottest loop a better algorithm, or a compiled kernel"),
        ),
        "computing",
    ),
    Cause(
        "A102",
        "the slots wait for cores that other work has",
        Bound.COMPUTE,
        "contention",
        (_CPU,),
        (
            Remedy("stop the other work, or run elsewhere", ("session.scheduler",)),
            Remedy("have no more threads than free cores", ("session.threads_per_worker", "session.workers")),
        ),
        "waiting for cores that other work has",
    ),
    Cause(
        "A103",
        "the slots are full of garbage collection",
        Bound.COMPUTE,
        "gc",
        (_CPU, _PEAK),
        (
            Remedy("make fewer Python objects: Parquet instead of JSON or text", ("input.format",)),
            _LARGER,
        ),
        "computing and collecting garbage",
    ),
    Cause(
        "A201",
        "the slots wait for memory: it is reclaimed, swapped or spilled",
        Bound.MEMORY,
        "memory",
        (_PEAK, _SPILLED),
        _MEMORY,
        "waiting for memory",
    ),
    Cause("A202", "the peak is near the memory limit", Bound.MEMORY, "", (_PEAK, _SPILLED), _MEMORY, ""),
    Cause(
        "A301",
        "the slots wait for the disk",
        Bound.DISK,
        "",
        (
            Fact("read_bytes = {}, write_bytes = {}", ("read_bytes", "write_bytes")),
            Fact("disk_busy = {}", ("disk_busy",)),
            Fact("page_cache_share = {}", ("page_cache_share",)),
        ),
        (
            Remedy("read Parquet, not CSV or JSON: gather once and start from its data set", ("input.format",)),
            Remedy("read fewer columns", ("gather.columns",)),
            Remedy("keep outputs on the fastest disk there is", ("cache.directory", "output.directory")),
            Remedy("write less", ("cache.stages", "output.dataset")),
        ),
        "waiting for the disk",
    ),
    Cause(
        "A401",
        "the slots wait for the network",
        Bound.NETWORK,
        "",
        (Fact("network_bytes = {}", ("network_bytes",)), _TASKS),
        (
            Remedy("bring the input near: gather it once to a local data set", ("input.paths", "cache.stages")),
            _THREADS,
            Remedy("carry fewer columns", ("clean.columns", "features.columns")),
        ),
        "waiting for the network",
    ),
    Cause(
        "A501",
        "the slots pack and unpack what they hand to each other",
        Bound.SERIALISATION,
        "",
        (Fact("network_bytes = {}", ("network_bytes",)), _SPILLED, _TASKS),
        (
            _THREADS,
            Remedy(
                "have fewer workers with more threads each: threads share memory",
                ("session.workers", "session.threads_per_worker"),
            ),
            Remedy("carry fewer columns, and no text", ("clean.columns", "features.columns")),
        ),
        "packing and unpacking",
    ),
    Cause(
        "A601",
        "the slots wait for tasks to be handed out, or for the graph",
        Bound.SCHEDULER,
        "",
        (_TASKS, _QUEUE, Fact("graph_seconds = {}", ("graph_seconds",))),
        (
            _LARGER,
            _THREADS,
            Remedy("have fewer slots to feed", ("session.workers", "session.threads_per_worker")),
        ),
        "waiting for the scheduler",
    ),
    Cause(
        "A701",
        "the slots wait for the interpreter's lock (GIL)",
        Bound.LOCK,
        "gil",
        (_CPU, _TASKS),
        (
            Remedy(
                "run in processes of one thread each: every process has a lock of its own",
                ("session.scheduler", "session.workers", "session.threads_per_worker"),
            ),
            Remedy("replace the Python loop by array functions or a compiled kernel, which release the lock"),
        ),
        "waiting for the lock",
    ),
    Cause(
        "A702",
        "the slots wait for a lock of the program",
        Bound.LOCK,
        "lock",
        (_CPU, _TASKS),
        (
            Remedy("hold the lock for less, or give each partition what it guards"),
            Remedy("have one thread in each process, if the lock is the process's", ("session.threads_per_worker",)),
        ),
        "waiting for the lock",
    ),
    Cause(
        "A801",
        "the slots wait for something outside: a sleep, a child process, a service",
        Bound.WAITING,
        "",
        (_CPU, _TASKS),
        (
            Remedy("wait in more threads at once: waiting takes no core", ("session.threads_per_worker",)),
            Remedy("find what it waits for, and keep its answers", ("cache.stages",)),
        ),
        "waiting",
    ),
    Cause(
        "A901",
        "the slots have nothing to do: too few tasks, a chain of them, or one long one",
        Bound.PARALLELISM,
        "",
        (Fact("{} tasks for {} cores", ("tasks", "cores")), _SLOWEST),
        (
            Remedy("make partitions smaller, so that every slot has several", ("gather.block_mb",)),
            Remedy("make the longest task shorter, or begin with it"),
            Remedy("leave the other cores to other runs", ("session.workers", "session.threads_per_worker")),
        ),
        "having nothing to do",
    ),
)

_BY_CLASS: Final = {
    bound: tuple(cause for cause in CAUSES if cause.bound is bound and (cause.decider or cause.code != "A202"))
    for bound in Bound
}
NEAR_LIMIT: Final = next(cause for cause in CAUSES if cause.code == "A202")


def causes_of(bound: Bound) -> tuple[Cause, ...]:
    """Return the findings of a class that shares tell apart; none for *mixed*, *insufficient data* and such."""
    return _BY_CLASS[bound]
