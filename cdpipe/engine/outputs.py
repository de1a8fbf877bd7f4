"""The output folder of runs: what appears there is whole, belongs to one run, and is never what a run reads."""

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from cdpipe.engine.locks import HeldLock, TakenError, is_held, sole
from cdpipe.engine.rejects import REJECTS
from cdpipe.engine.streams import local_path
from cdpipe.oserrors import naming

DATASET: Final = "dataset"
REPORT: Final = "report.json"
PICTURES: Final = "confusion_*.png"
_PART: Final = f"part-{'[0-9]' * 6}.parquet"
_SCRATCH: Final = ".scratch-"
_OWNER: Final = ".cdpipe-run"
"""In a scratch folder, and held by its run: without it a folder of that name is somebody else's."""

_LOCK: Final = ".cdpipe-lock"


class OutputError(ValueError):
    """Results cannot go where they should; the message names the place and the way out."""


def refuse_others(out: Path, paths: Sequence[str]) -> None:
    """Refuse a run that would replace what it reads, or a data set that no run has made.

    Raises
    ------
    OutputError
        Naming the file that stands where results go.
    """
    folder = out.resolve()
    for path in paths:
        place = Path(local_path(path.rpartition("::")[2])).resolve()
        inside = place.relative_to(folder) if place.is_relative_to(folder) else None
        if inside is not None and (inside.parts[0] in (DATASET, REJECTS, REPORT) or inside.match(PICTURES)):
            raise OutputError(f"{path}: is an input, and results would replace it; choose another output.directory")
    dataset = folder / DATASET
    foreign = [dataset] if dataset.exists() and not dataset.is_dir() else []
    foreign += [path for path in sorted(dataset.glob("*")) if not path.match(_PART) and not path.name.startswith(".")]
    if foreign:
        raise OutputError(
            f"{foreign[0]}: is not of a run, and results would replace it; choose another output.directory"
        )


@contextmanager
def sole_run(out: Path) -> Iterator[None]:
    """Keep other runs out of an output folder, which is made; one that was killed keeps nobody out.

    Raises
    ------
    OutputError
        If another run writes there; it names that run's process, machine and beginning.
    """
    out.mkdir(parents=True, exist_ok=True)
    since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    note = f"process {os.getpid()} on {platform.node()}, since {since}"
    try:
        with sole(out / _LOCK, note):
            yield
    except TakenError as error:
        raise OutputError(
            f"{out}: another run writes there ({error}); wait for its end, or choose another output.directory"
        ) from None


@contextmanager
def scratch_folder(out: Path) -> Iterator[Path]:
    """Make a folder for this run alone, removed at its end; those of runs that were killed go first."""
    out.mkdir(parents=True, exist_ok=True)
    for owner in out.glob(f"{_SCRATCH}*/{_OWNER}"):
        if not is_held(owner):
            shutil.rmtree(owner.parent, ignore_errors=True)
    made = Path(mkdtemp(prefix=_SCRATCH, dir=out))
    lock = HeldLock(made / _OWNER)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        lock.release()


def publish_dataset(parts: Sequence[Path], rejects: Path, out: Path, *, scratch: Path) -> Path:
    """Put a data set and its rejected records into the output folder, instead of an earlier run's results.

    It is copied and flushed to the disk first, so that a failure meanwhile leaves the earlier results as they were.

    Parameters
    ----------
    parts, rejects
        Files to copy.
    out, scratch
        The output folder, and a folder on the same disk to copy them to first.

    Returns
    -------
    Path
        The data set's folder.
    """
    fresh, old = scratch / "fresh", scratch / "old"
    fresh.mkdir()
    for path in parts:
        _copy_flushed(path, fresh / path.name)
    _copy_flushed(rejects, scratch / REJECTS)
    _flush(fresh)
    withdraw(out)
    target = out / DATASET
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    (scratch / REJECTS).replace(out / REJECTS)
    _flush(out)
    return target


def publish_rejects(rejects: Path, out: Path, *, scratch: Path) -> Path:
    """Put the rejected records of a run that keeps no data set into the output folder, instead of earlier results."""
    _copy_flushed(rejects, scratch / REJECTS)
    withdraw(out)
    if (out / DATASET).exists():
        (out / DATASET).rename(scratch / "old")
    (scratch / REJECTS).replace(out / REJECTS)
    _flush(out)
    return out / REJECTS


def withdraw(out: Path) -> None:
    """Remove the report and pictures of an earlier run: they would speak of another data set than the one there."""
    for path in (out / REPORT, *out.glob(PICTURES)):
        path.unlink(missing_ok=True)


def _copy_flushed(source: Path, target: Path) -> None:
    with naming(target):
        shutil.copyfile(source, target)
        _flush(target)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
