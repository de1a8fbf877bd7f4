"""Column maps: which columns of a file of another layout mean what, and in which unit."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from cdpipe.columns import (
    BY_NAME,
    DERIVED,
    GENERATED_AT,
    GIVEN_ATTACKER,
    GIVEN_FALSE,
    LATITUDE,
    LONGITUDE,
    POINT,
    POSITION_X,
    POSITION_Y,
    RECEIVED_AT,
    SEC_MARK,
    VEHICLE_ID,
    Kind,
    canonical,
)

ROLES: Final[dict[str, str]] = {
    "time": GENERATED_AT,
    "received": RECEIVED_AT,
    "second_mark": SEC_MARK,
    "id": VEHICLE_ID,
    "latitude": LATITUDE,
    "longitude": LONGITUDE,
    "x": POSITION_X,
    "y": POSITION_Y,
    "elevation": "coreData_elevation",
    "speed": "coreData_speed",
    "heading": "coreData_heading",
    "acceleration": "coreData_accelset_accelLong",
    "yaw_rate": "coreData_accelset_accelYaw",
    "attacker": GIVEN_ATTACKER,
    "false": GIVEN_FALSE,
}
"""What a column may be mapped to, besides names of the vocabulary."""

SPEED: Final = ROLES["speed"]
HEADING: Final = ROLES["heading"]
POSITIONS: Final = ((POSITION_X, POSITION_Y), (LATITUDE, LONGITUDE), (POINT,))
"""Columns that together say where a message was sent."""

_DEG: Final = 57.29577951308232
_LENGTHS: Final = {"m": 1.0, "km": 1000.0, "cm": 0.01, "ft": 0.3048, "mi": 1609.344}
_ANGLES: Final = {"deg": 1.0, "rad": _DEG}
FROM_EAST: Final = "_ccw_east"
"""Ends a unit of headings that go counterclockwise from east, as in mathematics."""

TICKS_US: Final[dict[str, float]] = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
UNITS: Final[dict[str, dict[str, float]]] = {
    GENERATED_AT: TICKS_US,
    RECEIVED_AT: TICKS_US,
    **dict.fromkeys((POSITION_X, POSITION_Y, ROLES["elevation"]), _LENGTHS),
    **dict.fromkeys((LATITUDE, LONGITUDE), _ANGLES),
    SPEED: {"m/s": 1.0, "km/h": 1000 / 3600, "mph": 0.44704, "kn": 1852 / 3600, "ft/s": 0.3048},
    HEADING: {**_ANGLES, **{f"{unit}{FROM_EAST}": factor for unit, factor in _ANGLES.items()}},
    ROLES["acceleration"]: {"m/s2": 1.0, "ft/s2": 0.3048, "G": 9.80665},
    ROLES["yaw_rate"]: {"deg/s": 1.0, "rad/s": _DEG},
}
"""Units of what may be mapped, each with how many of the column's own unit it is; of times, how many microseconds."""

VECTORS: Final = (SPEED, HEADING)
"""What two or three columns may say: the length of their vector, or the way it points (east, north)."""

_LABELS: Final = (GIVEN_ATTACKER, GIVEN_FALSE)
_NONE: Final[Mapping[str, tuple[int, int]]] = MappingProxyType({})
_MOST: Final = 3
_KEYS: Final = frozenset(("column", "unit", "honest"))


class Mapped(NamedTuple):
    """A column of the vocabulary that a file has under another name, in another unit, or as a vector.

    Attributes
    ----------
    target
        Its name in the vocabulary.
    sources
        The file's columns: one, or the components of a vector.
    unit
        The unit in which the file has it; "" is the column's own, read with its codes and limits.
    honest
        Values that say "no attack", where it is a label; none: the usual ones.
    """

    target: str
    sources: tuple[str, ...]
    unit: str = ""
    honest: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """What the file's columns are called while they are read, each once in a file."""
        return (self.target,) if len(self.sources) == 1 else tuple(f"{self.target} of {name}" for name in self.sources)

    @property
    def is_renamed_only(self) -> bool:
        """Whether the file's column is read as if it had the vocabulary's name."""
        return not self.unit and len(self.sources) == 1 and self.target not in _LABELS

    @property
    def raw_kind(self) -> Kind:
        """What sort of value the file's columns hold, where they are not read as the vocabulary's."""
        return "label" if self.target in _LABELS else "float"

    def describe(self) -> str:
        """Return which columns it is, in words."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.target} = {', '.join(self.sources)}{unit}"


def read_map(given: object) -> dict[str, dict[str, Any]]:
    """Bring a column map to its one form: by role or name of the vocabulary, `column` (a list), `unit` and `honest`.

    Parameters
    ----------
    given
        By role, the file's column, a list of a vector's components, or a table with `column` and `unit`.

    Raises
    ------
    ValueError
        Naming the entry, what is wrong with it, and what it may be.
    """
    if not isinstance(given, Mapping):
        raise ValueError('must be a table such as {time = "sendTime", speed = ["spd_x", "spd_y"]}')  # noqa: TRY004
    found = {str(role): _read_entry(str(role), entry) for role, entry in given.items()}
    targets: dict[str, str] = {}
    for role in found:
        target = find_target(role)
        if target in targets:
            raise ValueError(f"{targets[target]} and {role} are the same column, {target}; take one out")
        targets[target] = role
    users: dict[str, str] = {}
    for role, entry in found.items():
        for name in entry["column"]:
            if (other := users.setdefault(canonical(name), role)) != role:
                raise ValueError(f"the file's column {name!r} is named by {other} and by {role}; take one out")
    return found


def make_map(entries: Mapping[str, Mapping[str, Any]]) -> tuple[Mapped, ...]:
    """Return what a map in the form of `read_map` says, in the order of the vocabulary's names."""
    found = [
        Mapped(
            find_target(role),
            tuple(map(canonical, entry["column"])),
            entry.get("unit", ""),
            tuple(entry.get("honest", ())),
        )
        for role, entry in entries.items()
    ]
    return tuple(sorted(found))


