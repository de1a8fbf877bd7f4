"""Conventions: how a file writes its values, decided once from its first records or by the caller.

A decision rests on the first records in the order of the file's bytes. So it is the same however the file is cut, and a
later row cannot change it: one that contradicts it is counted.
"""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import Field, PlainValidator, field_validator

from cdpipe.columns import BY_NAME, GENERATED_AT, LATITUDE, LONGITUDE, SOURCE, Column
from cdpipe.stages.frames.time_cells import is_zone
from cdpipe.stages.gather.column_map import Mapped, read_map
from cdpipe.stages.gather.mapped_values import find_mapped, raw_columns
from cdpipe.stages.gather.veremi_records import USUAL as USUAL_MESSAGES
from cdpipe.stages.gather.veremi_records import MessageKind
from cdpipe.stages.params import Params

FIRST_RECORDS: Final = 1000
"""Records at a file's beginning that a decision rests on."""

COUNTED: Final = tuple(column.name for column in SOURCE if column.counts is not None and column.kind == "float")
"""Columns that may hold J2735's counts instead of units."""

SAMPLED: Final = (GENERATED_AT, *COUNTED)
"""Columns whose first values are looked at."""

_TELLING: Final = (LATITUDE, LONGITUDE, "coreData_elevation", "coreData_speed", "coreData_heading")
"""Columns that every message fills: what they hold says what the others do."""

_COUNTS_NEEDED: Final = 2
_LEAST_IMPOSSIBLE: Final = 2
_FRACTION: Final = re.compile(r"\d[.,]\d{0,5}[1-9]")
_NUMBER: Final = re.compile(r"\s*\d+(\.\d*)?(e\+?\d+)?\s*", re.ASCII | re.IGNORECASE)
_MS: Final = 1000


class ConventionParams(Params):
    """What a caller says of how files write their values."""

    units: Literal["auto", "si", "j2735"] = Field(
        default="auto",
        description="of positions, speeds and the like: units, J2735's whole numbers, or (auto) what each file's first "
        "records show",
    )
    second_marks: Literal["auto", "use", "ignore"] = Field(
        default="auto",
        description="whether coreData_secMark tells the milliseconds of whole-second times; auto uses it for files "
        "whose first times are all whole seconds",
    )
    time_zone: str = Field(default="UTC", description="zone of times that name none, such as America/Denver")

    columns: Annotated[dict[str, dict[str, Any]], PlainValidator(read_map)] = Field(
        default={},
        description="which columns of CSV or Parquet files of another layout mean what, such as "
        '{ time = "sendTime", id = "sender", x = "pos_x", y = "pos_y", speed = ["spd_x", "spd_y"] }; with a unit: '
        '{ speed = { column = "v", unit = "km/h" } }',
    )

    messages: tuple[MessageKind, ...] = Field(
        default=USUAL_MESSAGES,
        description="which records of VeReMi's traces are messages: received (type 3), sent (type 4, unless a trace is "
        "read beside it), own (type 2, true positions of the receiver)",
    )

    @field_validator("messages")
    @classmethod
    def _has_some(cls, kinds: tuple[MessageKind, ...]) -> tuple[MessageKind, ...]:
        if not kinds:
            raise ValueError("names no record; use any of received, sent, own")
        return kinds

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if not is_zone(name):
            raise ValueError("is no time zone; use UTC or a name such as America/Denver")
        return name


class Convention(NamedTuple):
    """How one file writes its values.

    Attributes
    ----------
    counted
        Columns that hold J2735's counts.
    whole_seconds
        Whether times of whole seconds are known to the second only, so that second marks tell the rest.
    time_zone
        Zone of times that name none.
    format
        What the file is read as, "" for a frame.
    mapped
        Columns that the file has under other names, in other units or as vectors.
    """

    counted: tuple[str, ...] = ()
    whole_seconds: bool = True
    time_zone: str = "UTC"
    format: str = ""
    mapped: tuple[Mapped, ...] = ()

    def column_of(self, name: str) -> Column:
        """Return the vocabulary's entry for a column of the file, or a text column for a name outside it."""
        column = BY_NAME.get(name, Column(name, "text", "", "a column outside the vocabulary"))
        if name in self.counted:
            return column.counted()
        return column.in_zone(self.time_zone) if column.kind == "time" else column

    def raw_columns(self, names: Sequence[str]) -> dict[str, dict[str, Column]]:
        """Return by column what is read of the file for it, by the key under which it is read."""
        mapped = find_mapped(self.mapped)
        return {name: raw_columns(name, mapped.get(name), self.column_of(name)) for name in names}

    def as_dict(self) -> dict[str, object]:
        """Return the convention as plain JSON-able values."""
        mapped = [each._asdict() for each in self.mapped]
        return {**self._asdict(), "counted": list(self.counted), "mapped": mapped}

    def describe(self) -> str:
        """Return the convention as a sentence without a stop."""
        units = f"J2735 counts in {', '.join(self.counted)}" if self.counted else "values in units"
        times = "whole seconds, refined by second marks" if self.whole_seconds else "as recorded"
        mapped = f"; {'; '.join(each.describe() for each in self.mapped)}" if self.mapped else ""
        return f"{self.format}, {units}; times {times}; without a zone {self.time_zone}{mapped}".removeprefix(", ")


