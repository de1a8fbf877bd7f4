"""Opening sessions: on threads, on a local cluster, or on a scheduler that is already running."""

from collections.abc import Iterator
from contextlib import contextmanager

from cdpipe.engine.sessions.base import Session
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.engine.sessions.threads import ThreadSession
from cdpipe.extras import needing


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
    MissingExtraError
        If a cluster is asked for, and the extra `cluster` is not installed.

    Examples
    --------
    >>> from cdpipe import SessionParams, gather
    >>> with open_session(SessionParams(threads_per_worker=2)) as session:
    ...     gather("bsm.csv", "typed", session=session).rows_out
    2000
    """
    params = params or SessionParams()
    if params.scheduler == "threads":
        yield ThreadSession(params)
        return
    # `distributed` costs 0.2 to 0.4 s at start-up, which a session on threads need not pay.
    with needing(f"session.scheduler = {params.scheduler!r}"):
        from cdpipe.engine.sessions.connect import connect, start_local  # noqa: PLC0415

    opened = start_local(params) if params.scheduler == "local" else connect(params)
    with opened as session:
        yield session
