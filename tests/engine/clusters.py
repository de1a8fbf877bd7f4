"""A real dask scheduler with two worker processes, started from the command line as a user would."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from distributed import Client, Security

import cdpipe
from cdpipe.engine.sessions.base import Session
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams

HOST = "127.0.0.1"
LOOPBACK_PAGES = ("--no-dashboard", "--dashboard-address", f"{HOST}:0")
"""A process without dashboard still has a web server, on every interface unless told otherwise."""
PATIENCE_SECONDS = 300
"""How long a process may take to start; alone it takes two, on a busy machine many."""


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that can import cdpipe from this checkout."""
    places = [str(Path(cdpipe.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(places)} | more


@contextmanager
def start_detached(folder: Path, name: str, *command: str) -> Iterator[int]:
    """Run a Python module that is no descendant of this process; it and its children end with the block."""
    shell = f'"$0" -m "$@" >{folder}/{name}.log 2>&1 & echo $!'
    started = subprocess.run(
        ["/bin/sh", "-c", shell, sys.executable, *command],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    pid = int(started.stdout)
    family = psutil.Process(pid)
    try:
        yield pid
    finally:
        try:
            ending = [*family.children(recursive=True), family]
        except psutil.NoSuchProcess:
            ending = []
        for process in ending:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(ending, timeout=PATIENCE_SECONDS)


@contextmanager
def start_scheduler(folder: Path, *more: str) -> Iterator[str]:
    """Start a scheduler without workers, on loopback alone; yields its address."""
    file = folder / "scheduler.json"
    options = ("--host", HOST, "--port", "0", "--scheduler-file", str(file), *LOOPBACK_PAGES, *more)
    with start_detached(folder, "scheduler", "distributed.cli.dask_scheduler", *options):
        yield read_address(file, folder / "scheduler.log")


def read_address(file: Path, log: Path) -> str:
    """Wait until a scheduler has written its address down."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return json.loads(file.read_text())["address"]
        except (FileNotFoundError, ValueError):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)


@contextmanager
def start_tiny(folder: Path) -> Iterator[tuple[str, int]]:
    """Start a scheduler and one worker in one process; yields its address and the process."""
    file = folder / "tiny.json"
    with start_detached(folder, "tiny", "tests.engine.tiny_cluster", str(file)) as pid:
        yield read_address(file, folder / "tiny.log"), pid


@contextmanager
def start_workers(folder: Path, address: str, *more: str, security: Security | None = None) -> Iterator[None]:
    """Start two worker processes of one thread each; both have joined when this yields."""
    options = ("--nworkers", "2", "--nthreads", "1", "--host", HOST, "--local-directory", str(folder))
    command = ("distributed.cli.dask_worker", address, *options, *LOOPBACK_PAGES, *more)
    with start_detached(folder, "workers", *command):
        with Client(address, timeout=PATIENCE_SECONDS, set_as_default=False, security=security) as client:
            client.wait_for_workers(2, timeout=PATIENCE_SECONDS)
        yield


@contextmanager
def open_remote(folder: Path) -> Iterator[Session]:
    """Open a session on a scheduler and two workers that are no children of this process."""
    with (
        start_scheduler(folder) as address,
        start_workers(folder, address),
        open_session(SessionParams(scheduler=address)) as session,
    ):
        assert session.workers == 2
        yield session