USUAL: Final = Convention()
"""What frames and files without any telling record are taken to follow."""


def describe_conventions(conventions: Mapping[str, Convention]) -> list[str]:
    """Return a sentence for each of the conventions that files, given by path, follow."""
    paths: dict[Convention, list[str]] = {}
    for path, convention in conventions.items():
        paths.setdefault(convention, []).append(path)
    return [
        f"{first}{f' and {len(others)} more' if others else ''}: {convention.describe()}"
        for convention, (first, *others) in paths.items()
    ]


def decide(
    first: Mapping[str, Sequence[object]], params: ConventionParams, *, read: Sequence[str], format_: str = ""
) -> Convention:
    """Decide how a file writes its values.

    Parameters
    ----------
    first
        Values of the first records as the file holds them, by column of `SAMPLED`; a column the file lacks is absent.
    params
        What the caller says.
    read
        Columns that will be read.
    format_
        What the file is read as.

    Raises
    ------
    ValueError
        If a telling column that will be read holds mostly impossible values; the caller adds the file's name.
    """
    numbers = {name: _numbers(BY_NAME[name], first[name]) for name in COUNTED if name in first}
    counted = _find_counted(numbers, params.units)
    for name in _TELLING:
        if name in read and name in numbers:
            column = BY_NAME[name]
            _refuse_impossible(column.counted() if name in counted else column, numbers[name])
    whole = params.second_marks == "use" or (
        params.second_marks == "auto" and not any(map(_has_fraction, first.get(GENERATED_AT, ())))
    )
    return Convention(counted, whole, params.time_zone, format_)


def _find_counted(numbers: Mapping[str, Sequence[float]], units: str) -> tuple[str, ...]:
    """Return the columns that hold counts: whole numbers, where two telling columns cannot be in units."""
    can_be = [name for name, values in numbers.items() if _can_be_counts(BY_NAME[name], values)]
    if units == "si":
        return ()
    surely = [name for name in _TELLING if name in can_be and _cannot_be_units(BY_NAME[name], numbers[name])]
    return tuple(can_be) if units == "j2735" or len(surely) >= _COUNTS_NEEDED else ()


def _can_be_counts(column: Column, values: Sequence[float]) -> bool:
    counts = column.counts
    return counts is not None and all(
        value.is_integer() and counts.least <= value <= counts.greatest for value in values
    )


def _cannot_be_units(column: Column, values: Sequence[float]) -> bool:
    """Return True if most values are beyond what a message can say in units."""
    counts = column.counts
    if counts is None:
        return False
    least, greatest = counts.least / counts.per_unit, counts.greatest / counts.per_unit
    beyond = sum(not least <= value <= greatest for value in values)
    return 2 * beyond > len(values)


def _refuse_impossible(column: Column, values: Sequence[float]) -> None:
    lower, upper = column.limits
    impossible = [value for value in values if not lower < value < upper]
    if len(impossible) < _LEAST_IMPOSSIBLE or 2 * len(impossible) <= len(values):
        return
    unit = f"counts of 1/{column.divisor} {column.unit}" if column.is_counted else column.unit
    raise ValueError(
        f"column {column.name!r}: {len(impossible)} of its first {len(values)} values cannot be {unit}, such as "
        f"{impossible[0]:g}, which is not between {lower:g} and {upper:g}; set input.units to si or j2735 if the file "
        "uses the other, else leave the column out"
    )


def _numbers(column: Column, values: Sequence[object]) -> list[float]:
    """Return the numbers among a column's values, without codes."""
    found = []
    for value in values:
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        if isfinite(number) and number not in column.unavailable:
            found.append(number)
    return found


def _has_fraction(value: object) -> bool:
    """Return True if a time says more than the whole second."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return _FRACTION.search(value) is not None
    try:
        return float(value) % _MS != 0 if isfinite(float(value)) else False  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
