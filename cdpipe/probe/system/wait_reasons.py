"""Wait reasons of a blocked thread, from what the kernel says of it. Standard library alone, as the sampler needs."""

import platform
from collections.abc import Mapping
from typing import Final

from cdpipe.figures import DISK, GIL, IDLE, LOCK, MEMORY, NETWORK, SCHEDULING, SLEEP, UNATTRIBUTED

ON_CORE: Final = "on_core"
"""On a core or runnable; exact counters at the ends say later which of them it was, and for whom."""

FUTEX: Final = "futex"
"""Waits for another thread: for a lock, or for helpers that do the work (a pool of pyarrow, numba or joblib)."""

CHILD: Final = "child"
"""Waits for a child process to end."""

REMOTE: Final = "remote"
"""Waits at a socket for whoever is at its other end, and so for no other thread."""

EPOLL: Final = "epoll"
"""Waits for one of a set of descriptors; the set itself tells which they are."""

WAKING: Final = "waking"
"""Waits until another thread of its process wakes it, or some time has passed: an event loop with nothing to watch."""

NAP: Final = "nap"
"""Sleeps for a moment, and did so before: it may look again and again whether somebody is done."""

MOVING: Final = "moving"
"""Waits for data that a loop, here or at another worker, is packing, sending, receiving or unpacking."""

FOLLOWING: Final = (GIL, LOCK, SCHEDULING, MOVING, IDLE)
"""Waits that last until another thread of the run gets on: if that one has no core, these are longer for it."""

SAMPLED: Final = (ON_CORE, DISK, MEMORY, NETWORK, GIL, LOCK, SLEEP, SCHEDULING, MOVING, IDLE, UNATTRIBUTED)

_X86_64: Final = {
    SLEEP: (35, 230),
    FUTEX: (202, 449, 455),
    CHILD: (61, 247),
    DISK: (26, 74, 75, 162, 277, 306, 82, 83, 84, 87, 263, 264, 316, 285, 77, 76),
    LOCK: (72, 73, 65, 220),
    NETWORK: (7, 23, 270, 271, 426),
    REMOTE: (42, 43, 44, 45, 46, 47, 288, 299, 307),
    EPOLL: (232, 281, 441),
}
_AARCH64: Final = {
    SLEEP: (101, 115),
    FUTEX: (98, 449, 455),
    CHILD: (95, 260),
    DISK: (81, 82, 83, 84, 227, 267, 34, 35, 38, 276, 45, 46, 47),
    LOCK: (25, 32, 192, 193),
    NETWORK: (72, 73, 426),
    REMOTE: (202, 203, 206, 207, 211, 212, 242, 243, 269),
    EPOLL: (22, 441),
}
_CALLS: Final[Mapping[int, str]] = {
    number: reason
    for reason, numbers in (_AARCH64 if platform.machine() == "aarch64" else _X86_64).items()
    for number in numbers
}
"""System calls in which a blocked thread waits for one thing alone (`asm/unistd_64.h`); else the kernel function tells.
For calls on files (renaming, truncating, syncing) that thing is the disk, whatever the function."""

_POLLS: Final = {72, 73} if platform.machine() == "aarch64" else {7, 23, 270, 271}

_KERNEL: Final = (
    (MEMORY, ("try_to_free", "shrink_", "reclaim", "mem_cgroup", "swap_", "do_swap", "compact", "throttle_direct")),
    (NETWORK, ("pipe_", "anon_pipe", "unix_", "sk_", "sock_", "tcp_", "inet_", "wait_woken", "poll", "select")),
    (SLEEP, ("nanosleep", "hrtimer_nano")),
    (FUTEX, ("futex",)),
    (CHILD, ("do_wait", "kernel_wait4", "kernel_clone", "vfork")),
    (LOCK, ("rwsem", "mutex", "down_", "locks_lock", "flock", "posix_lock", "fcntl", "percpu_rwsem")),
    (
        DISK,
        ("folio_wait", "wait_on_page", "io_schedule", "bio_wait", "bit_wait", "wait_on_bit", "blk_", "jbd2", "ext4_",
         "xfs_", "btrfs_", "writeback", "balance_dirty", "fsync", "wait_on_buffer", "filemap", "nfs_", "rpc_", "fuse_",
         "request_wait_answer", "p9_", "dio_", "iomap", "nvme", "scsi", "log_wait", "start_this_handle"),
    ),
)  # fmt: skip
"""Parts of the names of kernel functions in which threads sleep (`/proc/PID/wchan`); the first match wins."""


def read_call(text: bytes) -> tuple[str | None, int]:
    """Tell from `/proc/PID/syscall` why a thread waits, and the call's first argument.

    Returns
    -------
    tuple
        `ON_CORE` if it does not wait; None where the call alone does not tell. Then the address or descriptor.
    """
    fields = text.split(None, 2)
    if not fields or fields[0] == b"running":
        return (ON_CORE if fields else None), 0
    number = int(fields[0])
    argument = int(fields[1], 16) if len(fields) > 1 and number >= 0 else 0
    if number in _POLLS and argument == 0:
        return SLEEP, 0  # `select` without descriptors is how Python slept before 3.11
    return _CALLS.get(number), argument


def read_watched(text: bytes) -> str:
    """Tell from `/proc/PID/fdinfo` of an `epoll` set what waits there: an event loop alone watches its own wake-up."""
    return WAKING if text.count(b"tfd:") == 1 else NETWORK


def read_kernel_function(name: str, *, state: str) -> str:
    """Tell why a thread waits from the kernel function it sleeps in, and its state letter where that says nothing."""
    for reason, parts in _KERNEL:
        if any(part in name for part in parts):
            return reason
    return DISK if state == "D" else ON_CORE if state == "R" else UNATTRIBUTED
