"""Process memory: bytes that a tree of processes uses."""

import ctypes
import os
import platform
import re
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

_READ_BYTES: Final = 1 << 16
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_FORKED_BUT_NO_PROGRAM: Final = 0x40  # PF_FORKNOEXEC, in Linux's include/linux/sched.h
_YOUNG_SECONDS: Final = 0.2
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_KCMP: Final = {"x86_64": 312, "aarch64": 272}.get(platform.machine())
_KCMP_VM: Final = 1
_KERNEL_LISTS_CHILDREN: Final = Path(f"/proc/self/task/{os.getpid()}/children").exists()
_PSS_LINES: Final = re.compile(rb"^Pss_(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)
_MAPPED_LINE: Final = re.compile(rb"^RssFile:\s+(\d+) kB", re.MULTILINE)


def list_tree(*roots: int, without: Collection[int] = ()) -> set[int]:
    """Return the ids of these processes and all their descendants that exist now (zombies included).

    Leaves out the processes `without` (what measures is not what is measured) and their descendants.
    """
    found: set[int] = set()
    pending = list(roots)
    if not _KERNEL_LISTS_CHILDREN:
        return {pid for root in roots for pid in _family(root)} - set(without)
    while pending:
        pid = pending.pop()
        if pid in found or pid in without:
            continue
        try:
            tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - 50 times a second: strings are cheaper
            children = [read_small(f"/proc/{pid}/task/{task}/children") for task in tasks]
        except (FileNotFoundError, ProcessLookupError):
            continue
        found.add(pid)
        for line in children:
            pending.extend(map(int, line.split()))
    return found


def _family(root: int) -> set[int]:
    """Return a tree where the kernel does not list children."""
    import psutil  # noqa: PLC0415 - see above

    if not psutil.pid_exists(root):
        return set()
    return {root, *(child.pid for child in psutil.Process(root).children(recursive=True))}


def tree_rss_bytes(*roots: int, without: Collection[int] = ()) -> int:
    """Return the resident memory of process trees; a page that several processes share counts in each.

    Cheap (10 us a process) and never too low; use `tree_pss_bytes` for the true sum.
    """
    return processes_rss_bytes(list_tree(*roots, without=without))


def processes_rss_bytes(pids: Iterable[int]) -> int:
    """Return the same of single processes."""
    return sum(_resident_bytes(pid) for pid in pids if not _borrows_memory(pid))


def tree_pss_bytes(*roots: int, without: Collection[int] = ()) -> int | None:
    """Return the memory that process trees occupy, each page once; None if a process does not let us read it.

    Anonymous and shared memory is the sum of proportional set sizes: pages that processes share (what the children
    of a fork server inherit) are divided among them, where resident set sizes would count them in each. Of mapped
    files (libraries, mostly the same in each) it is what the process that maps most of them has: their proportional
    size would jump by 100 MB whenever a stranger that maps the same libraries comes or goes. The kernel walks the
    page tables for it: 0.1 to 20 ms a process.
    """
    return processes_pss_bytes(list_tree(*roots, without=without))


def processes_pss_bytes(pids: Iterable[int]) -> int | None:
    """Return the same of single processes."""
    own = mapped = 0
    for pid in pids:
        if _borrows_memory(pid):
            continue
        shares = _PSS_LINES.findall(read_small(f"/proc/{pid}/smaps_rollup"))
        if len(shares) == 2:
            own += sum(map(int, shares)) * 1024
            files = _MAPPED_LINE.search(read_small(f"/proc/{pid}/status"))
            mapped = max(mapped, int(files[1]) * 1024 if files is not None else 0)
        elif _resident_bytes(pid):
            return None
    return own + mapped


def _borrows_memory(pid: int) -> bool:
    """Tell whether a process runs in its parent's own memory, as a child does from `vfork` until it starts its program.

    `/proc` shows that memory for both, whole, so a parent that starts a program would seem to double for a moment.
    Where the kernel does not say whose memory it is (`kcmp`), a process is taken for such a child while it is young.
    """
    fields = read_small(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if not fields or not int(fields[6]) & _FORKED_BUT_NO_PROGRAM:
        return False
    if _KCMP is not None:
        order: int = _LIBC.syscall(_KCMP, pid, int(fields[1]), _KCMP_VM, 0, 0)
        if order >= 0:
            return order == 0
    age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / _TICKS
    return age_s < _YOUNG_SECONDS


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
