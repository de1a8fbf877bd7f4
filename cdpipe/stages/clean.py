"""Clean: typed messages -> the messages and columns a study is about, in its coordinates."""

from collections.abc import Collection
from typing import Any, Final, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, create_model, model_validator

from cdpipe.columns import (
    BY_NAME,
    COARSE,
    GENERATED_AT,
    LATITUDE,
    LONGITUDE,
    PLACE,
    POINT,
    POSITION_X,
    POSITION_Y,
    REQUIRED,
    ROW_NUMBER,
    SEC_MARK,
    VEHICLE_ID,
    X_POS,
    Y_POS,
    canonical,
)
from cdpipe.kernels.geodesy import to_local
from cdpipe.kernels.geodesy.positions import NOWHERE, OFF_GLOBE, judge_positions
from cdpipe.kernels.text.calendar import calendar_parts
from cdpipe.kernels.text.wkt_points import parse_point
from cdpipe.stages.filters import FILTERS, Filter, Messages, Region
from cdpipe.stages.frames.assembly import make_frame
from cdpipe.stages.frames.interop import name_canonically, null_mask, require_columns, text_cells
from cdpipe.stages.frames.remaining_rows import Rows
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.params import Params

NAME: Final = "clean"
VERSION: Final = 3
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
        default=(
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
        default=REQUIRED,
        description="a row with a null in one of these is dropped; the position is always required",
    )
    position: Literal["auto", "columns", "point", "cleaned", "metres"] = Field(
        default="auto",
        description="where it comes from: the lat/long columns, POINT text, or (auto) the first of these there is; "
        "or the x_pos and y_pos of messages cleaned before, in degrees; or metres in the input's own plane",
    )
    timestamp_parts: bool = Field(default=True, description="add month, day, year, hour, minute, second and pm")
    coordinates: Literal["geographic", "local"] = Field(
        default="geographic", description="degrees, or metres east and north of the centre"
    )
    centre: Centre | None = Field(default=None, description="centre of local coordinates and of the override attacks")
    filters: Filters = Field(default_factory=Filters, description="which messages stay")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.position == "metres":
            self._refuse_degrees()
        elif self.coordinates == "local" and self.centre is None:
            raise ValueError("local coordinates need a centre: set clean.centre = {latitude = …, longitude = …}")
        return self

    def _refuse_degrees(self) -> None:
        """Refuse what only degrees can have, where positions are metres."""
        if self.coordinates != "local":
            raise ValueError('positions in metres are local coordinates: set clean.coordinates = "local"')
        if self.centre is not None:
            raise ValueError("positions in metres have their own plane, whose origin is the centre; leave centre out")
        named = next((each.name for each in self.active_filters if not each.uses_time), None)
        if named is not None:
            raise ValueError(f"filters.{named} is in degrees, and the positions are metres; leave it out")

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
        known["metres"] = ((POSITION_Y, POSITION_X),)
        choices = known[self.position]
        for choice in choices:
            if set(choice) <= set(available):
                return choice
        needed = ", or ".join(" and ".join(choice) for choice in choices)
        raise KeyError(f"cleaning needs a position, {needed}; there are {', '.join(map(str, available))}")


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
        `params.position` says so, `x_pos` and `y_pos` of messages cleaned before (degrees) or `position_x` and
        `position_y` (metres). Timestamps may be text.
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
    available = tuple(frame.columns)
    inputs = params.inputs(available)
    require_columns(frame, (ROW_NUMBER, *inputs), stage=NAME)
    carried = (ROW_NUMBER, COARSE) if COARSE in available else (ROW_NUMBER,)
    rows = Rows(frame, (*carried, *inputs), cleaned=params.position == "cleaned")
    where = params.position_columns(available)
    _locate(rows, where)
    _filter(rows, params, where)
    rows.narrow((*carried, *params.kept, *params.must, X_POS, Y_POS))
    for name in dict.fromkeys((*params.kept, *params.must)):
        rows.type(name)
    for name in params.must:
        rows.drop(f"null in {name}", null_mask(rows.typed(name)))
    time = (GENERATED_AT,) if params.timestamp_parts else ()
    rows.narrow((*carried, *params.kept, *time, X_POS, Y_POS))
    return _assemble(rows, params, carried), Ledger(NAME, len(frame), len(rows), rows.dropped, rows.notes)


def _locate(rows: Rows, where: tuple[str, ...]) -> None:
    """Read positions, degrees, as the columns x_pos and y_pos, and drop messages whose position cannot be read."""
    if where == (POINT,):
        lon, lat, status = parse_point(*text_cells(rows.raw(POINT)))
        rows.drop(f"{POINT}: not POINT (lon lat)", status == _MALFORMED)
        rows.add(X_POS, lon)
        rows.add(Y_POS, lat)
    else:
        for name, position in zip(where, (Y_POS, X_POS), strict=True):
            rows.add(position, rows.typed(name))


def _filter(rows: Rows, params: CleanParams, where: tuple[str, ...]) -> None:
    """Drop messages that have no position, then those that a filter does not keep.

    Filters of positions look first: a circle sees as it goes whether all are on the globe, and spares another pass.
    """
    lon, lat = rows.raw(X_POS).to_numpy(), rows.raw(Y_POS).to_numpy()
    if params.position == "metres":
        rows.drop("no position", np.isnan(lon) | np.isnan(lat))
        lon, lat = rows.raw(X_POS).to_numpy(), rows.raw(Y_POS).to_numpy()
    places = Messages(lon, lat, np.empty(0, np.int64))
    verdicts = {each.name: each.judge(places) for each in params.active_filters if not each.uses_time}
    if params.position != "metres" and not any(verdict.on_globe for verdict in verdicts.values()):
        _drop_strays(rows, lon, lat, where)
    for each in params.active_filters:
        if each.uses_time:
            times = rows.typed(GENERATED_AT).to_numpy().view(np.int64)
            verdicts[each.name] = each.judge(places._replace(time_us=times))
        rows.retain(each.reason, verdicts[each.name].stay)


def _drop_strays(rows: Rows, lon: NDArray[np.float64], lat: NDArray[np.float64], where: tuple[str, ...]) -> None:
    verdicts = judge_positions(lon, lat)
    if verdicts is None:
        return
    if where == (POINT,):  # in columns, which are typed, an "unavailable" code is null already
        verdicts[_is_unavailable(LONGITUDE, lon) | _is_unavailable(LATITUDE, lat)] = NOWHERE
    rows.drop("no position", verdicts == NOWHERE)
    rows.drop("position out of range", verdicts == OFF_GLOBE)


def _is_unavailable(name: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.isin(values, BY_NAME[name].unavailable)


def _assemble(rows: Rows, params: CleanParams, carried: tuple[str, ...]) -> pd.DataFrame:
    data = rows.take((*carried, *params.kept, X_POS, Y_POS))
    if params.coordinates == "local" and params.centre is not None:
        lon0, lat0 = params.centre.longitude, params.centre.latitude
        lon, lat = (rows.raw(name).to_numpy() for name in (X_POS, Y_POS))
        data[X_POS], data[Y_POS] = to_local(lon, lat, lon0=lon0, lat0=lat0)
    if params.filters.places is not None:  # type: ignore[attr-defined] # made of the registry
        lon, lat = (rows.raw(name).to_numpy() for name in (X_POS, Y_POS))
        data[PLACE] = params.filters.places.number(lon, lat)  # type: ignore[attr-defined]
    if params.timestamp_parts:
        data |= calendar_parts(rows.raw(GENERATED_AT).to_numpy().view(np.int64))._asdict()
    return make_frame(data, len(rows))
