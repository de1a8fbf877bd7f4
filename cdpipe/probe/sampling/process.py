"""The sampling process: watches threads of process trees from outside, so that it needs nobody's GIL.

Started by `cdpipe.probe.sampler_client` with the standard library alone. Reads one line of JSON that says what to watch
and answers `{}`; begins at the next line, stops at the one after, and at one more answers with what it saw. Where it
fails, its answer says of what. It ends when its input does.
"""

import io
import itertools
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cdpipe.figures import GIL, LOCK, NETWORK, SLEEP
from cdpipe.probe.recording import thread_table as table
from cdpipe.probe.sampling.slots import Home, Seen, share_slots
from cdpipe.probe.sampling.watched_threads import Memory, Table, Thread
from cdpipe.probe.system.process_memory import read_small
from cdpipe.probe.system.wait_reasons import FOLLOWING, FUTEX, NAP, ON_CORE, REMOTE, SAMPLED, WAKING

NAME: Final = b"cdpipe-sampler"
SHORTEST_S: Final = 0.005
LONGEST_S: Final = 0.1
"""Whatever looking has cost: a child process's memory may have its peak and go in twice that."""

RESCAN_S: Final = 0.02
LONGEST_RESCAN_S: Final = 0.1
"""Where every task computes: new threads and children matter to tasks that wait for them, and for memory."""

MEMORY_S: Final = 0.02
COST_SHARE: Final = 0.006
"""Most of the machine's processor time that sampling may take, except the first `CREDIT_S` of a run's share."""

CREDIT_S: Final = 0.25
PRIORITY: Final = -10
"""Where the user may raise it: on a busy machine the moments would else be those at which others leave a core free."""

LOOKS_A_CORE: Final = 8
"""After this many looks it goes on to the next core, so that no slot of the run pays for all of them.

It is free to leave that core again for an idle one, which a run that keeps one of several busy does not pay for."""

NAP_S: Final = 0.1
"""A task that sleeps, and was seen to run so lately, may be waiting for somebody."""

_LEADER_STATES: Final = frozenset({SLEEP, NETWORK, REMOTE, WAKING, LOCK, FUTEX})


