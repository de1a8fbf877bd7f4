"""Clean: typed messages -> the messages and columns a study is about, in its coordinates."""

from collections.abc import Collection
from typing import Any, Final, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, create_model, model_validator

from cdpipe.columns import (
    BY_NAME,
    GENERATED_AT,
    LATITUDE,
    LONGITUDE,
    POINT,
    ROW_NUMBER,
    SEC_MARK,
    VEHICLE_ID,
    X_POS,
    Y_POS,
    canonical,
)
from cdpipe.kernels.calendar import calendar_parts
from cdpipe.kernels.geodesy import to_local
from cdpipe.kernels.points import parse_point
from cdpipe.stages.arrays import null_mask, require_columns, text_cells
from cdpipe.stages.cells import type_series
from cdpipe.stages.filters import FILTERS, Filter, Messages
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.params import Params

NAME: Final = "clean"
VERSION: Final = 1
PARTS: Final = ("month", "day", "year", "hour", "minute", "second")
PM: Final = "pm"
_NOON: Final = 12
_OK: Final = 0
_MALFORMED: Final = 2
_POLE_DEG: Final = 90.0
_ANTIMERIDIAN_DEG: Final = 180.0

_FILTER_FIELDS: Final[dict[str, Any]] = {kind.name: (kind | None, None) for kind in FILTERS}

Filters = create_model(
    "Filters",
    __base__=Params,
    __doc__="Which messages stay: any combination; a message must pass all.",
    **_FILTER_FIELDS,
)


class Centre(Params):
    """A point on the WGS84 ellipsoid."""

    latitude: float = Field(ge=-90, le=90, description="degrees")
    longitude: float = Field(ge=-180, le=180, description="degrees")


class CleanParams(Params):
    """What is kept of the messages, and how positions are expressed."""

    columns: tuple[str, ...] = Field(
        (
            GENERATED_AT,
            "metadata_recordType",
            VEHICLE_ID,
            SEC_MARK,
            "coreData_accuracy_semiMajor",
            "coreData_elevation",
            "coreData_accelset_accelYaw",
            "coreData_speed",
            "coreData_heading",
        ),
        description="columns to keep; the position becomes x_pos and y_pos",
    )
    required: tuple[str, ...] = Field(
        (GENERATED_AT, VEHICLE_ID, "coreData_elevation", "coreData_speed", "coreData_heading"),
        description="a row with a null in one of these is dropped; the position is always required",
    )
    position: Literal["auto", "columns", "point"] = Field(
        "auto",
        description="where it comes from: the lat/long columns, POINT text, or (auto) the first of these there is",
    )
    timestamp_parts: bool = Field(True, description="add month, day, year, hour, minute, second and pm")
    coordinates: Literal["geographic", "local"] = Field(
        "geographic", description="degrees, or metres east and north of the centre"
    )
    centre: Centre | None = Field(None, description="centre of local coordinates and of the override attacks")
    filters: Filters = Field(default_factory=Filters, description="which messages stay")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.coordinates == "local" and self.centre is None:
            raise ValueError("local coordinates need a centre: set clean.centre = {latitude = …, longitude = …}")
        return self

    @property
    def active_filters(self) -> tuple[Filter, ...]:
        """The filters that are set, in the order in which they are applied."""
        found = (getattr(self.filters, kind.name) for kind in FILTERS)
        return tuple(each for each in found if each is not None)

    @property
    def kept(self) -> tuple[str, ...]:
        """The columns to keep, in the vocabulary's spelling, each once."""
        return tuple(dict.fromkeys(canonical(name) for name in self.columns))

    @property
    def must(self) -> tuple[str, ...]:
        """The columns in which a null drops the row."""
        needs_time = self.timestamp_parts or any(each.uses_time for each in self.active_filters)
        extra = (GENERATED_AT,) if needs_time else ()
        return tuple(dict.fromkeys((*(canonical(name) for name in self.required), *extra)))

    def inputs(self, available: Collection[str]) -> tuple[str, ...]:
        """Return the source columns this stage reads, given those there are.

        Raises
        ------
        KeyError
            If none of the columns that hold a position is there.
        """
        return tuple(dict.fromkeys((*self.kept, *self.must, *self.position_columns(available))))

    def position_columns(self, available: Collection[str]) -> tuple[str, ...]:
        """Return the columns that the position is taken from, given those there are; errors as for `inputs`."""
        both = {"columns": ((LATITUDE, LONGITUDE),), "point": ((POINT,),)}
        choices = both.get(self.position, ((LATITUDE, LONGITUDE), (POINT,)))
        for choice in choices:
            if set(choice) <= set(available):
                return choice
        needed = ", or ".join(" and ".join(choice) for choice in choices)
        raise KeyError(f"cleaning needs a position, {needed}; there are {', '.join(map(str, available))}")


