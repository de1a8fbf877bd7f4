"""Locks that the kernel releases when their owner dies, however it dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

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
        self._descriptor: int | None = None
        while self._descriptor is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            except FileNotFoundError:
                continue  # somebody took the folder, which was empty, for that of a dead process
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _names(path, descriptor):
                self._descriptor = descriptor
            else:
                os.close(descriptor)  # the same, with the file

    def append(self, line: str) -> None:
        """Add a line to the file."""
        if self._descriptor is not None:
            left = f"{line}\n".encode()
            while left:  # a disk takes less than all of it when it is full, and then says so
                left = left[os.write(self._descriptor, left) :]

    def release(self) -> None:
        """Remove the file and release the lock; a second call does nothing."""
        if self._descriptor is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None


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
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            noted = os.pread(descriptor, _LONGEST_NOTE, 0).decode("utf-8", "replace")
            os.close(descriptor)
            raise TakenError(noted) from None
        if _names(path, descriptor):
            break
        os.close(descriptor)  # whoever held it removed the file between the two calls
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, note.encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _names(path: Path, descriptor: int) -> bool:
    """Return True if a path is still that of an open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def is_held(path: Path) -> bool:
    """Tell whether some living process, this one included, holds a `HeldLock` on the file."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def take_dead(path: Path) -> Iterator[bool]:
    """Hold the lock of a `HeldLock` whose process is dead, for the block; False where it lives, or the file is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield False
        return
    try:
        yield _names(path, descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold a lock on a file, alone or with others that do not want to be alone; waits for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
