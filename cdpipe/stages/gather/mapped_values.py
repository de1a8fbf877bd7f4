"""Mapped columns: what a file holds under other names, in other units or as vectors -> the vocabulary's columns."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from cdpipe.columns import BY_NAME, VEHICLE_ID, Column
from cdpipe.stages.frames.conversion import Origin, Typed
from cdpipe.stages.frames.interop import spread
from cdpipe.stages.gather.column_map import FROM_EAST, HEADING, TICKS_US, UNITS, Mapped

_NAT: Final = np.iinfo(np.int64).min
_FIRST_US: Final = -62_135_596_800_000_000
_LAST_US: Final = 253_402_300_799_999_999
"""Bounds of the calendar, the years 1 and 9999."""

_HONEST: Final = frozenset(("false", "no", "honest", "benign", "genuine", "normal", "legitimate", "regular"))
_ATTACK: Final = frozenset(
    ("true", "yes", "attack", "attacker", "malicious", "misbehaving", "misbehavior", "misbehaviour", "anomaly")
)
_KIND: Final = re.compile(r"a(\d{1,4})", re.ASCII)
_NO_NUMBER: Final = "not a number"
_LABEL_PROBLEM: Final = "no label: neither a number nor a word such as benign; list what is honest in labels.honest"
_LARGEST: Final = 2.0**53
_LEAST_MS: Final = 1e10
"""A number of milliseconds since 1970 has 11 to 13 digits; one of seconds has 10 at most."""


def raw_columns(name: str, mapped: Mapped | None, column: Column) -> dict[str, Column]:
    """Return what is read of a file for a column of the vocabulary, by key: itself, or what it is made of."""
    if mapped is None or mapped.is_renamed_only:
        return {name: column}
    return {key: Column(key, mapped.raw_kind, "", "a mapped column") for key in mapped.keys}


def make_columns(
    raw: Mapping[str, Mapping[str, Column]], typed: Mapping[str, Typed], maps: Iterable[Mapped]
) -> dict[str, Typed]:
    """Make the columns of the vocabulary of what was read of a file.

    Parameters
    ----------
    raw
        By column, what it is made of, by key: see `Convention.raw_columns`.
    typed
        By key, what was read, shape (n,) each.
    maps
        The file's columns of other names.
    """
    mapped = find_mapped(maps)
    return {
        name: make_column(mapped[name], [typed[key] for key in keys]) if name in mapped else typed[name]
        for name, keys in raw.items()
    }


def make_column(mapped: Mapped, parts: Sequence[Typed]) -> Typed:
    """Make a column of the vocabulary of what was read for it, each part shape (n,).

    Headings are degrees clockwise from north, from 0 to below 360; that of a vector of no length is null. Times are
    rounded to microseconds. Numbers have none of J2735's codes and limits.
    """
    if mapped.is_renamed_only:
        return parts[0]._replace(origins=(Origin(mapped.sources[0], parts[0].bad, parts[0].problem),))
    if mapped.raw_kind == "label":
        return _read_labels(mapped, parts[0])
    values = [np.ascontiguousarray(part.series.to_numpy(np.float64, na_value=np.nan)) for part in parts]
    with np.errstate(over="ignore"):
        data = _convert(mapped, values)
    if BY_NAME[mapped.target].kind == "time":
        return _count_time(mapped, data, parts[0])
    beyond = np.isinf(data)
    data[beyond] = np.nan
    named = zip(mapped.sources, parts, strict=True)
    origins = tuple(Origin(name, part.bad | beyond, part.problem or _NO_NUMBER) for name, part in named)
    return Typed(data, np.logical_or.reduce([each.bad for each in origins]), _NO_NUMBER, origins=origins)


def _convert(mapped: Mapped, values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return numbers or vectors in the unit of the vocabulary, times in microseconds."""
    factor = UNITS[mapped.target].get(mapped.unit, 1.0)
    if mapped.target == HEADING:
        return _point(values) if len(values) > 1 else _turn(values[0] * factor, from_east=FROM_EAST in mapped.unit)
    return (_measure(values) if len(values) > 1 else values[0]) * factor


