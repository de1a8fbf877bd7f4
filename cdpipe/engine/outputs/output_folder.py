"""The output folder of runs: results appear there whole, at a run's end, and what no run has made stays as it is."""

import os
import platform
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cdpipe.engine.files.byte_ranges import local_path
from cdpipe.engine.files.digests import Kept, copy_kept, move_kept
from cdpipe.engine.files.locks import TakenError, sole
from cdpipe.engine.files.own_folders import own_folder
from cdpipe.engine.files.partitions import PARTS, split_part
from cdpipe.engine.files.rejects import REJECTS
from cdpipe.engine.files.seals import digest_file, find_own, is_plain_file
from cdpipe.engine.outputs.exchange import JOURNAL, JournalError, complete_exchange, exchange, flush
from cdpipe.interrupts import uninterrupted
from cdpipe.oserrors import naming

DATASET: Final = "dataset"
REPORT: Final = "report.json"
FAILED: Final = "failed-run"
"""Folder of what a run that made no data set has to say; the next run that makes one removes it."""

_FOLDERS: Final = {DATASET: re.compile(PARTS), FAILED: re.compile(rf"{re.escape(REPORT)}|{re.escape(REJECTS)}")}
"""Folders of results, and the files that cdpipe puts into them."""

_SCRATCH: Final = ".scratch-"
_BESIDE: Final = re.compile(r"\.(report\.json|profile\.(txt|md|json)|dask-report\.html)\.[0-9a-f]{32}")
"""What is left of a file that was being written beside its place."""

_PUTTERS: Final = 4
"""Parts that are put in place at once."""

_LOCK: Final = ".cdpipe-lock"


class OutputError(ValueError):
    """Results cannot go where they should; the message names the path and the way out."""


def explain_foreign(path: Path | str) -> OutputError:
    """Return the error of something that stands where results go and is not of a run."""
    return OutputError(
        f"{path}: is not of a run, or was changed since, and results would replace it; move it away, or choose another "
        "output.directory"
    )


def explain_input(path: str) -> OutputError:
    """Return the error of an input that results would replace."""
    return OutputError(f"{path}: is an input, and results would replace it; choose another output.directory")


def picture_name(classifier: str) -> str:
    """Return the name of the picture of a classifier's confusion matrix."""
    return f"confusion_{classifier}.png"


def refuse_others(out: Path, paths: Sequence[str], *, names: Collection[str]) -> None:
    """Refuse a run that would replace what it reads, or what no run has made.

    Parameters
    ----------
    out
        The output folder; it need not be there.
    paths
        The run's inputs.
    names
        What its results will be called.

    Raises
    ------
    OutputError
        Naming what stands where results go. As of `sole_run`, where a run was killed as it put its results in place.
    """
    folder, names = out.resolve(), {*names, FAILED}
    for path in paths:
        place = Path(local_path(path.rpartition("::")[2])).resolve()
        inside = place.relative_to(folder) if place.is_relative_to(folder) else None
        if inside is not None and inside.parts and inside.parts[0] in names:
            raise explain_input(path)
    if (folder / JOURNAL).exists():
        # A run was killed as it put its results in place: until the rest is there too, no report vouches for them.
        _finish_exchange(folder)
    _require_own(folder, names)


@uninterrupted
def _finish_exchange(out: Path) -> None:
    with sole_run(out):
        pass


@contextmanager
def sole_run(out: Path) -> Iterator[None]:
    """Keep other runs out of an output folder, which is made; one that was killed keeps nobody out.

    If it was killed while it put its results in place, the rest of them is put there first.

    Raises
    ------
    OutputError
        If another run writes there; it names that run's process, machine and beginning. If the journal of an earlier
        one cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    note = f"process {os.getpid()} on {platform.node()}, since {since}"
    try:
        with sole(out / _LOCK, note):
            complete_exchange(out)
            for path in out.iterdir():
                if _BESIDE.fullmatch(path.name) and is_plain_file(path):
                    path.unlink(missing_ok=True)
            yield
    except JournalError as error:
        raise OutputError(str(error)) from None
    except TakenError as error:
        raise OutputError(
            f"{out}: another run writes there ({error}); wait for its end, or choose another output.directory"
        ) from None


@contextmanager
def scratch_folder(out: Path) -> Iterator[Path]:
    """Make a folder for this run alone, removed at its end; those of runs that were killed go first."""
    with own_folder(out, _SCRATCH) as made:
        yield made


class LocalFolder:
    """An output folder on a disk.

    Parameters
    ----------
    path
        Where it is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def refuse_others(self, paths: Sequence[str], *, names: Collection[str]) -> None:
        """Refuse a run that would replace what it reads, or what no run has made; see `refuse_others`."""
        refuse_others(self._path, paths, names=names)

    @uninterrupted
    def take(self, held: ExitStack, _opened: ExitStack) -> Path:
        """Make this run's scratch folder, in a folder that is its own as long as `held` is open; see `sole_run`."""
        held.enter_context(sole_run(self._path))
        return held.enter_context(scratch_folder(self._path))

    def results(self, scratch: Path) -> "Results":
        """Return the results of this run; there are none yet."""
        return Results(self._path, scratch)


