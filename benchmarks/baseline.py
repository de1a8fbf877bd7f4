"""Pandas doing the same work on the same files, written the natural vectorised way: what "twice pandas" is held to."""

from typing import Any, ClassVar, Final

import numpy as np

from benchmarks import _data
from benchmarks._data import LATITUDE_DEG, LONGITUDE_DEG
from benchmarks._sized import Sized, offer
from benchmarks.clean import ID, NUMBERS, POINT, POSITION, RADIUS_M, STAMP

EARTH_M = 6_371_008.8
METRES_A_DEGREE = 111_320.0
STAMP_FORMAT = "%m/%d/%Y %I:%M:%S %p"
PARTS = ("month", "day", "year", "hour", "minute", "second")
STAGES: Final[dict[str, type[Sized]]] = {}


class Baseline(Sized):
    """What the baselines share. Pandas holds the whole table, so fewer samples are taken of it."""

    rounds = 1
    repeat = (1, 5, 5.0)
    data: ClassVar = ()

    def __init_subclass__(cls, *, stage: str, kind: str, **rest: Any) -> None:
        """Have the benchmark of all baselines measure this one too, by the name of the stage."""
        super().__init_subclass__(family="baseline", data=(kind,), **rest)
        STAGES[stage] = cls

    def read(self, rows: str, columns: list[str] | None = None) -> Any:
        """Read the table."""
        import pandas as pd

        return pd.read_parquet(_data.place(self.data[0], rows), columns=columns)


class Basic(Baseline, stage="clean/basic", kind="raw"):
    """Drop nulls, read positions from text. Text goes through a regular expression, as pandas has no parser for it."""

    def work(self, rows: str) -> Any:
        frame = self.read(rows, [ID, *NUMBERS, POINT]).dropna()
        point = frame[POINT].str.extract(r"POINT \((\S+) (\S+)\)").astype("float64")
        return frame.drop(columns=POINT).assign(x_pos=point[0], y_pos=point[1])


class Timestamps(Baseline, stage="clean/timestamps", kind="raw"):
    """The same, and times and their parts."""

    def work(self, rows: str) -> Any:
        import pandas as pd

        frame = self.read(rows, [STAMP, ID, *NUMBERS, POINT]).dropna()
        stamp = pd.to_datetime(frame[STAMP], format=STAMP_FORMAT)
        point = frame[POINT].str.extract(r"POINT \((\S+) (\S+)\)").astype("float64")
        parts = {name: getattr(stamp.dt, name) for name in PARTS} | {"pm": (stamp.dt.hour >= 12).astype("int8")}
        return frame.drop(columns=POINT).assign(x_pos=point[0], y_pos=point[1], **{STAMP: stamp}, **parts)


class Spatial(Baseline, stage="clean/spatial", kind="gathered"):
    """Haversine: pandas has no geodesic, and this is what people write."""

    def work(self, rows: str) -> Any:
        frame = self.read(rows, ["row_number", ID, *NUMBERS, *POSITION]).dropna()
        lat, lon = (np.radians(frame[name].to_numpy()) for name in POSITION)
        lat0, lon0 = np.radians(LATITUDE_DEG), np.radians(LONGITUDE_DEG)
        h = np.sin((lat - lat0) / 2) ** 2 + np.cos(lat) * np.cos(lat0) * np.sin((lon - lon0) / 2) ** 2
        return frame[2 * EARTH_M * np.arcsin(np.sqrt(h)) <= RADIUS_M]


class OffsetRand(Baseline, stage="attack/offset_rand", kind="cleaned"):
    """Three vehicles in ten, each message moved in the plane of its latitude."""

    def work(self, rows: str) -> Any:
        frame = self.read(rows)
        rng = np.random.default_rng(42)
        ids = np.sort(frame[ID].unique())
        hit = frame[ID].isin(rng.choice(ids, round(0.3 * len(ids)), replace=False)).to_numpy()
        bearing, distance = rng.uniform(0, 2 * np.pi, hit.sum()), rng.uniform(25, 250, hit.sum())
        x, y = (frame[name].to_numpy(copy=True) for name in ("x_pos", "y_pos"))
        x[hit] += distance * np.sin(bearing) / METRES_A_DEGREE / np.cos(np.radians(y[hit]))
        y[hit] += distance * np.cos(bearing) / METRES_A_DEGREE
        return frame.assign(x_pos=x, y_pos=y, isAttacker=hit.astype("int8"))


class Features(Baseline, stage="features", kind="attacked"):
    """Hexadecimal ids to integers one by one, as pandas has no parser for them."""

    def work(self, rows: str) -> Any:
        frame = self.read(rows)
        names = [ID, "x_pos", "y_pos", *NUMBERS, "isAttacker"]
        return frame.assign(**{ID: frame[ID].map(lambda text: int(text, 16))})[names]


def time_pandas(rows: str, stage: str) -> None:
    """Do a stage's work with pandas."""
    STAGES[stage]().work(rows)


offer(time_pandas, STAGES, "{stage}", "baseline_seconds")
