"""Paths of inputs: the files that paths, globs, Parquet folders, archives and URLs name, each once."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

import fsspec

from cdpipe.engine.packed import PackedError, find_members, is_member
from cdpipe.engine.streams import real_path


class SourceError(ValueError):
    """A source cannot be read; the message names it and what to do."""


def expand_paths(paths: Sequence[str]) -> list[str]:
    """Return the files that paths, globs, Parquet folders and URLs name, in order.

    Raises
    ------
    SourceError
        If nothing is found, a path is empty, or a file is named twice, whatever its spelling.
    """
    named: dict[str, tuple[str, str]] = {}
    for number, given in enumerate(paths, 1):
        if not given.strip():
            raise SourceError(f"input.paths: path {number} is empty; name a file, a glob, a Parquet folder or a URL")
        for path in _list_members(_expand(given)):
            real = real_path(path)
            if real in named:
                raise SourceError(f"{path}: is named twice, by {named[real][1]!r} and {given!r}; name each file once")
            named[real] = path, given
    return [path for path, _ in named.values()]


def _list_members(paths: Sequence[str]) -> Iterator[str]:
    """Give the files in archives instead of the archives."""
    for path in paths:
        try:
            yield from find_members(path)
        except PackedError as error:
            raise SourceError(f"{path}: {error}") from None


def _expand(given: str) -> list[str]:
    if is_member(given):
        return [given]
    if "://" in given:
        try:
            filesystem, path = fsspec.core.url_to_fs(given)
        except (ImportError, ValueError) as error:
            raise SourceError(f"{given}: {error}") from None
        if not glob.has_magic(path):
            return [given]
        found = [filesystem.unstrip_protocol(name) for name in sorted(filesystem.glob(path))]
    elif glob.has_magic(given) and not Path(given).exists():
        found = sorted(glob.glob(given, recursive=True))  # noqa: PTH207 - absolute and relative patterns alike
    elif Path(given).is_dir():
        found = [str(path) for path in sorted(Path(given).rglob("*.parquet")) if not _is_hidden(path, below=given)]
        if not found:
            raise SourceError(f"{given}: is a folder without Parquet files; name its files, e.g. {given}/*.csv")
    else:
        return [given]
    if not found:
        raise SourceError(f"{given}: no file matches; check the pattern and the folder")
    return found


def _is_hidden(path: Path, *, below: str) -> bool:
    """Say whether a file, or a folder that it is in, is what programs leave for themselves: `_temporary`."""
    return any(part.startswith((".", "_")) for part in path.relative_to(below).parts)
