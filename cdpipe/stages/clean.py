"""Clean: typed messages -> the messages and columns a study is about, in its coordinates."""

from collections.abc import Collection, Iterable
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
from cdpipe.kernels.positions import NOWHERE, OFF_GLOBE, judge_positions
from cdpipe.kernels.rows import Kept
from cdpipe.stages.arrays import keep, name_canonically, null_mask, require_columns, text_cells
from cdpipe.stages.cells import type_series
from cdpipe.stages.filters import FILTERS, Filter, Messages, Region
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.params import Params

NAME: Final = "clean"
VERSION: Final = 2
_OK: Final = 0
_MALFORMED: Final = 2

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
    position: Literal["auto", "columns", "point", "cleaned"] = Field(
        "auto",
        description="where it comes from: the lat/long columns, POINT text, or (auto) the first of these there is; "
        "or the x_pos and y_pos of messages cleaned before, in degrees",
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
        columns, point = (LATITUDE, LONGITUDE), (POINT,)
        known = {"auto": (columns, point), "columns": (columns,), "point": (point,), "cleaned": ((Y_POS, X_POS),)}
        choices = known[self.position]
        for choice in choices:
            if set(choice) <= set(available):
                return choice
        needed = ", or ".join(" and ".join(choice) for choice in choices)
        raise KeyError(f"cleaning needs a position, {needed}; there are {', '.join(map(str, available))}")


class _Rows:
    """The rows that are still in, their columns as far as they are typed, and for which reason the others went.

    A column is a Series where it is the caller's (pandas then copies it when either frame is written to, and not
    before), and an array where it is new: a frame of arrays takes pandas half the time.
    """

    def __init__(self, frame: pd.DataFrame, names: Iterable[str]) -> None:
        self._columns: dict[str, Any] = {name: frame[name] for name in names}
        self._typed: set[str] = set()
        self._rows = len(frame)
        self._stay: NDArray[np.bool_] | None = None
        self.dropped: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many rows there are, those dropped since the last `narrow` included."""
        return self._rows

    def drop(self, reason: str, gone: NDArray[np.bool_]) -> None:
        """Drop rows, shape (n,), under a reason, unless they are out already."""
        if gone.any():
            self.retain(reason, ~gone)

    def retain(self, reason: str, stay: NDArray[np.bool_]) -> None:
        """Drop the rows that are not to stay, shape (n,), under a reason, unless they are out already."""
        before = self._rows if self._stay is None else int(np.count_nonzero(self._stay))
        self._stay = stay if self._stay is None else self._stay & stay
        count = before - int(np.count_nonzero(self._stay))
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def raw(self, name: str) -> "pd.Series[Any]":
        """Return a column as it is."""
        values = self._columns[name]
        return values if isinstance(values, pd.Series) else pd.Series(values, copy=False)

    def typed(self, name: str) -> "pd.Series[Any]":
        """Return a column with the vocabulary's type, as `type` gives it."""
        self.type(name)
        return self.raw(name)

    def type(self, name: str) -> None:
        """Give a column the vocabulary's type; rows with a value that cannot be read are dropped."""
        column = BY_NAME.get(name)
        known = column is not None and column.kind != "label" and self._columns[name].dtype == column.dtype
        if name not in self._typed and column is not None and not known:  # any labels have the type: blank ones too
            typed = type_series(column, self.raw(name))
            self.drop(f"{name}: {typed.problem}", typed.bad)
            self._columns[name] = typed.series
        self._typed.add(name)

    def add(self, name: str, values: Any) -> None:  # noqa: ANN401 - an array or a Series
        """Add a column, shape (n,), as it is."""
        self._columns[name] = values

    def narrow(self, names: Iterable[str]) -> None:
        """Leave out for good the rows that are out, and all columns but these."""
        columns = {name: self._columns[name] for name in names}
        if self._stay is not None:
            kept = Kept(self._stay)
            columns = {name: keep(values, kept) for name, values in columns.items()}
            self._rows, self._stay = kept.count, None
        self._columns = columns

    def take(self, names: Iterable[str]) -> dict[str, Any]:
        """Return columns, each a Series or an array, by name."""
        return {name: self._columns[name] for name in names}


def regions(params: CleanParams, available: Collection[str]) -> tuple[tuple[str, Region], ...]:
    """Return what the filters keep, each with its reason; none where the position is not in columns of its own."""
    if params.position_columns(available) != (LATITUDE, LONGITUDE):
        return ()
    return tuple((each.reason, each.region()) for each in params.active_filters)


def apply(frame: pd.DataFrame, params: CleanParams, facts: None = None) -> tuple[pd.DataFrame, Ledger]:
    """Clean one partition.

    Positions are read first, and filters applied: of a message that is not wanted nothing else is looked at.

    Parameters
    ----------
    frame
        Messages, shape (n, …), with `row_number`, the columns kept and required, and a position:
        `coreData_position_lat` and `coreData_position_long` (degrees), `coreData_position` (`POINT (lon lat)`), or, if
        `params.position` says so, `x_pos` and `y_pos` of messages cleaned before (degrees). Timestamps may be text.
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
        Rows dropped, by reason: the first of position, filters, unreadable values, nulls.

    Raises
    ------
    KeyError
        If a column is missing; the error names it and those there are.
    """
    del facts
    frame = name_canonically(frame)
    inputs = params.inputs(tuple(frame.columns))
    require_columns(frame, (ROW_NUMBER, *inputs), stage=NAME)
    rows = _Rows(frame, (ROW_NUMBER, *inputs))
    _locate(rows, params.position_columns(tuple(frame.columns)))
    _filter(rows, params)
    rows.narrow((ROW_NUMBER, *params.kept, *params.must, X_POS, Y_POS))
    for name in dict.fromkeys((*params.kept, *params.must)):
        rows.type(name)
    for name in params.must:
        rows.drop(f"null in {name}", null_mask(rows.typed(name)))
    rows.narrow((ROW_NUMBER, *params.kept, *params.must, X_POS, Y_POS))
    return _assemble(rows, params), Ledger(NAME, len(frame), len(rows), rows.dropped)


def _locate(rows: _Rows, where: tuple[str, ...]) -> None:
    """Read positions, degrees, as the columns x_pos and y_pos, and drop messages that have none."""
    if where == (POINT,):
        lon, lat, status = parse_point(*text_cells(rows.raw(POINT)))
        rows.drop(f"{POINT}: not POINT (lon lat)", status == _MALFORMED)
        nowhere = (status != _OK) | _is_unavailable(LONGITUDE, lon) | _is_unavailable(LATITUDE, lat)
        lon[nowhere], lat[nowhere] = np.nan, np.nan
        rows.add(X_POS, lon)
        rows.add(Y_POS, lat)
    else:
        lat, lon = (rows.typed(name).to_numpy() for name in where)
        rows.add(Y_POS, rows.raw(where[0]))
        rows.add(X_POS, rows.raw(where[1]))
    verdicts = judge_positions(lon, lat)
    if verdicts is not None:
        rows.drop("no position", verdicts == NOWHERE)
        rows.drop("position out of range", verdicts == OFF_GLOBE)


def _is_unavailable(name: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.isin(values, BY_NAME[name].unavailable)


def _filter(rows: _Rows, params: CleanParams) -> None:
    lon, lat = rows.raw(X_POS).to_numpy(), rows.raw(Y_POS).to_numpy()
    for each in params.active_filters:
        times = rows.typed(GENERATED_AT).to_numpy().view(np.int64) if each.uses_time else np.empty(0, np.int64)
        rows.retain(each.reason, each.keeps(Messages(lon, lat, times)))


def _assemble(rows: _Rows, params: CleanParams) -> pd.DataFrame:
    data = rows.take((ROW_NUMBER, *params.kept, X_POS, Y_POS))
    if params.coordinates == "local" and params.centre is not None:
        lon0, lat0 = params.centre.longitude, params.centre.latitude
        lon, lat = (rows.raw(name).to_numpy() for name in (X_POS, Y_POS))
        data[X_POS], data[Y_POS] = to_local(lon, lat, lon0=lon0, lat0=lat0)
    if params.timestamp_parts:
        data |= calendar_parts(rows.raw(GENERATED_AT).to_numpy().view(np.int64))._asdict()
    return pd.DataFrame(data, copy=False)
