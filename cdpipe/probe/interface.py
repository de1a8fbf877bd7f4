"""Interface of what is probed: all that the probe asks of a session, and no Dask."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from cdpipe.probe.recording.task_figures import Account, Place

T = TypeVar("T")


class ProbedSessionError(RuntimeError):
    """A session was lost, so that nothing can run in it; figures alone are no reason to raise it."""


@dataclass(slots=True)
class QueueWatch:
    """What a scheduler's queue held while it was watched; None until the watch ends.

    Attributes
    ----------
    deepest_ready
        Most tasks that could have run at one moment if a thread had been free.
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


class ProbedSession(Protocol):
    """A session as the probe sees it."""

    def memory(self) -> Mapping[str, Any]:
        """Return `cluster_total_gb`, and by address in `workers` the `limit_gb` of each (GB = 1e9 bytes)."""

    def watch_queue(self) -> AbstractContextManager[QueueWatch]:
        """Watch the scheduler's queue; the `QueueWatch` is filled when the block ends."""

    def keep_books(self) -> AbstractContextManager[Books]:
        """Have every process that works for this session, but this one, note what its tasks take, for the block."""

    def each_process(self, function: Callable[[], T]) -> Mapping[str, T]:
        """Call `function()` in every process that works for this session but this one; results by address."""

    @property
    def runs_here(self) -> bool:
        """Whether tasks run on threads of this process."""

    @property
    def client_name(self) -> str:
        """What a scheduler knows this process by; empty where there is none."""

    @property
    def threads(self) -> int:
        """Number of threads over all workers."""