class _Tally:
    """Which rows are still in, and for which reason the others went."""

    def __init__(self, rows: int) -> None:
        self.keep = np.ones(rows, np.bool_)
        self.dropped: dict[str, int] = {}

    def drop(self, reason: str, gone: NDArray[np.bool_]) -> None:
        count = int(np.count_nonzero(self.keep & gone))
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count
            self.keep &= ~gone


def apply(frame: pd.DataFrame, params: CleanParams, facts: None = None) -> tuple[pd.DataFrame, Ledger]:
    """Clean one partition.

    Parameters
    ----------
    frame
        Messages, shape (n, …), with `row_number`, the columns kept and required, and a position:
        `coreData_position_lat` and `coreData_position_long` (degrees) or `coreData_position` (`POINT (lon lat)`).
        Timestamps may be text.
    params
        What to keep.
    facts
        None: cleaning needs to know nothing of the other partitions.

    Returns
    -------
    frame
        New frame of the rows kept: `row_number`, the kept columns, `x_pos`, `y_pos` (degrees, or metres east and north
        of the centre), and the timestamp's parts. The input is not changed.
    ledger
        Rows dropped, by reason.

    Raises
    ------
    KeyError
        If a column is missing; the error names it and those there are.
    """
    del facts
    frame = frame.rename(columns=canonical)
    inputs = params.inputs(tuple(frame.columns))
    require_columns(frame, (ROW_NUMBER, *inputs), stage=NAME)
    tally = _Tally(len(frame))
    columns = {name: _typed(frame, name, tally) for name in inputs}
    for name in params.must:
        tally.drop(f"null in {name}", null_mask(columns[name]))
    point = params.position_columns(tuple(frame.columns)) == (POINT,)
    lon, lat = _positions(columns, point=point, tally=tally)
    _filter(columns, lon, lat, params, tally)

    rows = np.flatnonzero(tally.keep)
    every = rows.size == len(frame)
    # Whole columns go on as Series: pandas copies them when either frame is written to, and not before.
    take = {name: columns[name] if every else columns[name].take(rows).array for name in params.kept}
    x_pos, y_pos = (lon.copy(), lat.copy()) if every else (lon[rows], lat[rows])
    if params.coordinates == "local" and params.centre is not None:
        x_pos, y_pos = to_local(x_pos, y_pos, lon0=params.centre.longitude, lat0=params.centre.latitude)
    data = {ROW_NUMBER: frame[ROW_NUMBER].to_numpy(np.int64)[rows], **take}
    data |= {X_POS: x_pos, Y_POS: y_pos}
    if params.timestamp_parts:
        data |= _parts(columns[GENERATED_AT].to_numpy()[rows])
    return pd.DataFrame(data, copy=False), Ledger(NAME, len(frame), rows.size, tally.dropped)


def _typed(frame: pd.DataFrame, name: str, tally: _Tally) -> "pd.Series[Any]":
    series = frame[name]
    column = BY_NAME.get(name)
    if column is None or series.dtype == column.dtype:
        return series.reset_index(drop=True)
    typed = type_series(column, series.reset_index(drop=True))
    tally.drop(f"{name}: {typed.problem}", typed.bad)
    return typed.series


def _positions(
    columns: dict[str, "pd.Series[Any]"], *, point: bool, tally: _Tally
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if point:
        lon, lat, status = parse_point(*text_cells(columns[POINT]))
        tally.drop(f"{POINT}: not POINT (lon lat)", status == _MALFORMED)
        nowhere = (status != _OK) | _is_unavailable(LONGITUDE, lon) | _is_unavailable(LATITUDE, lat)
        lon[nowhere], lat[nowhere] = np.nan, np.nan
    else:
        lon, lat = (np.asarray(columns[name], np.float64) for name in (LONGITUDE, LATITUDE))
    nowhere = np.isnan(lon) | np.isnan(lat)
    tally.drop("no position", nowhere)
    tally.drop("position out of range", ~nowhere & ~((np.abs(lat) <= _POLE_DEG) & (np.abs(lon) <= _ANTIMERIDIAN_DEG)))
    return lon, lat


def _is_unavailable(name: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.isin(values, BY_NAME[name].unavailable)


def _filter(
    columns: dict[str, "pd.Series[Any]"],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    params: CleanParams,
    tally: _Tally,
) -> None:
    for each in params.active_filters:
        time_us = columns[GENERATED_AT].to_numpy().view(np.int64) if each.uses_time else np.empty(0, np.int64)
        tally.drop(each.reason, ~each.keeps(Messages(lon, lat, time_us)))


def _parts(times: NDArray[np.datetime64]) -> dict[str, NDArray[np.int32]]:
    parts = dict(zip(PARTS, calendar_parts(times.view(np.int64)), strict=True))
    return {**parts, PM: (parts["hour"] >= _NOON).astype(np.int32)}
