"""Sessions on clusters, opened: of workers started here, or of a scheduler that is already running."""

import logging
import math
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import dask
from distributed import Client, LocalCluster
from distributed.deploy.utils import nprocesses_nthreads
from distributed.versions import VersionMismatchWarning, error_message

from cdpipe.engine.cluster import ClusterSession
from cdpipe.engine.ownfolders import own_folder
from cdpipe.engine.session import GB, SessionError, SessionParams, SessionWarning
from cdpipe.limits import count_processors, machine_memory_bytes

CONNECT_SECONDS: Final = 5.0
"""How long to wait for a scheduler to answer, and then for its first worker."""

WITHOUT_WORKERS_SECONDS: Final = 60.0
"""How long a local cluster may be without any worker: one that has died is back in seconds, or never."""

_PATIENCE: Final = {"distributed.deploy.lost-worker-timeout": "1 day"}
"""Dask gives up a worker that is not back in 15 s, though its nanny is starting it: a busy machine may take longer."""

LOOPBACK: Final = "127.0.0.1"


def dask_setup(_worker: object) -> None:
    """Leave Ctrl-C to the session: a terminal sends it to every process, and each worker would print a traceback.

    Dask calls this in each worker of a local cluster as it starts, since the cluster names this module as preload.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def start_local(params: SessionParams) -> Iterator[ClusterSession]:
    """Start worker processes on this machine, on loopback only; none is left at the end.

    Raises
    ------
    SessionError
        If the workers do not start.
    """
    settings: dict[str, object] = {
        "distributed.worker.memory.target": params.spill_target,
        "distributed.worker.memory.spill": params.spill,
        "distributed.worker.memory.pause": params.pause,
        "distributed.scheduler.no-workers-timeout": WITHOUT_WORKERS_SECONDS,
    }
    workers, threads = _shape(params)
    share_gb = machine_memory_bytes() / GB * min(1.0, threads / count_processors())
    memory_limit = int((params.memory_limit_gb or share_gb) * GB)
    dashboard_port = 0 if isinstance(params.dashboard, bool) else params.dashboard
    with _spill_directory(params.spill_directory) as spill_directory:
        settings["temporary-directory"] = str(spill_directory)
        with dask.config.set(settings):
            try:
                cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=threads,
                    memory_limit=memory_limit,
                    processes=True,
                    host=LOOPBACK,
                    dashboard_address=f"{LOOPBACK}:{dashboard_port}",
                    scheduler_kwargs={"dashboard": params.dashboard is not False},
                    preload=[__name__],
                    config=settings,  # without a copy, nannies would restart a crashed worker with dask's defaults
                    # A failing task is raised here; each worker's own account of it would only drown it.
                    silence_logs=logging.CRITICAL,
                )
            except (OSError, RuntimeError, TimeoutError) as error:
                raise SessionError(
                    f"no local cluster ({error}): workers import the script that starts them, so a script must do so "
                    "below if __name__ == \"__main__\"; scheduler 'threads' needs no workers"
                ) from error
        client = Client(cluster, set_as_default=False, direct_to_workers=True)
        with closing(cluster), closing(client), dask.config.set(_PATIENCE):
            yield ClusterSession(client, scheduler_here=True)


@contextmanager
def connect(address: str) -> Iterator[ClusterSession]:
    """Connect to a running scheduler, which keeps running at the end.

    Raises
    ------
    SessionError
        If nothing answers at `address` within about ten seconds, or no worker has joined.
    """
    try:
        with warnings.catch_warnings():
            # Of workers that have joined by now alone; all are looked at once there are any.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise SessionError(_unreachable(address, error)) from error
    with closing(client):
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise SessionError(f"{address} has no workers: start one with `dask worker {address}`") from error
        found = client.get_versions()
        if different := error_message(found["scheduler"], found["workers"], found["client"])["warning"]:
            message = f"{address} runs other versions than this process, so tasks may fail:\n{different}"
            warnings.warn(message, SessionWarning, stacklevel=5)
        yield ClusterSession(client, scheduler_here=False)


def _shape(params: SessionParams) -> tuple[int, int]:
    """Return how many workers and threads of each to start: as Dask would, but for the processors that there are."""
    cores = count_processors()
    if params.workers is None and params.threads_per_worker is None:
        processes, threads = nprocesses_nthreads(cores)
        return processes, threads
    workers = params.workers or max(1, cores // (params.threads_per_worker or 1))
    return workers, params.threads_per_worker or max(1, math.ceil(cores / workers))


def _unreachable(address: str, error: Exception) -> str:
    if address.startswith("tls://"):
        remedy = "check that it runs, and dask's settings distributed.comm.tls (ca-file, client.*)"
    else:
        port = address.rpartition(":")[2]
        remedy = f"start it with `dask scheduler --port {port}`, or correct the address"
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"no dask scheduler at {address} ({reason}): {remedy}"


@contextmanager
def _spill_directory(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen
        return
    parent = Path(dask.config.get("temporary-directory") or tempfile.gettempdir())
    with own_folder(parent, "cdpipe-spill-") as made:
        yield made
