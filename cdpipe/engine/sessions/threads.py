"""Sessions on threads of this process."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, get_ident
from typing import Any, TypeVar

import psutil
from dask import local
from dask.callbacks import Callback
from dask.threaded import get as run_on_threads

from cdpipe.engine.graph.simplify import flatten_graph, fuse_chains, is_handing_on, skip_aliases
from cdpipe.engine.sessions.base import OnDone, Session, SessionMemory, summarise_memory
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.figures import GB
from cdpipe.limits import count_processors, machine_memory_bytes
from cdpipe.probe.interface import Books, QueueWatch
from cdpipe.probe.recording.queue_depth import Depth
from cdpipe.probe.recording.task_figures import Account, Place
from cdpipe.probe.recording.task_recorder import BOOKS, TaskBook, building_graph, run_recorded, scheduling
from cdpipe.probe.recording.thread_table import SCHEDULING

T = TypeVar("T")


class ThreadSession(Session):
    """Tasks run on threads of this process."""

    def __init__(self, params: SessionParams) -> None:
        self._threads = params.threads_per_worker or count_processors()
        self._limit_gb = params.memory_limit_gb

    def run(self, tasks: Sequence[Any], *, on_done: OnDone | None = None) -> list[Any]:
        """Run every task and return their results in order; see `Session.run`."""
        with scheduling():
            return self._run(tasks, on_done)

    def _run(self, tasks: Sequence[Any], on_done: OnDone | None) -> list[Any]:
        places: dict[Any, list[int]] = {}
        for index, task in enumerate(tasks):
            places.setdefault(task.key, []).append(index)

        def report(key: object, result: object, *_: object) -> None:
            for index in places.pop(key, ()):
                if on_done is not None:
                    on_done(index, result)

        keys = [task.key for task in tasks]
        with building_graph():
            graph = fuse_chains(skip_aliases(flatten_graph(tasks), keys), keys)
        # Callbacks that others registered (the queue watch, dask's own profilers) must hear of this run too.
        callbacks = [(None, None, None, report, None), *Callback.active]
        pool = _Threads(self._threads, thread_name_prefix="cdpipe")
        try:
            pool.start(max(1, min(self._threads, len(graph))))
            results = run_on_threads(graph, keys, pool=pool, callbacks=callbacks)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        for key, result in zip(keys, results, strict=True):
            report(key, result)  # a key that is plain data never passes through the scheduler
        return list(results)

    def broadcast(self, value: T) -> T:
        """Return `value` itself: threads share memory."""
        return value

    def memory(self) -> SessionMemory:
        """Return this process's resident memory against its limit, under the address `threads`."""
        limit = machine_memory_bytes() if self._limit_gb is None else int(self._limit_gb * GB)
        return summarise_memory({"threads": (psutil.Process().memory_info().rss, limit)})

    @contextmanager
    def watch_queue(self) -> Iterator[QueueWatch]:
        """Watch dask's scheduler in this process; counts every graph run on it, this session's or not."""
        watch, listener = QueueWatch(), _Listener()
        with listener:
            yield watch
        watch.deepest_ready, watch.tasks = listener.depth.most, listener.tasks
        watch.mean_ready, watch.ready_over_time = listener.depth.finish()

    @contextmanager
    def keep_books(self) -> Iterator[Books]:
        """Have the tasks of every graph that dask runs in this process note themselves, whoever's session it is."""
        # Dask's callbacks tell when a task is handed out and when it is back, but not when a thread takes it.
        before, local.batch_execute_tasks = local.batch_execute_tasks, run_batch
        try:
            yield _NoBooks()
        finally:
            local.batch_execute_tasks = before

    def each_process(self, function: Callable[[], T]) -> Mapping[str, T]:  # noqa: ARG002 - there is no other process
        """Return an empty mapping: no other process works for this session."""
        return {}

    @property
    def runs_here(self) -> bool:
        """Yes."""
        return True

    @property
    def dashboard_link(self) -> str | None:
        """None: threads have no dashboard."""
        return None

    @property
    def workers(self) -> int:
        """One: this process."""
        return 1

    @property
    def threads(self) -> int:
        """Number of threads tasks run on."""
        return self._threads


def run_batch(batch: Sequence[Sequence[Any]]) -> list[Any]:
    """Do what `dask.local.batch_execute_tasks` does, each task on record."""
    return [run_recorded(local.execute_task, *arguments) for arguments in batch]


class _Threads(ThreadPoolExecutor):
    """Threads for tasks; those that take no time are done at once by the thread that hands them out."""

    def start(self, threads: int) -> None:
        """Start all threads before there is any task: a thread with a task has the GIL, and the next waits to begin."""
        gate = Barrier(threads)
        try:
            for _ in range(threads):
                super().submit(gate.wait)
        except RuntimeError:  # the system gives no more threads, and those there are wait for them
            gate.abort()
            raise

    def submit(self, run: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":  # noqa: ANN401 - a batch
        """Run a batch of Dask's, each (key, (task, data), …)."""
        if not all(is_handing_on(each[1][0]) for each in args[0]):
            return super().submit(run, *args, **kwargs)
        done: Future[T] = Future()
        done.set_result(run(*args, **kwargs))
        return done


class _NoBooks:
    """The books of other processes: there are none."""

    def where(self) -> Mapping[str, Place]:
        return {}

    def read(self) -> Mapping[str, Account]:
        return {}

    def packing_seconds(self) -> float:
        return 0.0


class _Listener(Callback):  # type: ignore[misc] # dask is not typed
    """Hears of every graph that dask runs in this process: its queue, and which thread hands its tasks out."""

    def __init__(self) -> None:
        self.depth = Depth()
        self.tasks = 0
        self._runs: dict[int, list[tuple[float, list[tuple[TaskBook, int]]]]] = {}
        super().__init__(start=self._begin, start_state=self._order, posttask=self._count, finish=self._end)

    def _begin(self, _dsk: object) -> None:
        before = [(book, book.switch(SCHEDULING)) for book in BOOKS]
        self._runs.setdefault(get_ident(), []).append((time.perf_counter(), before))

    def _order(self, _dsk: object, state: Mapping[str, Any]) -> None:
        seconds = time.perf_counter() - self._runs[get_ident()][-1][0]
        for book in BOOKS:
            book.note_graph(seconds)
        self._look(state)

    def _look(self, state: Mapping[str, Any]) -> None:
        ready = len(state["ready"])
        self.depth.note(ready)
        for book in BOOKS:
            book.tell_runnable(ready + len(state["running"]))

    def _count(self, _key: object, _result: object, _dsk: object, state: Mapping[str, Any], _worker: object) -> None:
        self.tasks += 1
        self._look(state)

    def _end(self, _dsk: object, _state: object, _failed: object) -> None:
        for book, duty in self._runs[get_ident()].pop()[1]:
            book.switch(duty)
            book.tell_runnable(0)
