"""Features: attacked messages -> the numbers a classifier learns from, and the keys that splits need."""

from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_validator

from cdpipe.columns import (
    BY_NAME,
    COARSE,
    COPY,
    GENERATED_AT,
    GIVEN_ATTACKER,
    GIVEN_FALSE,
    IS_ATTACKER,
    IS_FALSE,
    LABELS,
    PLACE,
    ROW_NUMBER,
    SIDE,
    TIME,
    VEHICLE,
    VEHICLE_ID,
    X_POS,
    Y_POS,
    canonical,
)
from cdpipe.kernels.buffers.selection import look_up
from cdpipe.kernels.sequences.history import NAMES as HISTORY
from cdpipe.kernels.text.hex_ids import parse_hex
from cdpipe.stages.frames.assembly import make_frame
from cdpipe.stages.frames.interop import (
    Cells,
    hash_vehicles,
    null_mask,
    number_plainly,
    require_columns,
    spread,
    view_labels,
)
from cdpipe.stages.history.checks import CHECKS, CheckLimits, check, claims_of
from cdpipe.stages.history.columns import COUNT, SPEED, Left, Settings, tell_columns
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.order import DISTANT, TIMELESS, Key, tell_times
from cdpipe.stages.params import Params

NAME: Final = "features"
VERSION: Final = 4
KEYS: Final = (ROW_NUMBER, COPY, VEHICLE, TIME, COARSE, PLACE, SIDE)
"""Kept beside the features, never learnt from: splits and the order of rows rest on them."""

_NO_FEATURES: Final = frozenset((*KEYS, *LABELS, GIVEN_ATTACKER, GIVEN_FALSE))
_XY_ELEVATION: Final = (VEHICLE_ID, X_POS, Y_POS, "coreData_elevation")
_PARTS: Final = ("month", "day", "year", "hour", "minute", "second", "pm")
SETS: Final[dict[str, tuple[str, ...]]] = {
    "minimal_xy_elev": _XY_ELEVATION,
    "extended_timestamps": (*_XY_ELEVATION, *_PARTS),
}


