"""Private folders: those in which nobody but this user, or root, can put, change or exchange a file."""

import grp
import os
import pwd
import stat
from typing import Final

_MOST_LINKS: Final = 40
"""Symbolic links on one way, as Linux has it: more are taken for a circle."""

_ACCESS_LIST: Final = "system.posix_acl_access"


class UntrustedFolderError(Exception):
    """Others could decide what a folder holds; the message names what they can write, and how."""


def require_private(path: str) -> str:
    """Return the true path of a folder if nobody but this user, or root, decides what it holds.

    The folder itself must be this user's, and no link. Every folder and link on the way to it, behind links too, must
    be this user's or root's, and only they can write there. A folder on the way may be sticky instead, as `/tmp` is:
    there nobody can exchange what others own. A group that has this user alone counts as the user.

    Parameters
    ----------
    path
        Absolute path of a folder.

    Returns
    -------
    str
        The path without links: whatever somebody makes of a link later, it leads where it was checked.

    Raises
    ------
    UntrustedFolderError
        If it is not so.
    OSError
        If there is no such folder.
    """
    here, links = "/", 0
    pending = _steps(path)
    _require_trusted(here, os.lstat(here))
    while pending:
        step = pending.pop()
        if step == "..":
            here = os.path.dirname(here)  # noqa: PTH120 - strings are cheaper, in each process that starts
            continue
        found = f"{here.rstrip('/')}/{step}"
        info = os.lstat(found)
        _require_trusted(found, info)
        if not stat.S_ISLNK(info.st_mode):
            here = found
            continue
        links += 1
        if links > _MOST_LINKS or not pending:
            raise UntrustedFolderError(f"{found} is a link")
        target = os.readlink(found)  # noqa: PTH115 - as above
        here = "/" if target.startswith("/") else here
        pending += _steps(target)
    info = os.lstat(here)
    if info.st_uid != os.geteuid() or not stat.S_ISDIR(info.st_mode):
        raise UntrustedFolderError(f"{here} is no folder of this user's")
    if is_loose(here, info):
        raise UntrustedFolderError(f"others can write to {here}")
    return here


def _steps(path: str) -> list[str]:
    """Return the names on a way, the last one first."""
    return [step for step in reversed(path.split("/")) if step not in {"", "."}]


def _require_trusted(path: str, info: os.stat_result) -> None:
    if info.st_uid not in {0, os.geteuid()}:
        raise UntrustedFolderError(f"{path} is another user's")
    if stat.S_ISDIR(info.st_mode) and not info.st_mode & stat.S_ISVTX and is_loose(path, info):
        raise UntrustedFolderError(f"others can write to {path}")


def is_loose(path: str, info: os.stat_result) -> bool:
    """Return True if others than the owner may write to a file or folder."""
    if info.st_mode & stat.S_IWOTH:
        return True
    return bool(info.st_mode & stat.S_IWGRP) and not (_is_own_group(info.st_gid) and not _has_access_list(path))


def _is_own_group(gid: int) -> bool:
    """Return True for the group that many systems give each user, of the user's name and without anyone else."""
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return user.pw_gid == gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _has_access_list(path: str) -> bool:
    """Return True if an access list lets others in, or could: what it grants shows in the bits of the group."""
    if not hasattr(os, "getxattr"):  # macOS, whose lists show nowhere in these bits
        return False
    try:
        os.getxattr(path, _ACCESS_LIST)
    except OSError:
        return False
    return True
