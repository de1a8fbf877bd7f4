"""The vocabulary: every column cdpipe knows, once, with its type, unit, meaning and "unavailable" codes.

The names are those of the US DOT Wyoming Connected Vehicle Pilot files (SAE J2735 Basic Safety Messages as the
Operational Data Environment writes them). Real files differ in letter case, so names are matched without it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

Kind = Literal["text", "label", "float", "integer", "time", "count", "part", "year", "flag", "hash"]

PANDAS_DTYPES: Final[dict[Kind, str]] = {
    "text": "str",
    "label": "category",
    "float": "float64",
    "integer": "Int64",
    "time": "datetime64[us]",
    "count": "int64",
    "part": "int8",
    "year": "int16",
    "flag": "int8",
    "hash": "uint64",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the vocabulary.

    Attributes
    ----------
    name
        Canonical name, in the data set's own spelling.
    kind
        What sort of value it holds; the pandas dtype follows from it (`PANDAS_DTYPES`). The first five may be
        null, the others never are. A label is text that recurs: each row holds the number of one of a few texts.
    unit
        Unit of the values, `""` where there is none.
    meaning
        What the column says, in a line.
    unavailable
        Values with which J2735 says "not available"; they are read as null.
    ode_path
        Where the value sits in an ODE JSON record, dotted, `""` where ODE JSON has none.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    unavailable: tuple[float, ...] = ()
    ode_path: str = ""

    @property
    def dtype(self) -> str:
        """Pandas dtype of the column: nulls are NaN, NaT or (integers) masked."""
        return PANDAS_DTYPES[self.kind]


ROW_NUMBER: Final = "row_number"
GENERATED_AT: Final = "metadata_generatedAt"
VEHICLE_ID: Final = "coreData_id"
SEC_MARK: Final = "coreData_secMark"
LATITUDE: Final = "coreData_position_lat"
LONGITUDE: Final = "coreData_position_long"
POINT: Final = "coreData_position"
X_POS: Final = "x_pos"
Y_POS: Final = "y_pos"
IS_ATTACKER: Final = "isAttacker"
VEHICLE: Final = "vehicle"
TIME: Final = "time_us"

_META, _CORE = "metadata.", "payload.data.coreData."
_ACCEL, _ACCURACY = _CORE + "accelSet.", _CORE + "accuracy."

SOURCE: Final[tuple[Column, ...]] = (
    Column(GENERATED_AT, "time", "UTC", "when the message was generated", (), _META + "recordGeneratedAt"),
    Column("metadata_recordType", "label", "", "which log the message comes from", (), _META + "recordType"),
    Column("metadata_serialId_streamId", "label", "", "stream", (), _META + "serialId.streamId"),
    Column("metadata_serialId_bundleSize", "integer", "", "records in the bundle", (), _META + "serialId.bundleSize"),
    Column("metadata_serialId_bundleId", "integer", "", "bundle in the stream", (), _META + "serialId.bundleId"),
    Column("metadata_serialId_recordId", "integer", "", "record in the bundle", (), _META + "serialId.recordId"),
    Column("metadata_serialId_serialNumber", "integer", "", "record in all", (), _META + "serialId.serialNumber"),
    Column("metadata_receivedAt", "time", "UTC", "when the back office received it", (), _META + "odeReceivedAt"),
    Column(VEHICLE_ID, "label", "", "temporary vehicle id, hexadecimal", (), _CORE + "id"),
    Column("coreData_msgCnt", "integer", "", "message counter, 0-127", (), _CORE + "msgCnt"),
    Column(SEC_MARK, "integer", "ms", "milliseconds within the minute", (65535.0,), _CORE + "secMark"),
    Column(LATITUDE, "float", "deg", "latitude, WGS84", (90.0000001, 900000001.0), _CORE + "position.latitude"),
    Column(LONGITUDE, "float", "deg", "longitude, WGS84", (180.0000001, 1800000001.0), _CORE + "position.longitude"),
    Column("coreData_elevation", "float", "m", "height", (-409.6, -4096.0), _CORE + "position.elevation"),
    Column("coreData_accuracy_semiMajor", "float", "m", "semi-major axis", (255.0, 12.75), _ACCURACY + "semiMajor"),
    Column("coreData_accuracy_semiMinor", "float", "m", "semi-minor axis", (255.0, 12.75), _ACCURACY + "semiMinor"),
    Column(
        "coreData_accelset_accelLat",
        "float",
        "m/s2",
        "lateral acceleration",
        (2001.0, 20.01),
        _ACCEL + "accelLat",
    ),
    Column(
        "coreData_accelset_accelLong",
        "float",
        "m/s2",
        "forward acceleration",
        (2001.0, 20.01),
        _ACCEL + "accelLong",
    ),
    Column(
        "coreData_accelset_accelVert",
        "float",
        "G",
        "vertical acceleration",
        (-127.0, -2.54),
        _ACCEL + "accelVert",
    ),
    Column("coreData_accelset_accelYaw", "float", "deg/s", "yaw rate", (), _ACCEL + "accelYaw"),
    Column("coreData_speed", "float", "m/s", "speed", (8191.0, 163.82), _CORE + "speed"),
    Column("coreData_heading", "float", "deg", "heading, clockwise from north", (28800.0, 360.0), _CORE + "heading"),
    Column(POINT, "text", "deg", "`POINT (lon lat)`"),
)
"""What a source file may hold, in the order of the published files."""

DERIVED: Final[tuple[Column, ...]] = (
    Column(ROW_NUMBER, "count", "", "record's place in the whole input, from 0; stable whatever the partitioning"),
    Column(X_POS, "float", "deg or m", "longitude, or metres east of the centre"),
    Column(Y_POS, "float", "deg or m", "latitude, or metres north of the centre"),
    Column("month", "part", "", "month of generatedAt, 1-12"),
    Column("day", "part", "", "day of the month, 1-31"),
    Column("year", "year", "", "year"),
    Column("hour", "part", "", "hour, 0-23"),
    Column("minute", "part", "", "minute, 0-59"),
    Column("second", "part", "", "second, 0-59"),
    Column("pm", "part", "", "1 from noon on, else 0"),
    Column(IS_ATTACKER, "flag", "", "1 for an attacker's message, else 0"),
    Column(VEHICLE, "hash", "", "XXH64 of the id, spelt in one form (spell_ids): one number a vehicle"),
    Column(TIME, "count", "us", "generatedAt since 1970, its second refined by secMark: the order of messages"),
)
"""What the stages add."""

BY_NAME: Final[dict[str, Column]] = {column.name: column for column in (*SOURCE, *DERIVED)}
_BY_FOLDED: Final[dict[str, str]] = {name.casefold(): name for name in BY_NAME}


@lru_cache(maxsize=1024)
def canonical(name: str) -> str:
    """Return the vocabulary's spelling of a column name, or the name itself, stripped, if it is not in it."""
    stripped = name.strip()
    return _BY_FOLDED.get(stripped.casefold(), stripped)


def resolve(header: Iterable[str]) -> dict[str, int]:
    """Map the canonical name of each column of a file's header to its index.

    A field without a name is no column. Of columns with one name, the first is given (see `find_doubled`).
    """
    found: dict[str, int] = {}
    for index, raw in enumerate(header):
        name = canonical(raw)
        if name:
            found.setdefault(name, index)
    return found


def find_doubled(header: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Map each canonical name that several columns of a file's header share to the indices of the first two."""
    first: dict[str, int] = {}
    doubled: dict[str, tuple[int, int]] = {}
    for index, raw in enumerate(header):
        name = canonical(raw)
        if name and first.setdefault(name, index) != index:
            doubled.setdefault(name, (first[name], index))
    return doubled
