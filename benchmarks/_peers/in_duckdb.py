"""The stages in DuckDB's SQL, on all cores; tables are temporary ones of a database in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._peers import stages as s
from benchmarks._peers.implementation import Implementation


class DuckDB(Implementation):
    """A result is the name of a table."""

    name = "duckdb"

    def __init__(self, csv: Path, parquet: Path, scratch: Path) -> None:
        super().__init__(csv, parquet, scratch)
        import duckdb

        self._database = duckdb.connect()
        self._database.execute("set preserve_insertion_order = false; set enable_progress_bar = false")

    def load(self, parquet: Path, name: str) -> str:
        return self._create(name, f"select * from '{parquet}'")

    def gather(self, out: Path) -> Path:
        self._database.execute(f"copy (select * from {self._read_csv()}) to '{out}' (format parquet)")
        return out

    def clean(self, raw: str) -> str:
        return self._create("result", _clean(raw, s.COLUMNS))

    def keep(self, result: str, name: s.Input) -> str:
        self._database.execute(f"drop table if exists {name}; alter table {result} rename to {name}")
        self._database.execute("drop table if exists raw")
        return name

    def discard(self, result: Any) -> None:
        if isinstance(result, Path):
            super().discard(result)
        else:
            self._database.execute(f"drop table {result}")

    def to_local(self, frame: str) -> str:
        east = f"(x_pos - ({s.CENTRE_LON})) * {s.METRES_A_DEGREE} * cos(radians({s.CENTRE_LAT}))"
        north = f"(y_pos - {s.CENTRE_LAT}) * {s.METRES_A_DEGREE}"
        return self._create("local", f"select * replace ({east} as x_pos, {north} as y_pos) from {frame}")

    def spatial(self, frame: str, radius_m: float) -> str:
        return self._create("result", f"select * from {frame} where {_near(radius_m)}")

    def attack(self, frame: str, stage: s.Stage) -> str:
        return self._create("result", _attack(frame, stage))

    def features(self, frame: str) -> str:
        return self._create("result", _features(frame))

    def chain(self, stage: s.Stage) -> str:
        source = self._read_csv() if stage.source == "csv" else f"'{self.parquet}'"
        near = self._create("near", f"select * from ({_clean(source, stage.columns)}) where {_near(stage.radius_m)}")
        result = self._create("result", _features(f"({_attack(near, stage)})"))
        self._database.execute(f"drop table {near}")
        return result

    def table(self, result: str, columns: Sequence[str] | None = None) -> Any:
        return self._database.sql(f"select {', '.join(columns or '*')} from {result}").to_arrow_table()

    def _create(self, name: str, query: str) -> str:
        self._database.execute(f"create or replace temp table {name} as {query}")
        return name

    def _read_csv(self) -> str:
        texts = ", ".join(f"'{name}': 'VARCHAR'" for name in (*s.TEXT_IN_CSV, s.TIME, "metadata_receivedAt"))
        return f"read_csv('{self.csv}', header = true, types = {{{texts}}})"


def _clean(source: str, columns: Sequence[str]) -> str:
    """Return the query that cleans; positions are those of `POINT` text if it is among the columns."""
    time = f"strptime({s.TIME}, '{s.TEXT_STAMP}')"
    kept = ", ".join(name for name in s.KEPT if name != s.TIME)
    parts = ", ".join(f"{part}({time}) as {part}" for part in s.PARTS)
    y, x = s.POSITION
    if s.POINT in columns:
        x, y = (f"regexp_extract({s.POINT}, 'POINT \\((\\S+) (\\S+)\\)', {group})::double" for group in (1, 2))
    some = " and ".join(f"{name} is not null" for name in columns)
    pm = f"(hour({time}) >= {s.NOON})::tinyint as pm"
    return f"select {kept}, {time} as {s.TIME}, {parts}, {pm}, {x} as x_pos, {y} as y_pos from {source} where {some}"


def _near(radius_m: float) -> str:
    high, wide = s.box_deg(radius_m)
    lat0, lon0 = s.CENTRE_LAT, s.CENTRE_LON
    h = (
        f"pow(sin(radians(y_pos - {lat0}) / 2), 2)"
        f" + cos(radians(y_pos)) * cos(radians({lat0})) * pow(sin(radians(x_pos - ({lon0})) / 2), 2)"
    )
    return (
        f"y_pos between {lat0 - high} and {lat0 + high} and x_pos between {lon0 - wide} and {lon0 + wide}"
        f" and 2 * {s.EARTH_M} * asin(sqrt({h})) <= {radius_m}"
    )


def _attack(source: str, stage: s.Stage) -> str:
    ids = f"select {s.ID} from (select distinct {s.ID} from {source}) where hash({s.ID}) % 1000 < {int(1000 * s.RATIO)}"
    drawn = f"random() * 2 * pi() as bearing, {s.MIN_M} + random() * {s.MAX_M - s.MIN_M} as metres"
    label = f"(bad.{s.ID} is not null)::tinyint as {s.LABEL}"
    joined = f"select s.*, {label}, {drawn} from {source} s left join bad using ({s.ID})"
    north, east = "metres * cos(bearing)", "metres * sin(bearing)"
    if not stage.local:
        north, east = (
            f"{north} / {s.METRES_A_DEGREE}",
            f"{east} / {s.METRES_A_DEGREE} / cos(radians(y_pos))",
        )
    y = f"case when {s.LABEL} = 1 then y_pos + {north} else y_pos end as y_pos"
    x = f"case when {s.LABEL} = 1 then x_pos + {east} else x_pos end as x_pos"
    rest = "* exclude (bearing, metres, x_pos, y_pos)"
    return f"with bad as ({ids}), drawn as ({joined}) select {rest}, {y}, {x} from drawn"


def _features(source: str) -> str:
    rest = ", ".join((*s.FEATURES[1:], s.LABEL))
    return f"select ('0x' || {s.ID})::uinteger as {s.ID}, {rest} from {source}"