class Results:
    """What a run has made for its output folder; nothing of it is there until `put` is called.

    Parameters
    ----------
    out
        The output folder, which belongs to this run.
    scratch
        This run's scratch folder in it.
    """

    def __init__(self, out: Path, scratch: Path) -> None:
        self._out = out
        self.folder = scratch / "results"
        """Where files of it are written."""
        self.folder.mkdir()

    def add_dataset(self, parts: Sequence[Kept], *, partition_by: Sequence[str] = (), moves: bool = False) -> None:
        """Copy or move the parts of the data set, instead of those there before, and flush them to the disk.

        Parameters
        ----------
        parts
            The parts, in order.
        partition_by
            Columns whose values name folders that the rows are laid into, the outermost first.
        moves
            Whether nobody else needs the parts where they are: then they are moved here, if they can be as they are.

        Raises
        ------
        DamageError
            If a part has not what was written there.
        PartitionError
            If there would be too many folders.
        """
        folder = self.folder / DATASET
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        folders: set[str] = set()
        if partition_by:
            for part in parts:
                for _ in split_part(part, partition_by, folder, folders=folders):
                    pass
        else:
            put = _move if moves else _copy
            _do_all(lambda part: put(part, folder / part.path.name), parts)
        flush(folder)

    def add_rejects(self, rejects: Kept) -> None:
        """Copy the rejected records, and flush them to the disk; errors as of `add_dataset`."""
        _copy(rejects, self.folder / REJECTS)

    def has(self, name: str) -> bool:
        """Return True if something of that name was made."""
        return (self.folder / name).exists()

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each file, by name, but not those in the data set."""
        return {path.name: digest_file(path) for path in sorted(self.folder.iterdir()) if path.is_file()}

    def locate(self, name: str, *, failed: bool) -> Path:
        """Return where something of that name will be, of a run that failed or not."""
        return (self._out / FAILED if failed else self._out) / name

    def put(self) -> None:
        """Put all of it into the output folder, instead of the results of the run before.

        Raises
        ------
        OutputError
            If something that no run has made has come to stand there meanwhile.
        """
        names = {path.name for path in self.folder.iterdir()}
        self._put(old=_require_own(self._out, names))

    def put_failed(self) -> None:
        """Put all of it into a folder `FAILED` in the output folder; the results of the run before stay."""
        kept = self.folder.with_name("failed")
        kept.mkdir()
        self.folder.rename(kept / FAILED)
        self.folder = kept
        _require_own(self._out, {FAILED})
        self._put(old=())

    def _put(self, *, old: Collection[str]) -> None:
        for path in self.folder.rglob("*"):
            if path.is_dir():
                flush(path)
        exchange(self._out, self.folder, old=old)


def _require_own(out: Path, names: Collection[str]) -> set[str]:
    """Return the names of results that runs have made, as they left them.

    Raises
    ------
    OutputError
        If one of `names` is there and no run has made it, or somebody has changed it since.
    """
    own = find_own(out / REPORT)
    for folder, ours in _FOLDERS.items():
        place = out / folder
        foreign = [place] if os.path.lexists(place) and (place.is_symlink() or not place.is_dir()) else []
        foreign += [] if foreign else _find_foreign(place, ours)
        if not foreign and place.is_dir():
            own.add(folder)
        elif foreign and folder in names:
            raise explain_foreign(foreign[0])
    for name in sorted(names):
        if name not in own and os.path.lexists(out / name):
            raise explain_foreign(out / name)
    return own


def _find_foreign(folder: Path, ours: re.Pattern[str]) -> list[Path]:
    """Return what is in a folder of results and not of a run: files of other names, links, folders without files."""
    there = sorted(folder.rglob("*"))
    own = {path for path in there if ours.fullmatch(path.relative_to(folder).as_posix()) and is_plain_file(path)}
    above = {parent for path in own for parent in path.parents}
    return [path for path in there if path not in own and (path not in above or path.is_symlink())]


def _do_all(put: Callable[[Kept], None], parts: Sequence[Kept]) -> None:
    """Put all parts where they go: while one waits for the disk, another is read."""
    putters = ThreadPoolExecutor(_PUTTERS)
    try:
        for _ in putters.map(put, parts):
            pass
    finally:
        putters.shutdown(cancel_futures=True)


def _copy(file: Kept, target: Path) -> None:
    with naming(target):
        copy_kept(file, target)


def _move(file: Kept, target: Path) -> None:
    with naming(target):
        move_kept(file, target)
