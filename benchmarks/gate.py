"""Gate: the job, and each stage alone, measured so that processes agree with each other. It judges pull requests.

A stage works on a pandas frame in memory, on one thread: what threads make of it is the job's to show. Results go to
memory where there is a file system of it. Before each sample what is left of the one before is given back, so that all
begin alike: with the same free memory, and with input that is in the page cache.
"""

import ctypes
import gc
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar, Final

from benchmarks import _data
from benchmarks._data import LATITUDE_DEG, LONGITUDE_DEG
from benchmarks._prepared import Prepared, arguments
from benchmarks._sized import Sized, add

IN_MEMORY: Final = Path("/dev/shm")
RADIUS_M: Final = 20_000.0
ID: Final = "coreData_id"
NUMBERS: Final = ("coreData_elevation", "coreData_speed", "coreData_heading")


class Judged(Sized):
    """What they share: many short samples of a process, none of them the first of its kind."""

    rounds = 12
    repeat = (5, 12, 1.5)
    orders: ClassVar = {}

    def __init_subclass__(cls, *, stage: str = "", kind: str = "", sizes: str = "", **rest: Any) -> None:
        """Make the benchmark of a stage; `kind` is its input, `sizes` the family that says how large."""
        super().__init_subclass__(family=sizes, data=(kind,), **rest)

        def time_run(self: Judged, rows: str) -> None:
            self.work(rows)

        if stage:
            add(cls, time_run, f"gate/{stage}", "in_memory_seconds")

    def ready(self, rows: str) -> None:
        """Have all there and warm at the measured size too, and what the sample before left given back."""
        super().ready(rows)
        rehearse(type(self), rows)
        settle()

    def scratch(self) -> Path:
        """Return a new folder in memory, which is removed after the measurement."""
        if not IN_MEMORY.is_dir():
            return super().scratch()
        self._scratch.append(Path(mkdtemp(prefix="cdpipe-bench-", dir=IN_MEMORY)))
        return self._scratch[-1]


class Alone(Judged, Prepared):
    """One stage on a pandas frame that is in memory, on one thread."""

    def prepare(self, rows: str) -> Any:
        import pandas as pd

        return pd.read_parquet(_data.place(self.data[0], rows))


class Job(Judged, stage="job", kind="csv", sizes="gate_files"):
    """CSV to labelled messages, gathered, cleaned, attacked and published by two threads or more."""

    needs = ("cdpipe:run", "cdpipe:RunConfig")

    def work(self, rows: str) -> None:
        import cdpipe

        cdpipe.run(
            cdpipe.RunConfig(
                input={"paths": [str(_data.place("csv", rows))]},
                cache={"enabled": False},
                train=None,
                output={"directory": self.scratch()},
            )
        )


class Gather(Judged, stage="gather", kind="csv", sizes="gate_files"):
    """CSV to typed Parquet, on one thread."""

    needs = ("cdpipe:gather", "cdpipe:SessionParams", "cdpipe:open_session")

    def work(self, rows: str) -> None:
        import cdpipe

        with cdpipe.open_session(cdpipe.SessionParams(threads_per_worker=1)) as session:
            cdpipe.gather(_data.place("csv", rows), self.scratch() / "out", session=session)


class Clean(Alone, stage="clean", kind="raw", sizes="gate_frames"):
    """Nulls, positions and times from text, and what is within 20 km of a centre."""

    needs = ("cdpipe:clean", "cdpipe.stages.clean:CleanParams")

    def call(self, given: Any) -> None:
        import cdpipe
        from cdpipe.stages.clean import CleanParams

        kept = ("metadata_generatedAt", ID, *NUMBERS)
        within = {"latitude": LATITUDE_DEG, "longitude": LONGITUDE_DEG, "radius_m": RADIUS_M}
        cdpipe.clean(given, CleanParams(columns=kept, required=kept, position="point", filters={"within": within}))


class Attack(Alone, stage="attack", kind="cleaned", sizes="gate_frames"):
    """Three vehicles in ten, each message moved by a draw of its own along the geodesic."""

    needs = ("cdpipe:attack", "cdpipe.stages.attacks:OffsetRand")

    def call(self, given: Any) -> None:
        import cdpipe
        from cdpipe.stages.attacks import OffsetRand

        cdpipe.attack(given, OffsetRand(ratio=0.3, seed=42))


class Features(Alone, stage="features", kind="attacked", sizes="gate_frames"):
    """Hexadecimal ids to integers, positions, elevation, speed and heading."""

    needs = ("cdpipe:features", "cdpipe.stages.features:FeatureParams")

    def call(self, given: Any) -> None:
        import cdpipe
        from cdpipe.stages.features import FeatureParams

        cdpipe.features(given, FeatureParams(columns=(ID, "x_pos", "y_pos", *NUMBERS)))


class Train(Alone, stage="train", kind="features", sizes="gate_train"):
    """One decision tree, fitted and measured."""

    needs = ("cdpipe:train", "cdpipe.stages.train:TrainParams")

    def call(self, given: Any) -> None:
        import cdpipe
        from cdpipe.stages.train import TrainParams

        cdpipe.train(given, TrainParams(seed=42, classifiers=["DecisionTree"]))


@cache
def rehearse(cls: type[Judged], rows: str) -> None:
    """Do the work once at the measured size: caches are filled, input is in the page cache, clocks are up."""
    one = cls()
    if issubclass(cls, Prepared):
        arguments(cls, rows)
    one.work(rows)
    one.teardown(rows)


def settle() -> None:
    """Give back what earlier work left: garbage, and memory that an allocator keeps."""
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:  # glibc's alone
        trim(0)
