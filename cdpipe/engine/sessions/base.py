"""Sessions: one interface for this process's threads, a local cluster and an existing scheduler."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypedDict, TypeVar

from cdpipe.figures import GB
from cdpipe.probe.interface import Books, ProbedSessionError, QueueWatch

T = TypeVar("T")
OnDone = Callable[[int, Any], None]


class SessionError(ProbedSessionError):
    """A session cannot be opened or was lost; the message says where and what to do."""


class SessionWarning(UserWarning):
    """A session works, but not as a careful user would want."""


class WorkerMemory(TypedDict):
    """Memory of one worker, GB = 1e9 bytes."""

    used_gb: float
    limit_gb: float
    percent: float


class SessionMemory(TypedDict):
    """Memory of a session, GB = 1e9 bytes, by worker address and in all."""

    cluster_total_gb: float
    cluster_used_gb: float
    cluster_percent: float
    workers: dict[str, WorkerMemory]


class Session(ABC):
    """A session: threads of this process or a cluster, which run tasks. Open one with `open_session`."""

    @abstractmethod
    def run(self, tasks: Sequence[Any], *, on_done: OnDone | None = None) -> list[Any]:
        """Run every task and return their results in order.

        Parameters
        ----------
        tasks
            `dask.delayed.Delayed` objects; the same one may stand there twice. A value that all of them share
            belongs in `broadcast`: as a common task it makes dask's ordering of the graph quadratic.
        on_done
            Called as `on_done(index, result)` in this process as each task finishes, in order of completion.

        Returns
        -------
        list
            One result a task. Intermediate results are released as soon as their last consumer has run.

        Raises
        ------
        Exception
            The first failure of a task (or of `on_done`), as it was raised. Tasks that have not started are
            cancelled; those on a thread of this process are waited for, since a thread cannot be stopped.
        SessionError
            If the cluster was lost, or a task took its workers down with it.
        """

    @abstractmethod
    def broadcast(self, value: T) -> T:
        """Return what tasks take as argument for `value`: itself on threads, on a cluster a future of its copies."""

    @abstractmethod
    def memory(self) -> SessionMemory:
        """Return memory used and allowed, by worker and in all (GB = 1e9 bytes)."""

    @abstractmethod
    def watch_queue(self) -> AbstractContextManager[QueueWatch]:
        """Watch the scheduler's queue; the `QueueWatch` is filled when the block ends."""

    @abstractmethod
    def keep_books(self) -> AbstractContextManager[Books]:
        """Have every process that works for this session, but this one, note what its tasks take, for the block."""

    @abstractmethod
    def each_process(self, function: Callable[[], T]) -> Mapping[str, T]:
        """Call `function()` in every process that works for this session but this one; results by address.

        A worker that ends meanwhile is left out.
        """

    @property
    def runs_here(self) -> bool:
        """Whether tasks run on threads of this process."""
        return False

    @property
    def client_name(self) -> str:
        """What a scheduler knows this process by; empty where there is none."""
        return ""

    @property
    @abstractmethod
    def dashboard_link(self) -> str | None:
        """URL of the dashboard, None where there is none."""

    @property
    @abstractmethod
    def workers(self) -> int:
        """Number of workers; threads of this process count as one."""

    @property
    @abstractmethod
    def threads(self) -> int:
        """Number of threads over all workers."""


def summarise_memory(bytes_by_worker: Mapping[str, tuple[int, int]]) -> SessionMemory:
    """Turn (used, limit) bytes by worker address into the report, in GB of 1e9 bytes and per cent."""
    used = sum(used for used, _ in bytes_by_worker.values())
    limit = sum(limit for _, limit in bytes_by_worker.values())
    return {
        "cluster_total_gb": limit / GB,
        "cluster_used_gb": used / GB,
        "cluster_percent": 100 * used / limit if limit else 0.0,
        "workers": {
            address: {"used_gb": used / GB, "limit_gb": limit / GB, "percent": 100 * used / limit}
            for address, (used, limit) in bytes_by_worker.items()
        },
    }
