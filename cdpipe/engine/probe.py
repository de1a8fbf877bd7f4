"""What a run used: processor, memory, disk and queue, over every process that worked for it. Linux only.

Counters are read from `/proc` at the two ends, not sampled: Dask's own figures come with heartbeats of 0.5 s, which
miss a short stage. Only memory has to be sampled, since the kernel's high-water mark (`VmHWM`) belongs to one process
and is inherited from the parent it was forked from.
"""

import os
import re
import resource
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from dask.system import cpu_count

from cdpipe.engine.memory import list_tree, machine_memory_bytes, read_small, tree_pss_bytes, tree_rss_bytes
from cdpipe.engine.session import GB, Session

SAMPLE_SECONDS: Final = 0.02
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_NEW_HIGH: Final = 1.02
_EXACT_SHARE: Final = 0.005
_EXACT_SECONDS: Final = 0.25
_TRIES: Final = 3
_COUNTERS: Final = ("cpu_seconds", "read_bytes", "write_bytes", "syscall_read_bytes", "syscall_write_bytes")
_NO_DISK: Final = ("loop", "ram", "zram", "dm-", "md", "sr")


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What the probed block used; all None until it ends. None after that means: could not be read here.

    Process trees are those of this process, of the workers and of a remote scheduler. What their children that
    ended meanwhile used counts, as the kernel adds it to the parent that waited for them.

    Attributes
    ----------
    wall_seconds
        Time from start to end.
    cpu_seconds
        User and system time of the process trees.
    cores
        Cores given: threads of the session, but no more than the machines have.
    cpu_percent
        `cpu_seconds` as a share of `wall_seconds` on `cores`.
    tree_peak_bytes
        Most memory of all process trees together at one moment, seen every 20 ms, each shared page counted once
        (see `tree_pss_bytes`; resident set sizes where the kernel shows no more). None with workers elsewhere.
    limit_bytes
        Memory the session may use, but no more than the machine has.
    memory_percent
        `tree_peak_bytes` as a share of `limit_bytes`.
    read_bytes, write_bytes
        Fetched from, and sent to (or waiting to be sent to), a block device on behalf of the process trees.
    syscall_read_bytes, syscall_write_bytes
        Passed through `read` and `write` calls: also what the page cache served, pipes and sockets.
    disk_busy
        Share of the time (0 to 1) in which the busiest disk had work, whoever gave it; where no disk can be seen,
        in which some process waited for I/O.
    disk_busy_source
        `diskstats NAME` or `pressure`.
    ready_queue_max
        Most tasks that could have run at one moment but for a free thread.
    tasks
        Tasks that finished.
    """

    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    cores: int | None = None
    cpu_percent: float | None = None
    tree_peak_bytes: int | None = None
    limit_bytes: int | None = None
    memory_percent: float | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    syscall_read_bytes: int | None = None
    syscall_write_bytes: int | None = None
    disk_busy: float | None = None
    disk_busy_source: str | None = None
    ready_queue_max: int | None = None
    tasks: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


class Whereabouts(NamedTuple):
    """Which process this is: kernel and namespace, id, start (clock ticks since boot), and the cores it may use."""

    host: str
    pid: int
    started: int
    cores: int


Counters = Mapping[str, float | None]
"""What process trees have used since they started, by the names of `ProbeResult`; None where we may not read."""


@contextmanager
def probe(session: Session) -> Iterator[ProbeResult]:
    """Measure what the block uses, over this process's tree and those of the session's workers.

    Yields
    ------
    ProbeResult
        Filled when the block ends without an exception.
    """
    result = ProbeResult()
    with session.watch_queue() as queue:
        before = _End(session)
        with _PeakSampler(before.roots) as sampler:
            disks, waited, start = _read_disks(), _read_pressure(), time.perf_counter()
            yield result
            wall = time.perf_counter() - start
            busy, source = _disk_busy(disks, waited, wall)
            after = _End(session)
    limit = session.memory()["cluster_total_gb"] * GB
    figures = _compare(before, after, wall) | {
        "wall_seconds": wall,
        "limit_bytes": int(limit if before.elsewhere else min(limit, machine_memory_bytes())),
        "disk_busy": busy,
        "disk_busy_source": source,
        "ready_queue_max": queue.deepest_ready,
        "tasks": queue.tasks,
    }
    if not before.elsewhere and not after.elsewhere:
        figures["tree_peak_bytes"] = sampler.peak_bytes
        figures["memory_percent"] = 100 * sampler.peak_bytes / figures["limit_bytes"]
    for name, value in figures.items():
        object.__setattr__(result, name, value)  # frozen for everyone else


class _End:
    """The state of every process tree at one end of the probed block."""

    def __init__(self, session: Session) -> None:
        here = describe_process()
        others = session.each_process(describe_process)
        mine = list_tree(here.pid)
        self.detached = {each for each in others.values() if each.host == here.host and each.pid not in mine}
        elsewhere = {address for address, each in others.items() if each.host != here.host}
        self.roots = (here.pid, *(each.pid for each in self.detached))
        machines = {each.host: each.cores for each in others.values() or (here,)}
        self.cores = min(session.threads, sum(machines.values()))
        self.counters: dict[str, Counters] = {"here": read_counters(*self.roots)}
        if elsewhere:
            remote = session.each_process(read_own_counters)
            self.counters |= {address: remote[address] for address in elsewhere & set(remote)}

    @property
    def elsewhere(self) -> bool:
        """Whether some process runs on another machine."""
        return len(self.counters) > 1


def _compare(before: _End, after: _End, wall_seconds: float) -> dict[str, Any]:
    figures: dict[str, Any] = {"cores": after.cores}
    if before.detached != after.detached or before.counters.keys() != after.counters.keys():
        return figures  # a worker came or went: what it used cannot be told from what it had used before
    for name in _COUNTERS:
        pairs = [(before.counters[place][name], after.counters[place][name]) for place in before.counters]
        known = [new - old for old, new in pairs if old is not None and new is not None]
        figures[name] = sum(known) if len(known) == len(pairs) else None
    if figures["cpu_seconds"] is not None:
        figures["cpu_percent"] = 100 * figures["cpu_seconds"] / (wall_seconds * after.cores)
    return figures


class _PeakSampler:
    """A thread that watches the memory of process trees; `peak_bytes` is the most it saw."""

    def __init__(self, roots: Iterable[int]) -> None:
        self._roots = tuple(roots)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="cdpipe-probe", daemon=True)
        self.peak_bytes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        """Look often at what is cheap, and at the exact figure when that reaches a new high, or now and then."""
        highest = 0.0
        due = 0.0
        last = False
        while not last:
            last = self._end.wait(SAMPLE_SECONDS)  # once more after the end: what is still held then counts
            rss = tree_rss_bytes(*self._roots)
            start = time.perf_counter()
            if rss > highest * _NEW_HIGH or start >= due or last:
                highest = max(highest, rss)
                exact = tree_pss_bytes(*self._roots)
                self.peak_bytes = max(self.peak_bytes, rss if exact is None else exact)
                # Memory can also grow where RSS does not (a fork's copies), so look again, but for 0.5 % of the time.
                now = time.perf_counter()
                due = now + max(_EXACT_SECONDS, (now - start) / _EXACT_SHARE)


def describe_process() -> Whereabouts:
    """Tell where this process runs; to be called in each process of a session."""
    host = read_small("/proc/sys/kernel/random/boot_id").decode().strip()
    return Whereabouts(
        host=f"{host} {os.readlink('/proc/self/ns/pid')}",  # noqa: PTH115 - no file is named by it
        pid=os.getpid(),
        started=int(read_small("/proc/self/stat").rpartition(b")")[2].split()[19]),
        cores=cpu_count(),
    )


def read_own_counters() -> Counters:
    """Return the counters of this process's tree; to be called in each process of a session."""
    return read_counters(os.getpid())


