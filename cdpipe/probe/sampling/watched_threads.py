"""Watched threads, with the table of the process that runs tasks and its memory, read for one sample."""

import mmap
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from cdpipe.figures import NETWORK, UNATTRIBUTED
from cdpipe.probe.recording import thread_table as table
from cdpipe.probe.sampling.slots import Home
from cdpipe.probe.system.process_memory import processes_pss_bytes, processes_rss_bytes, read_small
from cdpipe.probe.system.wait_reasons import EPOLL, ON_CORE, read_call, read_kernel_function, read_watched

_GIL_LOOKS: Final = 5
"""For how many looks a thread that waited for the GIL counts as one that takes turns with it."""

_NEW_HIGH: Final = 1.02
_EXACT_SHARE: Final = 0.004
_EXACT_SECONDS: Final = 0.25


class Thread:
    """One thread that is watched; its files of `/proc` stay open, which saves half the cost of reading them."""

    def __init__(self, pid: int, tid: int) -> None:
        self.pid = pid
        self.tid = tid
        folder = f"/proc/{pid}/task/{tid}"
        self._schedule = os.open(f"{folder}/schedstat", os.O_RDONLY)
        self._folder = folder
        self._call: int | None = None
        self._function: int | None = None
        self._children: int | None = None
        self.argument = 0
        self.ran_ns = self.waited_ns = 0
        self.ran_s = 0.0
        self.state = ON_CORE
        self._turns = b""
        self._gil_looks = 0

    def look(self, *, closely: bool, sets: bool) -> tuple[int, int]:
        """Read what the thread does now; returns how long it ran and waited for a core since the last look, in ns.

        A thread that was blocked and has not run since is blocked still, so its reason is not read again unless
        `closely`. What a set of descriptors holds costs one more file, and is read if `sets`.
        """
        text = os.pread(self._schedule, 100, 0)
        ran, waited, turns = text.split()
        ran_ns, waited_ns = int(ran) - self.ran_ns, int(waited) - self.waited_ns
        self.ran_ns, self.waited_ns = int(ran), int(waited)
        if closely or ran_ns or waited_ns or turns != self._turns or self.state == ON_CORE:
            self._turns = turns
            self.state = self._read_state()
            if self.state == EPOLL:
                self.state = self._read_set() if sets else NETWORK
        return ran_ns, waited_ns

    def note_gil(self) -> None:
        """Say that it waits for the GIL."""
        self._gil_looks = _GIL_LOOKS

    def waited_for_gil(self) -> bool:
        """Tell whether it has waited for the GIL lately; asked once a look."""
        self._gil_looks = max(0, self._gil_looks - 1)
        return self._gil_looks > 0

    def children(self) -> list[int]:
        """Return the processes that this thread has started and that exist."""
        if self._children is None:
            self._children = _open_or_none(f"{self._folder}/children")
        if self._children is None:
            return []
        try:
            return [*map(int, os.pread(self._children, 65536, 0).split())]
        except OSError:
            return []

    def _read_state(self) -> str:
        self.argument = 0
        if self._call is None:
            self._call = _open_or_none(f"{self._folder}/syscall")
        if self._call is not None:
            try:
                reason, self.argument = read_call(os.pread(self._call, 200, 0))
            except PermissionError:
                self._call, reason = -1, None
            except OSError:
                reason = None
            if reason is not None:
                return reason
        return self._read_function()

    def _read_set(self) -> str:
        return read_watched(read_small(f"{self._folder}/fdinfo/{self.argument}"))

    def _read_function(self) -> str:
        if self._function is None:
            self._function = _open_or_none(f"{self._folder}/wchan")
        name = b""
        if self._function is not None:
            with suppress(OSError):
                name = os.pread(self._function, 100, 0)
        reason = read_kernel_function(name.decode(), state="")
        if reason == UNATTRIBUTED:
            state = read_small(f"{self._folder}/stat").rpartition(b")")[2][1:2].decode()
            reason = read_kernel_function("", state=state)
        return reason

    def close(self) -> None:
        """Give the files back."""
        for descriptor in (self._schedule, self._call, self._function, self._children):
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)


def _open_or_none(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


class Table:
    """The shared table of a process that runs tasks."""

    def __init__(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self.cells = memoryview(mmap.mmap(descriptor, table.TABLE_BYTES, prot=mmap.PROT_READ)).cast("q")
        finally:
            os.close(descriptor)

    def duties(self) -> dict[int, int]:
        """Return the duty of each thread it knows."""
        end = table.HEADER_CELLS + 2 * self.cells[table.ROWS_USED]
        rows = self.cells[table.HEADER_CELLS : end].tolist()
        return dict(zip(rows[::2], rows[1::2], strict=True))

    def holds_gil_at(self, address: int) -> bool:
        """Tell whether a futex at an address of the process is its interpreter's GIL."""
        start, end = self.cells[table.GIL_START], self.cells[table.GIL_END]
        return bool(start <= address < end)

    def home(self) -> Home:
        """Return what the process says of itself."""
        cells = self.cells
        return Home(
            threads=cells[table.THREADS],
            fetching=cells[table.FETCHING],
            runnable=cells[table.RUNNABLE],
            moves_data=bool(cells[table.MOVES_DATA]),
        )


class Memory:
    """Watches the memory of process trees, over time and at its most.

    Resident set sizes are cheap to read, but count a page that processes share in each of them. By how much they are
    too high changes as processes come and go; the exact figure tells, now and then. One process alone is asked for it
    at the ends only: while it answers it cannot map memory.
    """

    def __init__(self) -> None:
        self.homes: Mapping[int, int] = {}
        """By process the one whose tasks it works for."""
        self.peak_bytes = 0
        self.peaks: dict[int, int] = {}
        self._area_byte_s = self._seconds = 0.0
        self._excess = 0
        self._highest_rss = 0.0
        self._due_s = 0.0
        self._known: Mapping[int, int] = {}

    def look(self, elapsed_s: float, *, last: bool = False) -> None:
        """Look once, for the `elapsed_s` since the last look."""
        resident = dict.fromkeys(self.homes.values(), 0)
        for pid, home in self.homes.items():
            resident[home] += processes_rss_bytes((pid,))
        rss = sum(resident.values())
        high, start_s = rss > self._highest_rss * _NEW_HIGH, time.perf_counter()
        self._highest_rss = max(self._highest_rss, rss)
        due = len(self.homes) > 1 and start_s >= self._due_s
        if last or due or (high and self._known != self.homes):
            exact = processes_pss_bytes(self.homes)
            self._excess = 0 if exact is None else rss - exact
            self._known = self.homes
            # Memory can also grow where RSS does not (a fork's copies), so look again, in 0.4 % of the time at most.
            now_s = time.perf_counter()
            self._due_s = now_s + max(_EXACT_SECONDS, (now_s - start_s) / _EXACT_SHARE)
        self.peak_bytes = max(self.peak_bytes, rss - self._excess)
        for home, size in resident.items():
            self.peaks[home] = max(self.peaks.get(home, 0), size)
        self._area_byte_s += (rss - self._excess) * elapsed_s
        self._seconds += elapsed_s

    def report(self) -> dict[str, Any]:
        """Return the peak and the average over time, and the peak of each process that runs tasks."""
        mean = self._area_byte_s / self._seconds if self._seconds else float(self.peak_bytes)
        return {"peak_bytes": self.peak_bytes, "mean_bytes": int(mean), "peaks": self.peaks}
