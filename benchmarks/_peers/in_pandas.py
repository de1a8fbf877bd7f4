"""The stages in pandas, written the natural vectorised way."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._peers import stages as s
from benchmarks._peers.implementation import Implementation


class Pandas(Implementation):
    """One thread, one frame; text is Arrow's, as pandas 3 has it."""

    name = "pandas"

    def load(self, parquet: Path, name: str) -> Any:
        import pandas as pd

        del name
        return pd.read_parquet(parquet)

    def gather(self, out: Path) -> Path:
        import pandas as pd

        pd.read_csv(self.csv, dtype=dict.fromkeys(s.TEXT_IN_CSV, "str")).to_parquet(out)
        return out

    def clean(self, raw: Any) -> Any:
        return self._clean(raw, s.COLUMNS)

    def _clean(self, raw: Any, columns: Sequence[str]) -> Any:
        """Clean rows; positions are those of `POINT` text if it is among the columns."""
        import pandas as pd

        frame = raw[list(columns)].dropna()
        times = pd.to_datetime(frame[s.TIME], format=s.TEXT_STAMP)
        y, x = (frame[name] for name in s.POSITION)
        if s.POINT in columns:
            point = frame[s.POINT].str.extract(r"POINT \((\S+) (\S+)\)").astype("float64")
            x, y = point[0], point[1]
        parts = {part: getattr(times.dt, part) for part in s.PARTS}
        parts["pm"] = (times.dt.hour >= s.NOON).astype("int8")
        frame = frame.drop(columns=[name for name in columns if name not in s.KEPT])
        return frame.assign(**{s.TIME: times, "x_pos": x, "y_pos": y}, **parts)

    def to_local(self, frame: Any) -> Any:
        east = (frame["x_pos"] - s.CENTRE_LON) * s.METRES_A_DEGREE * np.cos(np.radians(s.CENTRE_LAT))
        return frame.assign(x_pos=east, y_pos=(frame["y_pos"] - s.CENTRE_LAT) * s.METRES_A_DEGREE)

    def spatial(self, frame: Any, radius_m: float) -> Any:
        lat, lon = np.radians(frame["y_pos"].to_numpy()), np.radians(frame["x_pos"].to_numpy())
        lat0, lon0 = np.radians(s.CENTRE_LAT), np.radians(s.CENTRE_LON)
        h = np.sin((lat - lat0) / 2) ** 2 + np.cos(lat) * np.cos(lat0) * np.sin((lon - lon0) / 2) ** 2
        return frame[2 * s.EARTH_M * np.arcsin(np.sqrt(h)) <= radius_m]

    def attack(self, frame: Any, stage: s.Stage) -> Any:
        rng = np.random.default_rng(s.SEED)
        ids = np.sort(frame[s.ID].unique())
        hit = frame[s.ID].isin(rng.choice(ids, int(s.RATIO * len(ids)), replace=False)).to_numpy()
        bearing, metres = rng.uniform(0, 2 * np.pi, hit.sum()), rng.uniform(s.MIN_M, s.MAX_M, hit.sum())
        x, y = frame["x_pos"].to_numpy(copy=True), frame["y_pos"].to_numpy(copy=True)
        if stage.local:
            x[hit] += metres * np.sin(bearing)
            y[hit] += metres * np.cos(bearing)
        else:
            x[hit] += metres * np.sin(bearing) / s.METRES_A_DEGREE / np.cos(np.radians(y[hit]))
            y[hit] += metres * np.cos(bearing) / s.METRES_A_DEGREE
        return frame.assign(x_pos=x, y_pos=y, isAttacker=hit.astype("int8"))

    def features(self, frame: Any) -> Any:
        numbers = frame[s.ID].map(lambda text: int(text, 16))
        return frame.assign(**{s.ID: numbers})[[*s.FEATURES, s.LABEL]]

    def chain(self, stage: s.Stage) -> Any:
        import pandas as pd

        if stage.source == "csv":
            raw = pd.read_csv(self.csv, usecols=list(stage.columns), dtype={s.ID: "str"})
        else:
            raw = pd.read_parquet(self.parquet, columns=list(stage.columns))
        return self.features(self.attack(self.spatial(self._clean(raw, stage.columns), stage.radius_m), stage))

    def table(self, result: Any, columns: Sequence[str] | None = None) -> Any:
        import pyarrow as pa

        return pa.Table.from_pandas(result if columns is None else result[list(columns)], preserve_index=False)
