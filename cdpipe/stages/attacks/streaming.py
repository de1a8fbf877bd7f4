"""Sequence attacks applied: ordered messages -> ordered messages, those that attackers add among them."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import COARSE, COPY, GENERATED_AT, IS_FALSE, SEC_MARK, TIME, VEHICLE, VEHICLE_ID
from cdpipe.kernels.draws.keyed import IDENTITY, keys
from cdpipe.kernels.sequences.sorting import raise_times
from cdpipe.kernels.text.calendar import calendar_parts
from cdpipe.stages import order
from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.sequence import Added, SequenceAttack, Stream, number_within
from cdpipe.stages.frames.assembly import join_rows
from cdpipe.stages.frames.interop import take_rows
from cdpipe.stages.order import SECOND_US, Key

_MINUTE_MS = 60_000
_LEAST_DIGITS, _USUAL_DIGITS = 6, 8


class State(NamedTuple):
    """What a piece of a vehicle leaves to the next.

    Attributes
    ----------
    vehicle, first_us
        Whose it is, and when that sent its first message.
    before, before_us
        Messages as they were that the attack still looks back at, and when each was sent, as a stream has it.
    pending
        Messages added so far that belong to a later piece; None: none.
    """

    vehicle: int
    first_us: int
    before: pd.DataFrame
    before_us: NDArray[np.int64]
    pending: pd.DataFrame | None


class Attacked(NamedTuple):
    """What came of a piece.

    Attributes
    ----------
    frame
        Messages in order.
    active
        How many messages there were that an attack was to change.
    added
        How many of the messages were added.
    state
        What the next piece goes on from.
    """

    frame: pd.DataFrame
    active: int
    added: int
    state: State | None


def attack_streams(
    frame: pd.DataFrame,
    params: SequenceAttack,
    hit: NDArray[np.bool_],
    heard: Heard | None,
    *,
    state: State | None = None,
    until: Key | None = None,
) -> Attacked:
    """Attack ordered messages.

    Parameters
    ----------
    frame
        Messages in the order of `stages.order`, shape (n, …): whole vehicles, unless `state` or `until` is given.
    params
        The attack.
    hit
        Which messages are attackers', shape (n,).
    heard
        What attackers take of others.
    state, until
        What the piece before left, and where the next begins.
    """
    rows = np.flatnonzero(hit)
    own = take_rows(frame, rows)
    before = state.before if state is not None else own.iloc[:0]
    stream = _view_stream(before, own, params, state)
    claims = params.claim(stream, heard)
    active = stream.active[len(before) :]
    claimed = {name: value[len(before) :][active] for name, value in claims.claimed.items()}
    made = _replace(frame, rows[active], claimed)
    pending = state.pending if state is not None else None
    if params.adds:
        if COPY not in made.columns:
            made = made.assign(**{COPY: np.zeros(len(made), np.int64)})
        if claims.added is not None:
            new = claims.added.source >= len(before)
            made = join_rows([made, _make_added(stream, claims.added, new, params)])
        made, pending = _part(join_rows([made, pending]) if pending is not None else made, until)
        made, _ledger = order.apply(made)
    left = None if until is None else _leave(stream, params, until, frame, state, pending)
    return Attacked(made, int(np.count_nonzero(active)), len(made) - len(frame), left)


def _view_stream(before: pd.DataFrame, own: pd.DataFrame, params: SequenceAttack, state: State | None) -> Stream:
    """Return the messages of attackers, first those that a state has of the piece before."""
    frame = join_rows([before, own])
    time_us = raise_times(own[VEHICLE].to_numpy(np.uint64), own[TIME].to_numpy(np.int64))
    if state is not None:
        time_us = np.concatenate((state.before_us, time_us))
    blank = Stream(frame, time_us, time_us, params)
    first_us = time_us[blank.begin] if len(frame) else time_us
    if state is not None:
        first_us = np.where(blank.vehicle == np.uint64(state.vehicle), state.first_us, first_us)
    return Stream(frame, time_us, first_us, params)


def _replace(frame: pd.DataFrame, rows: NDArray[np.int64], values: dict[str, NDArray[Any]]) -> pd.DataFrame:
    """Return the frame with other values in some rows, and which of them differ; a null that the truth has stays."""
    columns: dict[str, Any] = {IS_FALSE: frame[IS_FALSE].to_numpy(np.int8).copy()}
    for name, value in values.items():
        column = frame[name].to_numpy(np.float64, na_value=np.nan).copy()
        true = column[rows]
        column[rows] = np.where(np.isnan(true), np.nan, value)
        columns[IS_FALSE][rows] |= (true != value) & ~np.isnan(true)
        columns[name] = column
    return frame.assign(**columns)


def _make_added(stream: Stream, added: Added, new: NDArray[np.bool_], params: SequenceAttack) -> pd.DataFrame:
    """Return the added messages that are made of messages of this piece."""
    source, delay_us, identity = added.source[new], added.delay_us[new], added.identity[new]
    frame = take_rows(stream.frame, source)
    made = _replace(frame, np.arange(len(frame)), {name: value[new] for name, value in added.claimed.items()})
    marks: dict[str, Any] = {COPY: added.copy[new], IS_FALSE: np.ones(len(frame), np.int8)}
    made = _retime(made, delay_us).assign(**marks)
    if not identity.any():
        return made
    counters = number_within(stream.vehicle[source], identity)
    words = keys(counters, seed=params.seed, purpose=IDENTITY)
    ids = [
        text if own == 0 else _spell_like(str(text), int(word))
        for text, own, word in zip(made[VEHICLE_ID], identity, words, strict=True)
    ]
    kind = made[VEHICLE_ID].dtype
    labels = pd.Series(ids, dtype="category" if isinstance(kind, pd.CategoricalDtype) else kind)
    return made.assign(**{VEHICLE_ID: labels})


def _spell_like(text: str, word: int) -> str:
    """Spell a number as a hexadecimal id of the length of another."""
    prefix = text[:2] if text[:2] in ("0x", "0X") else ""
    length = len(text) - len(prefix)
    digits = min(length, 16) if length >= _LEAST_DIGITS else _USUAL_DIGITS
    spelt = f"{word % 16**digits:0{digits}X}"
    return prefix + (spelt if text.upper() == text else spelt.lower())


def _retime(frame: pd.DataFrame, delay_us: NDArray[np.int64]) -> pd.DataFrame:
    """Return messages sent later: every column that tells the time says so, as finely as it did."""
    old = frame[TIME].to_numpy(np.int64)
    coarse = frame[COARSE].to_numpy(np.int8) != 0
    time_us = old + delay_us
    time_us = np.where(coarse, time_us // SECOND_US * SECOND_US, time_us)
    generated = frame[GENERATED_AT].to_numpy().astype("M8[us]").view(np.int64)
    whole = generated % SECOND_US == 0
    seconds = time_us // SECOND_US * SECOND_US - old // SECOND_US * SECOND_US
    generated = generated + np.where(whole, seconds, time_us - old)
    columns: dict[str, Any] = {TIME: time_us, GENERATED_AT: generated.view("M8[us]")}
    if SEC_MARK in frame.columns:
        mark = pd.array(time_us // 1000 % _MINUTE_MS, dtype="Int64")
        columns[SEC_MARK] = mark.copy()
        columns[SEC_MARK][frame[SEC_MARK].isna().to_numpy()] = pd.NA
    parts = calendar_parts(generated)._asdict()
    columns |= {name: values for name, values in parts.items() if name in frame.columns}
    return frame.assign(**columns)


def _part(frame: pd.DataFrame, until: Key | None) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the messages before the next piece, and those of it that were added already."""
    if until is None:
        return frame, None
    later = (frame[VEHICLE].to_numpy(np.uint64) == np.uint64(until.vehicle)) & (
        frame[TIME].to_numpy(np.int64) >= until.time_us
    )
    pending = take_rows(frame, np.flatnonzero(later)) if later.any() else None
    return (take_rows(frame, np.flatnonzero(~later)) if later.any() else frame), pending


def _leave(
    stream: Stream,
    params: SequenceAttack,
    until: Key,
    frame: pd.DataFrame,
    state: State | None,
    pending: pd.DataFrame | None,
) -> State | None:
    """Return what the next piece goes on from, if it has messages of a vehicle that this one has."""
    of_frame = frame[VEHICLE].to_numpy(np.uint64) == np.uint64(until.vehicle)
    known = state is not None and state.vehicle == until.vehicle
    if not known and not of_frame.any():
        return None
    if known and state is not None:
        first_us = state.first_us
    else:
        first_us = int(frame[TIME].to_numpy(np.int64)[np.argmax(of_frame)])
    mine = np.flatnonzero(stream.vehicle == np.uint64(until.vehicle))
    wanted = stream.time_us[mine] >= until.time_us - params.memory_us
    if mine.size:
        wanted[max(0, int(np.argmax(wanted)) - 1) if wanted.any() else -1 :] = True
        wanted |= mine == stream.onset[mine[0]]
        wanted[0] = True  # the vehicle's first message, which an attack may fall back on
    kept = mine[wanted]
    return State(until.vehicle, first_us, take_rows(stream.frame, kept), stream.time_us[kept], pending)
