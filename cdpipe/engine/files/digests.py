"""Digests: that bytes read from disk are those that were written there."""

import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import xxhash

from cdpipe.oserrors import naming

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

DIGEST: Final = r"^[0-9a-f]{32}$"
"""What a digest looks like: XXH3 of 128 bits, which finds what a disk or a memory does, not what a forger does."""

_CHUNK_BYTES: Final = 1 << 20
"""So much is hashed at once: it is still in the processor's cache when it is."""

_SYNC_FILE_RANGE_WRITE: Final = 2
_FICLONE: Final = 0x40049409
"""Of Linux's `include/uapi/linux/fs.h`."""

_OUT_OF: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Failures to read that say nothing of the file."""


class DamageError(ValueError):
    """A file or an entry of the cache is not what was written.

    Attributes
    ----------
    path
        The file, where it is one.
    """

    def __init__(self, reason: str, path: Path | None = None) -> None:
        super().__init__(reason, path)
        self.path = path

    def __str__(self) -> str:
        """Return the reason."""
        return str(self.args[0])


class Kept(NamedTuple):
    """A file on disk, and the digest of what was written there."""

    path: Path
    digest: str


class HashingFile(FileIO):
    """A file that is written from its beginning to its end, and hashed meanwhile."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._hash = xxhash.xxh3_128()

    def write(self, data: "ReadableBuffer") -> int:
        """Write all of some bytes; of a raw file, the system may take fewer."""
        view = memoryview(data).cast("B")
        self._hash.update(view)
        done = 0
        while done < len(view):
            done += super().write(view[done:])
        return len(view)

    def begin_flush(self) -> None:
        """Have the kernel begin to put it on the disk, without waiting; a kernel without such a call does it later."""
        begin = getattr(ctypes.CDLL(None), "sync_file_range", None)
        if begin is not None:
            begin(self.fileno(), ctypes.c_int64(0), ctypes.c_int64(0), _SYNC_FILE_RANGE_WRITE)

    @property
    def digest(self) -> str:
        """Digest of what was written so far."""
        return self._hash.hexdigest()


def hash_bytes(data: "ReadableBuffer") -> str:
    """Return the digest of some bytes."""
    return xxhash.xxh3_128_hexdigest(data)


def hash_file(path: Path) -> str:
    """Return the digest of what a file has now."""
    whole = xxhash.xxh3_128()
    for chunk in _read_chunks(path):
        whole.update(chunk)
    return whole.hexdigest()


def require_kept(file: Kept) -> None:
    """Make sure that a file has what was written there.

    Raises
    ------
    DamageError
        If it cannot be read, or has anything else.
    """
    with reading(file.path):
        found = hash_file(file.path)
    _require_same(file, found)


def read_kept(file: Kept) -> bytes:
    """Return what was written to a file; errors as of `require_kept`."""
    with reading(file.path):
        data = file.path.read_bytes()
    _require_same(file, hash_bytes(data))
    return data


def copy_kept(file: Kept, target: Path) -> None:
    """Copy what was written to a file, and flush the copy to the disk; errors as of `require_kept`.

    Where the file system can, the copy shares its blocks until either is written to.
    """
    if _clone(file.path, target):
        with reading(file.path):
            _require_same(file, hash_file(target))
        return
    with naming(target), HashingFile(target) as copy:
        with reading(file.path):
            chunks = _read_chunks(file.path)
            chunk = next(chunks, None)
        while chunk is not None:
            copy.write(chunk)
            with reading(file.path):
                chunk = next(chunks, None)
        os.fsync(copy.fileno())
    _require_same(file, copy.digest)


def move_kept(file: Kept, target: Path) -> None:
    """Give a file another name when it is on the disk and has what was written there; errors as of `require_kept`."""
    require_kept(file)
    with naming(target):
        descriptor = os.open(file.path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        file.path.rename(target)


def _clone(path: Path, target: Path) -> bool:
    """Make a copy that shares its blocks with a file, and flush it; False where there can be none."""
    with reading(path):
        source = path.open("rb", buffering=0)
    with source, naming(target), target.open("wb", buffering=0) as copy:
        try:
            fcntl.ioctl(copy.fileno(), _FICLONE, source.fileno())
        except OSError:
            return False
        os.fsync(copy.fileno())
    return True


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Take a failure to read a file in the block for damage of that file.

    Raises
    ------
    DamageError
        Instead of the failure.
    """
    with naming(path):
        try:
            yield
        except FileNotFoundError:
            raise DamageError(f"{path.name} is missing", path) from None
        except OSError as error:
            if error.errno in _OUT_OF:
                raise
            raise DamageError(f"{path.name} cannot be read ({error.strerror or error})", path) from None


def _require_same(file: Kept, found: str) -> None:
    if found != file.digest:
        raise DamageError(f"{file.path.name} has other bytes than were written there", file.path)


def _read_chunks(path: Path) -> Iterator[memoryview]:
    """Yield what a file has, in pieces that are overwritten by the next."""
    buffer = bytearray(_CHUNK_BYTES)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as stream:
        while size := stream.readinto(buffer):
            yield view[:size]
