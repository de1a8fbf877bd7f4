"""Folders that a process makes for itself, and that go with it, or if it was killed, with the next that looks.

A folder's name ends in 32 random digits, and its owner's lock is in it. What has another name, or holds anything but
no lock of a living owner, is somebody else's and stays.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from cdpipe.engine.files.locks import HeldLock, take_dead
from cdpipe.interrupts import uninterrupted

OWNER: Final = ".cdpipe-run"
"""In such a folder, and locked by the process that made it."""

_RANDOM: Final = re.compile(r"[0-9a-f]{32}")


@contextmanager
@uninterrupted
def own_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder for this process, removed at the end of the block; those of dead processes go first.

    Parameters
    ----------
    parent
        Folder to make it in, which is there.
    prefix
        How its name begins.
    """
    remove_dead(parent, prefix)
    made = parent / f"{prefix}{uuid4().hex}"
    made.mkdir(mode=0o700)
    lock = HeldLock(made / OWNER)
    try:
        yield made
    finally:
        _remove(made)
        lock.release()
        _remove_empty(made)


def remove_dead(parent: Path, prefix: str) -> None:
    """Remove the folders of that prefix whose process is dead; those of other users stay."""
    for folder in parent.glob(f"{prefix}*"):
        try:
            if not folder.is_dir() or folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
        except OSError:
            continue  # gone meanwhile
        if (folder / OWNER).is_file():
            with take_dead(folder / OWNER) as is_dead:
                if is_dead:
                    _remove(folder)
                    (folder / OWNER).unlink(missing_ok=True)
            if is_dead:
                _remove_empty(folder)
        elif _RANDOM.fullmatch(folder.name.removeprefix(prefix)):
            _remove_empty(folder)  # its process was killed before it had its lock, or after it had given it back


def _remove(folder: Path) -> None:
    """Remove all that is in a folder but its lock: without that, nobody would know it for what it is."""
    for path in folder.iterdir():
        if path.name == OWNER:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # not empty, so somebody's, or gone
