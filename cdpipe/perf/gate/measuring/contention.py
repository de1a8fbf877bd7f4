"""Contention: the share of the processors that other programs took while a process of ours ran.

All processor time of the machine is counted, that which a hypervisor took away too, less what this process and its
descendants that have ended used.
"""

import os
import resource
import time
from typing import Final

import psutil

_NOT_BUSY: Final = frozenset({"idle", "iowait", "guest", "guest_nice"})
"""Fields of `psutil.cpu_times` without work, or counted as user time already."""


class Stopwatch:
    """Measures from its making on what a process costs, and what others take meanwhile.

    Attributes
    ----------
    others, seconds, cpu_seconds
        Share of the processors that others had; wall time; processor time of the processes that ended meanwhile. Valid
        after `stop`.
    """

    def __init__(self) -> None:
        self.others = self.seconds = self.cpu_seconds = 0.0
        self._busy, self._own, self._begin = _read_busy(), _read_own(), time.monotonic()
        self._children = _read_children()

    def stop(self) -> None:
        """End the measurement."""
        busy, own, end = _read_busy(), _read_own(), time.monotonic()
        self.seconds = end - self._begin
        self.cpu_seconds = _read_children() - self._children
        taken = (busy - self._busy) - (own - self._own)
        self.others = min(1.0, max(0.0, taken / (_count_processors() * max(self.seconds, 1e-9))))


def _read_busy() -> float:
    """Return the processor time that all programs have used on the processors that this process may use, in seconds."""
    times = [each._asdict() for each in psutil.cpu_times(percpu=True)]
    allowed = _find_processors()
    chosen = [each for index, each in enumerate(times) if index in allowed] or times
    return float(sum(value for each in chosen for name, value in each.items() if name not in _NOT_BUSY))


def _read_own() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime + _read_children()


def _read_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _find_processors() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _count_processors() -> int:
    return max(1, len(_find_processors()))
