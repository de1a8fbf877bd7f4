"""Exchange of an output folder's results: all of them, or after a crash at any moment, none or all a little later.

What is to be exchanged is written down first, in a journal. From then on the exchange is done: by this process, or if
it dies, by the next that opens the folder.
"""

import ctypes
import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from cdpipe.oserrors import naming

JOURNAL: Final = ".cdpipe-exchange"
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2


class JournalError(ValueError):
    """A journal cannot be read; the message names it and the way out."""


def exchange(out: Path, fresh: Path, *, old: Collection[str]) -> None:
    """Put all that is in one folder into another, instead of what has the same names there, and take others away.

    Parameters
    ----------
    out
        Where it goes.
    fresh
        Where it comes from: a folder of this process below `out`. What was there before is left in it.
    old
        Names in `out` that are to go.
    """
    put = {path.name: path.lstat().st_ino for path in fresh.iterdir()}
    gone = {name: (out / name).lstat().st_ino for name in old if name not in put and _is_there(out / name)}
    beside = fresh.parent / JOURNAL
    with naming(beside), beside.open("w", encoding="utf-8") as stream:
        json.dump({"fresh": str(fresh.relative_to(out)), "put": put, "gone": gone}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    flush(fresh)
    beside.replace(out / JOURNAL)
    flush(out)
    complete_exchange(out)


def complete_exchange(out: Path) -> None:
    """Do what the journal in a folder says, if there is one; any number of crashes meanwhile do no harm.

    Raises
    ------
    JournalError
        If it cannot be read.
    """
    journal = out / JOURNAL
    try:
        said: dict[str, Any] = json.loads(journal.read_bytes())
        fresh, put, gone = out / said["fresh"], dict(said["put"]), dict(said["gone"])
    except FileNotFoundError:
        return
    except (KeyError, TypeError, ValueError):
        raise JournalError(
            f"{journal}: is damaged, so results beside it may be of two runs; remove it, and run again"
        ) from None
    for name, number in put.items():
        # What has arrived is known by its inode, and is not put there again.
        if _is_there(fresh / name) and (fresh / name).lstat().st_ino == number:
            _put(fresh / name, out / name)
    for name, number in gone.items():
        if _is_there(out / name) and (out / name).lstat().st_ino == number:
            _take_away(out / name, fresh)
    flush(out)
    journal.unlink(missing_ok=True)
    flush(out)


def _put(source: Path, target: Path) -> None:
    """Rename a file or folder to what may be there already: a reader sees the one or the other, whole."""
    if not target.is_dir() or target.is_symlink():
        source.replace(target)
    elif not _swap(source, target):
        aside = source.with_name(f"{source.name}.old")
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
        source.rename(target)


def _take_away(path: Path, fresh: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        aside = fresh / f"{path.name}.gone"
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
    else:
        path.unlink(missing_ok=True)


def _swap(one: Path, other: Path) -> bool:
    """Exchange two names at once; False where the system or the disk cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    # Of other failures the plain renames that follow will tell.
    return bool(rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def flush(path: Path) -> None:
    """Have the kernel put a file, or a folder's list of names, on the disk."""
    with naming(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
