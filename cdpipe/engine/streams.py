"""Bytes of source files, local or behind an fsspec URL: opened, cut at line ends, counted and read."""

import os
import stat
from pathlib import Path
from typing import Final

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray

from cdpipe.kernels.csv import count_lines
from cdpipe.stages.linebreaks import LONGEST_RECORD, begins_record, find_record_start

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


def real_path(path: str) -> str:
    """Return one spelling for all paths and URLs of the same file: absolute, links followed."""
    if "::" in path:
        inner, _, outer = path.partition("::")
        return f"{inner}::{real_path(outer)}"
    local = local_path(path)
    if "://" not in local:
        return os.path.realpath(local)
    store, name = fsspec.core.url_to_fs(path)
    return str(store.unstrip_protocol(name))


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


def find_record_end(stream: "fsspec.core.OpenFile", start: int, first: int, size: int) -> int:
    """Return the index behind a line end at or after `start` that surely ends a CSV record, or `size`.

    That is the next line end, unless the line behind it may be within quotes. `first` is where the first record begins.
    """
    stream.seek(start)
    text: bytes = stream.read(_WINDOW)
    line = text.find(b"\n") + 1
    is_whole = start + len(text) == size
    is_enough = line > 0 and (is_whole or line + LONGEST_RECORD <= len(text))
    if is_enough and begins_record(text[line : line + LONGEST_RECORD], is_whole=is_whole):
        return start + line
    return _search_record_end(stream, start, first, size)


def _search_record_end(stream: "fsspec.core.OpenFile", start: int, first: int, size: int) -> int:
    """Do what `find_record_end` does, from the lines before as well."""
    while start < size:
        begin = max(first, start - LONGEST_RECORD)
        stream.seek(begin)
        text: bytes = stream.read(start - begin + _WINDOW)
        is_whole = begin + len(text) == size
        line = text.find(b"\n", start - begin) + 1
        if line and (found := find_record_start(text, line, is_whole=is_whole)) >= 0:
            return begin + found
        if is_whole:
            break
        start = begin + len(text) - (LONGEST_RECORD if line else 0)
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