class Watcher:
    """Watches process trees; `begin` starts to count."""

    def __init__(self, roots: Iterable[int], tables: Mapping[int, str], *, slots: int, cores: int) -> None:
        self.roots = tuple(roots)
        self.slots, self.cores = slots, cores
        self.tables: dict[int, Table] = {}
        for pid, path in tables.items():
            with suppress(OSError):
                self.tables[pid] = Table(path)
        self.threads: dict[int, Thread] = {}
        self.homes: dict[int, int] = {}
        self.parts = dict.fromkeys(SAMPLED, 0.0)
        self.following = dict.fromkeys(FOLLOWING, 0.0)
        self.ran_s: dict[int, float] = {}
        self.waited_ns = self.samples = self.crowded = 0
        self.scanned_s = 0.0
        self.last: dict[str, float] = {}
        self.memory = Memory()
        self.scan()
        self.sample(0.0)
        self.memory.look(0.0)

    def begin(self) -> None:
        """Count from now on."""
        self.scan()
        self.sample(0.0)
        self.parts = dict.fromkeys(SAMPLED, 0.0)
        self.following = dict.fromkeys(FOLLOWING, 0.0)
        self.waited_ns = self.samples = self.crowded = 0

    def scan(self) -> None:
        """Find threads and processes that are new, and forget those that ended."""
        self.scanned_s = time.perf_counter()
        found: set[int] = set()
        alive: set[int] = set()
        pending = [*self.roots]
        while pending:
            pid = pending.pop()
            if pid in alive or pid == os.getpid() or (pid not in self.homes and self._is_sampler(pid)):
                continue
            with suppress(FileNotFoundError, ProcessLookupError):
                names = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - 20 times a second: strings are cheaper
                alive.add(pid)
                for tid in map(int, names):
                    if tid not in self.threads:
                        with suppress(OSError):
                            self.threads[tid] = Thread(pid, tid)
                    if tid in self.threads:
                        found.add(tid)
                        pending += self.threads[tid].children()
        for tid in [*self.threads]:
            if tid not in found:
                self.threads.pop(tid).close()
        self.homes = {pid: self.homes.get(pid) or self._find_home(pid) for pid in alive}
        self.memory.homes = self.homes

    @staticmethod
    def _is_sampler(pid: int) -> bool:
        """Tell whether a process is the sampling process of another probe."""
        return read_small(f"/proc/{pid}/comm").strip() == NAME

    def _find_home(self, pid: int) -> int:
        """Return the nearest ancestor that runs tasks, or else the first tree's root."""
        while pid not in self.tables and pid > 1:
            fields = read_small(f"/proc/{pid}/stat").rpartition(b")")[2].split()
            if not fields:
                break
            pid = int(fields[1])
        return pid if pid in self.tables else self.roots[0]

    def sample(self, elapsed_s: float) -> None:
        """Look at every thread once, for the `elapsed_s` since the last look."""
        duties = {pid: each.duties() for pid, each in self.tables.items()}
        for pid, rows in duties.items():
            for tid in rows.keys() - self.threads.keys():
                with suppress(OSError):
                    self.threads[tid] = Thread(pid, tid)  # it has just begun to take tasks
        now_s = time.perf_counter()
        looked = self._look(self.threads.values(), duties, now_s)
        waits = any(duty == table.TASK and thread.state != ON_CORE for thread, duty, _ in looked)
        if now_s - self.scanned_s >= (RESCAN_S if waits else LONGEST_RESCAN_S) or len(looked) < len(self.threads):
            known = {thread for thread, *_ in looked}
            self.scan()
            looked += self._look([each for each in self.threads.values() if each not in known], duties, now_s)
        seen, held = [], dict[int, list[tuple[int, int]]]()
        for thread, duty, ran_ns in looked:
            seen.append(self._judge(thread, duty, now_s))
            if seen[-1].state == ON_CORE and seen[-1].duty != "scheduling" and thread.waited_for_gil():
                held.setdefault(thread.pid, []).append((ran_ns, len(seen) - 1))
        for turns in held.values():
            _pass_gil(seen, turns, elapsed_s)
        homes = {pid: each.home() for pid, each in self.tables.items()}
        self.last = share_slots(seen, {self.roots[0]: Home(), **homes}, slots=self.slots)
        self.extend(elapsed_s)
        self.crowded += sum(each.state == ON_CORE for each in seen) > self.slots
        self.samples += 1

    def _look(
        self, threads: Iterable[Thread], duties: Mapping[int, Mapping[int, int]], now_s: float
    ) -> list[tuple[Thread, int | None, int]]:
        """Look at threads: each that is there, its duty, None if it is a helper, and how long it has run, in ns."""
        found = []
        for thread in threads:
            duty = duties[thread.pid].get(thread.tid) if thread.pid in duties else None
            try:
                ran_ns, waited_ns = thread.look(closely=duty == table.TASK, sets=duty in {table.TASK, None})
            except (OSError, ValueError):
                continue
            self.waited_ns += waited_ns
            if ran_ns:
                thread.ran_s = self.ran_s[thread.pid] = now_s
            found.append((thread, duty, ran_ns))
        return found

    def extend(self, elapsed_s: float) -> None:
        """Say that for so long it was as at the last look."""
        for name, amount in self.last.items():
            self.parts[name] += amount * elapsed_s
            if name in self.following and self.last[ON_CORE]:
                self.following[name] += amount * elapsed_s

    def _judge(self, thread: Thread, duty: int | None, now_s: float) -> Seen:
        home = self.homes.get(thread.pid, self.roots[0])
        own = self.tables.get(thread.pid)
        state = thread.state
        if state == FUTEX and own is not None and own.holds_gil_at(thread.argument):
            state = GIL
            thread.note_gil()
        if own is not None and own.cells[table.ONLY_SCHEDULES]:
            return Seen(home, "scheduling", state)
        if duty is None:
            leads = own is None and thread.tid == thread.pid and state in _LEADER_STATES
            return Seen(home, "helper", state, leads, self.ran_s.get(thread.pid, 0.0) if leads else thread.ran_s)
        if state == SLEEP and now_s - thread.ran_s <= NAP_S:
            state = NAP
        return Seen(home, "task" if duty == table.TASK else "scheduling", state, ran_s=thread.ran_s)

    def report(self) -> dict[str, Any]:
        """Return what was seen."""
        return {
            "parts": self.parts,
            "following": self.following,
            "run_queue_seconds": self.waited_ns / 1e9,
            "samples": self.samples,
            "crowded": self.slots < self.cores and self.crowded > 0,
            **self.memory.report(),
        }


