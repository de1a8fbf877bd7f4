"""The vocabulary: every column cdpipe knows, once, with its type, unit, meaning and "unavailable" codes.

The names are those of the US DOT Wyoming Connected Vehicle Pilot files (SAE J2735 Basic Safety Messages as the
Operational Data Environment writes them). Real files differ in letter case, so names are matched without it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, NamedTuple

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


class Counts(NamedTuple):
    """The whole numbers in which J2735 counts a quantity.

    Attributes
    ----------
    per_unit
        How many make one unit of the column.
    least, greatest
        Bounds of what a message can say.
    unavailable
        The number that says "not available", if there is one.
    """

    per_unit: int
    least: int
    greatest: int
    unavailable: int | None = None


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
    counts
        How J2735 counts the quantity, None where it does not.
    ode_path
        Where the value sits in an ODE JSON record, dotted, `""` where ODE JSON has none.
    is_counted
        Whether the source holds J2735's counts instead of units.
    time_zone
        Zone of the source's times that name none.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    counts: Counts | None = None
    ode_path: str = ""
    is_counted: bool = False
    time_zone: str = "UTC"

    @property
    def dtype(self) -> str:
        """Pandas dtype of the column: nulls are NaN, NaT or (integers) masked."""
        return PANDAS_DTYPES[self.kind]

    @property
    def unavailable(self) -> tuple[float, ...]:
        """Values of the source that say "not available"; they are read as null.

        Files in units hold either form of the code: the Operational Data Environment converts some and not others.
        """
        if self.counts is None or self.counts.unavailable is None:
            return ()
        code, per_unit = self.counts.unavailable, self.counts.per_unit
        return (float(code),) if self.is_counted or per_unit == 1 else (code / per_unit, float(code))

    @property
    def divisor(self) -> int:
        """What a value of the source is divided by to be in the column's unit."""
        return self.counts.per_unit if self.counts and self.is_counted else 1

    @property
    def limits(self) -> tuple[float, float]:
        """Bounds that a value of the source must lie between; one on or beyond them is impossible.

        Positions have none: cleaning drops a message whose position is off the globe, and counts it.
        """
        if self.counts is None or self.name in (LATITUDE, LONGITUDE):
            return -math.inf, math.inf
        scale = 1 if self.is_counted else self.counts.per_unit
        return (self.counts.least - 1) / scale, (self.counts.greatest + 1) / scale

    @property
    def span(self) -> tuple[int, int]:
        """Least and greatest whole number that a value of the source can be, both included."""
        return (-(2**63), 2**63 - 1) if self.counts is None else (self.counts.least, self.counts.greatest)

    def counted(self) -> "Column":
        """Return the column of a source that holds J2735's counts."""
        return self if self.counts is None else replace(self, is_counted=True)

    def in_zone(self, time_zone: str) -> "Column":
        """Return the column of a source whose times are of this zone where they name none."""
        return self if self.time_zone == time_zone else replace(self, time_zone=time_zone)


ROW_NUMBER: Final = "row_number"
GENERATED_AT: Final = "metadata_generatedAt"
RECEIVED_AT: Final = "metadata_receivedAt"
VEHICLE_ID: Final = "coreData_id"
SEC_MARK: Final = "coreData_secMark"
LATITUDE: Final = "coreData_position_lat"
LONGITUDE: Final = "coreData_position_long"
POINT: Final = "coreData_position"
X_POS: Final = "x_pos"
Y_POS: Final = "y_pos"
IS_ATTACKER: Final = "isAttacker"
IS_FALSE: Final = "isFalse"
LABELS: Final = (IS_ATTACKER, IS_FALSE)
GIVEN_ATTACKER: Final = "given_isAttacker"
GIVEN_FALSE: Final = "given_isFalse"
POSITION_X: Final = "position_x"
POSITION_Y: Final = "position_y"
VEHICLE: Final = "vehicle"
TIME: Final = "time_us"
COARSE: Final = "time_is_coarse"
COPY: Final = "copy"
PLACE: Final = "place"
SIDE: Final = "is_test"

_META, _CORE = "metadata.", "payload.data.coreData."
_ACCEL, _ACCURACY = _CORE + "accelSet.", _CORE + "accuracy."

_MARK: Final = Counts(1, 0, 60_999, 65_535)
"""From 60,000 on within a leap second; 61,000 to 65,534 are reserved."""
_LATITUDE: Final = Counts(10_000_000, -900_000_000, 900_000_000, 900_000_001)
_LONGITUDE: Final = Counts(10_000_000, -1_800_000_000, 1_800_000_000, 1_800_000_001)
_ELEVATION: Final = Counts(10, -4_095, 61_439, -4_096)
_AXIS: Final = Counts(20, 0, 254, 255)
_ACCELERATION: Final = Counts(100, -2_000, 2_000, 2_001)
_VERTICAL: Final = Counts(50, -126, 127, -127)
_YAW: Final = Counts(100, -32_767, 32_767)
_SPEED: Final = Counts(50, 0, 8_190, 8_191)
_HEADING: Final = Counts(80, 0, 28_799, 28_800)

