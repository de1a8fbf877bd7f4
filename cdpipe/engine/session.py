"""Where tasks run: this process's threads, a local cluster or an existing scheduler, behind one face."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Protocol, Self, TypedDict, TypeVar

from pydantic import Field, field_validator, model_validator

from cdpipe.engine.accounts import Account, Place
from cdpipe.stages.params import Params

GB: Final = 1e9
"""Bytes in a gigabyte: every `_gb` here is decimal (a GiB is 1.074 of them)."""

LEGAL_SCHEDULERS: Final = "'threads', 'local', 'tcp://HOST:PORT' or 'tls://HOST:PORT'"
_ADDRESS: Final = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):(\d{1,5})")

T = TypeVar("T")
OnDone = Callable[[int, Any], None]


class SessionError(RuntimeError):
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


class SessionParams(Params):
    """Where and how wide to run."""

    scheduler: str = Field("threads", description=f"where to run: {LEGAL_SCHEDULERS}")
    workers: int | None = Field(
        None, ge=1, le=1_000, description="worker processes (scheduler 'local'); default: chosen from the cores"
    )
    threads_per_worker: int | None = Field(
        None,
        ge=1,
        le=1_000,
        description="threads of each worker, or of this process (scheduler 'threads'); default: the cores",
    )
    memory_limit_gb: float | None = Field(
        None,
        ge=0.001,
        le=1e9,
        description="memory of each worker, or of this process, GB = 1e9 bytes; default: the machine's share",
    )
    dashboard: bool | Annotated[int, Field(ge=1, le=65535)] = Field(
        True, description="scheduler 'local': serve Dask's dashboard on loopback, or on this port"
    )
    spill_target: float = Field(
        0.70,
        gt=0,
        le=1,
        description="scheduler 'local': share of the limit at which stored results move to disk",
    )
    spill: float = Field(0.80, gt=0, le=1, description="the same, by the process's own memory")
    pause: float = Field(0.90, gt=0, le=1, description="share of the limit at which a worker starts no more tasks")
    spill_directory: Path | None = Field(
        None,
        description="scheduler 'local': where results spill; default: a temporary directory, removed at the end",
    )
    tls_ca_file: Path | None = Field(
        None,
        description="scheduler 'tls://…': PEM file of who signed the scheduler's certificate; default: Dask's settings",
    )
    tls_cert: Path | None = Field(
        None, description="the same: PEM file of the certificate this process shows; default: Dask's settings"
    )
    tls_key: Path | None = Field(None, description="the same: PEM file of its key; default: Dask's, or in tls_cert")

    @field_validator("scheduler")
    @classmethod
    def _check_scheduler(cls, value: str) -> str:
        address = _ADDRESS.fullmatch(value)
        if value not in {"threads", "local"} and not (address and 1 <= int(address[3]) <= 65535):
            raise ValueError(f"unknown scheduler {value!r}: use {LEGAL_SCHEDULERS}")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if not self.spill_target <= self.spill <= self.pause:
            raise ValueError(
                f"spill_target <= spill <= pause does not hold: {self.spill_target}, {self.spill}, {self.pause}"
            )
        tls = {name for name in type(self).model_fields if name.startswith("tls_")}
        applied = {
            "threads": {"threads_per_worker", "memory_limit_gb"},
            "local": set(type(self).model_fields) - tls,
        }
        legal = {"scheduler"} | applied.get(self.scheduler, tls if self.scheduler.startswith("tls://") else set())
        for name, field in type(self).model_fields.items():
            # A setting that would silently do nothing is worse than one that is refused.
            if name not in legal and getattr(self, name) != field.default:
                value = getattr(self, name)
                raise ValueError(
                    f"{name} = {str(value) if isinstance(value, Path) else value!r} has no effect with scheduler "
                    f"{self.scheduler!r}: remove it, or use scheduler {'tls://HOST:PORT' if name in tls else 'local'!r}"
                )
        return self


@dataclass(slots=True)
class QueueWatch:
    """What a scheduler's queue held while it was watched; None until the watch ends.

    Attributes
    ----------
    deepest_ready
        Most tasks that could have run at one moment but for a free thread.
    mean_ready
        Mean of their number over the time of the watch.
    ready_over_time
        Means over 64 equal parts of that time.
    tasks
        Tasks that finished, well or not.
    """

    deepest_ready: int | None = None
    mean_ready: float | None = None
    ready_over_time: tuple[float, ...] | None = None
    tasks: int | None = None


class Books(Protocol):
    """The books that the processes of a session keep of their tasks."""

    def where(self) -> Mapping[str, Place]:
        """Return by address where each book is kept."""

    def read(self) -> Mapping[str, Account]:
        """Close the books and return by address what they say."""

    def packing_seconds(self) -> float:
        """Return how long this process has packed what it sent to the others, and unpacked what came."""


class Session(ABC):
    """A place to run tasks. Open one with `open_session`."""

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
    def keep_books(self) -> AbstractContextManager["Books"]:
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


@contextmanager
def open_session(params: SessionParams | None = None) -> Iterator[Session]:
    """Open the session `params` describe (threads by default) and close all of it at the end.

    A local cluster starts Python anew in each worker, so a script that opens one needs the usual
    `if __name__ == "__main__":` guard.

    Yields
    ------
    Session
        Ready to run tasks.

    Raises
    ------
    SessionError
        If the cluster cannot be started or reached.
    """
    params = params or SessionParams()
    if params.scheduler == "threads":
        from cdpipe.engine.threads import ThreadSession  # noqa: PLC0415 - it needs the face defined here

        yield ThreadSession(params)
        return
    # `distributed` costs 0.2 to 0.4 s at start-up, which a session on threads need not pay.
    from cdpipe.engine.connections import connect, start_local  # noqa: PLC0415

    opened = start_local(params) if params.scheduler == "local" else connect(params)
    with opened as session:
        yield session
