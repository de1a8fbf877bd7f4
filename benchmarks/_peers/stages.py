"""Compared stages, and the constants of their work, the same for every implementation."""

from dataclasses import dataclass
from math import cos, degrees, radians
from typing import Final, Literal

from benchmarks._data import LATITUDE_DEG, LONGITUDE_DEG
from benchmarks._peers.messages import STAMP

OURS: Final = "cdpipe"
PEERS: Final = ("polars", "duckdb", "pandas")
JOB_PEERS: Final = ("polars", "duckdb")
"""Who does the whole job: pandas would hold all of the file in memory."""
HISTORY_PEERS: Final = ("polars", "pandas")
"""Who tells the history of messages."""
LIMIT: Final = "limit"

ID: Final = "coreData_id"
TIME: Final = "metadata_generatedAt"
POINT: Final = "coreData_position"
POSITION: Final = ("coreData_position_lat", "coreData_position_long")
COLUMNS: Final = (
    TIME,
    "metadata_recordType",
    ID,
    "coreData_secMark",
    *POSITION,
    "coreData_accuracy_semiMajor",
    "coreData_elevation",
    "coreData_accelset_accelYaw",
    "coreData_speed",
    "coreData_heading",
    POINT,
)
"""What cleaning reads; a row with a null in one of them is dropped."""
KEPT: Final = tuple(name for name in COLUMNS if name not in (*POSITION, POINT))
PARTS: Final = ("month", "day", "year", "hour", "minute", "second")
NOON: Final = 12
FEATURES: Final = (ID, "x_pos", "y_pos", "coreData_elevation", "coreData_speed", "coreData_heading")
LABEL: Final = "isAttacker"
TEXT_STAMP: Final = STAMP
TEXT_IN_CSV: Final = (ID, "metadata_serialId_streamId")
"""Ids of digits alone must not be read as numbers."""

CENTRE_LON: Final = LONGITUDE_DEG
CENTRE_LAT: Final = LATITUDE_DEG
EARTH_M: Final = 6_371_008.8
"""Mean radius of the sphere on which the peers measure (IUGG's R1)."""
METRES_A_DEGREE: Final = 111_320.0
RATIO: Final = 0.3
SEED: Final = 42
MIN_M: Final = 25.0
MAX_M: Final = 250.0
DISTANCE_M: Final = 150.0
BEARING_DEG: Final = 45.0
RADIUS_M: Final = 20_000.0
"""Of the chain, and of the job that drops 95 % of the rows."""
JOB_RADIUS_M: Final = 200_000.0
"""Of the job: 97 % of the rows stay."""
KINDS: Final = ("offset_const", "offset_rand", "offset_const_per_id", "swap_rand", "override_const", "override_rand")

Task = Literal["job", "gather", "clean", "spatial", "attack", "features", "chain", "history", "scaling"]
Input = Literal["cleaned", "local", "attacked"]
Limit = Literal[
    "parse CSV, 19 columns",
    "parse CSV",
    "read Parquet",
    "read 16 B/row",
    "read 16 B/row, move what stays",
    "copy 8 B/row",
]


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the comparison.

    Attributes
    ----------
    name
        As in the table and in JSON.
    task
        What is done.
    limit
        What of the machine it is held against; None: nothing.
    radius_m, kind, local, source, position
        Parameters of the task: radius of the filter, which attack, whether in metres, where a chain or the job
        begins, and what a chain takes positions from: the two columns, or `POINT` text.
    has_peers
        Whether the peers do it too; what they do not is held against our own `offset_rand`.
    """

    name: str
    task: Task
    limit: Limit | None
    radius_m: float = RADIUS_M
    kind: str = "offset_rand"
    local: bool = False
    source: Literal["csv", "parquet"] = "csv"
    position: Literal["columns", "point"] = "columns"
    has_peers: bool = True

    @property
    def implementations(self) -> tuple[str, ...]:
        """Who does it, ours first."""
        if self.task == "job":
            return (OURS, *JOB_PEERS)
        if self.task == "history":
            return (OURS, *HISTORY_PEERS)
        return (OURS, *PEERS) if self.has_peers else (OURS,)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a chain reads; a row with a null in one of them is dropped."""
        return tuple(name for name in COLUMNS if name != POINT or self.position == "point")

    @property
    def input(self) -> Input | None:
        """What of the stages before it takes; None: a file, or the raw messages."""
        match self.task:
            case "spatial":
                return "cleaned"
            case "attack":
                return "local" if self.local else "cleaned"
            case "features":
                return "attacked"
        return None


def box_deg(radius_m: float) -> tuple[float, float]:
    """Return half the height and half the width of a box around the circle, in degrees, a hundredth too large."""
    high = degrees(radius_m / EARTH_M) * 1.01
    return high, high / cos(radians(CENTRE_LAT + high))


def _attack(kind: str, *, local: bool) -> Stage:
    name = f"attack/{kind}/local" if local else f"attack/{kind}"
    return Stage(name, "attack", "copy 8 B/row", kind=kind, local=local, has_peers=kind == "offset_rand")


def _chain(source: Literal["csv", "parquet"], position: Literal["columns", "point"]) -> Stage:
    name = f"chain/{source}" if position == "columns" else f"chain/{source}/point"
    limit: Limit = "parse CSV" if source == "csv" else "read Parquet"
    return Stage(name, "chain", limit, source=source, position=position)


STAGES: Final = (
    *(
        Stage(f"job/{source}{circle}", "job", None, radius_m=radius_m, source=source)
        for source in ("csv", "parquet")
        for circle, radius_m in (("", JOB_RADIUS_M), ("/20km", RADIUS_M))
    ),
    Stage("gather", "gather", "parse CSV, 19 columns"),
    Stage("clean", "clean", "read 16 B/row"),
    *(
        Stage(f"spatial/{km}km", "spatial", "read 16 B/row, move what stays", radius_m=1_000.0 * km)
        for km in (2, 20, 200)
    ),
    *(_attack(kind, local=local) for local in (False, True) for kind in KINDS),
    Stage("features", "features", "copy 8 B/row"),
    *(_chain(source, position) for source in ("csv", "parquet") for position in ("columns", "point")),
    Stage("history", "history", None),
    Stage("dask/scaling", "scaling", None, has_peers=False),
)
CHAIN_ATTACK: Final = next(stage for stage in STAGES if stage.name == "attack/offset_rand")


def choose(names: str) -> tuple[Stage, ...]:
    """Return the stages that a comma-separated list names, in their order; all for an empty one.

    A name means itself and what is below it: `spatial` all three radii, `attack/offset_rand` its local form too.

    Raises
    ------
    ValueError
        If a name means no stage.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if not any(_means(name, stage) for stage in STAGES):
            raise ValueError(f"there is no stage {name!r}; use {', '.join(stage.name for stage in STAGES)}")
    return tuple(stage for stage in STAGES if not wanted or any(_means(name, stage) for name in wanted))


def _means(name: str, stage: Stage) -> bool:
    return stage.name == name or stage.name.startswith(f"{name}/")
