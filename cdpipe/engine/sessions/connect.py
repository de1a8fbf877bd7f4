"""Sessions on clusters, opened: of workers started here, or of a scheduler that is already running."""

import asyncio
import logging
import math
import signal
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import Any, Final

import dask
from distributed import Client, LocalCluster, Security
from distributed.comm import connect as open_comm
from distributed.versions import VersionMismatchWarning, error_message

from cdpipe.engine.files.own_folders import own_folder
from cdpipe.engine.sessions import certificates, link
from cdpipe.engine.sessions.base import SessionError, SessionWarning
from cdpipe.engine.sessions.cluster import ClusterSession
from cdpipe.engine.sessions.distributed_compat import nprocesses_nthreads, silence_logging_cmgr
from cdpipe.engine.sessions.last_words import LastWords, hearing_last_words
from cdpipe.engine.sessions.link import Link
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.figures import GB
from cdpipe.interrupts import holding_interrupts
from cdpipe.limits import count_processors, machine_memory_bytes

CONNECT_SECONDS: Final = 5.0
"""How long to wait for a scheduler to answer, and then for its first worker."""

_PATIENCE: Final = {"distributed.deploy.lost-worker-timeout": "1 day"}
"""Dask gives up a worker that is not back in 15 s, though its nanny is starting it: a busy machine may take longer."""

LOOPBACK: Final = "127.0.0.1"

_UNGUARDED: Final = (
    "workers import the script that starts them, so a script must open the cluster below "
    "if __name__ == \"__main__\"; scheduler 'threads' needs no workers"
)
_BOOTSTRAPPING: Final = "bootstrapping phase"
"""What Python says to a process that starts others while it is itself being started."""