SOURCE: Final[tuple[Column, ...]] = (
    Column(GENERATED_AT, "time", "UTC", "when the message was generated", None, _META + "recordGeneratedAt"),
    Column("metadata_recordType", "label", "", "which log the message comes from", None, _META + "recordType"),
    Column("metadata_serialId_streamId", "label", "", "stream", None, _META + "serialId.streamId"),
    Column("metadata_serialId_bundleSize", "integer", "", "records in the bundle", None, _META + "serialId.bundleSize"),
    Column("metadata_serialId_bundleId", "integer", "", "bundle in the stream", None, _META + "serialId.bundleId"),
    Column("metadata_serialId_recordId", "integer", "", "record in the bundle", None, _META + "serialId.recordId"),
    Column("metadata_serialId_serialNumber", "integer", "", "record in all", None, _META + "serialId.serialNumber"),
    Column(RECEIVED_AT, "time", "UTC", "when the back office received it", None, _META + "odeReceivedAt"),
    Column(VEHICLE_ID, "label", "", "temporary vehicle id, hexadecimal", None, _CORE + "id"),
    Column("coreData_msgCnt", "integer", "", "message counter, 0-127", Counts(1, 0, 127), _CORE + "msgCnt"),
    Column(SEC_MARK, "integer", "ms", "milliseconds within the minute", _MARK, _CORE + "secMark"),
    Column(LATITUDE, "float", "deg", "latitude, WGS84", _LATITUDE, _CORE + "position.latitude"),
    Column(LONGITUDE, "float", "deg", "longitude, WGS84", _LONGITUDE, _CORE + "position.longitude"),
    Column("coreData_elevation", "float", "m", "height", _ELEVATION, _CORE + "position.elevation"),
    Column("coreData_accuracy_semiMajor", "float", "m", "semi-major axis", _AXIS, _ACCURACY + "semiMajor"),
    Column("coreData_accuracy_semiMinor", "float", "m", "semi-minor axis", _AXIS, _ACCURACY + "semiMinor"),
    Column("coreData_accelset_accelLat", "float", "m/s2", "lateral acceleration", _ACCELERATION, _ACCEL + "accelLat"),
    Column("coreData_accelset_accelLong", "float", "m/s2", "forward acceleration", _ACCELERATION, _ACCEL + "accelLong"),
    Column("coreData_accelset_accelVert", "float", "G", "vertical acceleration", _VERTICAL, _ACCEL + "accelVert"),
    Column("coreData_accelset_accelYaw", "float", "deg/s", "yaw rate", _YAW, _ACCEL + "accelYaw"),
    Column("coreData_speed", "float", "m/s", "speed", _SPEED, _CORE + "speed"),
    Column("coreData_heading", "float", "deg", "heading, clockwise from north", _HEADING, _CORE + "heading"),
    Column(POINT, "text", "deg", "`POINT (lon lat)`"),
)
"""What a source file may hold, in the order of the published files."""

GIVEN: Final[tuple[Column, ...]] = (
    Column(POSITION_X, "float", "m", "metres east, in the file's own plane"),
    Column(POSITION_Y, "float", "m", "metres north, in the file's own plane"),
    Column("speed_noise", "float", "m/s", "length of the noise that a simulator gave the speed"),
    Column("heading_noise", "float", "", "length of the noise that a simulator gave the heading, as it has it"),
    Column("acceleration_noise", "float", "m/s2", "length of the noise that a simulator gave the acceleration"),
    Column(GIVEN_ATTACKER, "integer", "", "the input's own label: 0 for an honest vehicle, else its kind of attack"),
    Column(GIVEN_FALSE, "integer", "", "the input's own label: 0 for a true message, else the kind of lie"),
)
"""What files of other layouts hold besides: read where `input.columns`, `labels` or the format says so."""

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
    Column(IS_FALSE, "flag", "", "1 where the message claims what is not so, else 0"),
    Column(VEHICLE, "hash", "", "XXH64 of the id, spelt in one form (spell_ids): one number a vehicle"),
    Column(TIME, "count", "us", "generatedAt since 1970, a whole second refined by secMark"),
    Column(COARSE, "flag", "", "1 where the time is known to the whole second only, else 0"),
    Column(PLACE, "flag", "", "which of clean.filters.places the message was sent from, from 1"),
    Column(SIDE, "flag", "", "1 where an attack that differs by side took the message for one that tests, else 0"),
    Column(COPY, "count", "", "0 for a record's own message; from 1 on those that an attack made of it"),
)
"""What the stages add."""

REQUIRED: Final = (GENERATED_AT, VEHICLE_ID, "coreData_elevation", "coreData_speed", "coreData_heading")
"""Columns in which a null drops the row, where the caller names no others."""

BY_NAME: Final[dict[str, Column]] = {column.name: column for column in (*SOURCE, *GIVEN, *DERIVED)}
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
