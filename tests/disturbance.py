"""Disturbance: what other programs did to the processors while a test measured. Linux only.

A test that measures is right only on a quiet machine. Two readings of the kernel's counters say what the others took,
steal time of a virtual machine included. A fixed piece of work says whether the processor itself was slower.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

MARK = "CDPIPE_TESTS"
"""Environment variable that says whose tests started a process, though it may be no descendant of theirs."""

OTHERS_LIMIT = 0.10
WAITING_LIMIT = 0.10
USED = 0.6
"""Share of the processors in use from which on threads of ours wait for each other, as they do without anybody else."""

SLOWDOWN_LIMIT = 1.5
PIECES = 40
"""Pieces of work of half a millisecond: the shortest shows the processor undisturbed, even between others' turns."""

_TICKS = os.sysconf("SC_CLK_TCK")
_NS = 1e9
_ended_s = 0.0
_best_s = float("inf")


@dataclass(frozen=True)
class Disturbance:
    """What an interval had of others.

    Attributes
    ----------
    others
        Share (0 to 1) of the processors' time that went to processes that are not ours, or to other machines.
    waiting
        Time for which our threads wanted a core and had none, as a share of the processors' time.
    ours
        Share of the processors' time that we used.
    slowdown
        How many times longer a fixed piece of work took at the ends of the interval than at best.
    """

    others: float
    waiting: float
    ours: float
    slowdown: float

    @property
    def reason(self) -> str | None:
        """What disturbed, in words that follow on from a test's name; None if nothing did."""
        if self.others > OTHERS_LIMIT:
            said = f"others took {self.others:.0%} of the processors while this measured (limit {OTHERS_LIMIT:.0%})"
        elif self.slowdown > SLOWDOWN_LIMIT:
            said = (
                f"the processor was {self.slowdown:.1f} times slower than at its best while this measured "
                f"(limit {SLOWDOWN_LIMIT})"
            )
        elif self.waiting > WAITING_LIMIT and self.ours < USED:
            said = (
                f"a core was denied for {self.waiting:.0%} of the processors' time while this measured "
                f"(limit {WAITING_LIMIT:.0%})"
            )
        else:
            return None
        return said.replace("%", " %") + ": run it on a quiet machine"


class _Reading(NamedTuple):
    """Counters at one moment, in seconds; waiting by thread, which may end."""

    at_s: float
    busy_s: float
    ours_s: float
    waiting_s: dict[Path, float]


def watch() -> Callable[[], Disturbance]:
    """Begin an interval; what is returned ends it, and tells what the others did meanwhile."""
    slow, before = spin(), _read()

    def tell() -> Disturbance:
        after = _read()
        room_s = (after.at_s - before.at_s) * len(os.sched_getaffinity(0))
        ours_s = after.ours_s - before.ours_s
        waited_s = sum(wait - before.waiting_s.get(thread, 0.0) for thread, wait in after.waiting_s.items())
        return Disturbance(
            others=max(0.0, after.busy_s - before.busy_s - ours_s) / room_s,
            waiting=waited_s / room_s,
            ours=ours_s / room_s,
            slowdown=max(slow, spin()),
        )

    return tell


def spin() -> float:
    """Return how many times longer a fixed piece of pure work takes now than it ever took at best."""
    global _best_s
    start_s = last_s = time.perf_counter()
    for _ in range(PIECES):
        sum(range(20_000))
        now_s = time.perf_counter()
        _best_s, last_s = min(_best_s, now_s - last_s), now_s
    return (last_s - start_s) / PIECES / _best_s


def count_ended(pid: int) -> None:
    """Count what a process used that is ours but no descendant; to be called before it is killed."""
    global _ended_s  # noqa: PLW0603 - the kernel tells nobody what it used
    _ended_s += _used_s(Path(f"/proc/{pid}"))


def list_ours() -> list[int]:
    """Return the processes of these tests: descendants, and those that carry our mark."""
    mine = os.getpid()
    tree = {mine, *(child.pid for child in psutil.Process().children(recursive=True))}
    marked = f"{MARK}={mine}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if marked in (folder / "environ").read_bytes().split(b"\0"):
                tree.add(int(folder.name))
    return sorted(tree)


def _read() -> _Reading:
    folders = [Path(f"/proc/{pid}") for pid in list_ours()]
    waiting_s = {thread: wait for folder in folders for thread, wait in _waiting_s(folder)}
    used_s = _ended_s + sum(_used_s(folder) for folder in folders)
    return _Reading(time.monotonic(), _busy_s(), used_s, waiting_s)


def _busy_s() -> float:
    """Return the time for which the cores that we may use did anything, or were taken away (steal)."""
    ours = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    kinds = ((map(int, line[1:4]), map(int, line[6:9])) for line in lines if line[0] in ours)
    return sum(sum(computing) + sum(taken) for computing, taken in kinds) / _TICKS


def _used_s(folder: Path) -> float:
    """Return the processor time of a process, and of its children that ended; 0 if it is gone."""
    with suppress(OSError):
        fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS
    return 0.0


def _waiting_s(folder: Path) -> Iterator[tuple[Path, float]]:
    """Yield the threads of a process, and for how long each has waited for a core."""
    with suppress(OSError):
        for thread in (folder / "task").iterdir():
            with suppress(OSError, IndexError):
                yield thread, int((thread / "schedstat").read_bytes().split()[1]) / _NS
