"""Errors of the operating system in words: the path, what is wrong with it, and the way out."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_REMEDIES: Final = {
    errno.ENOSPC: "the disk is full; free some of it, or choose a folder on another",
    errno.EDQUOT: "your quota of the disk is used up; free some of it, or choose a folder on another",
    errno.EFBIG: "the file would be larger than allowed; raise the limit (ulimit -f), or choose another disk",
    errno.EIO: "the disk fails to read or write; see the system's log, and choose another",
    errno.EROFS: "the disk can only be read; choose a folder on another",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n), or use fewer threads",
    errno.ENFILE: "too many files are open on this machine; close other programs",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "links lead in a circle; name the file itself",
    errno.EACCES: "is not allowed; check its permissions",
    errno.EPERM: "is not allowed; check its permissions",
    errno.ENOENT: "is not there; check the name, and that nothing removes it meanwhile",
    errno.ENOTDIR: "a part of this path is a file, not a folder; choose another",
    errno.EISDIR: "is a folder, not a file; choose another name",
    errno.EEXIST: "is there already; choose another name",
    errno.ESTALE: "the network disk has lost the file; run again",
}


class StorageError(OSError):
    """A file cannot be read or written; the message names it and the way out."""

    def __str__(self) -> str:
        """Return the sentence."""
        return explain_os_error(self)


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Give errors of the operating system in the block the path, where they name none: a full disk does not.

    Raises
    ------
    StorageError
        Instead of an `OSError` without a path.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise StorageError(error.errno, error.strerror, os.fspath(path)) from error


def explain_os_error(error: OSError) -> str:
    """Return an error as a sentence that names its path; one that Python words itself, as it is."""
    name, said = error.filename, give_reason(error)
    if error.errno is None:
        return said
    if name is None:  # the words may have it, and the way out too
        words = str(error.strerror)
        return words if ";" in words else f"{words}: {said}"
    return f"{os.fsdecode(name) if isinstance(name, bytes) else name}: {said}"


def give_reason(error: Exception) -> str:
    """Return what is wrong and the way out, for a caller who names the path."""
    if not isinstance(error, OSError):
        return str(error)
    if error.errno is None:  # not of the system: Python's or a library's own words
        return " ".join(map(str, error.args)) or type(error).__name__
    words = error.strerror or os.strerror(error.errno)
    return _REMEDIES.get(error.errno, f"{words[:1].lower()}{words[1:]}; check the path and the disk")
