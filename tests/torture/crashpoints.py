"""Crash points: the moments at which a run changes what is on disk, counted within the run's own process.

At the n-th of them the process kills itself, or the disk is full. Python's audit events tell of files that are made,
renamed and removed; writes and flushes, of which there are none, are wrapped.
"""

import builtins
import errno
import io
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

Action = Literal["count", "kill", "full", "full once", "short"]

_CHANGING: Final = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink")
FILLING: Final = frozenset(("make", "write", "put", "flush", "os.mkdir"))
"""What needs room on a disk."""


class Fault(NamedTuple):
    """What is to happen to a run.

    Attributes
    ----------
    action
        `count`: nothing, but all points are written down; `kill`: the process kills itself, in the middle of a
        write if the point is one; `full`: this and all later points that need room find none; `full once`: this one;
        `short`: the system writes the half, and says so.
    folder
        What happens elsewhere is not counted.
    point
        Which point, from 0. For `full` those count that need room, for `short` writes to files that Python opened.
    """

    action: Action
    folder: str
    point: int = 0


class CrashPoints:
    """The points of this process: install them before the run, once and for all."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen: list[str] = []
        self._count = itertools.count()

    def install(self) -> None:
        """Count from now on."""
        sys.addaudithook(self._hear)
        builtins.open = self._open(io.open)  # type: ignore[assignment]
        io.open = builtins.open
        for name in ("write", "fsync", "sendfile", "ftruncate"):
            setattr(os, name, self._wrap(getattr(os, name), "flush" if name == "fsync" else "put"))

    def reach(self, what: str, path: str, *, tear: Any = None) -> bool:
        """Say that the process is about to change something, the half of which `tear()` does.

        Returns True if the caller is to do no more than the half.
        """
        if not path.startswith(self.fault.folder):
            return False
        if self.fault.action == "short":
            return tear is not None and next(self._count) == self.fault.point
        if self.fault.action.startswith("full") and what not in FILLING:
            return False
        place = next(self._count)
        if self.fault.action == "count":
            self.seen.append(f"{what} {path}")
        elif self.fault.action == "kill" and place == self.fault.point:
            if tear is not None:
                tear()
            os.kill(os.getpid(), signal.SIGKILL)
        elif place == self.fault.point or (self.fault.action == "full" and place > self.fault.point):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path if what in ("make", "os.mkdir") else None)
        return False

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = given
            if isinstance(path, str | bytes | Path) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                name = os.fsdecode(path)
                made = flags & os.O_CREAT and name.startswith(self.fault.folder) and not os.path.lexists(name)
                self.reach("make" if made else "open", name)
        elif event in _CHANGING:
            self.reach(event, os.fsdecode(given[0]) if isinstance(given[0], str | bytes | Path) else "")

    def _wrap(self, function: Any, what: str) -> Any:
        def wrapped(descriptor: int, *rest: Any) -> Any:
            self.reach(what, _name_of(descriptor))
            return function(descriptor, *rest)

        return wrapped

    def _open(self, plain: Any) -> Any:
        points = self

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                half = memoryview(data).cast("B")[: memoryview(data).nbytes // 2]
                is_short = points.reach("write", str(self.name), tear=lambda: io.FileIO.write(self, half))
                return super().write(half if is_short else data)

        def opened(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
            inside = isinstance(file, str | Path) and os.fspath(file).startswith(points.fault.folder)
            if not inside or not set(mode) & set("wxa+"):
                return plain(file, mode, buffering, *rest, **named)
            raw = File(os.fspath(file), mode.replace("b", "").replace("t", ""))
            if "b" in mode and buffering == 0:
                return raw
            buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            if "b" in mode:
                return buffered
            words = dict(zip(("encoding", "errors", "newline"), rest, strict=False)) | named
            return io.TextIOWrapper(
                buffered, **{key: words[key] for key in ("encoding", "errors", "newline") if key in words}
            )

        return opened


def _name_of(descriptor: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink()).removesuffix(" (deleted)")
    except OSError:
        return ""
