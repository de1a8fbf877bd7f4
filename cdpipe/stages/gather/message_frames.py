"""Message frames: the newest ODE layout, whose values are raw J2735 integers, as records of the layout before.

Sources
-------
SAE J2735, data elements Latitude, Longitude, Elevation, Speed, Heading, Acceleration, VerticalAcceleration, YawRate and
SemiMajorAxisAccuracy: units of 1e-7 deg, 0.1 m, 0.02 m/s, 0.0125 deg, 0.01 m/s2, 0.02 G, 0.01 deg/s and 0.05 m. The
layout is that of OdeMessageFramePayload in the US DOT's Operational Data Environment, schema 9.
"""

from collections.abc import Mapping
from typing import Any, Final

from cdpipe.stages.gather.json_values import to_float

Record = dict[str, Any]

_UNITS: Final[dict[tuple[str, ...], tuple[tuple[str, ...], int]]] = {
    ("lat",): (("position", "latitude"), 10_000_000),
    ("long",): (("position", "longitude"), 10_000_000),
    ("elev",): (("position", "elevation"), 10),
    ("speed",): (("speed",), 50),
    ("heading",): (("heading",), 80),
    ("accelSet", "lat"): (("accelSet", "accelLat"), 100),
    ("accelSet", "long"): (("accelSet", "accelLong"), 100),
    ("accelSet", "vert"): (("accelSet", "accelVert"), 50),
    ("accelSet", "yaw"): (("accelSet", "accelYaw"), 100),
    ("accuracy", "semiMajor"): (("accuracy", "semiMajor"), 20),
    ("accuracy", "semiMinor"): (("accuracy", "semiMinor"), 20),
}
"""Where a frame has a value, where the layout before has it, and how many raw units make one of that's."""


def unframe(record: Record) -> Record | None:
    """Return a record whose message frame holds a Basic Safety Message as one of the layout before, else None.

    Values become degrees, metres and the like, the nearest numbers there are: 405671913 becomes 40.5671913. So do
    "unavailable" codes. What is no number stays as it is.
    """
    core = _find(record, ("payload", "data", "value", "BasicSafetyMessage", "coreData"))
    if not isinstance(core, dict):
        return None
    found = {key: value for key, value in core.items() if (key,) not in _UNITS}
    for path, (target, units) in _UNITS.items():
        value = _find(core, path)
        if value is None:
            continue
        parent = found
        for key in target[:-1]:
            inner = parent.get(key)
            parent[key] = parent = dict(inner) if isinstance(inner, dict) else {}
        parent[target[-1]] = _scale(value, units)
    return {**record, "payload": {"data": {"coreData": found}}}


def _find(record: Mapping[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401 - any value of JSON
    value: Any = record
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _scale(value: Any, units: int) -> Any:  # noqa: ANN401 - any value of JSON
    try:
        number = to_float(value)
    except ValueError:
        return value
    return None if number is None else number / units
