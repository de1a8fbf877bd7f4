"""Paths of inputs: the files that paths, globs, Parquet folders, archives and URLs name, each once."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from cdpipe.engine.files.byte_ranges import UrlError, find_store, reaching, real_path
from cdpipe.engine.files.packed import PackedError, find_members, is_member
from cdpipe.oserrors import give_reason
from cdpipe.stages.gather.veremi import is_truth, read_name

_WEB: Final = ("http", "https")
"""Protocols without folders: to ask whether a URL is one reads the whole file."""


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
        if "\0" in given:
            raise SourceError(f"input.paths: path {number}, {given!r}, holds a NUL, which no name can; remove it")
        try:
            expanded = [(path, real_path(path)) for path in _list_members(_expand(given))]
        except (OSError, UrlError) as error:
            raise SourceError(f"{given}: {give_reason(error)}") from error
        for path, real in expanded:
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
        found = _expand_url(given)
    elif glob.has_magic(given) and not Path(given).exists():
        found = sorted(glob.glob(given, recursive=True), key=_in_order)  # noqa: PTH207 - absolute and relative patterns alike
    elif Path(given).is_dir():
        found = _list_folder(Path(given))
        if not found:
            raise _without_parquet(given)
    else:
        return [given]
    if not found:
        raise SourceError(f"{given}: no file matches; check the pattern and the folder")
    return found


def _list_folder(folder: Path) -> list[str]:
    """Return the Parquet files of a folder, without one VeReMi's traces and ground truth."""
    found = sorted(folder.rglob("*.parquet"))
    if not found:
        traces = (path for path in folder.rglob("*.json*") if read_name(path.name) or is_truth(path.name))
        found = sorted(traces, key=lambda path: path.parts)
    return [str(path) for path in found if _is_shown(path, below=folder)]


def _expand_url(given: str) -> list[str]:
    """Return the URLs of the files that a URL names: those of a glob, the Parquet files of a folder, or the one."""
    store, path = find_store(given)
    with reaching(given):
        if glob.has_magic(path):
            return [store.unstrip_protocol(name) for name in sorted(store.glob(path), key=_in_order)]
        if given.startswith(tuple(f"{protocol}://" for protocol in _WEB)) or not store.isdir(path):
            return [given]
        names = sorted((name for name in store.find(path) if name.endswith(".parquet")), key=_in_order)
        found = [
            name for name in names if _is_shown(PurePosixPath(name.lstrip("/")), below=PurePosixPath(path.lstrip("/")))
        ]
    if not found:
        raise _without_parquet(given)
    return [store.unstrip_protocol(name) for name in found]


def _in_order(path: str) -> tuple[str, ...]:
    """Return what paths are sorted by: folder by folder, so that a tree has one order however it is named."""
    return PurePosixPath(path).parts


def _without_parquet(given: str) -> SourceError:
    return SourceError(
        f"{given}: is a folder without Parquet files; name its files, e.g. {given.removesuffix('/')}/*.csv"
    )


def _is_shown(path: PurePosixPath | Path, *, below: PurePosixPath | Path) -> bool:
    """Return True for a file that is none of those which programs leave for themselves: `_temporary`, not `_key=1`."""
    parts = path.relative_to(below).parts
    return not any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in parts)
