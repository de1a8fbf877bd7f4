"""Disks that are slow: by themselves, or because the kernel is told to make this run's reads and writes wait."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

CGROUP: Final = Path("/sys/fs/cgroup/blkio")
"""Of the first version: the second has no throttle without a controller that few hand down."""


def blocked_share(call: Callable[[], Any]) -> float:
    """Return which part of its time this thread waits; waiting for a core is left out."""
    (ran_s, queued_s), start_s = _turns_s(), time.perf_counter()
    call()
    wall_s = time.perf_counter() - start_s
    ran_s, queued_s = (after - before for after, before in zip(_turns_s(), (ran_s, queued_s), strict=True))
    return max(0.0, wall_s - ran_s - queued_s) / (wall_s - queued_s)


def _turns_s() -> tuple[float, float]:
    """Return how long this thread has had a core, and waited for one."""
    ran_ns, waited_ns, _ = Path("/proc/thread-self/schedstat").read_text().split()
    return int(ran_ns) / 1e9, int(waited_ns) / 1e9


def can_throttle() -> bool:
    """Tell whether the kernel can be told to make reads and writes of a process wait."""
    return (CGROUP / "blkio.throttle.read_bps_device").exists() and os.access(CGROUP, os.W_OK)


@contextmanager
def throttled(path: Path, pids: Iterable[int], **limits: int) -> Iterator[None]:
    """Limit processes on the disk that a path is on, for as long as the block lasts.

    Parameters
    ----------
    pids
        They are put back where they were.
    limits
        `read_bps`, `write_bps`, `read_iops` and `write_iops`, a second.
    """
    group = CGROUP / f"cdpipe-ground-{os.getpid()}"
    group.mkdir()
    with ExitStack() as stack:
        stack.callback(group.rmdir)
        for name, limit in limits.items():
            (group / f"blkio.throttle.{name}_device").write_text(f"{_disk_of(path)} {limit}")
        for pid in pids:
            home = _group_of(pid)
            (group / "cgroup.procs").write_text(str(pid))
            stack.callback(_put_back, home, pid)
        yield


def _put_back(home: Path, pid: int) -> None:
    with suppress(ProcessLookupError):
        (home / "cgroup.procs").write_text(str(pid))


def _group_of(pid: int) -> Path:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if "blkio" in names.split(","):
            return CGROUP / path.lstrip("/")
    return CGROUP


def _disk_of(path: Path) -> str:
    """Return `MAJOR:MINOR` of the whole disk."""
    device = path.stat().st_dev
    place = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve()
    return ((place.parent if (place / "partition").exists() else place) / "dev").read_text().strip()
