"""Bytes of source files, local or behind an fsspec URL: opened, cut at line ends, counted and read."""

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cdpipe.extras import find_install_line
from cdpipe.kernels.csv.bounds import count_lines
from cdpipe.stages.gather.line_breaks import LONGEST_RECORD, begins_record, find_record_start

if TYPE_CHECKING:
    import fsspec

_WINDOW: Final = 1 << 16
_PIECE: Final = 1 << 19
_NEWLINE: Final = 10


class UrlError(ValueError):
    """A URL leads to no file; the message says why and what to do, and the caller names the URL."""


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turn whatever the file system of a URL raises in the block into errors that a caller expects.

    Raises
    ------
    FileNotFoundError, PermissionError, IsADirectoryError
        As they are.
    UrlError
        Instead of any other error.
    """
    if "://" not in url:
        yield
        return
    try:
        yield
    except (UrlError, FileNotFoundError, PermissionError, IsADirectoryError, MemoryError):
        raise
    except ImportError as error:
        way = find_install_line(error.__cause__ or error) or "install it"
        raise UrlError(f"its protocol needs a package that is not here ({error}); {way}, or copy the file") from None
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise UrlError(
            f"is no whole URL of a file ({_say(error)}); complete it, or copy the file to this machine"
        ) from error
    except Exception as error:  # each of fsspec's many file systems has errors of its own
        raise UrlError(f"cannot be reached ({_say(error)}); check the URL, or copy the file to this machine") from error


def _say(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def find_store(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it; errors as of `reaching`."""
    import fsspec  # noqa: PLC0415 - only URLs need it, and it loads asyncio

    with reaching(url):
        store, path = fsspec.core.url_to_fs(url)
        return store, path


@contextmanager
def open_stream(path: str) -> Iterator[Any]:
    """Open a file to read; a pipe is refused, for it can be read only once.

    Raises
    ------
    OSError, ValueError
        If it cannot be, or while it is read.
    """
    if "://" in path:
        import fsspec  # noqa: PLC0415 - as above

        with reaching(path):
            opened = fsspec.open(path, "rb").open()
        with opened as stream:
            try:
                yield stream
            except (OSError, TypeError, ValueError, MemoryError, ImportError):
                raise
            except Exception as error:
                raise UrlError(
                    f"cannot be read ({_say(error)}); try again, or copy the file to this machine"
                ) from error
        return
    if stat.S_ISFIFO(Path(path).stat().st_mode):
        raise ValueError("is a pipe, which can be read only once; write it to a file first")
    with Path(path).open("rb") as stream:
        yield stream


def open_arrow(path: str) -> AbstractContextManager[Any]:
    """Open a file for Arrow to read: without Python, and so without the GIL, unless its name is no plain path."""
    # Arrow takes a tilde at the beginning for a home.
    is_plain = "://" not in path and not any("\udc80" <= sign <= "\udcff" for sign in path)
    return pa.OSFile(f"./{path}" if path.startswith("~") else path) if is_plain else open_stream(path)


def local_path(path: str) -> str:
    """Return the path that a URL of a local file names; any other path or URL as it is."""
    protocol, _, rest = path.partition("://")
    if not rest:
        return path
    from fsspec.implementations.local import LocalFileSystem  # noqa: PLC0415 - as above

    return LocalFileSystem._strip_protocol(path) if protocol in LocalFileSystem.protocol else path


def real_path(path: str) -> str:
    """Return one spelling for all paths and URLs of the same file: absolute, links followed."""
    if "::" in path:
        inner, _, outer = path.partition("::")
        return f"{inner}::{real_path(outer)}"
    local = local_path(path)
    if "://" not in local:
        return os.path.realpath(local)
    store, name = find_store(path)
    return str(store.unstrip_protocol(name))


def find_line_end(stream: "fsspec.core.OpenFile", start: int, size: int) -> int:
    """Return the offset behind the first line end at or after `start`, or `size`."""
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
    for _piece in _fill(data, path, start):
        pass
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


def read_lines(path: str, start: int, stop: int) -> tuple[NDArray[np.uint8], int]:
    """Read the bytes from `start` to `stop`, shape (stop - start,), and count their lines; as the two above do."""
    data, lines = np.empty(stop - start, np.uint8), 0
    for piece in _fill(data, path, start):  # while it is in the processor's cache
        lines += count_lines(piece) - int(piece[-1] != _NEWLINE)
    return data, lines + int(data.size > 0 and data[-1] != _NEWLINE)


def _fill(data: NDArray[np.uint8], path: str, start: int) -> Iterator[NDArray[np.uint8]]:
    """Fill an array, shape (bytes,), with what a file has from byte `start` on; yield each piece that was read."""
    with open_stream(path) as stream:
        stream.seek(start)
        done = 0
        while done < data.size:
            read = stream.readinto(data[done : done + _PIECE])
            if not read:
                raise _became_shorter()
            yield data[done : done + read]
            done += read


def _became_shorter() -> OSError:
    return OSError("became shorter while it was read; run again on a file at rest")
