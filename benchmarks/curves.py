"""Curves: what cores, and the size of partitions, do to a stage. In the full suite only."""

import atexit
import os
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar

from benchmarks import _data, attack, clean
from benchmarks._sizes import FAMILIES, WARM_UP, count_rows
from benchmarks._stage import Sized, Stage, add, skip_unless

CORES = [1, 2, 4, 8]
PARTITIONS = ["25k", "100k", "250k", "1M", "5M"]
LABELS = FAMILIES["curves"].labels


class Curve(Sized):
    """A stage's work on its own data set, with one more parameter, `value`: its name is the second of `param_names`."""

    stage: ClassVar[type[Stage]]
    settings: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, *, stage: type[Stage], parameter: str, values: list[Any]) -> None:
        """Make the benchmark of a curve."""
        super().__init_subclass__()
        cls.stage, cls.needs, cls.data = stage, stage.needs, stage.data
        cls.settings = {"stage": stage.time_run.pretty_source}
        cls.params, cls.param_names = [LABELS, values], ("rows", parameter)

        def time_run(self: Curve, rows: str, value: Any) -> None:
            self.work(rows, value)

        add(cls, time_run, stage.time_run.cdpipe_stage, "seconds")
        time_run.pretty_name += f" by {parameter}"

    def ready(self, rows: str, value: Any) -> None:
        """Have the input there, and the code warm."""
        skip_unless(*self.needs)
        for label in (rows, WARM_UP):
            _data.need(self.data[0], label)
        warm(type(self), value)

    def teardown(self, rows: str, value: Any) -> None:
        """Leave all as it is: it is removed when the process ends."""

    def work(self, rows: str, value: Any) -> None:
        """Do the stage's work."""
        raise NotImplementedError


class ByCores:
    """On so many threads; skipped on a machine that has fewer cores."""

    def ready(self, rows: str, value: int) -> None:
        """Skip what this machine has not."""
        if value > len(os.sched_getaffinity(0)):
            raise NotImplementedError(f"this machine has no {value} cores")
        super().ready(rows, value)

    def work(self, rows: str, value: int) -> None:
        from cdpipe import SessionParams, open_session

        with open_session(SessionParams(threads_per_worker=value)) as session:
            session.run([self.stage().build(rows)])


class ByPartition:
    """On a data set in parts of so many rows."""

    def ready(self, rows: str, value: str) -> None:
        """Have the parts there; skip what is larger than all of it."""
        if count_rows(value) > count_rows(rows):
            raise NotImplementedError(f"{rows} rows are fewer than a part of {value}")
        super().ready(rows, value)
        cut(self.data[0], rows, value)

    def work(self, rows: str, value: str) -> None:
        from cdpipe import SessionParams, open_session

        with open_session(SessionParams()) as session:
            session.run([self.stage().account(cut(self.data[0], rows, value))])


class CleanByCores(ByCores, Curve, stage=clean.Timestamps, parameter="cores", values=CORES):
    """Clean, with points and timestamps from text."""


class AttackByCores(ByCores, Curve, stage=attack.OffsetRand, parameter="cores", values=CORES):
    """Attack with a draw a message."""


class CleanByPartition(ByPartition, Curve, stage=clean.Timestamps, parameter="partition_rows", values=PARTITIONS):
    """Clean, with points and timestamps from text."""


class AttackByPartition(ByPartition, Curve, stage=attack.OffsetRand, parameter="partition_rows", values=PARTITIONS):
    """Attack with a draw a message."""


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
