"""Reference results: by NumPy alone, from the raw Parquet file; rows are told apart by columns nobody changes."""

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks._peers import stages as s

SIGNS: Final = {"coreData_heading": 1e4, "coreData_speed": 1e2, "coreData_elevation": 1e1}
"""With the vehicle these tell a message apart; the factors make whole numbers of what the files hold."""

_STEPS: Final = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_Floats = NDArray[np.float64]


class Messages(NamedTuple):
    """Messages in the order of their keys; shape (n,) each.

    Attributes
    ----------
    key
        A hash of vehicle, heading, speed and elevation.
    vehicle
        The id as a number.
    x, y
        Position.
    attacker
        The label, where there is one.
    """

    key: NDArray[np.uint64]
    vehicle: NDArray[np.uint32]
    x: _Floats
    y: _Floats
    attacker: NDArray[np.bool_] | None = None

    def take(self, rows: NDArray[Any]) -> "Messages":
        """Return some of them."""
        return Messages(*(None if column is None else column[rows] for column in self))


def read_messages(parquet: Path) -> Messages:
    """Return what cleaning must leave: the rows without a null, with the position of the numeric columns.

    Raises
    ------
    ValueError
        If two rows have the same key, so that rows could be taken for each other.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(parquet, columns=[*s.POSITION, s.ID, *SIGNS]).drop_null()
    table = table.rename_columns(["y_pos", "x_pos", *table.column_names[2:]])
    found = order_messages(table)
    if np.any(found.key[1:] == found.key[:-1]):
        raise ValueError(f"{parquet}: two rows agree in {', '.join(SIGNS)} and vehicle; use another number of rows")
    return found


def order_messages(table: Any) -> Messages:
    """Bring a result of any implementation (`pyarrow.Table`) into the order of keys."""
    key, order = sort_rows(table)
    x, y = (table[name].to_numpy()[order] for name in ("x_pos", "y_pos"))
    label = table[s.LABEL].to_numpy()[order].astype(np.bool_) if s.LABEL in table.column_names else None
    return Messages(key, _numbers(table[s.ID])[order], x, y, label)


def sort_rows(table: Any) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Return the keys of a result in their order, and where in it each row stands."""
    # Mixed before the first number joins it: an id and a heading of few bits would make up for each other.
    key = _mix(_numbers(table[s.ID]).astype(np.uint64))
    for name, factor in SIGNS.items():
        whole = np.rint(table[name].to_numpy() * factor).astype(np.int64)
        key = _mix(key ^ whole.view(np.uint64))
    order = np.argsort(key)
    return key[order], order


def read_ids(column: Any) -> NDArray[np.uint32]:
    """Return the ids of a `pyarrow.ChunkedArray` as numbers, by Python's own `int(text, 16)`."""
    return _numbers(column)


def distance_m(x1: _Floats, y1: _Floats, x2: _Floats | float, y2: _Floats | float, *, local: bool) -> _Floats:
    """Return distances in metres: in the plane, or between degrees by the haversine formula on the mean sphere."""
    if local:
        return np.hypot(x2 - x1, y2 - y1)
    lat1, lat2 = np.radians(y1), np.radians(y2)
    h = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin(np.radians(x2 - x1) / 2) ** 2
    return 2 * s.EARTH_M * np.arcsin(np.sqrt(h))


def _numbers(column: Any) -> NDArray[np.uint32]:
    import pyarrow as pa

    if pa.types.is_integer(column.type):
        return column.to_numpy().astype(np.uint32)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    coded = column.combine_chunks().dictionary_encode()
    numbers = np.array([int(text, 16) for text in coded.dictionary.to_pylist()], np.uint32)
    return numbers[coded.indices.to_numpy()]


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix bits (finaliser of SplitMix64; Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(_STEPS[0])
        values = (values ^ (values >> np.uint64(27))) * np.uint64(_STEPS[1])
    return values ^ (values >> np.uint64(31))
