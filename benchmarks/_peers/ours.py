"""The stages by cdpipe's public functions, on Dask DataFrames whose partitions are in memory, on threads."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from benchmarks._peers import stages as s
from benchmarks._peers.implementation import Implementation

PARTITION_ROWS: Final = 2_500_000
"""At most; partitions are equal, and as many for each core as for any other."""
CENTRE: Final = {"latitude": s.CENTRE_LAT, "longitude": s.CENTRE_LON}


class Ours(Implementation):
    """A result is a list of pandas partitions. Laying the graph is part of the work, as is the account of rows."""

    name = s.OURS

    def load(self, parquet: Path, name: str) -> Any:
        import pyarrow.parquet as pq

        del name
        table = pq.read_table(parquet)
        return lay([table.slice(start, stop - start).to_pandas() for start, stop in _cut(len(table))])

    def gather(self, out: Path) -> Path:
        import cdpipe

        cdpipe.gather(self.csv, out)
        return out

    def clean(self, raw: Any) -> Any:
        import cdpipe

        return compute(*cdpipe.clean(raw, clean_params()))

    def keep(self, result: Any, name: s.Input) -> Any:
        del name
        return lay(result)

    def to_local(self, frame: Any) -> Any:
        import cdpipe
        from cdpipe.stages.clean import CleanParams

        params = CleanParams(**_AS_IT_IS, coordinates="local", centre=CENTRE)
        return lay(compute(*cdpipe.clean(frame, params)))

    def spatial(self, frame: Any, radius_m: float) -> Any:
        import cdpipe

        return compute(*cdpipe.clean(frame, spatial_params(radius_m)))

    def attack(self, frame: Any, stage: s.Stage) -> Any:
        import cdpipe

        return compute(*cdpipe.attack(frame, attack_params(stage)))

    def features(self, frame: Any) -> Any:
        import cdpipe

        return compute(*cdpipe.features(frame, feature_params()))

    def chain(self, stage: s.Stage) -> Any:
        import cdpipe
        from cdpipe.stages.gather import GatherParams

        source = self.csv if stage.source == "csv" else self.parquet
        frame, read = cdpipe.read(source, GatherParams(columns=stage.columns))
        near = {"within": CENTRE | {"radius_m": stage.radius_m}}
        frame, cleaned = cdpipe.clean(frame, clean_params(position=stage.position, filters=near))
        frame, attacked = cdpipe.attack(frame, attack_params(stage))
        frame, chosen = cdpipe.features(frame, feature_params())
        return compute(frame, read, cleaned, attacked, chosen)

    def table(self, result: Any, columns: Sequence[str] | None = None) -> Any:
        import pyarrow as pa

        parts = result if isinstance(result, list) else partitions(result)
        names = list(parts[0].columns if columns is None else columns)
        tables = [pa.Table.from_pandas(part[names], preserve_index=False) for part in parts]
        # Dictionaries of ids are a partition's own.
        return pa.concat_tables(tables, promote_options="permissive").unify_dictionaries()


def lay(parts: Sequence[Any]) -> Any:
    """Return a Dask DataFrame of pandas frames that are in memory."""
    import dask
    import dask.dataframe as dd
    from dask.dataframe.utils import clear_known_categories

    hold = dask.delayed(pure=False, traverse=False)
    meta = clear_known_categories(parts[0].iloc[:0])  # each partition has labels of its own
    return dd.from_delayed([hold(part) for part in parts], meta=meta, verify_meta=False)


def _cut(rows: int) -> list[tuple[int, int]]:
    """Return where partitions begin and end."""
    from dask.system import cpu_count

    count = cpu_count() * -(-rows // (PARTITION_ROWS * cpu_count()))
    bounds = [rows * index // count for index in range(count + 1)]
    return list(pairwise(bounds))


def compute(frame: Any, *accounts: Any) -> list[Any]:
    """Compute a Dask DataFrame and the accounts of its rows on threads; return its partitions."""
    import cdpipe

    tasks = frame.to_delayed()
    with cdpipe.open_session(cdpipe.SessionParams()) as session:
        return session.run([*tasks, *accounts])[: len(tasks)]


def partitions(frame: Any) -> list[Any]:
    """Return the partitions of a Dask DataFrame, which are in memory."""
    return compute(frame)


_AS_IT_IS: Final = {
    "columns": (*s.KEPT, *s.PARTS, "pm"),
    "required": (),
    "position": "cleaned",
    "timestamp_parts": False,
}


def clean_params(*, position: str = "point", **more: Any) -> Any:
    """Return how raw messages are cleaned: all columns are required."""
    from cdpipe.stages.clean import CleanParams

    required = tuple(name for name in s.COLUMNS if name != s.POINT)
    return CleanParams(columns=s.KEPT, required=required, position=position, **more)


def spatial_params(radius_m: float) -> Any:
    """Return how clean messages are filtered: all columns go on as they are."""
    from cdpipe.stages.clean import CleanParams

    return CleanParams(**_AS_IT_IS, filters={"within": CENTRE | {"radius_m": radius_m}})


def attack_params(stage: s.Stage) -> Any:
    """Return the attack of a stage."""
    from cdpipe.stages.attacks import ATTACKS

    kind = next(each for each in ATTACKS if each.model_fields["kind"].default == stage.kind)
    every = {"min_m": s.MIN_M, "max_m": s.MAX_M, "distance_m": s.DISTANCE_M, "bearing_deg": s.BEARING_DEG}
    own = {name: value for name, value in every.items() if name in kind.model_fields}
    coordinates = "local" if stage.local else "geographic"
    return kind(ratio=s.RATIO, seed=s.SEED, coordinates=coordinates, centre=CENTRE, **own)


def feature_params() -> Any:
    """Return which columns become features."""
    from cdpipe.stages.features import FeatureParams

    return FeatureParams(columns=s.FEATURES)
