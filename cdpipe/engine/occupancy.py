"""What each slot of a run is taken by at one moment, and why a thread that is off the processor waits.

A run has as many slots as cores it was given. At every moment each slot is put into exactly one category, so shares add
up to the whole by construction. Only the standard library is used here: the sampling process starts in 20 ms.
"""

import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

ON_CORE: Final = "on_core"
"""On a core or runnable; exact counters at the ends say later which of them it was, and for whom."""

DISK: Final = "disk"
MEMORY: Final = "memory"
NETWORK: Final = "network"
GIL: Final = "gil"
LOCK: Final = "lock"
SLEEP: Final = "sleep"
SCHEDULING: Final = "scheduling"
IDLE: Final = "idle"
UNATTRIBUTED: Final = "unattributed"
FUTEX: Final = "futex"
"""Waits for another thread: for a lock, or for helpers that do the work (a pool of pyarrow, numba or joblib)."""

CHILD: Final = "child"
"""Waits for a child process to end."""

REMOTE: Final = "remote"
"""Waits at a socket for whoever is at its other end, and so for no other thread."""

EPOLL: Final = "epoll"
"""Waits for one of a set of descriptors: of which, the set itself tells."""

WAKING: Final = "waking"
"""Waits until another thread of its process wakes it, or some time has passed: an event loop with nothing to watch."""

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
    (CHILD, ("do_wait", "kernel_wait4")),
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


class Seen(NamedTuple):
    """One thread at one moment.

    Attributes
    ----------
    home
        The process whose tasks it works for: its own, or the ancestor that runs tasks.
    duty
        "task", "scheduling" (hands out tasks, moves data, or is between two tasks) or "helper" (everything else: the
        threads that libraries start, and child processes).
    state
        A category, `FUTEX`, `CHILD`, `REMOTE` or `WAKING`.
    leads
        Whether it is the first thread of a child process, whose own waiting is then what a task waits for.
    ran_s
        When it was last seen to have run, of a child process any of its threads: a task waits since then.
    """

    home: int
    duty: str
    state: str
    leads: bool = False
    ran_s: float = 0.0


class Home(NamedTuple):
    """What a process that runs tasks says of itself.

    Attributes
    ----------
    threads
        Threads it runs tasks on.
    fetching
        Tasks that wait for results from other workers which are on their way.
    runnable
        Tasks that run or could, as its scheduler knows; 0 if it has none.
    moves_data
        Whether a loop of its own moves data for its tasks, as a worker of a cluster has.
    """

    threads: int = 0
    fetching: int = 0
    runnable: int = 0
    moves_data: bool = False


_WAITS_FOR_SOMEBODY: Final = frozenset({FUTEX, CHILD, NETWORK, REMOTE, WAKING})
_OWN_WORD: Final = {FUTEX: LOCK, CHILD: UNATTRIBUTED, REMOTE: NETWORK, WAKING: SLEEP}
_CAUSES: Final = frozenset({DISK, MEMORY, GIL})
_STARTING_S: Final = 0.05
"""So much later than a child was last seen to run may a task begin to wait for it."""


def share_slots(seen: Sequence[Seen], homes: Mapping[int, Home], *, slots: int) -> dict[str, float]:
    """Put each slot into a category, by what all threads do at one moment.

    Threads on a core fill slots first, those that hand out tasks only if some task waits for them. Then come tasks that
    wait: each for its own reason, or for that of the helper it waits for; if there are more of them than slots are
    left, they share those. What remains is empty.

    Returns
    -------
    dict
        Slots by category of `SAMPLED`; they add up to `slots`.
    """
    running = [each.duty for each in seen if each.state == ON_CORE]
    filled = min(
        slots, len(running) if _is_anything_wanted(seen, homes) else len(running) - running.count("scheduling")
    )
    parts: dict[str, float] = {ON_CORE: filled}
    free = slots - filled
    if not free:
        return parts
    reasons = [reason for home in {each.home for each in seen} for reason in _reasons(home, seen, homes)]
    width = min(1.0, free / len(reasons)) if reasons else 0.0
    for reason in reasons:
        parts[reason] = parts.get(reason, 0.0) + width
    empty = free - width * len(reasons)
    for reason, amount in _empty_slots(seen, homes, empty):
        parts[reason] = parts.get(reason, 0.0) + amount
    return parts


