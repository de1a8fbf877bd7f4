"""Locks that the kernel releases when their owner dies, however it dies.

They are of file objects, which Python closes if an interrupt falls between opening and use.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from cdpipe.oserrors import naming

_LONGEST_NOTE: Final = 1000


class HeldLock:
    """A file that says "its maker lives": locked while held, removed when released, unlocked if the process dies.

    Parameters
    ----------
    path
        New file; its folder is made. It may carry lines, see `append`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: FileIO | None = None
        while self._stream is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                stream = path.open("a+b", buffering=0)
            except FileNotFoundError:
                continue  # somebody took the folder, which was empty, for that of a dead process
            fcntl.flock(stream, fcntl.LOCK_EX)
            if _names(path, stream):
                self._stream = stream
            else:
                stream.close()  # the same, with the file

    def append(self, line: str) -> None:
        """Add a line to the file."""
        if self._stream is not None:
            left = f"{line}\n".encode()
            with naming(self.path):
                while left:  # a disk takes less than all of it when it is full, and then says so
                    left = left[self._stream.write(left) :]

    def release(self) -> None:
        """Remove the file and release the lock; a second call does nothing."""
        if self._stream is not None:
            self.path.unlink(missing_ok=True)
            self._stream.close()
            self._stream = None


class TakenError(RuntimeError):
    """Another process holds a lock; the message is what it noted in the file."""


@contextmanager
def sole(path: Path, note: str) -> Iterator[None]:
    """Hold a lock that one process at a time can have; it is there for whoever asks next if that process dies.

    Parameters
    ----------
    path
        The lock's file, removed at the end.
    note
        Who holds it, for those who ask meanwhile.

    Raises
    ------
    TakenError
        If another process holds it, or this one does already.
    """
    while True:
        with path.open("a+b", buffering=0) as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.seek(0)
                raise TakenError(stream.read(_LONGEST_NOTE).decode("utf-8", "replace")) from None
            if not _names(path, stream):
                continue  # whoever held it removed the file between the two calls
            try:
                with naming(path):
                    stream.truncate(0)
                    stream.write(note.encode())
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _names(path: Path, stream: FileIO) -> bool:
    """Return True if a path is still that of an open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def is_held(path: Path) -> bool:
    """Tell whether some living process, this one included, holds a `HeldLock` on the file."""
    try:
        with path.open("r+b", buffering=0) as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def take_dead(path: Path) -> Iterator[bool]:
    """Hold the lock of a `HeldLock` whose process is dead, for the block; False where it lives, or the file is gone."""
    with ExitStack() as held:
        try:
            stream = held.enter_context(path.open("r+b", buffering=0))
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            is_dead = False
        else:
            is_dead = _names(path, stream)
        yield is_dead


@contextmanager
def locked(path: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold a lock on a file, alone or with others that do not want to be alone; waits for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
