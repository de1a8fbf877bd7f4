"""Task recorder: tells the sampling process through shared memory which threads are in a task; notes what each took.

While nobody keeps a book, a task costs one look at an empty list. While somebody does, its begin and end each cost two
clock readings and one number written to memory, which the sampling process reads without asking this one for the GIL.
"""

import gc
import mmap
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter, process_time, thread_time
from typing import Any, Final, ParamSpec, TypeVar

from cdpipe.probe.recording.duration_histogram import Durations
from cdpipe.probe.recording.task_figures import TaskFigures
from cdpipe.probe.recording.thread_table import (
    FETCHING,
    GIL_END,
    GIL_START,
    HEADER_CELLS,
    MOVES_DATA,
    ONLY_SCHEDULES,
    ROWS,
    ROWS_USED,
    RUNNABLE,
    SCHEDULING,
    TABLE_BYTES,
    TASK,
    THREADS,
)
from cdpipe.probe.system.gil_address import find_gil
from cdpipe.probe.system.process_memory import read_small

OVERHEAD_THREADS: Final = ("IO loop", "Profile", "Dask-", "asyncio_", "TCP-Executor", "Event loop", "cdpipe-probe")
"""Names, by their beginning, of threads that hand tasks out or move data: distributed's and asyncio's own."""

P = ParamSpec("P")
T = TypeVar("T")


class _Part:
    """What a book knows of one thread; when that has ended, its row is free again."""

    __slots__ = ("__weakref__", "_book", "duty", "figures", "place", "since_cpu_s")

    def __init__(self, book: "TaskBook") -> None:
        self._book = book
        self.duty = SCHEDULING
        self.since_cpu_s = thread_time()
        self.figures = TaskFigures()
        self.place = book.enlist(threading.get_native_id())
        book.working.add(threading.get_native_id())

    def __del__(self) -> None:
        self._book.release(self.place)


class _Thread(threading.local):
    """The part of the thread that asks; made at its first word, and gone with it."""

    def __init__(self, book: "TaskBook") -> None:
        self.part = _Part(book)
        book.figures.append(self.part.figures)
        book.parts[threading.get_ident()] = weakref.ref(self.part)


