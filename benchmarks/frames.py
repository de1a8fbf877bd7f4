"""Stages on rows in memory, through Dask on threads: their own work, with neither reading nor writing.

Their input is what the stage before hands them, ids as labels. What is asked for and computed is what `make peers`
does, laying the graph and the account of rows included.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _data, attack, features
from benchmarks._peers import ours, stages
from benchmarks._prepared import Prepared
from benchmarks._sizes import count_rows
from benchmarks._stage import Stage, add


class Frames(Prepared):
    """What they share. One process is enough: each sample is the same work on the same memory."""

    rounds = 1
    repeat = (8, 10, 3.0)

    def __init_subclass__(cls, *, stage: type[Stage], **rest: Any) -> None:
        """Make the benchmark of a stage, by the name of the one that reads Parquet."""
        super().__init_subclass__(family="frames", data=stage.data, **rest)
        cls.needs, cls.settings = stage.needs, stage.settings

        def time_frames(self: Frames, rows: str) -> None:
            self.work(rows)

        add(cls, time_frames, stage.time_run.cdpipe_stage, "in_memory_seconds")

    def prepare(self, rows: str) -> Any:
        """Return a Dask DataFrame of equal partitions in memory, as many for each core as for any other."""
        from dask.system import cpu_count

        parts = sorted(_data.place(self.data[0], rows).iterdir())
        count = cpu_count() * -(-count_rows(rows) // (ours.PARTITION_ROWS * cpu_count()))
        return ours.lay([read(some) for some in np.array_split(parts, min(count, len(parts)))])

    def call(self, given: Any) -> None:
        import cdpipe

        asked = ours.attack_params(stages.Stage("", "attack", None, kind=self.settings["kind"]))
        ours.compute(*cdpipe.attack(given, asked))


class OffsetRand(Frames, stage=attack.OffsetRand):
    """Every message of an attacker moved by a draw of its own, along the geodesic."""


class SwapRand(Frames, stage=attack.SwapRand):
    """Every message of an attacker at the position of another message."""


class Extended(Frames, stage=features.Extended):
    """Hexadecimal ids to integers, positions, elevation, speed and heading; vehicles and times as keys."""

    def call(self, given: Any) -> None:
        import cdpipe

        ours.compute(*cdpipe.features(given, ours.feature_params()))


def read(parts: Sequence[Path]) -> Any:
    """Return Parquet files as one pandas DataFrame, ids as labels."""
    import pyarrow.parquet as pq

    table = pq.read_table(list(parts))
    place = table.column_names.index("coreData_id")
    ids = table["coreData_id"].combine_chunks().dictionary_encode()
    return table.set_column(place, "coreData_id", ids).to_pandas()
