"""Cache folder: marked as cdpipe's own, and what in it has a name that cdpipe gives.

Whoever cleans up in it removes nothing else: the folder may be one that somebody keeps files of their own in.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TAG: Final = "CACHEDIR.TAG"
_MARK: Final = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# A cache of cdpipe, which may remove all that it has made here: see bford.info/cachedir\n"
)
"""The first line is that of the Cache Directory Tagging Specification: backups leave such folders out."""

PINS: Final = "pins"
TRASH: Final = "trash"
DRAFTS: Final = "drafts"
SERIES: Final = "series"
LOCK: Final = "lock"
HITS: Final = "hits"
MISSES: Final = "misses"
_FILES: Final = frozenset((LOCK, HITS, MISSES))
_PREFIX: Final = re.compile(r"[0-9a-f]{2}")
_RANDOM: Final = re.compile(r"[0-9a-f]{32}")
_ENTRY: Final = re.compile(r"[0-9a-f]{64}")
_NAMES: Final = {
    PINS: _RANDOM,
    TRASH: _RANDOM,
    DRAFTS: re.compile(r".{1,16}[.][0-9a-f]{32}"),
    SERIES: _ENTRY,
}


class ForeignFolderError(OSError):
    """A folder is not empty and no cache of cdpipe."""


def claim_folder(directory: Path) -> None:
    """Make a cache folder and mark it, or check that it is marked.

    One that an older cdpipe made, without a mark, is marked if it holds nothing but what has a name of a cache.

    Raises
    ------
    ForeignFolderError
        If it holds anything else and is not marked.
    OSError
        If it cannot be made or written to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    tag = directory / TAG
    try:
        if not any(directory.iterdir()) or (not tag.exists() and _is_old_cache(directory)):
            descriptor = os.open(tag, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            try:
                os.write(descriptor, _MARK)
            finally:
                os.close(descriptor)
            return
    except FileExistsError:
        pass  # another process was faster
    # Another process may be about to write the mark, or to finish it.
    if not tag.is_file() or not _MARK.startswith(tag.read_bytes()):
        raise ForeignFolderError(
            f"{directory} is not empty and no cache of cdpipe, so it is left alone; name an empty or a new folder"
        )


def _is_old_cache(directory: Path) -> bool:
    """Return True if a folder has the lock of a cache, and nothing but what a cache has."""
    names = {path.name for path in directory.iterdir()}
    rooms = names - _FILES
    own = [*list_entries(directory), *(path for room in _NAMES for path in list_own(directory, room))]
    there = [path for room in rooms for path in (directory / room).glob("*")]
    return (
        LOCK in names
        and all(room in _NAMES or _PREFIX.fullmatch(room) for room in rooms)
        and all((directory / room).is_dir() for room in rooms)
        and set(own) == set(there)
    )


def list_entries(directory: Path) -> Iterator[Path]:
    """Yield the folders of entries, in no order."""
    for path in directory.glob("[0-9a-f][0-9a-f]/*"):
        if _ENTRY.fullmatch(path.name) and path.name.startswith(path.parent.name):
            yield path


def list_own(directory: Path, room: str) -> Iterator[Path]:
    """Yield what cdpipe has put into a room (`PINS`, `TRASH`, `DRAFTS` or `SERIES`) of a cache folder, in no order."""
    for path in (directory / room).glob("*"):
        if _NAMES[room].fullmatch(path.name):
            yield path
