"""Ground of workloads: a session, a folder on a disk, files to read, a slow server."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import dask
import numpy as np

from cdpipe.engine.sessions.base import Session
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.perf.analysis.bounds import Bound

from . import outside, work
from .disks import CGROUP, blocked_share, can_throttle, throttled
from .outsiders import serve_slowly

SESSIONS: Final = {
    "1 slot": SessionParams(threads_per_worker=1),
    "2 slots": SessionParams(threads_per_worker=2),
    "0.9 GB": SessionParams(threads_per_worker=2, memory_limit_gb=0.9),
    "cluster": SessionParams(scheduler="local", workers=2, threads_per_worker=1),
    "small cluster": SessionParams(scheduler="local", workers=2, threads_per_worker=1, memory_limit_gb=0.5),
}
"""By the name that a workload gives."""

COLD_BYTES: Final = 256_000_000
BLOCKED: Final = 0.8
"""Part of its time that a thread must wait, for the wait to be what bounds it."""
CACHED_BYTES: Final = 64_000_000


class Skipped(Exception):  # noqa: N818 - it is no error
    """This machine cannot show what the workload is to show; says why."""


@dataclass(frozen=True)
class Workload:
    """A run whose bottleneck is known.

    Attributes
    ----------
    name
        `class/what it does`.
    accepted
        What it may be called.
    why
        Why that is so, by construction.
    make
        Returns, before the probed time, what the run does: tasks, or a function to call.
    session
        One of `SESSIONS`.
    throttle
        What the disk may do in a second, by `disks.throttled`'s names; empty: what it can.
    """

    name: str
    accepted: frozenset[Bound]
    why: str
    make: Callable[["Ground"], list[Any] | Callable[[], Any]]
    session: str = "2 slots"
    throttle: Mapping[str, int] = field(default_factory=dict)


def task(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return a task that is like no other."""
    return dask.delayed(function, pure=False)(*arguments)


@dataclass
class Ground:
    """Where workloads run; files and the server are made when first asked for."""

    session: Session
    folder: Path
    stack: ExitStack
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(10**9)))

    def new(self, name: str = "file") -> Path:
        """Return a path that nobody has used."""
        return self.folder / f"{name}-{next(self._numbers)}"

    @cached_property
    def url(self) -> str:
        """Where the slow server answers."""
        return self.stack.enter_context(serve_slowly(self.folder))

    @cached_property
    def cached_file(self) -> Path:
        """A file in the page cache."""
        path = self.new("cached")
        path.write_bytes(os.urandom(CACHED_BYTES))
        return path

    @cached_property
    def text(self) -> bytes:
        """CSV text of 8 MB."""
        return b"number,name,place\n" + b"1234.5,abcdef,-104.75\n" * 400_000

    @cached_property
    def gzip_file(self) -> Path:
        """Compressed text, in the page cache."""
        import gzip

        path = self.new("text.gz")
        path.write_bytes(gzip.compress(self.text * 4, compresslevel=1))
        return path

    @cached_property
    def parquet_file(self) -> Path:
        """Strongly compressed columns, in the page cache."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path, numbers = self.new("numbers.parquet"), np.random.default_rng(1).integers(0, 1000, 2_000_000)
        pq.write_table(pa.table({"a": numbers, "b": numbers.astype(str)}), path, compression="zstd")
        return path

    @cached_property
    def _cold_file(self) -> Path:
        path = self.new("cold")
        with path.open("wb") as file:
            for _ in range(16):
                file.write(os.urandom(COLD_BYTES // 16))
        return path

    def need_slow_disk(self, call: Callable[[], Any]) -> None:
        """Skip where a call that is to wait for the disk computes instead."""
        if (share := blocked_share(call)) < BLOCKED:
            raise Skipped(f"the disk is so fast that of a wait for it {1 - share:.0%} is computing")

    @contextmanager
    def throttled(self, limits: Mapping[str, int]) -> Iterator[None]:
        """Have the disk do no more than that for this run's processes."""
        if not limits:
            yield
            return
        if not can_throttle():
            raise Skipped(f"no disk can be slowed down here: {CGROUP} cannot be written")
        with throttled(self.folder, [os.getpid(), *self.session.each_process(os.getpid).values()], **limits):
            yield

    def cold_file(self) -> Path:
        """Return a file that is not in the page cache; skip where the kernel keeps it."""
        outside.drop_cached(self._cold_file)
        before = _read_bytes()
        outside.read_pages(str(self._cold_file), 0, 1, 50)
        outside.drop_cached(self._cold_file)
        if _read_bytes() - before < 40 * outside.PAGE_BYTES:
            raise Skipped(f"{self._cold_file} stays in the page cache: it cannot be read cold")
        return self._cold_file


def _read_bytes() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))


@contextmanager
def open_ground(session: str) -> Iterator[Ground]:
    """Open one of `SESSIONS`, its processes warm, with an empty folder."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="cdpipe-ground-"))
        opened = stack.enter_context(open_session(SESSIONS[session]))
        work.warm()
        opened.each_process(work.warm)
        opened.run([task(work.mix, 0.001) for _ in range(4)])
        yield Ground(opened, Path(folder), stack)
