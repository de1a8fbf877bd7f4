"""The files of a run: what each of them is as the run begins, and that they are still the same when they were read."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

from cdpipe.columns import IS_ATTACKER, IS_FALSE
from cdpipe.engine.cache.identity import IdentityError, identify, key
from cdpipe.engine.files.byte_ranges import UrlError
from cdpipe.engine.files.paths import SourceError, expand_paths
from cdpipe.engine.files.sources import SourceFile
from cdpipe.engine.sessions.base import Session

_NAMELESS: Final = "nameless-"
"""Begins the identity of a file that tells nothing: it is the same as no other."""


class Inputs:
    """The files that paths, globs, folders and URLs name, in order, each named once.

    To be made before any of them is looked into: what changes between that and `require_unchanged` is found.

    Parameters
    ----------
    paths
        Local paths, globs, or fsspec URLs.
    cached
        Whether outputs are kept for later runs, so that each file must tell what it holds.
    content
        Whether each file is read wholly for that, as it begins and as it ends; see `identify`.

    Raises
    ------
    SourceError
        If a glob or a folder has no file, a path is empty, or a file is named twice.
    IdentityError
        If outputs are kept, and a file does not tell whether it changed.
    """

    def __init__(self, paths: Sequence[str], *, cached: bool, content: bool = False) -> None:
        self.paths = expand_paths(paths)
        self._content = content
        self._cached = cached
        self._known = {path: self._identify(path) for path in self.paths}

    @property
    def identities(self) -> Mapping[str, str]:
        """By path, in order, what each file was told by when this was made."""
        return self._known

    def keys(self, files: Mapping[str, SourceFile]) -> dict[str, str]:
        """Return by path, in order, the key of what is read of each file: its name, content, and how it is read."""
        return {
            path: key("file", 1, {"path": path, **_describe_reading(files[path])}, known)
            for path, known in self._known.items()
        }

    def require_unchanged(self) -> None:
        """Make sure that the files are what they were.

        Raises
        ------
        SourceError
            Naming the one that is not.
        """
        for path, before in self._known.items():
            if before not in {"", self._identify(path)} and not before.startswith(_NAMELESS):
                raise SourceError(f"{path}: changed while it was read; run again when nothing writes to it")

    def _identify(self, path: str) -> str:
        try:
            return identify(path, content=self._content)
        except (OSError, UrlError):
            return ""  # whoever looks into it says what is wrong
        except IdentityError:
            if self._cached:
                raise
            return f"{_NAMELESS}{uuid4().hex}"


def require_unlabelled(files: Iterable[SourceFile]) -> None:
    """Make sure that no file has labels of its own under the names of those that a run writes.

    Raises
    ------
    SourceError
        Naming the file and its column.
    """
    for file in files:
        for name, role, label in ((IS_ATTACKER, "attacker", "column"), (IS_FALSE, "false", "false_column")):
            if name in file.columns:
                raise SourceError(
                    f"{file.path}: has a column {name!r}, which the run would overwrite with its own; take it as the "
                    f'label with attack.kind = "given" and labels.{label} = "{name}", or set it aside as given_{name} '
                    f'with input.columns = {{ {role} = "{name}" }}'
                )


def require_visible(session: Session, files: Iterable[SourceFile]) -> None:
    """Make sure that every process which works for a session finds the local files where this one does.

    Raises
    ------
    SourceError
        Naming the file, and the worker that has none or another one there.
    """
    sizes = {file.stored: file.size for file in files if "://" not in file.stored}
    for address, path in session.each_process(partial(find_unseen, sizes)).items():
        if path:
            raise SourceError(
                f"{path}: is not the same for {address}; workers need the inputs where you have them: name them by "
                "their absolute path, on a disk that all machines share"
            )


def require_shared(session: Session, folder: Path, *, mark: Path, remedy: str) -> None:
    """Make sure that every process which works for a session finds the folder that stages write to.

    Parameters
    ----------
    session
        Whose processes.
    folder
        The folder.
    mark
        A file in it.
    remedy
        What moves the folder elsewhere, for the error.

    Raises
    ------
    SourceError
        Naming the folder, and the worker that does not find it.
    """
    sizes = {str(mark): mark.stat().st_size}
    for address, path in session.each_process(partial(find_unseen, sizes)).items():
        if path:
            raise SourceError(
                f"{folder}: is not there for {address}; workers write there what stages make: {remedy} an absolute "
                "path on a disk that all machines share"
            )


def find_unseen(sizes: Mapping[str, int]) -> str:
    """Return which of some local files, given with their sizes, is not the same in this process; `""` if all are."""
    for path, size in sizes.items():
        try:
            same = Path(path).stat().st_size == size
        except OSError:
            same = False
        if not same:
            return path
    return ""


def _describe_reading(file: SourceFile) -> dict[str, object]:
    # A file that was moved to a folder of another partition is the same file, with other values.
    known: dict[str, object] = {"format": file.format, "convention": file.convention.as_dict(), "keys": file.keys}
    # The truth of a trace is written to another path in each run.
    return {**known, "trace": file.trace._replace(truth="")} if file.format == "veremi" else known
