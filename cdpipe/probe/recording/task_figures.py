"""Task figures: what each process that works for a run says of itself."""

from dataclasses import dataclass, field
from typing import NamedTuple

from cdpipe.probe.recording.duration_histogram import Durations


@dataclass(slots=True)
class TaskFigures:
    """What the tasks of one process took, as far as their own threads can tell.

    Attributes
    ----------
    durations
        Wall time of each task.
    task_cpu_seconds
        Processor time of the threads that ran tasks, while they did; the thread that opened the probe counts as a task
        while it hands out none.
    pool_cpu_seconds
        The part of it that tasks from a pool took.
    other_cpu_seconds
        Processor time of the process that was for no task: of threads between tasks, of those that hand tasks out and
        move data, and of a whole process that only schedules. What is neither is of helpers that libraries started.
    gc_task_seconds, gc_other_seconds
        Processor time of garbage collection within tasks, and elsewhere.
    graph_seconds
        Wall time for building and ordering graphs.
    """

    durations: Durations = field(default_factory=Durations)
    task_cpu_seconds: float = 0.0
    pool_cpu_seconds: float = 0.0
    other_cpu_seconds: float = 0.0
    gc_task_seconds: float = 0.0
    gc_other_seconds: float = 0.0
    graph_seconds: float = 0.0


class Place(NamedTuple):
    """Where a process keeps its book: its id, the descriptor of its table, and the threads it runs tasks on."""

    pid: int
    descriptor: int
    threads: int


@dataclass(slots=True)
class Account:
    """What one process says of its part of a run.

    Attributes
    ----------
    figures
        What its tasks took.
    serialisation_seconds
        Pickling, compressing and their reverse.
    transfer_cpu_seconds
        Processor time the kernel took, for the thread that moves data.
    network_bytes
        Sent to other workers and to the client.
    spilled_bytes
        Moved to disk for lack of memory.
    """

    figures: TaskFigures
    serialisation_seconds: float = 0.0
    transfer_cpu_seconds: float = 0.0
    network_bytes: int = 0
    spilled_bytes: int = 0
