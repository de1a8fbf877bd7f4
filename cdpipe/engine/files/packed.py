"""Packed inputs: compressed files and members of archives, unpacked to a folder so that they can be cut.

Nothing can be read from the middle of a compressed file without what stands before it, and blocks are.
"""

import atexit
import bz2
import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from tempfile import gettempdir
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa

from cdpipe.engine.files.own_folders import own_folder
from cdpipe.oserrors import give_reason

_PIECE: Final = 1 << 20
_DECODERS: Final[dict[str, Callable[[Any], Any]]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": lambda stream: pa.input_stream(stream, compression="zstd"),
}
_ARCHIVES: Final = {
    ".zip": "zip",
    **dict.fromkeys((".tar", ".tgz", ".tbz2", ".txz", *(f".tar{suffix}" for suffix in (".gz", ".bz2", ".xz"))), "tar"),
}
_SHOWN: Final = 3
_ERRORS: Final = (
    *(EOFError, KeyError, NotImplementedError, OSError, RuntimeError, ValueError),
    *(zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile),
)
"""What decoders and archives raise at what they cannot read."""

SUFFIXES: Final = ", ".join((*_DECODERS, ".zip", ".tar"))


class PackedError(ValueError):
    """A packed file cannot be unpacked; the message says why."""


def plain_name(path: str) -> str:
    """Return the name of what a path or URL holds when it is unpacked: its suffix tells the format."""
    name = _name(path)
    return name.removesuffix(PurePosixPath(name).suffix) if _suffix(name) in _DECODERS else name


def is_packed(path: str) -> bool:
    """Return True if a path or URL names a compressed file or a member of an archive."""
    return is_member(path) or _suffix(_name(path)) in _DECODERS


def find_members(path: str) -> list[str]:
    """Return the URLs of the files that a path or URL names in an archive: those of a pattern, or the only one.

    Any other path or URL is returned as it is.

    Raises
    ------
    PackedError
        If the archive cannot be read, or several files are in it and none is named.
    """
    protocol = _archive(path)
    if is_member(path) and "::" not in path:
        raise PackedError("names no archive; write MEMBER::ARCHIVE behind ://, or name the archive alone")
    if protocol is None and not is_member(path):
        return [path]
    if protocol is None:
        head, _, archive = path.partition("::")
        protocol, _, pattern = head.partition("://")
    else:
        archive, pattern = path if "://" in path else f"file://{Path(path).absolute()}", ""
    names = _list_archive(protocol, archive, pattern)
    if not names:
        raise PackedError(f"the archive holds no file {pattern}".rstrip() + "; check input.paths")
    if not pattern and len(names) > 1:
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        raise PackedError(f"holds {len(names)} files ({shown}); name one, e.g. {protocol}://{names[0]}::{archive}")
    for name in names:
        if "::" in f"{name}:":
            raise PackedError(f"holds a file whose name no URL can have ({name!r}); unpack it and name the file")
    return [f"{protocol}://{name}::{archive}" for name in names]


def _list_archive(protocol: str, archive: str, pattern: str) -> list[str]:
    """Return the names in an archive that fit a pattern, or all visible ones, sorted.

    Raises
    ------
    PackedError
        If the archive cannot be read.
    """
    import fsspec  # noqa: PLC0415 - only archives and URLs need it, and it loads asyncio

    try:
        store, _ = fsspec.core.url_to_fs(f"{protocol}://::{archive}")
        return sorted(store.glob(pattern) if pattern else filter(_is_visible, store.find("")))
    except FileNotFoundError:
        raise PackedError("there is no such archive; check input.paths") from None
    except Exception as error:  # noqa: BLE001 - of an archive behind a URL, what that file system raises
        said = give_reason(error)
        raise PackedError(f"cannot be read as an archive ({said}); unpack it and name the file") from None


@cache
def temporary_folder() -> Path:
    """Make a folder for this process, removed at its end; those of processes that were killed go now."""
    held = ExitStack()
    atexit.register(held.close)
    return held.enter_context(own_folder(Path(gettempdir()), "cdpipe-unpacked-"))


def unpack(path: str, folder: Path) -> str:
    """Unpack a file to a folder and return the new file's absolute path.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    PackedError
        If it cannot be unpacked, or the disk is full.
    """
    target = folder.absolute() / f"{uuid4().hex}{PurePosixPath(plain_name(path)).suffix}"
    try:
        with _open(path) as source, target.open("wb") as stream:
            shutil.copyfileobj(source, stream, _PIECE)
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except _ERRORS as error:
        target.unlink(missing_ok=True)
        raise PackedError(
            f"cannot be unpacked to {folder} ({give_reason(error)}); unpack it where there is room, and name the file"
        ) from error
    return str(target)


@contextmanager
def _open(path: str) -> Iterator[Any]:
    import fsspec  # noqa: PLC0415 - as above

    with fsspec.open(path, "rb") if "://" in path else Path(path).open("rb") as stream:
        decode = _DECODERS.get(_suffix(_name(path)))
        if decode is None:
            yield stream
        else:
            with decode(stream) as plain:
                yield plain


def _name(path: str) -> str:
    """Return the part of a URL of several parts that names the file itself."""
    return next((part for part in path.split("::") if "://" in part), path)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def is_member(path: str) -> bool:
    """Return True if a URL names a member of an archive, or a pattern of members."""
    protocol, is_url, _ = path.partition("://")
    return bool(is_url) and protocol in _ARCHIVES.values()


def _archive(path: str) -> str | None:
    """Return the protocol of an archive that is named by itself."""
    if is_member(path):
        return None
    name = _name(path).lower()
    return next((protocol for suffix, protocol in _ARCHIVES.items() if name.endswith(suffix)), None)


def _is_visible(name: str) -> bool:
    """Return True if a member is none of those that programs leave for themselves."""
    return not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
