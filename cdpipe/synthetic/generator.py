"""Seeded synthetic Basic Safety Messages, any number of them, in bounded memory.

Rows are the columns of the US DOT Wyoming files. The same parameters give the same bytes on any machine (Parquet: with
the same PyArrow, which signs its files). With `vehicles` given (a multiple of ten) and at least 250 rows a vehicle,
fewer rows are the beginning of more rows. `trips` moves the vehicles, `writers` writes the files.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, NaiveDatetime, model_validator

from cdpipe.columns import BY_NAME, GENERATED_AT, LATITUDE, LONGITUDE, POINT, ROW_NUMBER, SEC_MARK, VEHICLE_ID
from cdpipe.stages.frames.frame_columns import type_series
from cdpipe.stages.params import Params, choose_params
from cdpipe.synthetic.trips import WAVE_MS, Fleet, Ints, Trips, draw_words, drive, make_trips, row_words
from cdpipe.synthetic.writers import COLUMNS, EPOCH, RECEIVED_AT, WRITERS, Messages, replacing, typed_table

_CHUNK_ROWS: Final = 100_000
_TRIP_MESSAGES: Final = 250
_AT_ONCE: Final = 10
_LAST_YEAR: Final = 9990
_MS_PER_YEAR: Final = 365.2425 * 86_400_000
_STREAMS: Final = 4
_STREAM_COUNT: Final = 16
_ID_FACTOR: Final = 0x9E3779B1
_RECORD_TYPES: Final = ("bsmTx", "bsmLogDuringEvent")
_SERIAL: Final = "metadata_serialId_"
_MAJOR, _MINOR = "coreData_accuracy_semiMajor", "coreData_accuracy_semiMinor"

_FAULTS: Final[tuple[tuple[str, ...] | dict[str, int], ...]] = (
    (LATITUDE,),  # the point is still there
    (LONGITUDE,),
    (LATITUDE, LONGITUDE, POINT),
    {LATITUDE: 900_000_001, LONGITUDE: 1_800_000_001},
    ("coreData_speed",),
    {"coreData_speed": 163_82},
    ("coreData_heading",),
    {"coreData_heading": 360_0000},
    ("coreData_elevation",),
    {"coreData_elevation": -409_6},
    (SEC_MARK,),
    {SEC_MARK: 65_535},
    (VEHICLE_ID,),
    (GENERATED_AT,),
    {_MAJOR: 12_75, _MINOR: 12_75},
    ("coreData_accelset_accelYaw",),
)
"""What may be wrong with a dirty row: cells left empty, or J2735's "unavailable" codes. Equally likely."""


