"""The stages in polars, lazily where that is natural, on all cores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._peers import stages as s
from benchmarks._peers.implementation import Implementation


class Polars(Implementation):
    """Expressions; a bounding box goes before the distance."""

    name = "polars"

    def load(self, parquet: Path, name: str) -> Any:
        import polars as pl

        del name
        return pl.read_parquet(parquet)

    def gather(self, out: Path) -> Path:
        self._scan_csv().sink_parquet(out)
        return out

    def clean(self, raw: Any) -> Any:
        return self._clean(raw.lazy(), s.COLUMNS).collect()

    def to_local(self, frame: Any) -> Any:
        import polars as pl

        east = s.METRES_A_DEGREE * np.cos(np.radians(s.CENTRE_LAT))
        x, y = pl.col("x_pos") - s.CENTRE_LON, pl.col("y_pos") - s.CENTRE_LAT
        return frame.with_columns(x_pos=x * east, y_pos=y * s.METRES_A_DEGREE)

    def spatial(self, frame: Any, radius_m: float) -> Any:
        return self._near(frame.lazy(), radius_m).collect()

    def attack(self, frame: Any, stage: s.Stage) -> Any:
        import polars as pl

        ids = frame[s.ID].unique().sort()
        bad = ids.sample(int(s.RATIO * len(ids)), seed=s.SEED)
        rng = np.random.default_rng(s.SEED)
        bearing = pl.Series(rng.uniform(0, 2 * np.pi, frame.height))
        metres = pl.Series(rng.uniform(s.MIN_M, s.MAX_M, frame.height))
        north, east = metres * bearing.cos(), metres * bearing.sin()
        x, y, hit = pl.col("x_pos"), pl.col("y_pos"), pl.col(s.LABEL) == 1
        moved_y = y + pl.col("_north") if stage.local else y + pl.col("_north") / s.METRES_A_DEGREE
        moved_x = x + pl.col("_east")
        if not stage.local:
            moved_x = x + pl.col("_east") / s.METRES_A_DEGREE / y.radians().cos()
        labelled = frame.with_columns(
            pl.col(s.ID).is_in(bad.implode()).cast(pl.Int8).alias(s.LABEL), _north=north, _east=east
        )
        return labelled.with_columns(
            y_pos=pl.when(hit).then(moved_y).otherwise(y), x_pos=pl.when(hit).then(moved_x).otherwise(x)
        ).drop("_north", "_east")

    def features(self, frame: Any) -> Any:
        import polars as pl

        number = pl.col(s.ID).str.to_integer(base=16, dtype=pl.UInt32)
        return frame.with_columns(number).select(*s.FEATURES, s.LABEL)

    def chain(self, stage: s.Stage) -> Any:
        import polars as pl

        source = self._scan_csv() if stage.source == "csv" else pl.scan_parquet(self.parquet)
        near = self._near(self._clean(source, stage.columns), stage.radius_m).collect()
        return self.features(self.attack(near, stage))

    def table(self, result: Any, columns: Sequence[str] | None = None) -> Any:
        return (result if columns is None else result.select(*columns)).to_arrow()

    def _scan_csv(self) -> Any:
        import polars as pl

        return pl.scan_csv(self.csv, schema_overrides=dict.fromkeys(s.TEXT_IN_CSV, pl.String))

    def _clean(self, frame: Any, columns: Sequence[str]) -> Any:
        """Clean rows; positions are those of `POINT` text if it is among the columns."""
        import polars as pl

        pattern, point, time = r"POINT \((\S+) (\S+)\)", pl.col(s.POINT), pl.col(s.TIME)
        y, x = map(pl.col, s.POSITION)
        if s.POINT in columns:
            x, y = (point.str.extract(pattern, group).cast(pl.Float64) for group in (1, 2))
        parts = {part: getattr(time.dt, part)() for part in s.PARTS}
        return (
            frame.select(columns)
            .drop_nulls()
            .with_columns(time.str.to_datetime(s.TEXT_STAMP), x_pos=x, y_pos=y)
            .with_columns(**parts, pm=(time.dt.hour() >= s.NOON).cast(pl.Int8))
            .drop(*(name for name in columns if name not in s.KEPT))
        )

    def _near(self, frame: Any, radius_m: float) -> Any:
        import polars as pl

        x, y = pl.col("x_pos"), pl.col("y_pos")
        lat, lon = y.radians(), x.radians()
        lat0, lon0 = np.radians(s.CENTRE_LAT), np.radians(s.CENTRE_LON)
        h = ((lat - lat0) / 2).sin() ** 2 + lat.cos() * np.cos(lat0) * ((lon - lon0) / 2).sin() ** 2
        high, wide = s.box_deg(radius_m)
        return frame.filter(
            y.is_between(s.CENTRE_LAT - high, s.CENTRE_LAT + high)
            & x.is_between(s.CENTRE_LON - wide, s.CENTRE_LON + wide)
            & (2 * s.EARTH_M * h.sqrt().arcsin() <= radius_m)
        )
