"""Probe: what a run used, and where its time went, over every process that worked for it.

It is for the run to succeed or fail, not for the probe: where something cannot be measured, as on other systems than
Linux or when the sampling process is killed, there are no figures, and the result says why.

Counters are read at the two ends (`system/`). What cannot be counted, such as what a blocked thread waits for, is
sampled by a process outside (`sampling/`). Tasks note their own begin and end (`recording/`).
"""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

from cdpipe.figures import GB
from cdpipe.interrupts import heeding_interrupts
from cdpipe.limits import machine_memory_bytes
from cdpipe.probe.interface import ProbedSession, ProbedSessionError
from cdpipe.probe.recording.task_figures import Account
from cdpipe.probe.recording.task_recorder import TaskBook
from cdpipe.probe.recording.thread_table import SCHEDULING
from cdpipe.probe.sampler_client import WatchError, Watches
from cdpipe.probe.slot_shares import Seen, attribute, count_exactly, count_looks, find_fullest, sum_accounts
from cdpipe.probe.system.counters import (
    COUNTERS,
    PRESSURES,
    Counters,
    describe_process,
    disk_busy,
    read_counters,
    read_disks,
    read_network,
    read_own_counters,
    read_pressure,
    why_unmeasurable,
)
from cdpipe.probe.system.process_memory import list_tree


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What the probed block used; all None until it ends. None after that means: could not be read here.

    Either `missing` is None, or all others are.

    Process trees are those of this process, of the workers and of a remote scheduler. What their children that
    ended meanwhile used counts, as the kernel adds it to the parent that waited for them. The sampling process is
    left out.

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
    shares
        What the time of `cores` went into, as shares that add up to 1, by `cdpipe.figures.SHARES`.
    tree_peak_bytes, mean_bytes
        Most memory of all process trees together at one moment, and its mean over time, seen every 20 ms, each shared
        page counted once (see `tree_pss_bytes`; resident set sizes where the kernel shows no more). None with workers
        elsewhere.
    limit_bytes
        Memory the session may use, but no more than the machine has.
    memory_percent
        On threads `tree_peak_bytes` as a share of `limit_bytes`. On a cluster the peak of the worker that came nearest
        to its own limit, what it moved to disk included, or if that is more, and all run here, `tree_peak_bytes` as a
        share of the machine's memory.
    read_bytes, write_bytes
        Fetched from, and sent to (or waiting to be sent to), a block device on behalf of the process trees.
    syscall_read_bytes, syscall_write_bytes
        Passed through `read` and `write` calls: also what the page cache served, pipes and sockets.
    page_cache_share
        Part of `syscall_read_bytes` (0 to 1) that came from memory: what the device did not deliver. Pipes and sockets
        count as memory; what is read through mapped files makes it too low. 0 if nothing was read.
    spilled_bytes
        Moved by workers from memory to disk; 0 on threads, which never do.
    network_bytes
        Sent by workers to each other and to the client; on threads what this machine's interfaces carried, whoever
        caused it.
    disk_busy
        Share of the time (0 to 1) in which the busiest disk had work, whoever gave it; where no disk can be seen,
        in which some process waited for I/O.
    disk_busy_source
        `diskstats NAME` or `pressure`.
    ready_queue_max
        Most tasks that could have run at one moment if a thread had been free.
    queue_mean
        Their mean number over time.
    queue_over_time
        Means over 64 equal parts of the time.
    tasks
        Tasks that finished.
    task_seconds
        Wall time of a task, in seconds: `min`, `p50`, `p95`, `max`, `mean`; quantiles within 1 %. Empty if no task ran.
    task_cpu_seconds
        Processor time of the threads that ran tasks, in tasks.
    task_blocked_seconds
        Time in tasks in which their own thread was not on a core.
    graph_seconds
        Wall time for building and ordering graphs, as far as the session did it.
    serialisation_seconds
        Time of workers and of this process for pickling, compressing and their reverse; 0 on threads, which share
        memory.
    gc_seconds
        Processor time of Python's garbage collection.
    pressure_cpu, pressure_memory, pressure_io
        Seconds in which some process of the machine (anyone's) waited for a core, memory or I/O.
    run_queue_seconds
        Time for which threads of the process trees, each for itself, waited for a core.
    samples
        How many looks the shares are worth: moments looked at, by the part of the time that only looks can tell of.
    sampler_cpu_seconds
        Processor time of the sampling process, which is not counted above.
    missing
        Why nothing could be measured; None if it could. It is no figure.
    """

    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    cores: int | None = None
    cpu_percent: float | None = None
    shares: Mapping[str, float] | None = None
    tree_peak_bytes: int | None = None
    mean_bytes: int | None = None
    limit_bytes: int | None = None
    memory_percent: float | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    syscall_read_bytes: int | None = None
    syscall_write_bytes: int | None = None
    page_cache_share: float | None = None
    spilled_bytes: int | None = None
    network_bytes: int | None = None
    disk_busy: float | None = None
    disk_busy_source: str | None = None
    ready_queue_max: int | None = None
    queue_mean: float | None = None
    queue_over_time: tuple[float, ...] | None = None
    tasks: int | None = None
    task_seconds: Mapping[str, float] | None = None
    task_cpu_seconds: float | None = None
    task_blocked_seconds: float | None = None
    graph_seconds: float | None = None
    serialisation_seconds: float | None = None
    gc_seconds: float | None = None
    pressure_cpu: float | None = None
    pressure_memory: float | None = None
    pressure_io: float | None = None
    run_queue_seconds: float | None = None
    samples: int | None = None
    sampler_cpu_seconds: float | None = None
    missing: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {name: each for name, each in asdict(self).items() if name != "missing"}


@contextmanager
def probe(session: ProbedSession) -> Iterator[ProbeResult]:
    """Measure what the block uses, over this process's tree and those of the session's workers.

    Looking takes 0.6 % of the machine, more in the first second; each task costs some 2 us more, which shows where
    tasks take less than a millisecond. The block's own thread counts as a task while it hands out
    none.

    Yields
    ------
    ProbeResult
        Filled when the block ends without an exception: with figures, or with why there are none.

    Raises
    ------
    ProbedSessionError
        If the cluster is lost before the block begins.
    KeyboardInterrupt
        At Ctrl-C, wherever it falls: also while garbage is collected, which the probe is told of.
    """
    result = ProbeResult()
    with heeding_interrupts():
        measured = _Measurement(session)
        try:
            missing = _begin(measured)
            yield result
        except BaseException:  # an interrupt that comes when everything has just been opened too
            with suppress(Exception):  # of two errors the block's is told
                measured.close()
            raise
        figures = _finish(measured) if missing is None else {"missing": missing}
    for name in figures:
        object.__setattr__(result, name, figures[name])  # frozen for everyone else


def _begin(measured: "_Measurement") -> str | None:
    """Begin to measure, or leave nothing behind and say why that cannot be."""
    missing = why_unmeasurable()
    if missing is not None:
        return missing
    try:
        measured.begin()
    except ProbedSessionError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the run can do without figures
        with suppress(Exception):  # of two errors the first is told
            measured.close()
        return _word(error)
    return None


def _finish(measured: "_Measurement") -> dict[str, Any]:
    """Return what was measured, or why that is unknown; nothing of the measurement is left then."""
    try:
        try:
            return measured.read()
        finally:
            measured.close()
    except Exception as error:  # noqa: BLE001 - as above
        return {"missing": _word(error)}


def _word(error: Exception) -> str:
    return str(error) if isinstance(error, WatchError | ProbedSessionError) else f"{type(error).__name__}: {error}"


class _Measurement:
    """All that is open while a block is measured; whoever begins closes, also where beginning fails."""

    def __init__(self, session: ProbedSession) -> None:
        self._session = session
        self._stack, self._queue_stack = ExitStack(), ExitStack()

    def begin(self) -> None:
        """Open all of it, and begin to count."""
        session = self._session
        self._watches = self._stack.enter_context(Watches(session))
        self._books = self._stack.enter_context(session.keep_books())
        self._book = self._stack.enter_context(_keep_own_book(session))
        self._watches.prepare(self._book, self._books.where())
        self._queue = self._queue_stack.enter_context(session.watch_queue())
        self._before = _End(session, self._watches.pid)
        self._watches.begin()
        self._start = time.perf_counter()

    def read(self) -> dict[str, Any]:
        """Stop measuring and return the figures by name."""
        session, before, book = self._session, self._before, self._book
        wall = time.perf_counter() - self._start
        self._watches.stop()
        figures = before.compare_machine(wall)
        packing_seconds = self._books.packing_seconds()
        book.switch(SCHEDULING)
        accounts = {**self._books.read(), "here": Account(book.close(), serialisation_seconds=packing_seconds)}
        after = _End(session, self._watches.pid)
        self._queue_stack.close()
        seen = self._watches.read()
        figures |= {
            "ready_queue_max": self._queue.deepest_ready,
            "queue_mean": self._queue.mean_ready,
            "queue_over_time": self._queue.ready_over_time,
            "tasks": self._queue.tasks,
            "limit_bytes": before.limit_bytes,
        }
        figures |= _compare(before, after, wall) | sum_accounts(accounts)
        figures |= _judge(before, after, accounts, seen, figures)
        allowed = figures["limit_bytes"] if session.runs_here else machine_memory_bytes()
        fullest = find_fullest(before.limits, seen, accounts, tree=(figures.get("tree_peak_bytes"), allowed))
        figures["memory_percent"] = None if fullest is None else 100 * fullest
        return figures

    def close(self) -> None:
        """Leave nothing behind; where an error is on its way, it is the one that everything learns of."""
        error = sys.exc_info()
        try:
            self._queue_stack.__exit__(*error)
        finally:
            self._stack.__exit__(*error)


@contextmanager
def _keep_own_book(session: ProbedSession) -> Iterator[TaskBook]:
    """Keep the book of this process, which runs tasks only if no other does."""
    book = TaskBook(threads=session.threads if session.runs_here else 0, serial=True)
    book.open()
    try:
        yield book
    finally:
        book.discard()


class _End:
    """The state of every process tree, and of this machine, at one end of the probed block."""

    def __init__(self, session: ProbedSession, sampler_pid: int) -> None:
        here = describe_process()
        others = session.each_process(describe_process)
        mine = list_tree(here.pid)
        self.workers = len(others)
        near = {each for each in others.values() if each.host == here.host}
        self.detached = {each for each in near if each.pid not in mine}
        elsewhere = {address for address, each in others.items() if each.host != here.host}
        self.roots = (here.pid, *(each.pid for each in self.detached))
        machines = {each.host: each.cores for each in others.values() or (here,)}
        self.cores = min(session.threads, sum(machines.values()))
        memory = session.memory()
        self.limits = {address: each["limit_gb"] * GB for address, each in memory["workers"].items()}
        self._limit_bytes = memory["cluster_total_gb"] * GB
        self.counters: dict[str, Counters] = {"here": read_counters(*self.roots, without=(sampler_pid,))}
        if elsewhere:
            remote = session.each_process(read_own_counters)
            self.counters |= {address: remote[address] for address in elsewhere & set(remote)}
        self._disks, self._pressure_us, self._network = read_disks(), read_pressure(), read_network()

    @property
    def elsewhere(self) -> bool:
        """Whether some process runs on another machine."""
        return len(self.counters) > 1

    @property
    def limit_bytes(self) -> int:
        """The memory that the session may use."""
        return int(self._limit_bytes if self.elsewhere else min(self._limit_bytes, machine_memory_bytes()))

    def compare_machine(self, wall_s: float) -> dict[str, Any]:
        """Return what this machine has done since."""
        busy, source = disk_busy(self._disks, self._pressure_us, wall_s)
        pressure_us, network = read_pressure(), read_network()
        figures = {
            f"pressure_{name}": (pressure_us[name] - self._pressure_us[name]) / 1e6
            for name in PRESSURES
            if name in pressure_us and name in self._pressure_us
        }
        carried = network - self._network if network is not None and self._network is not None else None
        return figures | {
            "wall_seconds": wall_s,
            "disk_busy": busy,
            "disk_busy_source": source,
            "network_bytes": carried,
        }


def _compare(before: _End, after: _End, wall_seconds: float) -> dict[str, Any]:
    figures: dict[str, Any] = {"cores": after.cores}
    if before.detached != after.detached or before.counters.keys() != after.counters.keys():
        return figures  # a worker came or went: what it used cannot be told from what it had used before
    for name in COUNTERS:
        pairs = [(before.counters[place][name], after.counters[place][name]) for place in before.counters]
        known = [new - old for old, new in pairs if old is not None and new is not None]
        figures[name] = sum(known) if len(known) == len(pairs) else None
    if figures["cpu_seconds"] is not None and after.cores:  # none if all workers have gone
        figures["cpu_percent"] = 100 * figures["cpu_seconds"] / (wall_seconds * after.cores)
    read, asked = figures["read_bytes"], figures["syscall_read_bytes"]
    if read is not None and asked is not None:
        figures["page_cache_share"] = max(0.0, 1 - read / asked) if asked else 0.0
    return figures


def _judge(
    before: _End, after: _End, accounts: Mapping[str, Account], seen: Seen, figures: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the figures that rest on what was sampled."""
    found: dict[str, Any] = {
        "samples": seen.samples,
        "sampler_cpu_seconds": seen.cpu_seconds,
        "run_queue_seconds": seen.run_queue_seconds,
    }
    if not before.elsewhere and not after.elsewhere:
        found["tree_peak_bytes"], found["mean_bytes"] = seen.peak_bytes, seen.mean_bytes
    if before.workers:
        found["network_bytes"] = sum(each.network_bytes for each in accounts.values())
    cpu_seconds = figures.get("cpu_seconds")
    if cpu_seconds is not None and any(seen.parts.values()):  # else whoever was watched has gone
        exact = count_exactly(accounts, cpu_seconds=cpu_seconds)
        found["shares"] = attribute(seen, exact)
        found["samples"] = count_looks(seen, exact)
    return found