class SynthParams(Params):
    """What to make. Values out of bounds raise `pydantic.ValidationError`, a `ValueError`, naming value and limit."""

    rows: int = Field(ge=1, le=10**10, description="messages to make")
    vehicles: int | None = Field(
        default=None, ge=1, le=10**8, description="vehicles; by default one for 250 rows, 10 at least"
    )
    seed: int = Field(default=42, ge=0, lt=2**64, description="same seed and parameters, same bytes")
    start: NaiveDatetime = Field(
        default=datetime(2019, 7, 1, 6),  # noqa: DTZ001 (the vocabulary's times are naive UTC)
        ge=EPOCH,
        description="UTC; the first trips begin then, and ten others each quarter of an hour later",
    )
    centre_lon_deg: float = Field(
        default=-106.0831353, ge=-180, le=180, description="longitude of the vehicles' centre"
    )
    centre_lat_deg: float = Field(default=41.5430216, ge=-80, le=80, description="latitude of the vehicles' centre")
    spread_km: float = Field(default=20.0, gt=0, le=500, description="homes lie within this distance of the centre")
    dirty_share: float = Field(default=0.01, ge=0, le=1, description="share of rows with a missing value, on average")

    @model_validator(mode="after")
    def _check_last_year(self) -> Self:
        waves = -(-self.rows // fleet_of(self).wave_rows)
        year = int(self.start.year + waves * WAVE_MS / _MS_PER_YEAR)
        if year > _LAST_YEAR:
            raise ValueError(
                f"{self.rows} rows of {self.vehicles} vehicles would last until the year {year}, beyond "
                f"{_LAST_YEAR}; start earlier, or ask for fewer vehicles or rows"
            )
        return self


@dataclass(frozen=True, slots=True)
class SynthReport:
    """What was made: rows, bytes of the file, wall-clock seconds, and different vehicles in it."""

    rows: int
    bytes: int
    seconds: float
    vehicles: int


def fleet_of(params: SynthParams) -> Fleet:
    """Return the fleet whose trips make `params.rows` messages, every vehicle taking part where rows suffice."""
    vehicles = max(_AT_ONCE, params.rows // _TRIP_MESSAGES) if params.vehicles is None else params.vehicles
    at_once = min(_AT_ONCE, vehicles)
    trips = at_once * -(-vehicles // at_once)
    return Fleet(
        seed=params.seed,
        vehicles=vehicles,
        vehicles_at_once=at_once,
        messages=min(max(params.rows // trips, 1), _TRIP_MESSAGES),
        start_ms=(params.start - EPOCH) // timedelta(milliseconds=1),
        lat_deg=params.centre_lat_deg,
        lon_deg=params.centre_lon_deg,
        spread_km=params.spread_km,
    )


def synthesize(
    out: str | Path,
    params: SynthParams | None = None,
    *,
    tell: Callable[[int], object] | None = None,
    **given: object,
) -> SynthReport:
    """Write synthetic messages to a file, which appears complete or not at all.

    Parameters
    ----------
    out
        File to make or replace. Its suffix chooses the form: `.csv`, `.parquet` or `.jsonl` (ODE JSON lines, which have
        no `coreData_position`). All three hold the same values; "unavailable" codes are written as J2735 has them.
    params
        What to make.
    tell
        Called with the messages made so far, a few times a second.
    given
        Keys of `SynthParams`, instead of `params`.

    Raises
    ------
    ValueError
        If the suffix is none of these, or a key or its value is none.
    OSError
        If the file cannot be written there.

    Examples
    --------
    >>> made = synthesize("messages.jsonl", rows=1_000, vehicles=20)
    >>> made.rows, made.vehicles
    (1000, 20)
    """
    began = time.perf_counter()
    out, params = Path(out), choose_params(SynthParams, params, given)
    write = WRITERS.get(out.suffix.lower())
    if write is None:
        raise ValueError(f"cannot tell the format of {str(out)!r}: end its name in one of {', '.join(WRITERS)}")
    fleet = fleet_of(params)
    seen = np.zeros(fleet.vehicles, np.bool_)
    with replacing(out) as file:
        write(file, _count_chunks(_make_chunks(fleet, params, seen), tell))
    return SynthReport(params.rows, out.stat().st_size, time.perf_counter() - began, int(seen.sum()))


def synthesize_frame(params: SynthParams, *, names: Sequence[str] = COLUMNS) -> pd.DataFrame:
    """Make synthetic messages in memory, as gathering the file would give them.

    Parameters
    ----------
    params
        What to make.
    names
        Columns wanted, of `COLUMNS`.

    Returns
    -------
    DataFrame
        `row_number`, then `names`, shape (rows, 1 + len(names)), with the vocabulary's dtypes; empty cells and
        "unavailable" codes are null.

    Raises
    ------
    ValueError
        If a name is not of `COLUMNS`.
    """
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise ValueError(f"no synthetic column {unknown[0]!r}; choose among {', '.join(COLUMNS)}")
    fleet = fleet_of(params)
    chunks = _make_chunks(fleet, params, np.zeros(fleet.vehicles, np.bool_))
    table = pa.concat_tables(typed_table(messages, names, gathered=True) for messages in chunks)
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    for name in names:
        if BY_NAME[name].kind == "label":
            frame[name] = type_series(BY_NAME[name], frame[name]).series
    frame.insert(0, ROW_NUMBER, np.arange(params.rows))
    return frame


def _make_chunks(fleet: Fleet, params: SynthParams, seen: NDArray[np.bool_]) -> Iterator[Messages]:
    """Make whole waves, about _CHUNK_ROWS rows at a time, and mark in `seen` the vehicles met."""
    waves = max(1, _CHUNK_ROWS // fleet.wave_rows)
    for first in range(0, params.rows, waves * fleet.wave_rows):
        left = -(-(params.rows - first) // fleet.wave_rows)
        trips = make_trips(fleet, first_wave=first // fleet.wave_rows, waves=min(waves, left))
        yield _make_messages(fleet, params, trips, first=first, seen=seen)


def _count_chunks(chunks: Iterator[Messages], tell: Callable[[int], object] | None) -> Iterator[Messages]:
    """Hand chunks on, and tell how many messages were made when the next is asked for."""
    made = 0
    for messages in chunks:
        yield messages
        made += len(messages.numbers[SEC_MARK])
        if tell is not None:
            tell(made)


def _make_messages(fleet: Fleet, params: SynthParams, trips: Trips, *, first: int, seen: NDArray[np.bool_]) -> Messages:
    """Make the messages of trips, the first of them row `first`, and cut them off at the last row wanted."""
    words = row_words(fleet, first=first, count=int(trips.messages.sum()))
    motion = drive(trips, words[:, 0])
    rows = min(words.shape[0], params.rows - first)
    trip, at_ms = motion.trip[:rows], motion.time_ms[:rows]
    seen[trips.vehicle[trip]] = True
    serial = np.arange(first, first + rows)
    lag_s = (words[:rows, 0] >> np.uint64(62)).astype(np.int64)
    major = 50 + 5 * np.floor(90 * trips.draws[:, 19]).astype(np.int64)
    count = np.floor(128 * trips.draws[:, 18]).astype(np.int64)
    numbers = {
        _SERIAL + "bundleSize": np.full(rows, fleet.wave_rows),
        _SERIAL + "bundleId": serial // fleet.wave_rows,
        _SERIAL + "recordId": serial % fleet.wave_rows,
        _SERIAL + "serialNumber": serial,
        "coreData_msgCnt": (count[trip] + motion.step[:rows]) % 128,
        SEC_MARK: at_ms % 60_000,
        LATITUDE: motion.lat_e7[:rows],
        LONGITUDE: motion.lon_e7[:rows],
        _MAJOR: major[trip],
        _MINOR: (major - 10)[trip],
        "coreData_elevation": motion.elevation_dm[:rows],
        "coreData_accelset_accelYaw": motion.yaw_cdegs[:rows],
        "coreData_speed": motion.speed_cms[:rows],
        "coreData_heading": motion.heading[:rows] * 125,
    }
    seconds = {GENERATED_AT: at_ms // 1000, RECEIVED_AT: at_ms // 1000 + lag_s}
    texts = _make_texts(fleet, trips, trip)
    messages = Messages(numbers, seconds, texts, {})
    _soil(messages, words[:rows, 1], params.dirty_share)
    return messages


def _make_texts(fleet: Fleet, trips: Trips, trip: Ints) -> dict[str, pa.Array]:
    """Give each vehicle its id (a bijection of 32 bits: no two alike) and each wave its stream."""
    mixed = draw_words(fleet.seed, _STREAMS, first=0, count=_STREAM_COUNT, width=4)
    streams = [
        f"{a >> 32:08x}-{b & 0xFFFF:04x}-4{c & 0xFFF:03x}-a{d & 0xFFF:03x}-{a & 0xFFFFFFFF:08x}{b >> 48:04x}"
        for a, b, c, d in mixed.tolist()
    ]
    hashed = (trips.vehicle * _ID_FACTOR + int(mixed[0, 0] >> np.uint64(32))) & 0xFFFFFFFF
    hashed = (hashed ^ hashed >> 15) * _ID_FACTOR & 0xFFFFFFFF
    hashed ^= hashed >> 13
    wave = trips.trip // fleet.vehicles_at_once
    return {
        "metadata_recordType": pa.array(_RECORD_TYPES).take(pa.array((trips.vehicle % 2)[trip])),
        _SERIAL + "streamId": pa.array(streams).take(pa.array((wave % _STREAM_COUNT)[trip])),
        VEHICLE_ID: pa.array([f"{number:08X}" for number in hashed.tolist()]).take(pa.array(trip)),
    }


def _soil(messages: Messages, words: NDArray[np.uint64], share: float) -> None:
    """Put one fault in each dirty row; which rows and which faults depends on the row number alone."""
    draws = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    dirty = np.flatnonzero(draws < share)
    kind = (words[dirty] % np.uint64(len(_FAULTS))).astype(np.int64)
    for place, fault in enumerate(_FAULTS):
        rows = dirty[kind == place]
        if isinstance(fault, dict):
            for name, code in fault.items():
                messages.numbers[name][rows] = code
        else:
            for name in fault:
                messages.missing.setdefault(name, np.zeros(len(words), np.bool_))[rows] = True