class TaskBook:
    """What each thread of this process does, while the book is open.

    Parameters
    ----------
    threads
        Threads this process runs tasks on; 0 if it runs none.
    serial
        Whether the thread that opens the book works by itself while it hands out no tasks.
    moves_data, only_schedules
        Whether this process is a worker of a cluster, or nothing but its scheduler.
    """

    def __init__(
        self, *, threads: int, serial: bool = False, moves_data: bool = False, only_schedules: bool = False
    ) -> None:
        self.descriptor = os.memfd_create("cdpipe-tasks", os.MFD_CLOEXEC)
        os.ftruncate(self.descriptor, TABLE_BYTES)
        self.cells = memoryview(mmap.mmap(self.descriptor, TABLE_BYTES)).cast("q")
        self.cells[THREADS], self.cells[MOVES_DATA], self.cells[ONLY_SCHEDULES] = threads, moves_data, only_schedules
        self.cells[GIL_START], self.cells[GIL_END] = find_gil()
        self.figures: list[TaskFigures] = []
        self.parts: dict[int, weakref.ref[_Part]] = {}
        self.working: set[int] = set()
        self._only_schedules = only_schedules
        self._serial = serial
        self._lock = threading.Lock()
        self._rows_used = 0
        self._free: list[int] = []
        self._collecting_since_s = self._gc_task_seconds = self._gc_other_seconds = self._begun_cpu_s = 0.0
        self._begun_ns: dict[int, int] = {}
        self._here = _Thread(self)

    def open(self) -> None:
        """Begin to watch."""
        if self._serial:
            self.switch(TASK)
        self._begun_cpu_s, self._begun_ns = process_time(), self.enlist_overhead()
        gc.callbacks.append(self._note_collection)
        BOOKS.append(self)

    def close(self) -> TaskFigures:
        """Stop watching, and return what was seen; to be called by the thread that opened the book."""
        self._stop()
        self.switch(SCHEDULING)
        ended_ns = self.enlist_overhead()
        parts = list(self.figures)
        whole = TaskFigures(durations=Durations.join(part.durations for part in parts))
        for name in ("task_cpu_seconds", "pool_cpu_seconds", "other_cpu_seconds", "graph_seconds"):
            setattr(whole, name, sum(getattr(part, name) for part in parts))
        spent_ns = [ns - self._begun_ns.get(each, 0) for each, ns in ended_ns.items() if each not in self.working]
        whole.other_cpu_seconds += sum(spent_ns) / 1e9
        if self._only_schedules:
            whole.other_cpu_seconds = process_time() - self._begun_cpu_s
        whole.gc_task_seconds, whole.gc_other_seconds = self._gc_task_seconds, self._gc_other_seconds
        return whole

    def _stop(self) -> None:
        if self in BOOKS:
            BOOKS.remove(self)
            gc.callbacks.remove(self._note_collection)

    def discard(self) -> None:
        """Stop watching, if nobody did. A task that still runs may go on to write; the memory goes with the book."""
        self._stop()
        os.close(self.descriptor)

    def enlist(self, native_id: int, duty: int = SCHEDULING) -> int:
        """Give a thread a row in the table, and return where its duty is written."""
        with self._lock:
            row = self._free.pop() if self._free else self._rows_used
            # A full table is that of a thousand living threads: those that come then share the last row.
            row = min(row, ROWS - 1)
            self._rows_used = max(self._rows_used, row + 1)
            place = HEADER_CELLS + 2 * row
            self.cells[place + 1] = duty
            self.cells[place] = native_id
            self.cells[ROWS_USED] = self._rows_used
            return place + 1

    def release(self, place: int) -> None:
        """Take a row back from a thread that ended."""
        self._free.append((place - HEADER_CELLS) // 2)

    def enlist_overhead(self) -> dict[int, int]:
        """Tell the sampling process which threads are Dask's own; return the processor time of each, in ns."""
        known = {self.cells[HEADER_CELLS + 2 * row] for row in range(self._rows_used)}
        found = {}
        for thread in threading.enumerate():
            if thread.name.startswith(OVERHEAD_THREADS) and thread.native_id:
                found[thread.native_id] = _read_thread_ns(thread.native_id)
                if thread.native_id not in known:
                    self.enlist(thread.native_id)
        return found

    def switch(self, duty: int) -> int:
        """Note that this thread's duty changes, and return what it was."""
        part, now_s = self._here.part, thread_time()
        before = part.duty
        if before == TASK:
            part.figures.task_cpu_seconds += now_s - part.since_cpu_s
        else:
            part.figures.other_cpu_seconds += now_s - part.since_cpu_s
        part.duty, part.since_cpu_s = duty, now_s
        self.cells[part.place] = duty
        return before

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function as a task of this thread."""
        part, cells = self._here.part, self.cells
        figures, place, before = part.figures, part.place, part.duty
        cpu_s = thread_time()
        if before == TASK:  # a task within a task, or the block's own thread runs one
            figures.task_cpu_seconds += cpu_s - part.since_cpu_s
        else:
            figures.other_cpu_seconds += cpu_s - part.since_cpu_s
        part.duty, part.since_cpu_s = TASK, cpu_s
        counted_s = figures.task_cpu_seconds
        cells[place] = TASK
        start_s = perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            figures.durations.note(perf_counter() - start_s)
            cpu_s = thread_time()
            if part.duty == TASK:
                figures.task_cpu_seconds += cpu_s - part.since_cpu_s
            else:
                figures.other_cpu_seconds += cpu_s - part.since_cpu_s
            figures.pool_cpu_seconds += figures.task_cpu_seconds - counted_s
            part.duty, part.since_cpu_s = before, cpu_s
            cells[place] = before

    def tell_runnable(self, tasks: int) -> None:
        """Tell how many tasks run or could."""
        self.cells[RUNNABLE] = tasks

    def tell_fetching(self, tasks: int) -> None:
        """Tell how many tasks wait for data that is on its way here."""
        self.cells[FETCHING] = tasks

    def note_graph(self, seconds: float) -> None:
        """Add wall time that went into graphs."""
        self._here.part.figures.graph_seconds += seconds

    def _note_collection(self, phase: str, _: dict[str, int]) -> None:
        now_s = thread_time()
        if phase == "start":
            self._collecting_since_s = now_s
            return
        # A thread that has no part is a helper, and gets none: asking `_here` would make one.
        found = self.parts.get(threading.get_ident())
        part = None if found is None else found()
        if part is None or part.duty == TASK:
            self._gc_task_seconds += now_s - self._collecting_since_s
        else:
            self._gc_other_seconds += now_s - self._collecting_since_s


def _read_thread_ns(native_id: int) -> int:
    """Return the processor time that a thread of this process has used, in ns; 0 if it has just ended."""
    fields = read_small(f"/proc/self/task/{native_id}/schedstat").split()
    return int(fields[0]) if fields else 0


BOOKS: Final[list[TaskBook]] = []
"""Books that are kept in this process now, as `dask.callbacks.Callback.active` is of callbacks."""


def run_recorded(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function as a task, in every book that is kept."""
    books = tuple(BOOKS)
    if len(books) == 1:
        return books[0].run(function, *args, **kwargs)
    call: Callable[..., T] = function
    for book in books:
        call = _within(book, call)
    return call(*args, **kwargs)


def _within(book: TaskBook, call: Callable[..., T]) -> Callable[..., T]:
    def run(*args: Any, **kwargs: Any) -> T:  # noqa: ANN401 - whatever the task takes
        return book.run(call, *args, **kwargs)

    return run


@contextmanager
def scheduling() -> Iterator[None]:
    """Say that this thread hands out tasks, and does no work of its own, for as long as the block lasts."""
    with ExitStack() as stack:
        for book in tuple(BOOKS):
            stack.callback(book.switch, book.switch(SCHEDULING))
        yield


@contextmanager
def building_graph() -> Iterator[None]:
    """Say that this thread builds a graph for as long as the block lasts."""
    start_s = perf_counter()
    with scheduling():
        yield
    for book in tuple(BOOKS):
        book.note_graph(perf_counter() - start_s)
