"""Slot shares: shares of a run's time, from samples corrected by what was counted exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from cdpipe.figures import (
    COMPUTE,
    CONTENTION,
    GC,
    NETWORK,
    SCHEDULING,
    SERIALISATION,
    SHARES,
    UNATTRIBUTED,
)
from cdpipe.probe.recording.duration_histogram import Durations
from cdpipe.probe.recording.task_figures import Account
from cdpipe.probe.system.wait_reasons import MOVING, ON_CORE

_LEAST_WAITED: Final = 0.1
"""Counters are not so exact that less than this would be left to looks."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the sampling processes saw; seconds and bytes added up over the machines.

    Attributes
    ----------
    parts
        Slot seconds by category of `cdpipe.probe.sampling.slots.SAMPLED`.
    following
        Those of them, by category of `FOLLOWING`, during which another thread was on a core or runnable.
    run_queue_seconds
        Waiting for a core, added over threads.
    crowded
        Whether more threads ran at once than there are slots, on cores the run was not given.
    peaks
        Most memory of each worker with its children, by its address: resident set sizes, as Dask holds them against a
        worker's limit.
    """

    parts: Mapping[str, float]
    following: Mapping[str, float]
    run_queue_seconds: float
    samples: int
    crowded: bool
    peak_bytes: int
    mean_bytes: int
    cpu_seconds: float
    peaks: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def join(cls, machines: Sequence[Self]) -> Self:
        """Return what was seen on all machines together."""
        names = {name for each in machines for name in each.parts}
        return cls(
            parts={name: sum(each.parts.get(name, 0.0) for each in machines) for name in names},
            following={name: sum(each.following.get(name, 0.0) for each in machines) for name in names},
            run_queue_seconds=sum(each.run_queue_seconds for each in machines),
            samples=min(each.samples for each in machines),
            crowded=any(each.crowded for each in machines),
            peak_bytes=sum(each.peak_bytes for each in machines),
            mean_bytes=sum(each.mean_bytes for each in machines),
            cpu_seconds=sum(each.cpu_seconds for each in machines),
            peaks={address: size for each in machines for address, size in each.peaks.items()},
        )


@dataclass(frozen=True, slots=True)
class Exact:
    """What was counted, not sampled; seconds over all processes.

    Attributes
    ----------
    cpu_seconds
        Processor time in all.
    work_seconds
        The part of it in tasks, in helpers of tasks and in child processes.
    serialisation_seconds
        Pickling and compressing, mostly outside tasks.
    transfer_cpu_seconds
        Processor time that the kernel took to move data between processes, outside tasks.
    gc_task_seconds, gc_other_seconds
        Garbage collection in tasks and elsewhere.
    """

    cpu_seconds: float
    work_seconds: float
    serialisation_seconds: float
    transfer_cpu_seconds: float
    gc_task_seconds: float
    gc_other_seconds: float


def count_exactly(accounts: Mapping[str, Account], *, cpu_seconds: float) -> Exact:
    """Put together what processes say of themselves and the processor time that the kernel counted of their trees.

    What no process says was for something else was for tasks: theirs, their helpers' or their children's.
    """
    figures = [account.figures for account in accounts.values()]
    others = cpu_seconds - sum(each.other_cpu_seconds for each in figures)
    return Exact(
        cpu_seconds=cpu_seconds,
        work_seconds=max(others, sum(each.task_cpu_seconds for each in figures)),
        serialisation_seconds=sum(account.serialisation_seconds for account in accounts.values()),
        transfer_cpu_seconds=sum(account.transfer_cpu_seconds for account in accounts.values()),
        gc_task_seconds=sum(each.gc_task_seconds for each in figures),
        gc_other_seconds=sum(each.gc_other_seconds for each in figures),
    )


def sum_accounts(accounts: Mapping[str, Account]) -> dict[str, Any]:
    """Return the figures of a `ProbeResult` that processes tell of themselves."""
    figures = [account.figures for account in accounts.values()]
    durations = Durations.join(each.durations for each in figures)
    pool_cpu_seconds = sum(each.pool_cpu_seconds for each in figures)
    return {
        "task_seconds": durations.summarise(),
        "task_cpu_seconds": pool_cpu_seconds,
        "task_blocked_seconds": max(0.0, durations.seconds - pool_cpu_seconds),
        "graph_seconds": sum(each.graph_seconds for each in figures),
        "serialisation_seconds": sum(account.serialisation_seconds for account in accounts.values()),
        "spilled_bytes": sum(account.spilled_bytes for account in accounts.values()),
        "gc_seconds": sum(each.gc_task_seconds + each.gc_other_seconds for each in figures),
    }


def attribute(seen: Seen, exact: Exact) -> dict[str, float]:
    """Split a run's slots.

    Samples say how long slots waited for what; how long they were used is known exactly. So the use is taken from the
    counters; waiting for a core is what was seen on a core or runnable beyond that, as far as the kernel counted
    waiting; and the rest is divided as the samples were. Waiting for data that loops are moving is serialisation or
    network as the loops' own time is.

    Returns
    -------
    dict
        Share of the slots by `figures.SHARES`; they add up to 1.
    """
    slot_seconds = sum(seen.parts.values())
    waits = {name: amount / slot_seconds for name, amount in seen.parts.items() if name != ON_CORE}
    used, contention = _find_use(seen, exact)
    rest, others = 1.0 - used - contention, sum(waits.values())
    shares = dict.fromkeys((*SHARES, MOVING), 0.0)
    delayed = contention / (used + contention) if contention else 0.0
    for name, share in waits.items():
        part = rest * share / others if others else 0.0
        # Whoever waits for a thread that waits for a core waits for the core.
        late = part * delayed * seen.following.get(name, 0.0) / seen.parts[name] if share else 0.0
        shares[name] += part - late
        contention += late
    if not others:
        shares[UNATTRIBUTED] += rest
    shares[CONTENTION] = contention
    use, moving, handing = _split_use(exact), shares.pop(MOVING), shares[SCHEDULING]
    shares[SCHEDULING] = 0.0
    for name, share in (
        *_divide(moving, use, (NETWORK, SERIALISATION)),
        *_divide(handing, use, (SCHEDULING, NETWORK, SERIALISATION)),
    ):
        shares[name] += share
    for name, seconds in use.items():
        shares[name] += used * seconds / (exact.cpu_seconds or 1.0)
    return shares


def count_looks(seen: Seen, exact: Exact) -> int:
    """Return how many looks at the slots the shares are worth.

    Only what slots waited for rests on looks, and all waits together are known exactly. So the shares have the noise
    of as many looks as were made, divided by the part of the time that was waited.
    """
    waited = 1.0 - sum(_find_use(seen, exact))
    return round(seen.samples / max(waited, _LEAST_WAITED))


def find_fullest(
    limits: Mapping[str, float], seen: Seen, accounts: Mapping[str, Account], *, tree: tuple[int | None, float]
) -> float | None:
    """Return the peak of memory as a share of its limit, where that share is greatest; None if no limit is known.

    Parameters
    ----------
    limits
        Bytes, by worker, 0 for none, when the run began: a worker that had more than its limit is gone at the end.
    seen, accounts
        What workers held at most, and what they moved to disk.
    tree
        Bytes that all processes together had at most, None if they are not all here, and what they may have.
    """
    shares = [
        (seen.peaks[address] + (accounts[address].spilled_bytes if address in accounts else 0)) / limit
        for address, limit in limits.items()
        if limit and address in seen.peaks
    ]
    peak, allowed = tree
    if peak is not None:
        shares.append(peak / allowed)
    return max(shares, default=None)


def _find_use(seen: Seen, exact: Exact) -> tuple[float, float]:
    """Return in which part of the slots' time cores were used, and in which they were waited for."""
    slot_seconds = sum(seen.parts.values())
    on_core, used = seen.parts.get(ON_CORE, 0.0) / slot_seconds, min(1.0, exact.cpu_seconds / slot_seconds)
    if seen.crowded:
        used = min(used, on_core)
    return used, min(max(0.0, on_core - used), seen.run_queue_seconds / slot_seconds)


def _divide(share: float, use: Mapping[str, float], among: Sequence[str]) -> list[tuple[str, float]]:
    """Divide a share as processor time was; the first one gets all if none of them used any."""
    total = sum(use[name] for name in among)
    if not total:
        return [(among[0], share)]
    return [(name, share * (use[name] / total)) for name in among]


def _split_use(exact: Exact) -> dict[str, float]:
    """Split processor time by what it was for; adds up to all of it."""
    work = min(exact.work_seconds, exact.cpu_seconds)
    other = exact.cpu_seconds - work
    gc_task, gc_other = min(exact.gc_task_seconds, work), min(exact.gc_other_seconds, other)
    work, other = work - gc_task, other - gc_other
    pickled = min(exact.serialisation_seconds, other)
    moved = min(exact.transfer_cpu_seconds, other - pickled)
    return {
        COMPUTE: work,
        GC: gc_task + gc_other,
        SERIALISATION: pickled,
        NETWORK: moved,
        SCHEDULING: other - pickled - moved,
    }
