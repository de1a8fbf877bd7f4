"""The real stages on data of a chosen size and number of partitions, for the causal check."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

import cdpipe
from cdpipe.columns import ROW_NUMBER
from cdpipe.engine.graph.global_step import lay_facts
from cdpipe.engine.graph.partition import lay_chain, split_outcomes
from cdpipe.engine.graph.steps import Apply, Look, Stored
from cdpipe.engine.sessions.base import Session
from cdpipe.stages import BY_NAME

CENTRE: Final = {"latitude": 41.5430216, "longitude": -106.0831353}
KEPT: Final = ("coreData_id", "coreData_elevation", "coreData_speed", "coreData_heading")


@dataclass(frozen=True)
class Place:
    """Where the input of one stage lies, cut into so many partitions, and what it writes goes."""

    input: Path
    partitions: int
    out: Path

    @property
    def files(self) -> list[Path]:
        """What is read."""
        return [self.input] if self.input.is_file() else sorted(self.input.iterdir())


Run = Callable[[Session, Place], Any]


def _apply(session: Session, place: Place, stage: str, params: Any) -> None:
    """Take partitions through one stage, as a run does that has the stage before in its cache."""
    facts, whole = {}, BY_NAME[stage].facts_needed(params)
    if whole is not None:
        columns = tuple(whole.inputs(params))
        looks = lay_chain([Stored(path, columns) for path in place.files], [Look(stage, params)])
        [facts[stage]] = session.run([lay_facts(split_outcomes(looks)[1], stage, params)])
    outcomes = lay_chain([Stored(path) for path in place.files], [Apply(stage, params)], facts=facts)
    session.run(split_outcomes(outcomes)[0])


def _gather_params(place: Place) -> Any:
    from cdpipe.stages.gather.gather import GatherParams

    return GatherParams(block_mb=place.input.stat().st_size / 1e6 / place.partitions)


def gather(session: Session, place: Place) -> None:
    """Take CSV text to typed Parquet."""
    cdpipe.gather(place.input, place.out, _gather_params(place), session=session)


def clean(session: Session, place: Place) -> None:
    """Drop nulls, read positions and timestamps from text."""
    _apply(session, place, "clean", _clean_params())


def attack(session: Session, place: Place) -> None:
    """Move three vehicles in ten."""
    _apply(session, place, "attack", _attack_params())


def features(session: Session, place: Place) -> None:
    """Turn ids into numbers and choose columns."""
    _apply(session, place, "features", _feature_params())


def chain(session: Session, place: Place) -> None:
    """Take CSV text to features."""
    frame, read = cdpipe.read(place.input, _gather_params(place))
    frame, cleaned = cdpipe.clean(frame, _clean_params())
    frame, attacked = cdpipe.attack(frame, _attack_params())
    frame, chosen = cdpipe.features(frame, _feature_params())
    session.run([read, cleaned, attacked, chosen])


def _clean_params() -> Any:
    from cdpipe.stages.clean import CleanParams

    kept = ("metadata_generatedAt", *KEPT)
    return CleanParams(columns=kept, required=kept, position="point", timestamp_parts=True)


def _attack_params() -> Any:
    from cdpipe.stages.attacks import ATTACKS

    kinds = {each.model_fields["kind"].default: each for each in ATTACKS}
    return kinds["offset_rand"](ratio=0.3, seed=42)


def _feature_params() -> Any:
    from cdpipe.stages.features import FeatureParams

    return FeatureParams(columns=("coreData_id", "x_pos", "y_pos", *KEPT[1:]))


STAGES: Final[dict[str, tuple[str, Run]]] = {
    "gather": ("csv", gather),
    "clean": ("raw", clean),
    "attack": ("cleaned", attack),
    "features": ("attacked", features),
    "chain": ("csv", chain),
}
"""By name: the kind of its input (`benchmarks._messages`), and the work."""


@lru_cache(maxsize=1)
def _messages(kind: str, rows: int) -> Any:
    from benchmarks import _messages as generator

    return getattr(generator, kind)(0, rows)


def write_input(kind: str, rows: int, partitions: int, folder: Path) -> Path:
    """Write a stage's input; returns one CSV file, or a folder of as many Parquet files as partitions."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    if kind == "csv":
        path = folder / f"csv-{rows}.csv"
        options = csv.WriteOptions(quoting_style="none", quoting_header="none")
        if not path.exists():
            csv.write_csv(_messages("raw", rows), path, options)
        return path
    path = folder / f"{kind}-{rows}-{partitions}"
    path.mkdir(exist_ok=True)
    whole = _messages(kind, rows)
    if ROW_NUMBER not in whole.column_names:
        whole = whole.append_column(ROW_NUMBER, pa.array(np.arange(rows)))
    bounds = [rows * place // partitions for place in range(partitions + 1)]
    for place, (start, stop) in enumerate(pairwise(bounds)):
        table = whole.slice(start, stop - start)
        pq.write_table(table, path / f"part-{place:04d}.parquet", row_group_size=max(1, stop - start))
    return path
