"""How much memory this machine has for us, and how much a tree of processes uses of it, in bytes."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

_READ_BYTES: Final = 1 << 16
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_KERNEL_LISTS_CHILDREN: Final = Path(f"/proc/self/task/{os.getpid()}/children").exists()
_PSS_LINE: Final = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)


def machine_memory_bytes(*, root: Path = Path("/")) -> int:
    """Return the memory this process may use: the machine's, or its control group's limit if that is lower.

    Reads cgroup v2 (`memory.max`) and v1 (`memory.limit_in_bytes`) of the process's own group and every group
    above it, since the lowest of them is what the kernel enforces.

    Parameters
    ----------
    root
        Directory that holds `proc` and `sys`.
    """
    total: int = psutil.virtual_memory().total
    return min([total, *_cgroup_limits(root)])


def _cgroup_limits(root: Path) -> Iterator[int]:
    mounts: tuple[str, ...]
    groups = read_small(f"{root}/proc/self/cgroup").decode(errors="replace").splitlines()
    for line in groups:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            mounts, limit_file = ("sys/fs/cgroup", "sys/fs/cgroup/unified"), "memory.max"
        elif "memory" in controllers.split(","):
            mounts, limit_file = ("sys/fs/cgroup/memory",), "memory.limit_in_bytes"
        else:
            continue
        for mount in mounts:
            # In a container the path may name what only the host sees; the mount itself then holds the limit.
            below = Path(group.lstrip("/"))
            for part in (below, *below.parents):
                text = read_small(f"{root / mount / part / limit_file}").strip()
                if text.isdigit():
                    yield int(text)


def list_tree(*roots: int) -> set[int]:
    """Return the ids of these processes and all their descendants that exist now (zombies included)."""
    found: set[int] = set()
    pending = list(roots)
    if not _KERNEL_LISTS_CHILDREN:
        return {each.pid for root in roots if psutil.pid_exists(root) for each in _family(psutil.Process(root))}
    while pending:
        pid = pending.pop()
        if pid in found:
            continue
        try:
            tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - 50 times a second: strings are cheaper
            children = [read_small(f"/proc/{pid}/task/{task}/children") for task in tasks]
        except FileNotFoundError:
            continue
        found.add(pid)
        for line in children:
            pending.extend(map(int, line.split()))
    return found


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def tree_rss_bytes(*roots: int) -> int:
    """Return the resident memory of process trees; a page that several processes share counts in each.

    Cheap (10 us a process) and never too low; use `tree_pss_bytes` for the true sum.
    """
    return sum(_resident_bytes(pid) for pid in list_tree(*roots))


def tree_pss_bytes(*roots: int) -> int | None:
    """Return the memory that process trees occupy: proportional set size, None if a process does not let us read it.

    Shared pages (libraries, what a fork server's children inherit) are divided among those that map them, so the
    sum over a tree counts each once; resident set sizes would count it once in each. The kernel walks the page
    tables for it: 0.1 to 30 ms a process.
    """
    total = 0
    for pid in list_tree(*roots):
        found = _PSS_LINE.search(read_small(f"/proc/{pid}/smaps_rollup"))
        if found is not None:
            total += int(found[1]) * 1024
        elif _resident_bytes(pid):
            return None
    return total


def _resident_bytes(pid: int) -> int:
    fields = read_small(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE_BYTES if fields else 0


def read_small(path: str) -> bytes:
    """Return a file of `/proc` whole, empty if it is gone or not ours to read; a third of the cost of `open`."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        content = b""
        while piece := os.read(descriptor, _READ_BYTES):  # a short piece is not the end: the kernel gives pages
            content += piece
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return content
