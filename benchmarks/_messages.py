"""Synthetic messages, any range of rows of one endless sequence: frozen, see `_data.VERSION`.

Fifty vehicles at a time drive straight on for ten seconds and send ten messages a second, so position, speed and
heading agree. Draws are hashes of (purpose, number) in integer arithmetic: no generator's stream can change them.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks._data import LATITUDE_DEG, LONGITUDE_DEG

AT_ONCE: Final = 50
MESSAGES_EACH: Final = 100
TICK_MS: Final = 100
START_MS: Final = 1_617_235_200_000
HOLES: Final = 0.01
"""Share of rows with a null in latitude and longitude, elevation, or speed."""
ATTACKERS: Final = 0.3

_METRES_A_DEGREE: Final = 111_320.0
_ID_STEP: Final = 2_654_435_761  # odd, so that distinct vehicles have distinct ids modulo 2**32
_HEX: Final = np.frombuffer(b"0123456789ABCDEF", np.uint8)
_Floats = NDArray[np.float64]


def draw(numbers: NDArray[np.int64], purpose: int) -> _Floats:
    """Return uniform numbers in [0, 1), by number and purpose (SplitMix64 of Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        z = (numbers.astype(np.uint64) * np.uint64(64) + np.uint64(purpose)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def bell(numbers: NDArray[np.int64], purpose: int) -> _Floats:
    """Return numbers of mean 0 and deviation 1, within 3.5 of it: the sum of four uniform ones."""
    return (sum(draw(numbers, purpose + i) for i in range(4)) - 2.0) * np.sqrt(3.0)


def drive(start: int, rows: int) -> dict[str, Any]:
    """Return what the messages say, as arrays of shape (rows,)."""
    row = np.arange(start, start + rows, dtype=np.int64)
    tick = row // AT_ONCE
    vehicle = tick // MESSAGES_EACH * AT_ONCE + row % AT_ONCE
    speed = 5 + 30 * draw(vehicle, 1)
    heading = 360 * draw(vehicle, 2)
    metres = speed * (tick % MESSAGES_EACH) * (TICK_MS / 1000)
    lat0 = LATITUDE_DEG + 0.35 * bell(vehicle, 4)
    lat = lat0 + metres * np.cos(np.radians(heading)) / _METRES_A_DEGREE
    east = np.sin(np.radians(heading)) / (_METRES_A_DEGREE * np.cos(np.radians(lat0)))
    lon = LONGITUDE_DEG + 1.10 * bell(vehicle, 8) + metres * east
    hole = draw(row, 12)
    return {
        "row": row,
        "vehicle": vehicle,
        "time_ms": START_MS + tick * TICK_MS,
        "lon": lon.round(7),
        "lat": lat.round(7),
        "elevation": (2100 + 60 * bell(vehicle, 16)).round(1),
        "speed": (speed + 0.5 * (draw(row, 20) - 0.5)).round(2),
        "heading": heading.round(4),
        "yaw": (4 * (draw(row, 21) - 0.5)).round(2),
        "semi_major": (2 + 5 * draw(row, 22)).round(2),
        "semi_minor": (2 + 5 * draw(row, 23)).round(2),
        "no_position": hole < HOLES / 3,
        "no_elevation": (hole >= HOLES / 3) & (hole < 2 * HOLES / 3),
        "no_speed": (hole >= 2 * HOLES / 3) & (hole < HOLES),
    }


def raw(start: int, rows: int) -> pa.Table:
    """Return rows as a DOT file holds them: text timestamps, hexadecimal ids, `POINT (lon lat)`, nulls."""
    told = drive(start, rows)
    seconds = pa.array(told["time_ms"] // 1000, pa.timestamp("s"))
    stamp = pc.strftime(seconds, format="%m/%d/%Y %I:%M:%S %p")
    ids, serial = _ids(told["vehicle"]), pa.array(told["row"])
    longitude, latitude = (pa.array(told[name], mask=told["no_position"]) for name in ("lon", "lat"))
    lon_text, lat_text = (values.cast(pa.string()) for values in (longitude, latitude))
    closing = pc.binary_join_element_wise(lon_text, lat_text, " ")
    return pa.table(
        {
            "metadata_generatedAt": stamp,
            "metadata_recordType": _record_types(told["vehicle"]),
            "metadata_serialId_streamId": ids,
            "metadata_serialId_bundleSize": pa.array(1 + told["vehicle"] % 199),
            "metadata_serialId_bundleId": serial,
            "metadata_serialId_recordId": pa.array(told["row"] % 200),
            "metadata_serialId_serialNumber": serial,
            "metadata_receivedAt": stamp,
            "coreData_id": ids,
            "coreData_secMark": pa.array(told["time_ms"] % 60_000),
            "coreData_position_lat": latitude,
            "coreData_position_long": longitude,
            "coreData_accuracy_semiMajor": pa.array(told["semi_major"]),
            "coreData_accuracy_semiMinor": pa.array(told["semi_minor"]),
            "coreData_elevation": pa.array(told["elevation"], mask=told["no_elevation"]),
            "coreData_accelset_accelYaw": pa.array(told["yaw"]),
            "coreData_speed": pa.array(told["speed"], mask=told["no_speed"]),
            "coreData_heading": pa.array(told["heading"]),
            "coreData_position": pc.binary_join_element_wise("POINT (", closing, ")", ""),
        }
    )


def gathered(start: int, rows: int) -> pa.Table:
    """Return the same rows typed, with `row_number`: what gathering gives."""
    told, text = drive(start, rows), raw(start, rows)
    typed = {name: text[name] for name in text.column_names if name not in ("metadata_receivedAt", "coreData_position")}
    typed["metadata_generatedAt"] = _times(told)
    return pa.table({"row_number": pa.array(told["row"]), **typed})


def cleaned(start: int, rows: int) -> pa.Table:
    """Return rows without nulls and with positions in degrees: what cleaning gives."""
    return pa.table(_clean_columns(drive(start, rows)))


def attacked(start: int, rows: int) -> pa.Table:
    """Return cleaned rows of which some vehicles' are displaced by up to 250 m, and which those are."""
    told = drive(start, rows)
    hit = draw(told["vehicle"], 24) < ATTACKERS
    bearing, metres = 2 * np.pi * draw(told["row"], 25), hit * (25 + 225 * draw(told["row"], 26))
    told["lat"] += metres * np.cos(bearing) / _METRES_A_DEGREE
    told["lon"] += metres * np.sin(bearing) / (_METRES_A_DEGREE * np.cos(np.radians(LATITUDE_DEG)))
    return pa.table({**_clean_columns(told), "isAttacker": pa.array(hit.astype(np.int8))})


def features(start: int, rows: int) -> pa.Table:
    """Return keys, numbers and labels: what the features stage gives."""
    frame = attacked(start, rows)
    vehicle = drive(start, rows)["vehicle"]
    names = ("x_pos", "y_pos", "coreData_elevation", "coreData_speed", "coreData_heading", "isAttacker")
    keys = {
        "row_number": frame["row_number"],
        "vehicle": pa.array((draw(vehicle, 27) * 2.0**53).astype(np.uint64)),
        "time_us": frame["metadata_generatedAt"].cast(pa.int64()),
    }
    return pa.table(keys | {name: frame[name] for name in names})


def _clean_columns(told: dict[str, Any]) -> dict[str, pa.Array]:
    return {
        "row_number": pa.array(told["row"]),
        "metadata_generatedAt": _times(told),
        "metadata_recordType": _record_types(told["vehicle"]),
        "coreData_id": _ids(told["vehicle"]),
        "coreData_secMark": pa.array(told["time_ms"] % 60_000),
        "coreData_elevation": pa.array(told["elevation"]),
        "coreData_speed": pa.array(told["speed"]),
        "coreData_heading": pa.array(told["heading"]),
        "x_pos": pa.array(told["lon"]),
        "y_pos": pa.array(told["lat"]),
    }


def _times(told: dict[str, Any]) -> pa.Array:
    """Return whole seconds, as the files tell them; `coreData_secMark` tells the rest."""
    return pa.array(told["time_ms"] // 1000 * 1_000_000, pa.timestamp("us"))


def _ids(vehicle: NDArray[np.int64]) -> pa.Array:
    number = vehicle.astype(np.uint64) * np.uint64(_ID_STEP) & np.uint64(0xFFFFFFFF)
    shifts = np.arange(28, -1, -4, dtype=np.uint64)
    digits = _HEX[(number[:, None] >> shifts & np.uint64(15)).astype(np.intp)]
    offsets = np.arange(0, 8 * vehicle.size + 1, 8, dtype=np.int32)
    return pa.StringArray.from_buffers(vehicle.size, pa.py_buffer(offsets), pa.py_buffer(digits.tobytes()))


def _record_types(vehicle: NDArray[np.int64]) -> pa.Array:
    names = pa.array(["bsmTx", "bsmLogDuringEvent"])
    return pa.DictionaryArray.from_arrays(pa.array((vehicle % 2).astype(np.int8)), names).cast(pa.string())