def _pass_gil(seen: list[Seen], turns: list[tuple[int, int]], elapsed_s: float) -> None:
    """Of threads that take turns with the GIL, let one run: the others are awake only to ask for it.

    They ask every 5 ms, which takes no time but on a busy machine, where they wait for a core to ask. That they took
    turns shows in what they ran together: no more than one core's worth.
    """
    if sum(ran_ns for ran_ns, _ in turns) <= 1.1e9 * elapsed_s:
        for _, place in sorted(turns)[:-1]:
            seen[place] = seen[place]._replace(state=GIL)


def watch(watcher: Watcher, source: io.FileIO) -> float:
    """Sample until a line comes in, or the input ends; return the processor time that took."""
    start_s = last_s = memory_s = time.perf_counter()
    begun_cpu_s = time.process_time()
    watcher.memory.look(0.0)
    wait_s = SHORTEST_S
    allowed = os.sched_getaffinity(0)
    cores = itertools.cycle(allowed)
    while True:
        if watcher.samples % LOOKS_A_CORE == 0:
            os.sched_setaffinity(0, {next(cores)})
            os.sched_setaffinity(0, allowed)
        # Random waits: a fixed one could keep step with the 5 ms after which threads hand the GIL over.
        came = select.select([source], [], [], wait_s * (0.5 + random.random()))[0]  # noqa: S311
        now_s = time.perf_counter()
        if came:  # what the threads do now is no part of the run any more
            watcher.extend(now_s - last_s)
            watcher.sample(0.0)  # but how long they have waited for a core until now is
            return time.process_time() - begun_cpu_s
        watcher.sample(now_s - last_s)
        last_s = now_s
        if now_s - memory_s >= MEMORY_S:
            watcher.memory.look(now_s - memory_s)
            memory_s = now_s
        wait_s = _next_wait_s(
            elapsed_s=now_s - start_s,
            spent_s=time.process_time() - begun_cpu_s,
            samples=watcher.samples,
            budget=COST_SHARE * watcher.cores,
        )


def _next_wait_s(*, elapsed_s: float, spent_s: float, samples: int, budget: float) -> float:
    """Return how long to wait: as little as is useful at first, for short runs, then what the budget allows."""
    affordable_s = (spent_s + spent_s / max(1, samples)) / budget - CREDIT_S
    return min(LONGEST_S, max(SHORTEST_S, affordable_s - elapsed_s))


def main() -> None:
    """Be the sampling process; what it fails of it says as its answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to every process; this one ends when its parent does
    try:
        _serve(io.FileIO(sys.stdin.fileno(), closefd=False))  # without a buffer, `select` sees all that came
    except BrokenPipeError:
        return  # nobody listens any more
    except Exception as error:  # noqa: BLE001 - whatever it is, whoever measures is told
        _say({"failed": f"{type(error).__name__}: {error}"})


def _serve(source: io.FileIO) -> None:
    Path("/proc/self/comm").write_bytes(NAME)
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    first = source.readline()
    if not first:  # the run ended before there was anything to watch
        return
    said = json.loads(first)
    tables = {int(pid): path for pid, path in said["tables"].items()}
    watcher = Watcher(said["roots"], tables, slots=said["slots"], cores=said["cores"])
    _say({})
    if not source.readline():
        return
    watcher.begin()
    spent_s = watch(watcher, source)
    watcher.memory.look(0.0, last=True)
    if not source.readline():
        return
    source.readline()
    _say(watcher.report() | {"cpu_seconds": spent_s})
    source.readline()  # whoever counts processor time does so before this ends


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