def _is_anything_wanted(seen: Iterable[Seen], homes: Mapping[int, Home]) -> bool:
    """Tell whether those who hand out tasks and move data are at work for somebody, not at their own housekeeping.

    What that costs is counted exactly all the same; but on a busy machine it waits long for a core, and nobody for it.
    """
    tasks = [each.state for each in seen if each.duty == "task"]
    runnable = sum(home.runnable for home in homes.values())
    fetching = any(home.fetching for home in homes.values())
    return fetching or not tasks or runnable > len(tasks) or not _WAITS_FOR_SOMEBODY.isdisjoint(tasks)


def _reasons(home: int, seen: Iterable[Seen], homes: Mapping[int, Home]) -> list[str]:
    """Return why each task of a process that waits does so, and of helpers those that wait for the GIL."""
    mine = [each for each in seen if each.home == home]
    running = [each.duty for each in mine if each.state == ON_CORE]
    helping = running.count("helper")
    if homes[home].moves_data:
        helping += running.count("scheduling")
    causes = [
        each
        for each in mine
        if each.duty == "helper" and each.state != ON_CORE and (each.leads or each.state in _CAUSES)
    ]
    causes.sort(key=lambda cause: cause.state == GIL)
    # A thread that hands out tasks and holds the GIL meanwhile keeps tasks waiting: that is its work's price.
    gil = SCHEDULING if set(running) == {"scheduling"} else GIL
    # Who has no threads for tasks waits for those of others.
    others_work = not homes[home].threads and any(each.duty == "task" and each.home != home for each in seen)
    reasons = []
    for each in mine:
        if each.duty != "task" or each.state == ON_CORE:
            continue
        reason = each.state
        if reason in _WAITS_FOR_SOMEBODY:
            if others_work:
                continue
            if helping:
                helping -= 1  # the slot is the helper's
                continue
            cause = next((cause for cause in causes if _may_wait_for(each, cause)), each)
            if cause is not each:
                causes.remove(cause)
            reason = _OWN_WORD.get(cause.state, cause.state)
        reasons.append(gil if reason == GIL else reason)
    return reasons + [gil for cause in causes if cause.state == GIL]


def _may_wait_for(task: Seen, helper: Seen) -> bool:
    """Tell whether a task that waits can wait for a helper that does so too.

    A child that has done nothing since the task began to wait has had nothing to do for it.
    """
    if task.state == REMOTE:
        return False
    return not helper.leads or task.state == CHILD or helper.ran_s + _STARTING_S >= task.ran_s


def _empty_slots(seen: Sequence[Seen], homes: Mapping[int, Home], empty: float) -> Iterable[tuple[str, float]]:
    """Say why slots without a task have none."""
    in_task = [each.home for each in seen if each.duty == "task"]
    runnable = sum(home.runnable for home in homes.values()) - len(in_task)
    at_work = any(each.duty == "scheduling" and each.state in {ON_CORE, GIL} for each in seen)
    starved = False
    for pid, home in homes.items():
        mine = [each for each in seen if each.home == pid]
        starved |= any(each.duty == "scheduling" and each.state == GIL for each in mine) and any(
            each.duty != "scheduling" and each.state == ON_CORE for each in mine
        )
        idle = max(0, home.threads - in_task.count(pid))
        loop_on_disk = any(each.duty == "scheduling" and each.state == DISK for each in mine)
        if home.moves_data and loop_on_disk:  # reads or writes spilled results, and can start no task meanwhile
            amount = min(empty, idle)
            yield DISK, amount
        else:
            amount = min(empty, idle, home.fetching)
            yield MOVING if at_work else NETWORK, amount
        empty -= amount
        runnable -= int(amount)
    # Without any task there is nothing to run beside: whoever hands tasks out keeps every slot waiting. On a cluster a
    # task may lie at a worker that is busy, which is lack of balance; a scheduler that is at work may yet change it.
    if in_task and not at_work and any(home.moves_data for home in homes.values()):
        runnable = 0
    waiting = min(empty, max(0, runnable)) if in_task else empty
    # Who would start the next task waits for the GIL while tasks hold it.
    yield GIL if starved else SCHEDULING, waiting
    yield IDLE, empty - waiting