class FeatureParams(Params):
    """Which columns become features."""

    columns: Literal["minimal_xy_elev", "extended_timestamps", "all"] | tuple[str, ...] = Field(
        default=(X_POS, Y_POS, "coreData_elevation", "coreData_speed", "coreData_heading"),
        description="a named set (minimal_xy_elev, extended_timestamps, all) or a list of columns",
    )

    history: bool | tuple[str, ...] = Field(
        False,
        description="whether each message is held against those that its vehicle sent before: true for all columns "
        "of that, or some by name (docs/history.md)",
    )
    window: int = Field(10, ge=1, le=1000, description="messages over which history has means and a trend")
    gap_s: float = Field(
        60.0, gt=0, le=1e9, description="a message that comes later than this after the one before has no history"
    )
    checks: bool | tuple[str, ...] = Field(
        False, description="whether plausibility is checked, a column in [0, 1] each: true for all, or some by name"
    )
    limits: CheckLimits = Field(default_factory=CheckLimits, description="what a vehicle can do")
    coordinates: Literal["geographic", "local"] = Field(
        "geographic", description="those of x_pos and y_pos; a run takes clean.coordinates"
    )

    @field_validator("history")
    @classmethod
    def _is_history(cls, given: bool | tuple[str, ...]) -> bool | tuple[str, ...]:
        return _name_columns(given, tuple(HISTORY), what="history")

    @field_validator("checks")
    @classmethod
    def _is_check(cls, given: bool | tuple[str, ...]) -> bool | tuple[str, ...]:
        return _name_columns(given, tuple(CHECKS), what="check")

    @property
    def history_columns(self) -> tuple[str, ...]:
        """The columns of history; how many messages came before is always one of them."""
        if isinstance(self.history, bool):
            return HISTORY if self.history else ()
        return tuple(name for name in HISTORY if name in (COUNT, *self.history)) if self.history else ()

    @property
    def check_columns(self) -> tuple[str, ...]:
        """The columns of plausibility checks."""
        if isinstance(self.checks, bool):
            return tuple(CHECKS) if self.checks else ()
        return tuple(name for name in CHECKS if name in self.checks)

    @field_validator("columns")
    @classmethod
    def _not_the_label(cls, columns: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not isinstance(columns, str):
            if not columns:
                raise ValueError("at least one column is needed; name some, or a set such as minimal_xy_elev")
            for name in map(canonical, columns):
                if name in _NO_FEATURES:
                    what = "a key that splits rest on" if name in KEYS else "the label"
                    raise ValueError(f"{name} is {what}, not a feature; leave it out")
        return columns

    def chosen(self, available: tuple[str, ...]) -> tuple[str, ...]:
        """Return the feature columns, given those of the frame; `all` takes every column that can be a number."""
        if self.columns == "all":
            return tuple(name for name in available if _can_be_number(name) and name not in _NO_FEATURES)
        named = SETS[self.columns] if isinstance(self.columns, str) else tuple(map(canonical, self.columns))
        return tuple(dict.fromkeys(named))


def _name_columns(given: bool | tuple[str, ...], known: tuple[str, ...], *, what: str) -> bool | tuple[str, ...]:
    """Return columns by their full names."""
    if isinstance(given, bool):
        return given
    named = tuple(name if name in known else f"{what}_{name}" for name in given)
    for name, full in zip(given, named, strict=True):
        if full not in known:
            raise ValueError(f"{name!r} is no column of {what}; use true, or any of {', '.join(known)}")
    return named


def is_ordered(params: FeatureParams) -> bool:
    """Return True if features rest on what a vehicle sent before."""
    return bool(params.history_columns or params.check_columns)


def apply(frame: pd.DataFrame, params: FeatureParams, facts: None = None) -> tuple[pd.DataFrame, Ledger]:
    """Select the features of one partition; with history or checks, of messages in the order of `stages.order`.

    Parameters
    ----------
    frame
        Attacked messages, shape (n, …): `row_number`, `coreData_id`, `metadata_generatedAt`, `isAttacker` and the
        feature columns; `isFalse` if there is one.
    params
        Which columns become features.
    facts
        None: features need to know nothing of the other partitions.

    Returns
    -------
    frame
        The keys (`row_number`, `vehicle`, `time_us`, `time_is_coarse`, and `copy` if there), the features in the order
        asked for (ids as nullable `UInt64`, null where not hexadecimal; numbers as they were), columns of history and
        checks (float32), `isAttacker`, `isFalse`. The input is not changed.
    ledger
        Rows without a time are dropped, for nothing tells where they belong in the order that splits rest on. It notes
        ids that are not hexadecimal, and second marks that are far from their times.

    Raises
    ------
    KeyError
        If a column is missing; the error names it and those there are.
    TypeError
        If a chosen column is text that is no id.
    """
    made, ledger, _left = resume(frame, params, facts, None, None)
    return made, ledger


def resume(
    frame: pd.DataFrame, params: FeatureParams, facts: None, left: Left | None, until: Key | None
) -> tuple[pd.DataFrame, Ledger, Left | None]:
    """Select the features of one partition, as `apply` does, with the history that the one before left.

    Parameters
    ----------
    frame, params, facts
        As for `apply`.
    left
        What the piece before left of a vehicle that goes on here; None: nothing.
    until
        Where the next piece begins; None: whole vehicles are here.

    Returns
    -------
    frame, ledger
        As of `apply`.
    left
        For the next piece.
    """
    del facts
    frame = number_plainly(frame)
    rows_in, dropped = len(frame), {}
    chosen = params.chosen(tuple(map(str, frame.columns)))
    require_columns(frame, (ROW_NUMBER, *chosen, IS_ATTACKER, VEHICLE_ID, GENERATED_AT), stage=NAME)
    timeless = null_mask(frame[GENERATED_AT])
    if timeless.any():
        dropped[TIMELESS] = int(np.count_nonzero(timeless))
        frame = number_plainly(frame[~timeless])
    codes, ids = view_labels(frame[VEHICLE_ID])
    codes = codes.astype(np.int32, copy=False)  # as look-ups take them: else each would convert them
    notes: dict[str, int] = {}
    data: dict[str, object] = {
        ROW_NUMBER: _number(frame[ROW_NUMBER]).astype(np.int64),
        **({COPY: frame[COPY]} if COPY in frame.columns else {}),
        **_tell_keys(frame, ids, codes, notes),
        **{name: frame[name] for name in (PLACE, SIDE) if name in frame.columns},
    }
    for name in chosen:
        data[name] = _hex_ids(ids, codes, notes) if name == VEHICLE_ID else _number(frame[name])
    if is_ordered(params):
        history, left = _tell_history(frame, params, left, until)
        data |= history
    for name in (IS_ATTACKER, *((IS_FALSE,) if IS_FALSE in frame.columns else ())):
        data[name] = _number(frame[name]).astype(np.int8)
    return make_frame(data, len(frame)), Ledger(NAME, rows_in, len(frame), dropped, notes), left


def _tell_history(
    frame: pd.DataFrame, params: FeatureParams, left: Left | None, until: Key | None
) -> tuple[dict[str, object], Left | None]:
    """Return the columns of history and checks, and what the next piece of a vehicle goes on from."""
    settings = Settings(params.window, params.gap_s, params.coordinates == "geographic")
    told, left = tell_columns(frame, settings, left=left, until=until)
    columns: dict[str, object] = {name: told[HISTORY.index(name)] for name in params.history_columns}
    if params.check_columns:
        speed = frame[SPEED].to_numpy(np.float64, na_value=np.nan)
        claims = claims_of(speed, frame[COARSE].to_numpy() != 0, told, window=params.window)
        columns |= check(claims, params.limits, params.check_columns)
    return columns, left


def _tell_keys(frame: pd.DataFrame, ids: Cells, codes: NDArray[np.int32], notes: dict[str, int]) -> dict[str, object]:
    """Return vehicle, time and whether that is coarse: those of the order of messages, where they are in it."""
    if {VEHICLE, TIME, COARSE} <= set(frame.columns):
        return {name: frame[name] for name in (VEHICLE, TIME, COARSE)}
    times = tell_times(frame)
    if times.distant:
        notes[DISTANT] = times.distant
    return {VEHICLE: look_up(hash_vehicles(ids), codes), TIME: times.time_us, COARSE: times.coarse}


def _can_be_number(name: str) -> bool:
    column = BY_NAME.get(name)
    return name == VEHICLE_ID or (column is not None and column.kind not in ("text", "label", "time"))


def _number(series: "pd.Series[Any]") -> "pd.Series[Any]":
    if not pd.api.types.is_numeric_dtype(series.dtype):
        raise TypeError(
            f"column {series.name!r} is {series.dtype}, which is no feature; leave it out of features.columns"
        )
    return series


def _hex_ids(ids: Cells, codes: NDArray[np.int32], notes: dict[str, int]) -> object:
    """Read the ids, given their texts and the number of each row's."""
    values, status = parse_hex(*ids)
    null = np.zeros(codes.size, np.bool_)
    if codes.size and (status.any() or codes.min() < 0):
        null = spread(codes, status != 0, of_null=True)
        if null.any():  # a text that is not hexadecimal may be one that no row has
            notes["ids that are no hexadecimal number of 64 bits"] = int(np.count_nonzero(null))
    return pd.arrays.IntegerArray(spread(codes, values, of_null=0), null)
