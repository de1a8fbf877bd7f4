"""Sessions on threads of this process."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import psutil
from dask.callbacks import Callback
from dask.optimization import cull
from dask.system import cpu_count
from dask.threaded import get as run_on_threads

from cdpipe.engine.memory import machine_memory_bytes
from cdpipe.engine.session import (
    GB,
    OnDone,
    QueueWatch,
    Session,
    SessionMemory,
    SessionParams,
    summarise_memory,
)

T = TypeVar("T")


class ThreadSession(Session):
    """Tasks run on threads of this process."""

    def __init__(self, params: SessionParams) -> None:
        self._threads = params.threads_per_worker or cpu_count()
        limit_gb = params.memory_limit_gb
        self._limit_bytes = machine_memory_bytes() if limit_gb is None else int(limit_gb * GB)

    def run(self, tasks: Sequence[Any], *, on_done: OnDone | None = None) -> list[Any]:
        """Run every task and return their results in order; see `Session.run`."""
        places: dict[Any, list[int]] = {}
        for index, task in enumerate(tasks):
            places.setdefault(task.key, []).append(index)

        def report(key: object, result: object, *_: object) -> None:
            for index in places.pop(key, ()):
                if on_done is not None:
                    on_done(index, result)

        keys = [task.key for task in tasks]
        # Callbacks that others registered (the queue watch, dask's own profilers) must hear of this run too.
        callbacks = [(None, None, None, report, None), *Callback.active]
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="cdpipe")
        try:
            results = run_on_threads(flatten_graph(tasks), keys, pool=pool, callbacks=callbacks)
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
        return summarise_memory({"threads": (psutil.Process().memory_info().rss, self._limit_bytes)})

    @contextmanager
    def watch_queue(self) -> Iterator[QueueWatch]:
        """Watch dask's scheduler in this process; counts every graph run on it, this session's or not."""
        watch = QueueWatch()
        depth = tasks = 0

        def look(_dsk: object, state: Mapping[str, Any]) -> None:
            nonlocal depth
            depth = max(depth, len(state["ready"]))

        def count(_key: object, _result: object, dsk: object, state: Mapping[str, Any], _: object) -> None:
            nonlocal tasks
            tasks += 1
            look(dsk, state)

        with Callback(start_state=look, posttask=count):
            yield watch
        watch.deepest_ready, watch.tasks = depth, tasks

    def each_process(self, function: Callable[[], T]) -> Mapping[str, T]:  # noqa: ARG002 - there is no other process
        """Return an empty mapping: no other process works for this session."""
        return {}

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


def flatten_graph(tasks: Sequence[Any]) -> dict[Any, Any]:
    """Merge the graphs of delayed objects into one dictionary of what they need.

    Goes from each task's own layer to those it needs, each once: `HighLevelGraph.cull` takes 14 s over the 20,000
    layers of as many delayed calls, and looking through all layers of every task as long over a chain of 4,000.
    """
    graph: dict[Any, Any] = {}
    seen: set[str] = set()
    for task in tasks:
        whole = task.__dask_graph__()
        pending = list(task.__dask_layers__())
        while pending:
            name = pending.pop()
            if name not in seen:
                seen.add(name)
                graph.update(whole.layers[name])
                pending.extend(whole.dependencies[name])
    needed: dict[Any, Any] = cull(graph, [task.key for task in tasks])[0]
    return needed
