"""Series: entries made with the same parameters of other files, so that one can take over what another has.

A series is a file of keys in the cache folder, a line each, the newest last. It only says where to look: a line that
is torn, or names an entry that is gone, is passed over.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from cdpipe.engine.cache.cache_folder import SERIES, list_own

_KEY: Final = re.compile(rb"[0-9a-f]{64}")
_LINE_BYTES: Final = 65
_NEWEST: Final = 8
"""This many entries of a series are looked at: each costs reading its manifest."""


def add_to_series(directory: Path, series: str, key: str) -> None:
    """Note an entry as the newest of a series; the caller keeps entries in their place meanwhile."""
    path = directory / SERIES / series
    path.parent.mkdir(exist_ok=True)
    # A line feed on both sides: what follows a torn line is still a line of its own.
    line = f"\n{key}\n" if path.exists() else f"{key}\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read_series(directory: Path, series: str) -> list[str]:
    """Return the keys of the newest entries of a series, the newest first; none if there is no such series."""
    try:
        with (directory / SERIES / series).open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 4 * _NEWEST * _LINE_BYTES))
            lines = stream.read().splitlines()
    except FileNotFoundError:
        return []
    return [line.decode() for line in dict.fromkeys(reversed(lines)) if _KEY.fullmatch(line)][:_NEWEST]


def forget_in_series(directory: Path, gone: Collection[str]) -> None:
    """Take entries that are gone out of every series; nobody else may use the cache folder meanwhile."""
    names = {name.encode() for name in gone}
    for path in list_own(directory, SERIES):
        lines = dict.fromkeys(path.read_bytes().split())
        left = [line for line in lines if _KEY.fullmatch(line) and line not in names]
        if not left:
            path.unlink(missing_ok=True)
        elif len(left) < len(lines):
            path.write_bytes(b"".join(line + b"\n" for line in left))