def read_counters(*roots: int) -> Counters:
    """Return what process trees have used since they started.

    A process that ends and is waited for hands its counters to the parent, so the sum over a tree never loses any.
    """
    for _ in range(_TRIES):
        pids = list_tree(*roots)
        rows = [_read_process(pid) for pid in pids]
        if all(rows) and list_tree(*roots) <= pids:
            break  # else one ended while we read, and its parent may have been read before
    present = [row for row in rows if row]
    return {
        name: None if any(row[name] is None for row in present) else sum(row[name] or 0 for row in present)
        for name in _COUNTERS
    }


def _read_process(pid: int) -> Counters | None:
    """Return one process's counters and those of its children that ended, None if it is gone."""
    fields = read_small(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if not fields:
        return None
    cpu_seconds = sum(map(int, fields[11:15])) / _TICKS
    if pid == os.getpid():  # ticks are 10 ms, too coarse for a short stage on threads of this process
        usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        cpu_seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    lines = read_small(f"/proc/{pid}/io").split(b"\n")
    io = {name: int(value) for name, _, value in (line.partition(b": ") for line in lines) if value}
    return {
        "cpu_seconds": cpu_seconds,
        "read_bytes": io.get(b"read_bytes"),
        "write_bytes": io.get(b"write_bytes"),
        "syscall_read_bytes": io.get(b"rchar"),
        "syscall_write_bytes": io.get(b"wchar"),
    }


def _read_disks() -> dict[str, int]:
    """Return how long each disk has had work, in milliseconds; partitions and stacked devices are left out."""
    disks = {disk.name for disk in Path("/sys/block").glob("*") if not disk.name.startswith(_NO_DISK)}
    rows = (line.split() for line in read_small("/proc/diskstats").decode().splitlines())
    return {row[2]: int(row[12]) for row in rows if row[2] in disks}


def _disk_busy(disks: Mapping[str, int], waited_us: int | None, wall_s: float) -> tuple[float | None, str | None]:
    """Return the share of the time since the given readings in which the busiest disk had work, and its name."""
    busy_s = {name: (total - disks[name]) / 1e3 for name, total in _read_disks().items() if name in disks}
    if busy_s:
        busiest = max(busy_s, key=busy_s.__getitem__)
        return min(1.0, busy_s[busiest] / wall_s), f"diskstats {busiest}"
    now_us = _read_pressure()
    if now_us is None or waited_us is None:
        return None, None
    return min(1.0, (now_us - waited_us) / 1e6 / wall_s), "pressure"


def _read_pressure() -> int | None:
    """Return for how long some process has waited for I/O, in microseconds since boot."""
    found = re.search(rb"some .*total=(\d+)", read_small("/proc/pressure/io"))
    return None if found is None else int(found[1])
