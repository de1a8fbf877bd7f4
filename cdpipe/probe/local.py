"""A session of this process alone, for programs that have no scheduler: what it does by itself, and in its threads."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from cdpipe.figures import GB
from cdpipe.limits import count_processors, machine_memory_bytes
from cdpipe.probe.interface import Books, QueueWatch
from cdpipe.probe.recording.task_figures import Account, Place

T = TypeVar("T")


class LocalSession:
    """The own process as the probe sees it.

    Parameters
    ----------
    slots
        Threads that the work may use, all of the machine's processors if None. A loop of Python has one; a library
        that computes in threads of its own has as many as it starts.
    memory_limit_gb
        What the work may use (GB = 1e9 bytes); the machine's memory if None.

    Examples
    --------
    >>> from cdpipe.probe.probe import probe
    >>> with probe(LocalSession(slots=1)) as used:
    ...     total = sum(range(1_000_000))
    >>> used.cores in {1, None}  # None where this system cannot be measured
    True
    """

    def __init__(self, *, slots: int | None = None, memory_limit_gb: float | None = None) -> None:
        if slots is not None and slots < 1:
            raise ValueError(f"slots is {slots}; give 1 or more, or None for all processors")
        self._slots = slots or count_processors()
        self._limit_bytes = machine_memory_bytes() if memory_limit_gb is None else int(memory_limit_gb * GB)

    def memory(self) -> Mapping[str, Any]:
        """Return the limit, as of one worker."""
        limit_gb = self._limit_bytes / GB
        return {"cluster_total_gb": limit_gb, "workers": {"here": {"limit_gb": limit_gb}}}

    @contextmanager
    def watch_queue(self) -> Iterator[QueueWatch]:
        """Watch nothing: there is no scheduler."""
        yield QueueWatch()

    @contextmanager
    def keep_books(self) -> Iterator[Books]:
        """Keep no books: no other process works."""
        yield _NoBooks()

    def each_process(self, function: Callable[[], T]) -> Mapping[str, T]:  # noqa: ARG002 - there is no other process
        """Return an empty mapping: no other process works."""
        return {}

    @property
    def runs_here(self) -> bool:
        """Yes."""
        return True

    @property
    def client_name(self) -> str:
        """Empty: there is no scheduler."""
        return ""

    @property
    def threads(self) -> int:
        """Number of threads that the work may use."""
        return self._slots


class _NoBooks:
    """The books of other processes: there are none."""

    def where(self) -> Mapping[str, Place]:
        return {}

    def read(self) -> Mapping[str, Account]:
        return {}

    def packing_seconds(self) -> float:
        return 0.0
