"""Curves: what cores, and the size of partitions, do to a stage. In the full suite only."""

import atexit
import os
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar, Final

from benchmarks import _data, attack, clean
from benchmarks._sized import Sized, offer, skip_unless
from benchmarks._sizes import FAMILIES, WARM_UP, count_rows
from benchmarks._stage import Stage

CORES: Final = [1, 2, 4, 8]
PARTITIONS: Final = ["25k", "100k", "250k", "1M", "5M"]
LABELS: Final = FAMILIES["curves"].labels


class Curve(Sized):
    """A stage's work on its own data set, with one more parameter, `value`."""

    stage: ClassVar[type[Stage]]
    others: ClassVar[tuple[Any, ...]]

    def __init_subclass__(cls, *, stage: type[Stage] | None = None, others: tuple[Any, ...] = (), **rest: Any) -> None:
        """Take the needs and the input of a stage; `others` are its parameters beside `rows`."""
        super().__init_subclass__(**rest)
        if stage:
            cls.stage, cls.others, cls.needs, cls.data = stage, others, stage.needs, stage.data
            cls.params = [LABELS, *map(list, cls.choices.values())]

    def ready(self, rows: str, value: Any) -> None:
        """Have the input there, and the code warm."""
        skip_unless(*self.needs)
        for label in (rows, WARM_UP):
            _data.need(self.data[0], label)
        warm(type(self), value)

    def teardown(self, rows: str, value: Any) -> None:
        """Leave all as it is: it is removed when the process ends."""


class ByCores(Curve):
    """On so many threads; skipped on a machine that has fewer cores."""

    choices: ClassVar = {"cores": CORES}

    def ready(self, rows: str, value: int) -> None:
        """Skip what this machine has not."""
        if value > len(os.sched_getaffinity(0)):
            raise NotImplementedError(f"this machine has no {value} cores")
        super().ready(rows, value)

    def work(self, rows: str, value: int) -> None:
        from cdpipe import SessionParams, open_session

        with open_session(SessionParams(threads_per_worker=value)) as session:
            session.run([self.stage().build(rows, *self.others)])


class ByPartition(Curve):
    """On a data set in parts of so many rows."""

    choices: ClassVar = {"partition_rows": PARTITIONS}

    def ready(self, rows: str, value: str) -> None:
        """Have the parts there; skip what is larger than all of it."""
        if count_rows(value) > count_rows(rows):
            raise NotImplementedError(f"{rows} rows are fewer than a part of {value}")
        super().ready(rows, value)
        cut(self.data[0], rows, value)

    def work(self, rows: str, value: str) -> None:
        from cdpipe import SessionParams, open_session

        with open_session(SessionParams()) as session:
            session.run([self.stage().account(cut(self.data[0], rows, value), *self.others)])


class CleanByCores(ByCores, stage=clean.Timestamps):
    """Clean, with points and timestamps from text."""


class AttackByCores(ByCores, stage=attack.Attack, others=("offset_rand",)):
    """Attack with a draw a message."""


class CleanByPartition(ByPartition, stage=clean.Timestamps):
    """Clean, with points and timestamps from text."""


class AttackByPartition(ByPartition, stage=attack.Attack, others=("offset_rand",)):
    """Attack with a draw a message."""


BY_CORES: Final = {"clean/timestamps": CleanByCores, "attack/offset_rand": AttackByCores}
BY_PARTITION: Final = {"clean/timestamps": CleanByPartition, "attack/offset_rand": AttackByPartition}


def time_by_cores(rows: str, cores: int, stage: str) -> None:
    """Do a stage's work on so many threads."""
    BY_CORES[stage]().work(rows, cores)


def time_by_partition(rows: str, partition_rows: str, stage: str) -> None:
    """Do a stage's work on parts of so many rows."""
    BY_PARTITION[stage]().work(rows, partition_rows)


offer(time_by_cores, BY_CORES, "{stage}", "seconds")
offer(time_by_partition, BY_PARTITION, "{stage}", "seconds")


@cache
def warm(cls: type[Curve], value: Any) -> None:
    """Do the work once on few rows, so that no sample has compilation or late imports in it."""
    cls().work(WARM_UP, value)


@cache
def cut(kind: str, rows: str, part_rows: str) -> Path:
    """Return a copy of a data set in parts of so many rows, removed when the process ends."""
    import pyarrow.dataset
    import pyarrow.parquet as pq

    folder = Path(mkdtemp(prefix="cdpipe-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    table, step = pyarrow.dataset.dataset(_data.need(kind, rows)).to_table(), count_rows(part_rows)
    for start in range(0, table.num_rows, step):
        pq.write_table(table.slice(start, step), folder / f"part-{start // step:05d}.parquet")
    return folder
