"""Stages on rows in memory, through Dask on threads: their own work, with neither reading nor writing.

Their input is what the stage before hands them, ids as labels. What is asked for and computed is what `make peers`
does, laying the graph and the account of rows included.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from benchmarks import _data, attack, features
from benchmarks._peers import ours, stages
from benchmarks._prepared import Prepared
from benchmarks._sized import Sized, offer
from benchmarks._sizes import count_rows
from benchmarks._stage import Stage

STAGES: Final[dict[str, type[Sized]]] = {}


class Frames(Prepared):
    """What they share. One process is enough: each sample is the same work on the same memory."""

    rounds = 1
    repeat = (8, 10, 3.0)

    def __init_subclass__(cls, *, stage: str, reader: type[Stage], **rest: Any) -> None:
        """Have the benchmark of all measure this one too, by the stage's name; `reader` is what reads Parquet."""
        super().__init_subclass__(family="frames", data=reader.data, **rest)
        cls.needs = reader.needs
        STAGES[stage] = cls

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


class OffsetRand(Frames, stage="attack/offset_rand", reader=attack.Attack):
    """Every message of an attacker moved by a draw of its own, along the geodesic."""

    settings: ClassVar = attack.KINDS["offset_rand"]


class SwapRand(Frames, stage="attack/swap_rand", reader=attack.Attack):
    """Every message of an attacker at the position of another message."""

    settings: ClassVar = attack.KINDS["swap_rand"]


class Extended(Frames, stage="features", reader=features.Extended):
    """Hexadecimal ids to integers, positions, elevation, speed and heading; vehicles and times as keys."""

    def call(self, given: Any) -> None:
        import cdpipe

        ours.compute(*cdpipe.features(given, ours.feature_params()))


def time_frames(rows: str, stage: str) -> None:
    """Do a stage's work on rows in memory."""
    STAGES[stage]().work(rows)


offer(time_frames, STAGES, "{stage}", "in_memory_seconds")


def read(parts: Sequence[Path]) -> Any:
    """Return Parquet files as one pandas DataFrame, ids as labels."""
    import pyarrow.parquet as pq

    table = pq.read_table(list(parts))
    place = table.column_names.index("coreData_id")
    ids = table["coreData_id"].combine_chunks().dictionary_encode()
    return table.set_column(place, "coreData_id", ids).to_pandas()
