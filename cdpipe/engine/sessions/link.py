"""Link to a scheduler: nothing that is asked of it waits for ever, and its loss is a sentence."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Final

from distributed import Client
from distributed.client import ClosedClientError
from distributed.comm import CommClosedError

from cdpipe.engine.sessions.base import SessionError

SILENT_SECONDS: Final = 60.0
"""How long a scheduler may leave a question unanswered; one that reads in a large graph is silent for seconds."""

WITHOUT_WORKERS_SECONDS: Final = 60.0
"""How long a session may be without any worker: one that has died is back in seconds, or never."""

_BEAT_SECONDS: Final = 1.0

WORKER_COMMAND: Final = "dask worker {address} --host 127.0.0.1 --dashboard-address 127.0.0.1:0"
"""How to start a worker on the scheduler's machine; without host and dashboard address it listens everywhere."""

OUT_OF_MEMORY: Final = (
    "most likely out of memory: use smaller partitions, fewer threads_per_worker or a larger memory_limit_gb"
)


class Link:
    """What connects a session with its scheduler.

    Parameters
    ----------
    client
        Connected client; it stays the caller's to close.
    scheduler_here
        Whether the scheduler lives in this process, where it cannot be lost alone.
    """

    def __init__(self, client: Client, *, scheduler_here: bool) -> None:
        self.client = client
        self.scheduler_here = scheduler_here
        self.address: str = client.scheduler.address
        self._lost: str | None = None
        self._watch: Future[None] | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Cut the link off in the block when the scheduler says nothing for long, or has long had no worker.

        All that waits for it then fails, and `asking` says why.
        """
        self._watch = asyncio.run_coroutine_threadsafe(self._look(), self.client.loop.asyncio_loop)
        try:
            yield
        finally:
            self._watch.cancel()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask the scheduler something in the block.

        Raises
        ------
        SessionError
            Instead of whatever Dask raises once the link is lost.
        """
        if self.is_lost:
            raise SessionError(self._explain())
        try:
            yield
        except SessionError:
            raise
        except Exception as error:
            ours = isinstance(error, CommClosedError | ClosedClientError | CancelledError | TimeoutError)
            if self.is_lost or (ours and not self._answers()):
                raise SessionError(self._explain()) from error
            raise

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._lost is not None or self.client.status != "running"

    def require_workers(self) -> None:
        """Wait until there is a worker.

        Raises
        ------
        SessionError
            If none comes.
        """
        with self.asking():
            try:
                self.client.wait_for_workers(1, timeout=WITHOUT_WORKERS_SECONDS)
            except TimeoutError as error:
                raise SessionError(self.explain_no_workers(WITHOUT_WORKERS_SECONDS)) from error

    def explain_no_workers(self, seconds: float) -> str:
        """Say that there has been no worker, and what to do."""
        if self.scheduler_here:
            return f"no worker has been left for {seconds:g} s, {OUT_OF_MEMORY}"
        command = WORKER_COMMAND.format(address=self.address)
        return f"{self.address} has had no worker for {seconds:g} s: start one (`{command}`), and run again"

    def _explain(self) -> str:
        if self._lost is not None:
            return self._lost
        if self.scheduler_here:
            return "the local cluster has ended: run again"
        return f"the scheduler at {self.address} was lost: start it and its workers again, then run again"

    def _answers(self) -> bool:
        """Whether the scheduler is there: what failed may have been a worker's connection."""
        try:
            self.client.sync(self.client.scheduler.identity, n_workers=0, callback_timeout=SILENT_SECONDS)
        except (OSError, RuntimeError, AttributeError):  # a TimeoutError is an OSError
            return False
        return not self.is_lost

    async def _look(self) -> None:
        seen = monotonic()
        while True:
            try:
                answer = self.client.scheduler.identity(n_workers=0)
                found = await asyncio.wait_for(answer, SILENT_SECONDS)
            except TimeoutError:
                await self._cut(
                    f"the scheduler at {self.address} has not answered for {SILENT_SECONDS:g} s: it hangs or was "
                    "stopped; start it and its workers again, then run again"
                )
                return
            except (OSError, AttributeError):  # the client notices by itself that the connection is gone
                return
            now = monotonic()
            if found["n_workers"]:
                seen = now
            if now - seen > WITHOUT_WORKERS_SECONDS:
                await self._cut(self.explain_no_workers(WITHOUT_WORKERS_SECONDS))
                return
            await asyncio.sleep(_BEAT_SECONDS)

    async def _cut(self, reason: str) -> None:
        self._lost = reason
        self.client.rpc.remove(self.address, reason=reason)
        self.client.scheduler_comm.abort()
        with suppress(OSError, TimeoutError):
            await self.client.close(timeout=SILENT_SECONDS)
