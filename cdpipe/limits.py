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

_ROOT: Final = Path("/")
_MEMORY_FILES: Final = {"": ("memory.max", "memory.high"), "memory": ("memory.limit_in_bytes",)}
"""Files that hold a limit of memory, by controller; that of version 2 has no name."""


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


def idle_address_bytes(*, root: Path = _ROOT) -> int:
    """Return how much a limit of the address space leaves for less memory than `machine_memory_bytes` says.

    Such a limit counts mappings that this process makes and never fills: reserves of allocators, stacks of threads,
    libraries. 0 where another limit is so much lower that they do not matter.

    Parameters
    ----------
    root
        Directory that holds `proc` and `sys`.
    """
    lines = [line.split() for line in _read(root / "proc/self/status").splitlines()]
    used = {line[0]: int(line[1]) * 1024 for line in lines if line and line[0].startswith("Vm")}
    least, resident = machine_memory_bytes(root=root), used.get("VmRSS:", 0)
    idle = [
        used.get(name, 0) - resident - (limit - least)
        for name, limit in zip(("VmData:", "VmSize:"), find_address_space(), strict=True)
        if limit is not None
    ]
    return max([0, *idle])


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
