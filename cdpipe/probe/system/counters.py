"""Counters of the kernel, read at the two ends of what is measured. Linux only.

Dask's own figures come with heartbeats of 0.5 s, which miss a short stage; two readings of a counter miss nothing.
"""

import os
import platform
import re
import resource
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from cdpipe.limits import count_processors
from cdpipe.probe.system.process_memory import list_tree, read_small

COUNTERS: Final = (
    "cpu_seconds",
    "read_bytes",
    "write_bytes",
    "syscall_read_bytes",
    "syscall_write_bytes",
)
"""What is counted of process trees."""

PRESSURES: Final = ("cpu", "memory", "io")

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_TRIES: Final = 3
_NO_DISK: Final = ("loop", "ram", "zram", "dm-", "md", "sr")
_SCHEDULER_CLOCK: Final = 2
"""What makes a process id a clock id: `CPUCLOCK_SCHED` of Linux's include/linux/posix-timers_types.h."""

_LOOPBACK: Final = "lo"


class Whereabouts(NamedTuple):
    """Which process this is: kernel and namespace, id, start (clock ticks since boot), and the cores it may use."""

    host: str
    pid: int
    started: int
    cores: int


Counters = Mapping[str, float | None]
"""What process trees have used since they started, by the names of `COUNTERS`; None where we may not read."""


def why_unmeasurable() -> str | None:
    """Say why nothing can be measured on this system; None if it can."""
    if hasattr(os, "memfd_create") and read_small("/proc/self/stat"):
        return None
    return f"figures come from the /proc of Linux, which {platform.system()} does not show here"


def describe_process() -> Whereabouts:
    """Tell where this process runs; to be called in each process of a session."""
    host = read_small("/proc/sys/kernel/random/boot_id").decode().strip()
    return Whereabouts(
        host=f"{host} {os.readlink('/proc/self/ns/pid')}",  # noqa: PTH115 - no file is named by it
        pid=os.getpid(),
        started=int(read_small("/proc/self/stat").rpartition(b")")[2].split()[19]),
        cores=count_processors(),
    )


def read_own_counters() -> Counters:
    """Return the counters of this process's tree; to be called in each process of a session."""
    return read_counters(os.getpid())


def read_counters(*roots: int, without: Collection[int] = ()) -> Counters:
    """Return what process trees have used since they started, except the processes `without`.

    A process that ends and is waited for hands its counters to the parent, so the sum over a tree never loses any.
    """
    for _ in range(_TRIES):
        pids = list_tree(*roots, without=without)
        rows = {pid: row for pid in pids if (row := _read_process(pid))}
        if len(rows) == len(pids) and list_tree(*roots, without=without) <= pids:
            break  # else one ended while we read, and its parent may have been read before
    counted: dict[str, float | None] = {}
    for name in COUNTERS:
        known = [value for row in rows.values() if (value := row[name]) is not None]
        counted[name] = sum(known) if len(known) == len(rows) else None
    return counted


def _read_process(pid: int) -> Counters | None:
    """Return one process's counters and those of its children that ended, None if it is gone."""
    fields = read_small(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if not fields:
        return None
    own, ended = sum(map(int, fields[11:13])) / _TICKS, sum(map(int, fields[13:15])) / _TICKS
    # Ticks are 10 ms, too coarse for a short stage; the clock of a process counts nanoseconds.
    with suppress(OSError):
        own = time.clock_gettime((~pid << 3) | _SCHEDULER_CLOCK)
    if pid == os.getpid():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = usage.ru_utime + usage.ru_stime
    lines = read_small(f"/proc/{pid}/io").split(b"\n")
    io = {name: int(value) for name, _, value in (line.partition(b": ") for line in lines) if value}
    return {
        "cpu_seconds": own + ended,
        "read_bytes": io.get(b"read_bytes"),
        "write_bytes": io.get(b"write_bytes"),
        "syscall_read_bytes": io.get(b"rchar"),
        "syscall_write_bytes": io.get(b"wchar"),
    }


def read_disks() -> dict[str, int]:
    """Return how long each disk has had work, in milliseconds; partitions and stacked devices are left out."""
    disks = {disk.name for disk in Path("/sys/block").glob("*") if not disk.name.startswith(_NO_DISK)}
    rows = (line.split() for line in read_small("/proc/diskstats").decode().splitlines())
    return {row[2]: int(row[12]) for row in rows if row[2] in disks}


def read_pressure() -> dict[str, int]:
    """Return for how long some process of the machine has waited for each resource, in microseconds since boot."""
    totals = {}
    for name in PRESSURES:
        found = re.search(rb"some .*total=(\d+)", read_small(f"/proc/pressure/{name}"))
        if found is not None:
            totals[name] = int(found[1])
    return totals


def read_network() -> int | None:
    """Return the bytes that this machine's interfaces have sent and received, those of loopback once."""
    rows = [line.split() for line in read_small("/proc/net/dev").decode().replace(":", " ").splitlines()[2:]]
    if not rows:
        return None
    return sum(int(row[9]) if row[0] == _LOOPBACK else int(row[1]) + int(row[9]) for row in rows)


def disk_busy(disks: Mapping[str, int], waited_us: Mapping[str, int], wall_s: float) -> tuple[float | None, str | None]:
    """Return the share of the time since the given readings in which the busiest disk had work, and its name."""
    busy_s = {name: (total - disks[name]) / 1e3 for name, total in read_disks().items() if name in disks}
    if busy_s:
        busiest = max(busy_s, key=busy_s.__getitem__)
        return min(1.0, busy_s[busiest] / wall_s), f"diskstats {busiest}"
    now_us = read_pressure()
    if "io" not in now_us or "io" not in waited_us:
        return None, None
    return min(1.0, (now_us["io"] - waited_us["io"]) / 1e6 / wall_s), "pressure"
