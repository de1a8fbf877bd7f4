"""Limits: the memory and the processors that this process may use, whoever set the limit.

Reads the machine, control groups (v1 and v2), resource limits and the affinity mask; the least of each counts. Needs no
third-party package but psutil, and that only for the machine's memory.
"""

import math
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

BASE_BYTES: Final = 450_000_000
"""A Python process with cdpipe, Dask, Arrow and the compiled kernels, and what the allocators keep.

Of 20,000 rows a run took 0.26 GB, and 0.38 GB where it compiled kernels; of `RLIMIT_DATA` 0.26 and 0.43 GB."""

_MAPPED_BYTES: Final = 450_000_000
"""Mapped and never resident, mostly libraries: the same run's address space was 0.65 and 0.86 GB."""

_STACK_BYTES: Final = 1 << 23
_ROOT: Final = Path("/")
_MEMORY_FILES: Final = {"": ("memory.max", "memory.high"), "memory": ("memory.limit_in_bytes",)}
"""Files that hold a limit of memory, by controller; that of version 2 has no name."""


class MemoryLimitError(MemoryError):
    """A part of a run would not fit into memory; it was not started."""


class AddressSpace(NamedTuple):
    """Limits of a process's own address space, bytes; None where there is none.

    Attributes
    ----------
    data
        `RLIMIT_DATA`: private memory that can be written to, whether anything is there or not.
    whole
        `RLIMIT_AS`: all mappings, those of libraries too.
    """

    data: int | None
    whole: int | None


def machine_memory_bytes(*, root: Path = _ROOT) -> int:
    """Return the memory this process may use: the machine's, or the least limit of its control groups and its own.

    Reads cgroup v2 (`memory.max`, `memory.high`) and v1 (`memory.limit_in_bytes`) of the process's own group and every
    group above it, since the lowest of them is what the kernel enforces, and `RLIMIT_DATA` and `RLIMIT_AS`.

    Parameters
    ----------
    root
        Directory that holds `proc` and `sys`.
    """
    import psutil  # noqa: PLC0415 - slow to import, and a program may never ask

    total: int = psutil.virtual_memory().total
    own = (limit for limit in find_address_space() if limit is not None)
    return min([total, *_group_memory(root), *own])


def find_address_space() -> AddressSpace:
    """Return the limits of this process's address space."""
    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS))
    data, whole = (None if limit == resource.RLIM_INFINITY else limit for limit in limits)
    return AddressSpace(data, whole)


def idle_address_bytes(threads: int) -> int:
    """Return what a limit of the address space counts of a run and its resident memory does not.

    `RLIMIT_DATA` counts the stack of each thread whole, `RLIMIT_AS` libraries and reserves as well. 0 where no such
    limit is set, or another one is so much lower that these do not matter.
    """
    least = machine_memory_bytes()
    idle = [
        threads * _STACK_BYTES + mapped - (limit - least)
        for mapped, limit in zip((0, _MAPPED_BYTES), find_address_space(), strict=True)
        if limit is not None
    ]
    return max([0, *idle])


def require_base(limit_bytes: int | None = None) -> None:
    """Refuse a run where not even its program fits, before that is loaded and kernels are compiled.

    Parameters
    ----------
    limit_bytes
        What it may use; by default `machine_memory_bytes`.

    Raises
    ------
    MemoryLimitError
        Naming the need, the limit and the way out.
    """
    limit = machine_memory_bytes() if limit_bytes is None else limit_bytes
    needed = BASE_BYTES + idle_address_bytes(1)
    if needed > limit:
        raise MemoryLimitError(
            f"a run needs {needed / 1e9:.2f} GB of memory before it reads anything, and may use {limit / 1e9:.2f} GB; "
            "raise that limit (session.memory_limit_gb, ulimit -d or -v, or the container's)"
        )


def count_processors(*, root: Path = _ROOT) -> int:
    """Return how many threads can run at once: the affinity mask, or the quota of a control group, rounded up.

    Reads `cpu.max` (v2) and `cpu.cfs_quota_us` (v1) of the process's own group and every group above it. At least 1.

    Parameters
    ----------
    root
        Directory that holds `proc` and `sys`.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *(math.ceil(quota) for quota in _group_processors(root))]))


def _group_memory(root: Path) -> Iterator[int]:
    for controller, names in _MEMORY_FILES.items():
        for folder in _group_folders(root, controller):
            for name in names:
                text = _read(folder / name).strip()
                if text.isdigit():
                    yield int(text)


def _group_processors(root: Path) -> Iterator[float]:
    for folder in _group_folders(root, ""):
        yield from _divide(*(_read(folder / "cpu.max").split() or ("max", "")))
    for folder in _group_folders(root, "cpu"):
        yield from _divide(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _divide(quota: str, period: str) -> Iterator[float]:
    """Yield how many processors a quota of microseconds in each period makes, unless it is none."""
    quota, period = quota.strip(), period.strip()
    if quota.isdigit() and period.isdigit() and int(period):
        yield int(quota) / int(period)


def _group_folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control group and those above; the controller of version 2 has no name."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controller not in controllers.split(","):
            continue
        mounts = ("sys/fs/cgroup", "sys/fs/cgroup/unified") if controller == "" else _mounts(controller, controllers)
        # In a container the path may name what only the host sees; the mount itself then holds the limit.
        below = Path(group.lstrip("/"))
        for mount in mounts:
            for part in (below, *below.parents):
                yield root / mount / part


def _mounts(controller: str, controllers: str) -> tuple[str, ...]:
    """Return where version 1 mounts a controller: by its own name, or with all those of its hierarchy."""
    return tuple(dict.fromkeys(f"sys/fs/cgroup/{name}" for name in (controller, controllers)))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
