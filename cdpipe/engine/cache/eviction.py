"""Taking entries out of the cache folder: the least recently used first, never those that a live run uses."""

import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

from cdpipe.engine.cache.cache_folder import DRAFTS, LOCK, PINS, TRASH, list_entries, list_own
from cdpipe.engine.cache.entry import OWNER, delete_folder
from cdpipe.engine.cache.manifest import MANIFEST
from cdpipe.engine.cache.series import forget_in_series
from cdpipe.engine.files.locks import is_held, locked

ABANDONED_SECONDS: Final = 900.0
"""A draft whose owner is gone is removed once nothing in it has changed for so long."""


class Removal(NamedTuple):
    """What was removed, and what is left."""

    entries: int
    bytes: int
    entries_left: int
    bytes_left: int


class Usage(NamedTuple):
    """When an entry was last used (nanoseconds since the epoch), its folder, and the bytes of its files by inode."""

    last_used_ns: int
    place: Path
    files: dict[int, int]

    @property
    def bytes(self) -> int:
        """Bytes of its files, the manifest and those that other entries have too included."""
        return sum(self.files.values())


def in_place(directory: Path) -> AbstractContextManager[None]:
    """Keep the entries of a cache folder where they are; any number of processes may do so at once."""
    return locked(directory / LOCK, exclusive=False)


def scan_entries(directory: Path) -> Iterator[Usage]:
    """Yield what each entry takes, in no order; their manifests are not read."""
    for place in list_entries(directory):
        try:
            status = {file.name: file.stat() for file in os.scandir(place)}
            files = {each.st_ino: each.st_size for each in status.values()}
            used = status[MANIFEST] if MANIFEST in status else place.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue  # removed meanwhile, or a file, which no entry is
        yield Usage(used.st_mtime_ns, place, files)


def count_bytes(usages: Iterable[Usage]) -> int:
    """Return what entries take on the disk: a file that several of them have counts once."""
    files: dict[int, int] = {}
    for usage in usages:
        files |= usage.files
    return sum(files.values())


def discard(directory: Path, place: Path) -> None:
    """Take an entry away at once for all who look, then delete it."""
    trash = directory / TRASH / uuid4().hex
    trash.parent.mkdir(exist_ok=True)
    try:
        place.rename(trash)
    except FileNotFoundError:
        return  # another process was faster
    delete_folder(trash)


def remove_beyond(directory: Path, limit_bytes: int, *, unwanted: Collection[str] = ()) -> Removal:
    """Remove entries until the rest is within `limit_bytes`, and what crashed runs left behind.

    The `unwanted` go whatever the limit, then entries larger than the limit, then the least recently used. Pinned
    ones stay.
    """
    with locked(directory / LOCK, exclusive=True):
        pinned = read_pins(directory)
        usages = sorted(scan_entries(directory), key=lambda usage: (usage.bytes <= limit_bytes, usage.last_used_ns))
        # What is pinned and larger than the limit is not counted: removing all others would not make it fit.
        counted = (usage for usage in usages if usage.bytes <= limit_bytes or usage.place.name not in pinned)
        beyond = count_bytes(counted) - limit_bytes
        uses = Counter(inode for usage in usages for inode in usage.files)
        gone: dict[str, int] = {}
        for usage in sorted(usages, key=lambda usage: usage.place.name not in unwanted):
            if (beyond > 0 or usage.place.name in unwanted) and usage.place.name not in pinned:
                discard(directory, usage.place)
                uses.subtract(usage.files.keys())
                freed = sum(size for inode, size in usage.files.items() if not uses[inode])
                gone[usage.place.name] = freed
                beyond -= freed
        if gone:
            forget_in_series(directory, gone)
        _clean_up(directory)
    removed = sum(gone.values())
    return Removal(len(gone), removed, len(usages) - len(gone), count_bytes(usages) - removed)


def read_pins(directory: Path) -> set[str]:
    """Return the keys that live runs use, and remove the lists of dead ones."""
    keys: set[str] = set()
    for pins in list_own(directory, PINS):
        if is_held(pins):
            keys.update(pins.read_text(encoding="ascii", errors="replace").split())
        else:
            pins.unlink(missing_ok=True)
    return keys


def _clean_up(directory: Path) -> None:
    """Delete what crashed runs left: half-deleted entries, and drafts without owner that nobody touches."""
    for trash in list_own(directory, TRASH):
        delete_folder(trash)
    for draft in list_own(directory, DRAFTS):
        try:
            newest = max(path.stat().st_mtime for path in (draft, *draft.iterdir()))
        except FileNotFoundError:
            continue  # committed or dropped meanwhile
        if time.time() - newest > ABANDONED_SECONDS and not is_held(draft / OWNER):
            delete_folder(draft)
