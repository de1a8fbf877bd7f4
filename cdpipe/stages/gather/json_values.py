"""Values of ODE JSON records, as Python objects -> typed columns, and which of them could not be read."""

import re
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from cdpipe.columns import Column, Kind

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_EXACT_FLOAT: Final = 2**53
_INT64: Final = 2**63


class TypedValues(NamedTuple):
    """A typed column of shape (n,), and by index of each value that could not be read, and is null: that value."""

    series: "pd.Series[Any]"
    unread: dict[int, object]


def type_values(column: Column, taken: list[Any], rows: int) -> TypedValues:
    """Type the values of a column, one for each row, none if ODE JSON has no such column; the list is taken over."""
    dtype = "str" if column.kind in ("time", "label") else column.dtype
    if not column.ode_path:
        return TypedValues(pd.Series([None] * rows, dtype=dtype), {})
    plain, convert, _ = _READERS[column.kind]
    unread: dict[int, object] = {}
    if not plain.issuperset(map(type, taken)) or _needs_a_look(column.kind, taken):
        for index, value in enumerate(taken):
            if value is not None:
                try:
                    taken[index] = convert(value)
                except ValueError:
                    taken[index] = None
                    unread[index] = value
    if column.kind == "float":
        return TypedValues(pd.Series(np.array(taken, np.float64), copy=False), unread)
    return TypedValues(pd.Series(taken, dtype=dtype), unread)


def name_problem(column: Column) -> str:
    """Return what is wrong with values of a column that cannot be read."""
    return _READERS[column.kind][2]


def _needs_a_look(kind: Kind, taken: Sequence[Any]) -> bool:
    """Say whether values of a column's plain types may still be unfit: integers too large, text that is blank."""
    if kind == "float":
        return False
    if kind == "integer":
        return max((value for value in taken if value is not None), default=0) >= _INT64
    return any(value is not None and (not value or value.isspace()) for value in taken)


def to_float(value: object) -> float | None:
    """Read a number, which may be text, None if that is blank; ValueError if it is none."""
    if isinstance(value, str):
        if not value.strip():
            return None
        if not _NUMBER.fullmatch(value.strip()) or not np.isfinite(float(value)):
            raise ValueError
        return float(value)
    if isinstance(value, bool) or not isinstance(value, float | int):
        raise ValueError  # noqa: TRY004 (the caller turns it into a reject)
    return float(value)


def _to_integer(value: object) -> int | None:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value)
    elif not isinstance(value, int) or isinstance(value, bool):
        number = to_float(value)
        if number is None:
            return None
        if not number.is_integer() or abs(number) > _EXACT_FLOAT:
            raise ValueError
        value = int(number)
    if not -_INT64 <= value < _INT64:
        raise ValueError
    return value


def _to_text(value: object) -> str | None:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 (the caller turns it into a reject)
    return None if not value or value.isspace() else value


def _to_time(value: object) -> str | None:
    """Keep a time as text; numbers are epoch milliseconds, which a later step reads."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        return str(value)
    return _to_text(value)


_Reader = tuple[frozenset[type], Callable[[object], object], str]
_READERS: Final[dict[Kind, _Reader]] = {
    "float": (frozenset((float, int, NoneType)), to_float, "not a number"),
    "integer": (frozenset((int, NoneType)), _to_integer, "not an integer"),
    "text": (frozenset((str, NoneType)), _to_text, "not text"),
    "label": (frozenset((str, NoneType)), _to_text, "not text"),
    "time": (frozenset((str, NoneType)), _to_time, "not a time"),
}
