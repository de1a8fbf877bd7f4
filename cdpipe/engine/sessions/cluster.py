"""Sessions on a dask cluster: what is run there, and how it is watched."""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypeVar

import dask
from distributed import Client, Future, KilledWorker, Scheduler, as_completed
from distributed.scheduler import NoWorkerError

from cdpipe.engine.sessions.base import OnDone, Session, SessionError, SessionMemory, summarise_memory
from cdpipe.engine.sessions.cluster_plugins import ClusterBooks, make_queue_plugin
from cdpipe.engine.sessions.link import OUT_OF_MEMORY, Link
from cdpipe.limits import machine_memory_bytes
from cdpipe.probe.interface import Books, QueueWatch
from cdpipe.probe.recording.task_recorder import building_graph, scheduling

T = TypeVar("T")


class ClusterSession(Session):
    """Tasks run on the workers of a dask scheduler.

    Parameters
    ----------
    link
        Connects with the scheduler; its client stays the caller's to close.
    """

    def __init__(self, link: Link) -> None:
        self.client: Client = link.client
        self._link = link
        with link.asking():
            self._dashboard_link = self.client.dashboard_link if self.client.run_on_scheduler(_has_dashboard) else None
        self._broadcasts: list[Any] = []

    def asking(self) -> AbstractContextManager[None]:
        """Ask the scheduler something in the block; a `SessionError` says if it is lost."""
        return self._link.asking()

    def run(self, tasks: Sequence[Any], *, on_done: OnDone | None = None) -> list[Any]:
        """Run every task and return their results in order; see `Session.run`."""
        with scheduling():
            return self._run(tasks, on_done)

    def _run(self, tasks: Sequence[Any], on_done: OnDone | None) -> list[Any]:
        results: list[Any] = [None] * len(tasks)
        with building_graph(), self.asking():
            futures = dict(enumerate(self.client.compute(list(tasks))))
        places: dict[Any, list[int]] = {}
        for index, future in futures.items():
            places.setdefault(future.key, []).append(index)
        finished = as_completed([futures[indices[0]] for indices in places.values()], loop=self.client.loop)
        try:
            for batch in finished.batches():  # one by one, gathering costs another 1.3 ms a task
                for future, result in zip(batch, self._gather(batch), strict=True):
                    for index in places[future.key]:
                        del futures[index]  # the worker may forget the result now
                        results[index] = result
                        if on_done is not None:
                            on_done(index, result)
        except BaseException:
            finished.clear()
            if not self._link.is_lost:
                with suppress(SessionError), self.asking():
                    self.client.cancel(list(futures.values()), force=True, reason="another task failed")
            raise
        return results

    def _gather(self, batch: Sequence[Future]) -> list[Any]:
        """Return the results of finished futures, or raise why one has none."""
        for future in batch:
            if future.status == "error":
                failure, trace = future.exception(), future.traceback()
                if isinstance(failure, NoWorkerError):
                    raise SessionError(self._link.explain_no_workers(failure.timeout))
                if not isinstance(failure, KilledWorker):
                    raise failure.with_traceback(trace)
                deaths = failure.allowed_failures + 1
                raise SessionError(f"task {failure.task!r} took down {deaths} workers, {OUT_OF_MEMORY}")
        with self.asking():
            results: list[Any] = self.client.gather(list(batch))
        return results

    def broadcast(self, value: T) -> T:
        """Put a copy of `value` on every worker and return its future.

        It is the result of a task, not scattered data: scattered data is gone with the last worker that
        held it, while a task's result is made again. The scheduler keeps the pickled value while the session lasts.
        """
        # Dask warns of large values in a graph, which its users repeat for every task; this one goes once.
        with scheduling(), dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 PB"}):
            with self.asking():
                future = self.client.submit(operator.itemgetter(0), (value,), pure=False)
                future.exception()  # waits
            self._gather([future])
            with suppress(OSError), self.asking():  # a worker that ends meanwhile needs no copy
                self.client.replicate([future])
        self._broadcasts.append(future)
        stand_in: T = future
        return stand_in

    def memory(self) -> SessionMemory:
        """Return each worker's process memory, as of its last heartbeat (0.5 s), against its limit."""
        # A limit of 0 is dask's word for "none": then the machine is the limit.
        return summarise_memory(
            {
                address: (worker["metrics"]["memory"], worker["memory_limit"] or machine_memory_bytes())
                for address, worker in self._known_workers().items()
            }
        )

    @contextmanager
    def watch_queue(self) -> Iterator[QueueWatch]:
        """Watch the scheduler from within, by a plugin that hears of every change of every task."""
        watch, plugin = QueueWatch(), make_queue_plugin(self.client.id)
        with self.asking():
            self.client.register_plugin(plugin)

        def read(dask_scheduler: Scheduler, name: str = plugin.name) -> tuple[Any, ...]:
            found = dask_scheduler.plugins[name]
            return found.depth.most, found.tasks, *found.depth.finish()

        try:
            yield watch
            with self.asking():
                found = self.client.run_on_scheduler(read)
            watch.deepest_ready, watch.tasks, watch.mean_ready, watch.ready_over_time = found
        finally:
            with suppress(SessionError), self.asking():  # a scheduler that is lost has no plugin
                self.client.unregister_scheduler_plugin(plugin.name)

    @contextmanager
    def keep_books(self) -> Iterator[Books]:
        """Have each worker keep a book of its tasks, and the scheduler say which process it is; see `plugins`."""
        books = ClusterBooks(self._link)
        try:
            books.open()
            yield books
        finally:
            books.close()

    def each_process(self, function: Callable[[], T]) -> Mapping[str, T]:
        """Call `function()` in every worker, and in the scheduler's process if that is not this one."""
        with self.asking():
            answers = self.client.run(function, on_error="return")
        # A worker that has just gone, which dask has not noticed yet, answers with the error of its connection.
        found: dict[str, T] = {name: each for name, each in answers.items() if not isinstance(each, OSError)}
        for answer in found.values():
            if isinstance(answer, Exception):
                raise answer
        if not self._link.scheduler_here:
            with self.asking():
                found[self._link.address] = self.client.run_on_scheduler(function)
        return found

    @property
    def client_name(self) -> str:
        """What the scheduler knows this process by."""
        name: str = self.client.id
        return name

    @property
    def dashboard_link(self) -> str | None:
        """URL of the dashboard, None if the scheduler serves none."""
        return self._dashboard_link

    @property
    def workers(self) -> int:
        """Number of workers now."""
        return len(self._known_workers())

    @property
    def threads(self) -> int:
        """Number of threads over all workers now."""
        return sum(worker["nthreads"] for worker in self._known_workers().values())

    def _known_workers(self) -> dict[str, Any]:
        while True:
            with self.asking():
                # Not `scheduler_info`: that may answer from memory, and be replaced by an answer without workers.
                known = self.client.sync(self.client.scheduler.identity, n_workers=-1)
            workers: dict[str, Any] = known["workers"]
            if workers:
                return workers
            self._link.require_workers()


def _has_dashboard(dask_scheduler: Scheduler) -> bool:
    # A scheduler without dashboard still has a web server, and gives its link.
    return any("bokeh" in str(app).lower() for app in dask_scheduler.http_application.applications)
