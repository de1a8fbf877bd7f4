"""History columns: ordered messages -> what each vehicle's earlier messages make of each."""

from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import COPY, TIME, VEHICLE, VEHICLE_ID, X_POS, Y_POS
from cdpipe.kernels.sequences.history import NAMES, State, Track, make_states, tell_history
from cdpipe.stages.frames.interop import require_columns, view_vehicles
from cdpipe.stages.order import Key

SPEED: Final = "coreData_speed"
HEADING: Final = "coreData_heading"
INPUTS: Final = (VEHICLE, TIME, VEHICLE_ID, X_POS, Y_POS, SPEED, HEADING)
COUNT: Final = NAMES[0]

Singles = NDArray[np.float32]


class Settings(NamedTuple):
    """How history is told: see `kernels.sequences.history.tell_history`."""

    window: int
    gap_s: float
    is_geographic: bool


class Left(NamedTuple):
    """What a piece of a vehicle leaves to the next.

    Attributes
    ----------
    vehicle
        Whose it is.
    identities
        Hashes of the ids that it claimed.
    states
        The state of each.
    """

    vehicle: int
    identities: tuple[int, ...]
    states: State


class _Groups(NamedTuple):
    """Messages by vehicle and claimed id.

    Attributes
    ----------
    places
        Of all messages, group by group, each in its order; None: they stand like that.
    bounds
        Where groups begin, and where the last one ends.
    names
        (vehicle, hash of the id) of each.
    """

    places: NDArray[np.int64] | None
    bounds: NDArray[np.int64]
    names: list[tuple[int, int]]


def tell_columns(
    frame: pd.DataFrame, settings: Settings, *, left: Left | None = None, until: Key | None = None
) -> tuple[Singles, Left | None]:
    """Tell the history of ordered messages.

    Messages that claim an id which an attacker made up are a stream of their own.

    Parameters
    ----------
    frame
        Messages in the order of `stages.order`, shape (n, …), with `INPUTS`.
    settings
        Window and gap.
    left, until
        What the piece before left of a vehicle that goes on here, and where the next piece begins.

    Returns
    -------
    columns
        float32, shape (18, n): see `kernels.sequences.history.NAMES`.
    left
        For the next piece.

    Raises
    ------
    KeyError
        If a column is missing; the error names it and those there are.
    """
    require_columns(frame, INPUTS, stage="features")
    groups = _group(frame)
    columns = [frame[TIME].to_numpy(np.int64)]
    columns += [frame[name].to_numpy(np.float64, na_value=np.nan) for name in (X_POS, Y_POS, SPEED, HEADING)]
    if groups.places is not None:
        columns = [column[groups.places] for column in columns]
    table, place, slots = _find_states(groups, settings, left, until)
    told = tell_history(Track(groups.bounds, *columns), states=table, place=place, **settings._asdict())
    if groups.places is not None:
        ordered, told = told, np.empty_like(told)
        told[:, groups.places] = ordered
    return told, None if until is None else _leave(until.vehicle, slots, table)


def _group(frame: pd.DataFrame) -> _Groups:
    vehicle = identity = frame[VEHICLE].to_numpy(np.uint64)
    places = None
    if COPY in frame.columns:
        codes, hashes = view_vehicles(frame[VEHICLE_ID])
        run = np.cumsum(np.concatenate(([False], vehicle[1:] != vehicle[:-1]))[: len(frame)])
        places = np.lexsort((hashes[codes], run))
        vehicle, identity = vehicle[places], hashes[codes][places]
    differs = (vehicle[1:] != vehicle[:-1]) | (identity[1:] != identity[:-1])
    starts = np.flatnonzero(np.concatenate(([True], differs))[: len(frame)])
    names = list(zip(vehicle[starts].tolist(), identity[starts].tolist(), strict=True))
    return _Groups(places, np.append(starts, len(frame)), names)


def _find_states(
    groups: _Groups, settings: Settings, left: Left | None, until: Key | None
) -> tuple[State, NDArray[np.int64], dict[tuple[int, int], int]]:
    """Return the states that groups go on from or leave, which is each group's (-1: none), and whose each is."""
    slots: dict[tuple[int, int], int] = {}
    if left is not None:
        slots = {(left.vehicle, identity): slot for slot, identity in enumerate(left.identities)}
    ends = None if until is None else until.vehicle
    for name in groups.names:
        if name[0] == ends:
            slots.setdefault(name, len(slots))
    table = make_states(len(slots), window=settings.window)
    for given, into in zip(left.states if left is not None else (), table, strict=False):
        into[: len(given)] = given
    place = np.array([slots.get(name, -1) for name in groups.names], np.int64)
    return table, place, slots


def _leave(vehicle: int, slots: dict[tuple[int, int], int], table: State) -> Left | None:
    mine = {identity: slot for (whose, identity), slot in slots.items() if whose == vehicle}
    kept = np.array([*mine.values()], np.int64)
    return Left(vehicle, tuple(mine), State(table.clock[kept], table[1][kept])) if mine else None
