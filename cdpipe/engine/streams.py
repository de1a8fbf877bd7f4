"""Bytes of source files, local or behind an fsspec URL: opened, cut at line ends, counted and read."""

import stat
from pathlib import Path
from typing import Final

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray

from cdpipe.kernels.csv import count_lines

_WINDOW: Final = 1 << 16
_PIECE: Final = 1 << 19
_NEWLINE: Final = 10


def open_stream(path: str) -> "fsspec.core.OpenFile":
    """Open a file to read; a pipe is refused, for it can be read only once.

    Raises
    ------
    OSError, ValueError
        If it cannot be.
    """
    if "://" not in path and stat.S_ISFIFO(Path(path).stat().st_mode):
        raise ValueError("is a pipe, which can be read only once; write it to a file first")
    return fsspec.open(path, "rb").open() if "://" in path else Path(path).open("rb")


def local_path(path: str) -> str:
    """Return the path that a URL of a local file names; any other path or URL as it is."""
    protocol, _, rest = path.partition("://")
    return LocalFileSystem._strip_protocol(path) if rest and protocol in LocalFileSystem.protocol else path


def find_line_end(stream: "fsspec.core.OpenFile", start: int, size: int) -> int:
    """Return the place behind the first line end at or after `start`, or `size`."""
    stream.seek(start)
    while start < size:
        window = stream.read(_WINDOW)
        found: int = window.find(b"\n")
        if found >= 0:
            return start + found + 1
        start += len(window)
    return size


def read_bytes(path: str, start: int, stop: int) -> NDArray[np.uint8]:
    """Read the bytes from `start` to `stop`, shape (stop - start,).

    Raises
    ------
    OSError
        If they cannot be read, or the file has become shorter than that.
    """
    # Large arrays of NumPy lie on huge pages: to make `bytes`, page after small page, takes twice as long.
    data = np.empty(stop - start, np.uint8)
    with open_stream(path) as stream:
        stream.seek(start)
        done = 0
        while done < data.size:
            read = stream.readinto(data[done:])
            if not read:
                raise _became_shorter()
            done += read
    return data


def count_lines_of(path: str, start: int, stop: int) -> int:
    """Count the lines from byte `start` to `stop`; a last one without line end counts. Errors as of `read_bytes`."""
    lines, ended = 0, True
    # Pieces that stay in the processor's cache take half the time of one large read that is gone through again.
    piece = np.empty(min(stop - start, _PIECE), np.uint8)
    with open_stream(path) as stream:
        stream.seek(start)
        while start < stop:
            read = stream.readinto(piece[: stop - start])
            if not read:
                raise _became_shorter()
            ended = bool(piece[read - 1] == _NEWLINE)
            lines += count_lines(piece[:read]) - (not ended)
            start += read
    return lines + (not ended)


def _became_shorter() -> OSError:
    return OSError("became shorter while it was read; run again on a file at rest")
