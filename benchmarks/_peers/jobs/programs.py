"""Programs as implementations: what the referee and the rounds need of a job that is done in another process."""

from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

from benchmarks._peers import stages as s
from benchmarks._peers.implementation import Work
from benchmarks._peers.jobs.job import COMMANDS
from benchmarks._peers.jobs.process import run


class Program:
    """One way to do the whole job.

    Parameters
    ----------
    name
        Whose.
    csv, parquet
        The messages.
    scratch
        Folder for what it writes.

    Attributes
    ----------
    peaks_mb
        Of each run so far.
    """

    def __init__(self, name: str, csv: Path, parquet: Path, scratch: Path) -> None:
        self.name, self._scratch = name, scratch
        self._sources = {"csv": csv, "parquet": parquet}
        self.peaks_mb: list[float | None] = []

    def prepare(self, stage: s.Stage) -> Work:
        """Return the work: a process from its start to its end; it returns where its result is."""

        def work() -> Path:
            out = self._scratch / uuid4().hex
            self.peaks_mb.append(run(COMMANDS[self.name](stage, self._sources[stage.source], out)))
            return out

        return work

    def discard(self, result: Path) -> None:
        """Remove a result."""
        rmtree(result) if result.is_dir() else result.unlink()

    def table(self, result: Path, columns: Sequence[str] | None = None) -> Any:
        """Return columns of a result, or all, as a `pyarrow.Table`."""
        import pyarrow.dataset

        place = result / "run" / "dataset" if result.is_dir() else result
        return pyarrow.dataset.dataset(place).to_table(columns=None if columns is None else list(columns))