def dask_setup(_worker: object) -> None:
    """Leave Ctrl-C to the session: a terminal sends it to every process, and each worker would print a traceback.

    Dask calls this in each worker of a local cluster as it starts, since the cluster names this module as preload.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def start_local(params: SessionParams) -> Iterator[ClusterSession]:
    """Start worker processes on this machine, on loopback only; none is left at the end.

    Any user of the machine can reach a port on loopback, so only callers with this cluster's own key are answered.

    Raises
    ------
    SessionError
        If the workers do not start.
    """
    settings: dict[str, object] = {
        "distributed.worker.memory.target": params.spill_target,
        "distributed.worker.memory.spill": params.spill,
        "distributed.worker.memory.pause": params.pause,
        "distributed.scheduler.no-workers-timeout": link.WITHOUT_WORKERS_SECONDS,
    }
    workers, threads = _shape(params)
    share_gb = machine_memory_bytes() / GB * min(1.0, threads / count_processors())
    memory_limit = int((params.memory_limit_gb or share_gb) * GB)
    dashboard_port = 0 if isinstance(params.dashboard, bool) else params.dashboard
    with _spill_directory(params.spill_directory) as spill_directory:
        settings["temporary-directory"] = str(spill_directory)
        options = {
            "n_workers": workers,
            "threads_per_worker": threads,
            "memory_limit": memory_limit,
            "processes": True,
            "host": LOOPBACK,
            "dashboard_address": f"{LOOPBACK}:{dashboard_port}",
            "scheduler_kwargs": {"dashboard": params.dashboard is not False},
            "security": certificates.make_temporary(),
            "preload": [__name__],
            "config": settings,  # without a copy, nannies would restart a crashed worker with dask's defaults
            # A failing task is raised here; each worker's own account of it would only drown it.
            "silence_logs": logging.CRITICAL,
        }
        with ExitStack() as opened:
            ensure_running()  # it lets interrupts through to the thread that starts it, and to what this starts then
            with dask.config.set(settings), holding_interrupts():  # a cluster that is half started cannot be closed
                cluster = opened.enter_context(closing(_start_cluster(options)))
            client = opened.enter_context(closing(Client(cluster, set_as_default=False, direct_to_workers=True)))
            with dask.config.set(_PATIENCE):
                yield ClusterSession(Link(client, scheduler_here=True))


def _start_cluster(options: Mapping[str, Any]) -> LocalCluster:
    with hearing_last_words() as words:
        try:
            cluster = LocalCluster(**options)
        except (OSError, RuntimeError, TimeoutError) as error:
            failure = error
        else:
            words.pass_on()
            return cluster
    raise SessionError(f"no local cluster: {_explain_start(failure, words)}") from failure


def _explain_start(failure: Exception, words: LastWords) -> str:
    """Say why workers did not start, in their own words where they had any."""
    reasons: list[str] = []
    cause: BaseException | None = failure
    while cause is not None:
        reasons.append(str(cause) or type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    if any(sign in text for sign in (_BOOTSTRAPPING, _UNGUARDED) for text in (*reasons, words.text)):
        return _UNGUARDED
    reason = words.death or reasons[-1].strip().splitlines()[-1]
    if words.last_line:
        reason += f", and its last words were: {words.last_line}"
    elif words.death.endswith(f"signal {signal.SIGKILL:d}"):
        reason += ", as the system does where memory is short: use fewer workers"
    return f"{reason}; scheduler 'threads' needs no workers"


@contextmanager
def connect(params: SessionParams) -> Iterator[ClusterSession]:
    """Connect to a running scheduler, which keeps running at the end.

    Raises
    ------
    SessionError
        If nothing answers at the address within about ten seconds, no worker has joined, or certificates do not do.
    """
    address = params.scheduler
    security = certificates.load(params) if address.startswith("tls://") else Security()
    try:
        with ThreadPoolExecutor(1) as thread:  # where this thread has a loop of its own, it cannot run another
            thread.submit(asyncio.run, _greet(address, security)).result()
        with warnings.catch_warnings():
            # Of workers that have joined by now alone; all are looked at once there are any.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False, security=security)
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise SessionError(_unreachable(address, error)) from error
    reached = Link(client, scheduler_here=False)
    # A scheduler that is lost is told once, as an error; Dask's account of each attempt to reach it would drown that.
    with silence_logging_cmgr(logging.CRITICAL), closing(client), reached.watching():
        with reached.asking():
            try:
                client.wait_for_workers(1, timeout=CONNECT_SECONDS)
            except TimeoutError as error:
                command = link.WORKER_COMMAND.format(address=address)
                raise SessionError(f"{address} has no workers: start one with `{command}`") from error
            found = client.get_versions()
        if different := error_message(found["scheduler"], found["workers"], found["client"])["warning"]:
            message = f"{address} runs other versions than this process, so tasks may fail:\n{different}"
            warnings.warn(message, SessionWarning, stacklevel=5)
        yield ClusterSession(reached)


async def _greet(address: str, security: Security) -> None:
    """Exchange greetings with a scheduler: one that is stopped accepts a connection, and then says nothing."""
    arguments = security.get_connection_args("client")
    greeting = open_comm(address, timeout=CONNECT_SECONDS, **arguments)
    try:
        comm = await asyncio.wait_for(greeting, 2 * CONNECT_SECONDS)
    except TimeoutError:
        raise TimeoutError(f"it is there, but has said nothing for {CONNECT_SECONDS:g} s") from None
    comm.abort()


def _shape(params: SessionParams) -> tuple[int, int]:
    """Return how many workers and threads of each to start: as Dask would, from the processors that there are."""
    cores = count_processors()
    if params.workers is None and params.threads_per_worker is None:
        processes, threads = nprocesses_nthreads(cores)
        return processes, threads
    workers = params.workers or max(1, cores // (params.threads_per_worker or 1))
    return workers, params.threads_per_worker or max(1, math.ceil(cores / workers))


def _unreachable(address: str, error: Exception) -> str:
    reason = next((str(each) for each in (error.__cause__, error) if each is not None and str(each)), None)
    reason = (reason or type(error).__name__).splitlines()[0]
    host, _, port = address.partition("://")[2].rpartition(":")
    command = f"dask scheduler --host {host.strip('[]')} --port {port} --dashboard-address {LOOPBACK}:8787"
    if address.startswith("tls://"):
        remedy = (
            "check that it runs with --protocol tls, that session.tls_ca_file is of who signed its certificate, and "
            "that its own --tls-ca-file is of who signed session.tls_cert"
        )
    else:
        remedy = f"start it with `{command}`, or correct the address; if it speaks TLS, name it as tls://{host}:{port}"
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
