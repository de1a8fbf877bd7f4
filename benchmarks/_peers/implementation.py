"""Implementations: the interface by which all are prepared, timed and checked alike."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any, ClassVar
from uuid import uuid4

from benchmarks._peers.stages import CHAIN_ATTACK, Input, Stage

Work = Callable[[], Any]


class Implementation(ABC):
    """One way to do all stages: each takes the output of its own stage before, in memory.

    Parameters
    ----------
    csv, parquet
        The messages.
    scratch
        Folder for what gathering writes.
    """

    name: ClassVar[str]

    def __init__(self, csv: Path, parquet: Path, scratch: Path) -> None:
        self.csv, self.parquet, self.scratch = csv, parquet, scratch
        self._inputs: dict[Input, Any] = {}

    def prepare(self, stage: Stage) -> Work:
        """Have the input of a stage in memory; return its work, which may be done again and again."""
        given = self.take(stage.input) if stage.input else None
        match stage.task:
            case "gather":
                return lambda: self.gather(self.scratch / uuid4().hex)
            case "clean":
                raw = self.load(self.parquet, "raw")
                return lambda: self.clean(raw)
            case "spatial":
                return lambda: self.spatial(given, stage.radius_m)
            case "attack":
                return lambda: self.attack(given, stage)
            case "features":
                return lambda: self.features(given)
            case "chain":
                return lambda: self.chain(stage)
        raise ValueError(f"{self.name} has no {stage.task}")

    def take(self, name: Input) -> Any:
        """Return the input of that name in memory; it is made once, or loaded if it was stored."""
        if name not in self._inputs:
            stored = self._place(name)
            self._inputs[name] = self.load(stored, name) if stored.exists() else self._make(name)
        return self._inputs[name]

    def store(self, name: Input) -> None:
        """Have an input on disk, for a process that is to have nothing else in memory."""
        import pyarrow.parquet as pq

        if not self._place(name).exists():
            pq.write_table(self.table(self.take(name)), self._place(name))

    def _place(self, name: Input) -> Path:
        return self.scratch / f"{name}.parquet"

    def _make(self, name: Input) -> Any:
        match name:
            case "cleaned":
                return self.keep(self.clean(self.load(self.parquet, "raw")), name)
            case "local":
                return self.to_local(self.take("cleaned"))
            case "attacked":
                return self.keep(self.attack(self.take("cleaned"), CHAIN_ATTACK), name)

    def keep(self, result: Any, name: Input) -> Any:
        """Make a result an input of other stages."""
        del name
        return result

    def discard(self, result: Any) -> None:
        """Let a result go; what a variable alone holds goes with it."""
        if isinstance(result, Path):
            rmtree(result) if result.is_dir() else result.unlink()

    @abstractmethod
    def load(self, parquet: Path, name: str) -> Any:
        """Return a Parquet file in memory as it is; of the raw one ids, times and points are text."""

    @abstractmethod
    def gather(self, out: Path) -> Path:
        """Write the CSV file as Parquet, all columns; return the file or folder."""

    @abstractmethod
    def clean(self, raw: Any) -> Any:
        """Drop rows with a null, read `POINT` text, and times with their parts."""

    @abstractmethod
    def to_local(self, frame: Any) -> Any:
        """Express positions in metres from the centre; never timed."""

    @abstractmethod
    def spatial(self, frame: Any, radius_m: float) -> Any:
        """Keep the messages within a distance of the centre."""

    @abstractmethod
    def attack(self, frame: Any, stage: Stage) -> Any:
        """Move three vehicles in ten, and label their messages."""

    @abstractmethod
    def features(self, frame: Any) -> Any:
        """Turn hexadecimal ids into integers, and select."""

    @abstractmethod
    def chain(self, stage: Stage) -> Any:
        """Do all from a file to features."""

    @abstractmethod
    def table(self, result: Any, columns: Sequence[str] | None = None) -> Any:
        """Return columns of a result, or all, as a `pyarrow.Table`; never timed."""
