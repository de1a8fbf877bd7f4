"""Plugins that scheduler and workers of a cluster have while a run on it is probed."""

import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any, Final
from uuid import uuid4

import cloudpickle  # type: ignore[import-untyped]
from distributed import Client, Scheduler, Worker
from distributed.diagnostics.plugin import SchedulerPlugin, WorkerPlugin
from distributed.metrics import context_meter

from cdpipe.engine.sessions.base import SessionError
from cdpipe.engine.sessions.distributed_compat import client, core, scheduler
from cdpipe.engine.sessions.link import Link
from cdpipe.probe.recording import queue_depth as depth
from cdpipe.probe.recording.task_figures import Account, Place
from cdpipe.probe.recording.task_recorder import TaskBook
from cdpipe.probe.sampler_client import end_watches

cloudpickle.register_pickle_by_value(depth)

_PICKLING: Final = ("serialize", "deserialize", "compress", "decompress")
"""Activities of Dask's fine performance metrics that count as serialisation."""


_REGISTER_SECONDS: Final = 30.0
"""How long workers may keep dying while they are told to keep books."""

_RETRY_SECONDS: Final = 0.2


class Packing:
    """Times what packs and unpacks in this process and Dask does not meter: graphs, and tasks with their arguments."""

    def __init__(self) -> None:
        self._seconds: list[float] = []  # from several threads: a sum could lose some
        self._ours: list[tuple[Any, str, Any, Any]] = []

    def open(self) -> None:
        """Begin."""
        pickling = SimpleNamespace(dumps=self._timed(core.pickle.dumps), loads=self._timed(core.pickle.loads))
        self._put(core, "pickle", pickling)
        for module, name in ((client, "serialize"), (scheduler, "deserialize")):
            if hasattr(module, name):  # they are no part of Dask's public face
                self._put(module, name, self._timed(getattr(module, name)))

    def close(self) -> None:
        """Leave nothing behind."""
        for module, name, before, ours in self._ours:
            if getattr(module, name) is ours:  # another probe may have put itself before this one
                setattr(module, name, before)
        self._ours.clear()

    def seconds(self) -> float:
        """Return the processor time that took."""
        return sum(self._seconds)

    def _put(self, module: Any, name: str, ours: Any) -> None:  # noqa: ANN401
        self._ours.append((module, name, getattr(module, name), ours))
        setattr(module, name, ours)

    def _timed(self, handle: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever Dask calls it with
            start = time.thread_time()
            try:
                return handle(*args, **kwargs)
            finally:
                self._seconds.append(time.thread_time() - start)

        return timed


def make_queue_plugin(client: str) -> SchedulerPlugin:
    """Make the plugin that watches a scheduler's queue, and goes when its client does.

    The class is local on purpose: it then travels by value, to schedulers that do not have cdpipe installed.
    """
    runnable = ("queued", "no-worker", "processing")
    new_depth = depth.Depth

    class QueuePlugin(SchedulerPlugin):  # type: ignore[misc] # distributed is not typed
        idempotent = False

        def __init__(self) -> None:
            self.name, self.client = f"cdpipe-queue-{uuid4()}", client
            self.tasks = self.could_run = 0

        def remove_client(self, scheduler: Scheduler, client: str) -> None:
            if client == self.client:
                scheduler.remove_plugin(self.name)

        async def start(self, scheduler: Scheduler) -> None:
            self.scheduler = scheduler
            self.depth = new_depth()
            self.could_run = sum(task.state in runnable for task in scheduler.tasks.values())

        def transition(self, _key: object, start: str, finish: str, *_: object, **__: object) -> None:
            self.could_run += (finish in runnable) - (start in runnable)
            self.tasks += start == "processing" and finish in ("memory", "erred")
            self.depth.note(max(0, self.could_run - self.scheduler.total_nthreads))
            tasks = sys.modules.get("cdpipe.probe.recording.task_recorder")
            for book in tasks.BOOKS if tasks is not None else ():
                book.tell_runnable(self.could_run)

    return QueuePlugin()


class BookPlugin(WorkerPlugin):  # type: ignore[misc] # distributed is not typed
    """Keeps the book of a worker's tasks, from when it joins or is told to until it is asked."""

    def __init__(self, client: str) -> None:
        self.name, self._client = f"cdpipe-book-{uuid4()}", client

    def setup(self, worker: Worker) -> None:
        """Begin; runs on the thread of the worker's event loop."""
        self._worker = worker
        self._book: TaskBook | None = TaskBook(threads=worker.state.nthreads, moves_data=True)
        self._pools = [(pool, pool.submit) for name, pool in worker.executors.items() if name != "offload"]
        for pool, submit in self._pools:  # tasks' own, and those of actors and of resources
            pool.submit = partial(self._recorded, submit)
        self._unmetered = Packing()
        self._unmetered.open()
        self._before = self._count()
        self._book.open()

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - dask's own signature
        """End, if nobody asked for the account; so does a sampling process that the client has here."""
        end_watches(self._client)
        for pool, submit in self._pools:
            ours = pool.submit
            if isinstance(ours, partial) and ours.func == self._recorded:  # another probe may be before this one
                pool.submit = submit
        self._unmetered.close()
        if self._book is not None:
            self._book.discard()
            self._book = None

    def transition(self, _key: object, _start: str, _finish: str, **_: object) -> None:
        """Tell how many tasks wait for data that is on its way."""
        state = self._worker.state
        if self._book is not None:
            self._book.tell_fetching(len(state.waiting) if state.in_flight_tasks else 0)

    def place(self) -> Place:
        """Return where the book is kept."""
        assert self._book is not None
        return Place(os.getpid(), self._book.descriptor, self._worker.state.nthreads)

    def account(self) -> Account:
        """Close the book and return what it says."""
        assert self._book is not None
        figures = self._book.close()
        now = self._count()
        used = {name: now[name] - self._before[name] for name in now}
        return Account(figures=figures, **used)

    def _recorded(self, submit: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any task
        if self._book is None:
            return submit(function, *args, **kwargs)
        return submit(self._book.run, function, *args, **kwargs)

    def _count(self) -> dict[str, Any]:
        """Return what the worker has counted since it started."""
        worker = self._worker
        spilled = getattr(worker.data, "cumulative_metrics", {})
        metrics = [each for each in worker.digests_total.items() if isinstance(each[0], tuple)]
        seconds = [(name[-2], value) for name, value in metrics if name[-1] == "seconds"]
        pickling = sum(value for name, value in seconds if name in _PICKLING)
        return {
            "serialisation_seconds": pickling + self._unmetered.seconds(),
            # The event loop's own thread calls this; its time in the kernel is for sockets, and for fresh memory.
            "transfer_cpu_seconds": resource.getrusage(resource.RUSAGE_THREAD).ru_stime,
            "network_bytes": worker.transfer_outgoing_bytes_total,
            "spilled_bytes": spilled.get(("disk-write", "bytes"), 0),
        }


class BooksEnd(SchedulerPlugin):  # type: ignore[misc] # distributed is not typed
    """Ends the books of a client that is gone without a word, as one that is killed is."""

    idempotent = False

    def __init__(self, client: str, book: str) -> None:
        self.name = f"cdpipe-end-{uuid4()}"
        self._client, self._book = client, book

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """End them, if it is that client which is gone."""
        if client != self._client:
            return
        _discard_at_scheduler(self._book, scheduler)
        end_watches(client)
        if self._book in scheduler.worker_plugins:
            scheduler.loop.add_callback(scheduler.unregister_worker_plugin, None, self._book)
        scheduler.remove_plugin(self.name)


class ClusterBooks:
    """The books that the workers of a cluster keep, and its scheduler if that is a process of its own."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._client: Client = link.client
        self._plugin = BookPlugin(self._client.id)
        self._end = BooksEnd(self._client.id, self._plugin.name)
        self._digest: Callable[..., None] = context_meter.digest_metric
        self._unmetered = Packing()
        self._packed: list[float] = []

    def open(self) -> None:
        """Begin."""
        # What the client packs and unpacks is metered as at workers, but dask has nobody there to tell it to.
        context_meter.digest_metric = self._metered
        self._unmetered.open()
        if not self._link.scheduler_here:  # else it ends with this process
            with self._link.asking():
                self._client.register_plugin(self._end)
        self._register()
        if not self._link.scheduler_here:
            with self._link.asking():
                self._client.run_on_scheduler(_open_at_scheduler, self._plugin.name)

    def where(self) -> Mapping[str, Place]:
        """Return by address where each book is kept."""
        return self._ask(_place_at_worker, _place_at_scheduler)

    def read(self) -> Mapping[str, Account]:
        """Close the books and return by address what they say."""
        return self._ask(_account_of_worker, _account_of_scheduler)

    def packing_seconds(self) -> float:
        """Return how long this process, the client's, has packed and unpacked."""
        return sum(self._packed) + self._unmetered.seconds()

    def close(self) -> None:
        """Leave nothing behind, so far as there is somebody left."""
        context_meter.digest_metric = self._digest
        self._unmetered.close()
        with suppress(OSError, ValueError, SessionError), self._link.asking():
            self._client.unregister_worker_plugin(self._plugin.name)
        if not self._link.scheduler_here:
            with suppress(SessionError), self._link.asking():
                self._client.run_on_scheduler(_discard_at_scheduler, self._plugin.name)
            with suppress(OSError, ValueError, SessionError), self._link.asking():
                self._client.unregister_scheduler_plugin(self._end.name)

    def _register(self) -> None:
        """Have every worker keep a book; one that dies meanwhile fails that, and then the others are told anew."""
        deadline = time.monotonic() + _REGISTER_SECONDS
        while True:
            try:
                with self._link.asking():
                    self._client.register_plugin(self._plugin)
            except OSError as error:
                if time.monotonic() > deadline:
                    raise SessionError(
                        f"workers of {self._link.address} cannot be reached ({error}): see why"
                    ) from error
                time.sleep(_RETRY_SECONDS)
            else:
                return

    def _metered(self, label: object, value: float, unit: str) -> None:
        if label in _PICKLING and unit == "seconds":
            self._packed.append(value)  # from several threads: a sum could lose some
        self._digest(label, value, unit)

    def _ask(self, of_worker: Callable[..., Any], of_scheduler: Callable[..., Any]) -> dict[str, Any]:
        name = self._plugin.name
        with self._link.asking():
            answers = self._client.run(of_worker, name, on_error="return")
        found = {address: each for address, each in answers.items() if not isinstance(each, Exception)}
        if not self._link.scheduler_here:
            with self._link.asking():
                found[self._link.address] = self._client.run_on_scheduler(of_scheduler, name)
        return found


def _place_at_worker(name: str, dask_worker: Worker) -> Place:
    place: Place = dask_worker.plugins[name].place()
    return place


def _account_of_worker(name: str, dask_worker: Worker) -> Account:
    account: Account = dask_worker.plugins[name].account()
    return account


def _open_at_scheduler(name: str, dask_scheduler: Scheduler) -> None:
    book = TaskBook(threads=0, only_schedules=True)
    book.open()
    dask_scheduler.extensions[name] = book


def _place_at_scheduler(name: str, dask_scheduler: Scheduler) -> Place:
    return Place(os.getpid(), dask_scheduler.extensions[name].descriptor, 0)


def _account_of_scheduler(name: str, dask_scheduler: Scheduler) -> Account:
    return Account(figures=dask_scheduler.extensions[name].close())


def _discard_at_scheduler(name: str, dask_scheduler: Scheduler) -> None:
    book = dask_scheduler.extensions.pop(name, None)
    if book is not None:
        book.discard()
