"""Every finding that the attribution can make: its code, title, supporting figures, general remedies and their worth.

A `Cause` is data. Which of those of a class it is, if the class has several, the shares say: `decider` is the share
that must be the largest of the class's. Why slots had nothing to do is told by `cdpipe.perf.analysis.idleness`.
"""

from dataclasses import dataclass
from typing import Final

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.settings.remedies import Remedy


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
        The share that tells it from other findings of the class; `""` where there is no other, or where no share does.
    facts
        Supporting figures.
    remedies
        What any program can try, the most effective first. A project's own take their place.
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


_TASKS: Final = Fact("{} tasks, half of them shorter than {}", ("tasks", "task_seconds_p50"))
_QUEUE: Final = Fact("{} tasks ready and waiting on average, at most {}", ("queue_mean", "ready_queue_max"))
_CPU: Final = Fact("processors busy {} of the time on {} cores", ("cpu_percent", "cores"))
_PEAK: Final = Fact("memory at most {}, {} of the limit", ("tree_peak_bytes", "memory_percent"))
_SPILLED: Final = Fact("moved from memory to disk: {}", ("spilled_bytes",))
_SLOWEST: Final = Fact("slowest task {}, half of them shorter than {}", ("task_seconds_max", "task_seconds_p50"))
_COUNT: Final = Fact("{} tasks for {} slots", ("tasks", "cores"))
_CARRIED: Final = Fact("carried over the network: {}", ("network_bytes",))

_PROFILE: Final = Remedy("profile it: find the hottest function, and give it a better algorithm or compiled code")
_LESS_MEMORY: Final = (
    Remedy("work on less at a time, in blocks that fit"),
    Remedy("hold fewer blocks at once, and let go of each as soon as it is done"),
)

CAUSES: Final[tuple[Cause, ...]] = (
    Cause(
        "A101",
        "the slots are full of computing",
        Bound.COMPUTE,
        "compute",
        (_CPU, _TASKS),
        (_PROFILE, Remedy("do not compute twice: keep results"), Remedy("use more cores")),
        "computing",
    ),
    Cause(
        "A103",
        "the slots are full of garbage collection",
        Bound.COMPUTE,
        "gc",
        (_CPU, _PEAK),
        (Remedy("make fewer Python objects: arrays instead of lists and dictionaries"),),
        "computing and collecting garbage",
    ),
    Cause(
        "A201",
        "the slots wait for memory: it is reclaimed, swapped or spilled",
        Bound.MEMORY,
        "memory",
        (_PEAK, _SPILLED),
        _LESS_MEMORY,
        "waiting for memory",
    ),
    Cause("A202", "the peak is near the memory limit", Bound.MEMORY, "", (_PEAK, _SPILLED), _LESS_MEMORY, ""),
    Cause(
        "A301",
        "the slots wait for the disk",
        Bound.DISK,
        "",
        (
            Fact("read {}, written {}", ("read_bytes", "write_bytes")),
            Fact("the disk was busy {} of the time", ("disk_busy",)),
            Fact("served from memory: {} of what was read", ("page_cache_share",)),
        ),
        (
            Remedy("move fewer bytes: leave out what is not used, pack what is, make no second copy"),
            Remedy("keep the files on a faster disk"),
        ),
        "waiting for the disk",
    ),
    Cause(
        "A401",
        "the slots wait for the network",
        Bound.NETWORK,
        "",
        (_CARRIED, _TASKS),
        (Remedy("bring the data near, and keep answers"), Remedy("ask for several things at once")),
        "waiting for the network",
    ),
    Cause(
        "A501",
        "the slots pack and unpack what they hand to each other",
        Bound.SERIALISATION,
        "",
        (_CARRIED, _SPILLED, _TASKS),
        (Remedy("hand over less: fewer, smaller objects, arrays instead of Python objects"),),
        "packing and unpacking",
    ),
    Cause(
        "A601",
        "the slots wait for tasks to be handed out, or for the graph",
        Bound.SCHEDULER,
        "",
        (_TASKS, _QUEUE, Fact("laying the graph took {}", ("graph_seconds",))),
        (Remedy("have fewer and longer tasks"),),
        "waiting for the scheduler",
    ),
    Cause(
        "A701",
        "the slots wait for the interpreter's lock (GIL)",
        Bound.LOCK,
        "gil",
        (_CPU, _TASKS),
        (
            Remedy("replace the Python loop by array functions or compiled code, which release the lock"),
            Remedy("use processes instead of threads: each has a lock of its own"),
        ),
        "waiting for the lock",
    ),
    Cause(
        "A702",
        "the slots wait for a lock of the program",
        Bound.LOCK,
        "lock",
        (_CPU, _TASKS),
        (Remedy("hold the lock for less, or give each task what it guards"),),
        "waiting for the lock",
    ),
    Cause(
        "A801",
        "the slots wait for something outside: a sleep, a child process, a service",
        Bound.WAITING,
        "",
        (_CPU, _TASKS),
        (Remedy("find what it waits for, and keep its answers"), Remedy("wait for several things at once")),
        "waiting",
    ),
    Cause(
        "A901",
        "the slots have nothing to do: too few tasks, a chain of them, or one long one",
        Bound.PARALLELISM,
        "",
        (_COUNT, _SLOWEST),
        (Remedy("split the work into more tasks of like length, several for each slot"),),
        "having nothing to do",
    ),
    Cause(
        "A902",
        "the slots have nothing to do: there are too few tasks",
        Bound.PARALLELISM,
        "",
        (_COUNT, _SLOWEST),
        (Remedy("split the work into more tasks, several for each slot"),),
        "having nothing to do",
    ),
    Cause(
        "A903",
        "the slots have nothing to do: they wait for one task that takes much longer than the others",
        Bound.PARALLELISM,
        "",
        (_SLOWEST, _COUNT),
        (Remedy("make the longest task shorter, or begin with it"),),
        "having nothing to do",
    ),
    Cause(
        "A904",
        "the slots have nothing to do: tasks wait for each other, and too few are ready at once",
        Bound.PARALLELISM,
        "",
        (_COUNT, _QUEUE),
        (Remedy("take out the dependencies that make tasks run one after the other"),),
        "having nothing to do",
    ),
    Cause(
        "A905",
        "the slots have nothing to do: the program works outside of its tasks",
        Bound.PARALLELISM,
        "",
        (_COUNT, _TASKS),
        (Remedy("move what the program does between its tasks into tasks, or do it while they run"),),
        "having nothing to do",
    ),
)

NEAR_LIMIT: Final = next(cause for cause in CAUSES if cause.code == "A202")
_BY_CODE: Final = {cause.code: cause for cause in CAUSES}
_BY_CLASS: Final = {
    bound: tuple(cause for cause in CAUSES if cause.bound is bound and cause is not NEAR_LIMIT) for bound in Bound
}


def causes_of(bound: Bound) -> tuple[Cause, ...]:
    """Return the findings of a class that shares tell apart; none for *mixed*, *insufficient data* and such."""
    return _BY_CLASS[bound]


def cause_of(code: str) -> Cause:
    """Return the finding with a code.

    Raises
    ------
    KeyError
        If there is none.
    """
    return _BY_CODE[code]