def _measure(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the lengths of vectors."""
    length = np.hypot(values[0], values[1])
    return length if len(values) == 2 else np.hypot(length, values[2])


def _point(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return which way vectors (east, north) point."""
    east, north = values[0], values[1]
    way = np.degrees(np.arctan2(east, north))
    way[(east == 0) & (north == 0)] = np.nan
    return _wrap(way)


def _turn(heading_deg: NDArray[np.float64], *, from_east: bool) -> NDArray[np.float64]:
    return _wrap(90 - heading_deg if from_east else heading_deg)


def _wrap(heading_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    wrapped = np.mod(heading_deg, 360.0)
    wrapped[wrapped == 360.0] = 0.0  # as the nearest number to an angle just below north
    return wrapped


def _count_time(mapped: Mapped, ticks_us: NDArray[np.float64], part: Typed) -> Typed:
    beyond = ~np.isnan(ticks_us) & ~((ticks_us >= _FIRST_US) & (ticks_us <= _LAST_US))
    null = np.isnan(ticks_us) | beyond
    us = np.where(null, 0, np.rint(ticks_us)).astype(np.int64)
    us[null] = _NAT
    bad = part.bad | beyond
    problem = f"not a time in {mapped.unit} since 1970"
    return Typed(us.view("M8[us]"), bad, problem, origins=(Origin(mapped.sources[0], bad, problem),))


def _read_labels(mapped: Mapped, part: Typed) -> Typed:
    """Read each distinct text once; part is a column of labels."""
    series = part.series.astype("category")
    codes = series.cat.codes.to_numpy()
    found = [_judge(str(text), mapped.honest) for text in series.cat.categories]
    unfit = np.array([each is None for each in found], np.bool_)
    values = np.array([each or 0 for each in found], np.int64)
    bad = part.bad.copy()
    null = np.ones(codes.size, np.bool_)
    whole = np.zeros(codes.size, np.int64)
    if values.size:
        bad |= spread(codes.astype(np.int32), unfit, of_null=False)
        whole = spread(codes.astype(np.int32), values, of_null=0)
        null = (codes < 0) | bad
    return Typed(
        pd.arrays.IntegerArray(whole, null),
        bad,
        _LABEL_PROBLEM,
        origins=(Origin(mapped.sources[0], bad, _LABEL_PROBLEM),),
    )


def _judge(text: str, honest: Sequence[str]) -> int | None:
    """Return 0 for a label that says "no attack", a positive number for an attack's, None for no label.

    With a list of honest values, every other text is an attack's.
    """
    word = text.strip().casefold()
    number = _number(word)
    if honest:
        is_honest = any(word == each.strip().casefold() or _equals(number, each) for each in honest)
        return 0 if is_honest else _name_kind(number)
    if number is not None:
        return 0 if number == 0 else _name_kind(number)
    if word in _HONEST:
        return 0
    if kind := _KIND.fullmatch(word):
        return int(kind[1])
    return 1 if word in _ATTACK else None


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if abs(number) < _LARGEST else None


def _equals(number: float | None, text: str) -> bool:
    return number is not None and number == _number(text.strip().casefold())


def _name_kind(number: float | None) -> int:
    """Return the number of a kind of attack, 1 where it has none."""
    return int(number) if number is not None and number.is_integer() and number > 0 else 1


def spell_numbers(values: pa.ChunkedArray, mapped: Mapped) -> pa.ChunkedArray:
    """Return mapped ids or labels that a Parquet file holds as numbers or truths as text; other columns as they are."""
    kind = values.type
    is_it = mapped.target == VEHICLE_ID or mapped.raw_kind == "label"
    is_number = pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_floating(kind)
    return values.cast(pa.large_string()) if is_it and is_number else values


def settle_time(values: Iterable[object], mapped: Mapped) -> Mapped:
    """Return a mapped time with its unit: seconds, if most of its first values are numbers too small for milliseconds.

    Parameters
    ----------
    values
        The first ones, as the file holds them.
    """
    numbers = [_as_number(value) for value in values if value is not None and str(value).strip()]
    seconds = sum(number is not None and abs(number) < _LEAST_MS for number in numbers)
    return mapped._replace(unit="s") if 2 * seconds > len(numbers) else mapped


def to_milliseconds(values: Iterable[object], mapped: Mapped) -> list[object]:
    """Return the first times of a mapped column as milliseconds, which tell whether they are whole seconds."""
    numbers = (_as_number(value) for value in values)
    return [None if number is None else number * TICKS_US[mapped.unit] / 1e3 for number in numbers]


def _as_number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def find_mapped(maps: Iterable[Mapped]) -> Mapping[str, Mapped]:
    """Return mapped columns by their name in the vocabulary."""
    return {each.target: each for each in maps}


def own_names(maps: Iterable[Mapped]) -> dict[str, str]:
    """Return what the file calls mapped columns, by the key under which they are read."""
    return {key: source for each in maps for key, source in zip(each.keys, each.sources, strict=True)}