def find_target(role: str) -> str:
    """Return the vocabulary's name of a role, or of a column of the vocabulary itself.

    Raises
    ------
    ValueError
        If it is none.
    """
    name = ROLES.get(role, canonical(role))
    if name in BY_NAME and name not in {column.name for column in DERIVED}:
        return name
    close = difflib.get_close_matches(role, ROLES, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"use {', '.join(ROLES)}, or a column's name such as {SPEED}"
    raise ValueError(f"{role!r} is nothing that a column can be; {hint}")


def name_columns(
    names: Mapping[str, Any], maps: Iterable[Mapped], *, doubled: Mapping[str, tuple[int, int]] = _NONE
) -> dict[str, Any]:
    """Return a file's columns by the names they are read as; values are whatever the given names lead to.

    Parameters
    ----------
    names
        By name in the vocabulary's spelling, where the column is.
    maps
        What the caller says of them.
    doubled
        The indices of columns that have one name, by that name.

    Raises
    ------
    ValueError
        If a mapped column is not there, or there twice.
    """
    taken = {source for each in maps for source in each.sources}
    found = {name: place for name, place in names.items() if name not in taken}
    for each in maps:
        for key, source in zip(each.keys, each.sources, strict=True):
            if source in doubled:
                first, second = (index + 1 for index in doubled[source])
                raise ValueError(f"columns {first} and {second} are both {source!r}; rename or remove one")
            if source not in names:
                folded = {name.casefold(): name for name in names}
                close = difflib.get_close_matches(source.casefold(), folded, n=1)
                hint = f"did you mean {folded[close[0]]!r}?" if close else f"it has {', '.join(names)}"
                raise ValueError(f"has no column {source!r}, which input.columns takes for {each.target}; {hint}")
            found[key] = names[source]
    return found


def _read_entry(role: str, given: object) -> dict[str, Any]:
    """Return what is said of one column, in the form of `read_map`; ValueError names what cannot be."""
    target = find_target(role)
    table = given if isinstance(given, Mapping) else {"column": given}
    if unknown := next((key for key in table if key not in _KEYS), None):
        raise ValueError(f"{role}: unknown key {unknown!r}; it takes column, unit and, of a label, honest")
    unit, honest = table.get("unit", ""), table.get("honest", ())
    names = _read_names(role, target, table.get("column"))
    _check_unit(role, target, unit, names)
    if not isinstance(honest, list | tuple) or not all(isinstance(word, str) for word in honest):
        raise ValueError(f'{role}: honest = {honest!r}: must be a list of the values that say so, such as ["0"]')
    if honest and target not in _LABELS:
        raise ValueError(f"{role}: honest is for the labels attacker and false; leave it out")
    return {"column": names, **({"unit": unit} if unit else {}), **({"honest": list(honest)} if honest else {})}


def _read_names(role: str, target: str, named: object) -> list[str]:
    """Return the file's columns that a role is read from: one, or of a vector several."""
    names = [named] if isinstance(named, str) else list(named) if isinstance(named, list | tuple) else []
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError(f'{role} = {named!r}: must be a column of the file, in quotes, or a list such as ["vx", "vy"]')
    if len(names) > 1 and (target not in VECTORS or len(names) > _MOST):
        takes = f"takes at most {_MOST} columns" if target in VECTORS else "is one column; speed and heading take two"
        raise ValueError(f"{role} = {names}: {takes}")
    return names


def _check_unit(role: str, target: str, unit: object, names: Sequence[str]) -> None:
    """Raise ValueError if a column cannot have a unit."""
    units = UNITS.get(target, {})
    if unit and unit not in units:
        choices = f"use {', '.join(units)}" if units else "leave the unit out: this column has none"
        raise ValueError(f"{role}: unit = {unit!r}: {choices}")
    if len(names) > 1 and (target == HEADING and unit):
        raise ValueError(f"{role}: unit = {unit!r}: a vector's way has no unit; leave it out")


VEREMI_TABLE: Final = (
    ("time", ("sendTime",)),
    ("id", ("sender_id", "sender")),
    ("x", ("pos_x",)),
    ("y", ("pos_y",)),
    ("speed", ("spd_x", "spd_y")),
    ("heading", ("hed_x", "hed_y")),
    ("attacker", ("nttack", "attackerType", "attack_type", "attacker", "label")),
)
"""How tables made of VeReMi's traces name their columns; of an id and a label the first there is."""


def add_preset(
    entries: Mapping[str, Mapping[str, Any]], preset: Sequence[tuple[str, Sequence[str]]], columns: Collection[str]
) -> dict[str, Mapping[str, Any]]:
    """Return a map in the form of `read_map` with a preset's columns that a file has, where the map says nothing."""
    said = {find_target(role) for role in entries}
    entries = dict(entries)
    for role, names in preset:
        if find_target(role) in said:
            continue
        if find_target(role) in VECTORS and set(names) <= set(columns):
            entries[role] = {"column": list(names)}
        elif present := [name for name in names if name in columns]:
            entries[role] = {"column": present[:1]}
    return entries
