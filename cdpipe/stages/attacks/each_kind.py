"""Attacks on sequences and mixes applied: each attacker's messages by the kind that it makes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import IS_ATTACKER, IS_FALSE, VEHICLE, VEHICLE_ID, X_POS, Y_POS
from cdpipe.stages.attacks.base import AttackParams, Heard, Pool
from cdpipe.stages.attacks.displacing import displace_messages
from cdpipe.stages.attacks.hearing import By
from cdpipe.stages.attacks.mix import Mix
from cdpipe.stages.attacks.sequence import SequenceAttack
from cdpipe.stages.attacks.streaming import State, attack_streams
from cdpipe.stages.frames.interop import view_vehicles
from cdpipe.stages.order import Key


class Sources(NamedTuple):
    """What attackers take of other messages: positions for swaps, and what they hear, by how that is drawn."""

    pool: Pool | None
    heard: Mapping[By, Heard]


class Made(NamedTuple):
    """What came of a partition.

    Attributes
    ----------
    frame
        Its messages, and those added.
    added, notes
        By kind, messages added; and how many were attacked.
    state
        What the next piece of a vehicle goes on from.
    """

    frame: pd.DataFrame
    added: dict[str, int]
    notes: dict[str, int]
    state: State | None


def name_kinds(params: AttackParams) -> tuple[AttackParams, ...]:
    """Return the attacks that an attack is made of: itself, or those of a mix."""
    return params.kinds if isinstance(params, Mix) else (params,)


def attack_each(
    frame: pd.DataFrame,
    params: AttackParams,
    sources: Sources,
    *,
    state: State | None = None,
    until: Key | None = None,
) -> Made:
    """Attack messages that are labelled by attacker.

    Parameters
    ----------
    frame
        Messages, shape (n, …), with `isAttacker` and `isFalse`, which is 0; for sequences in order.
    params
        An attack on sequences, or a mix.
    sources
        What is drawn from.
    state, until
        What the piece before left of a vehicle, and where the next piece begins.
    """
    added: dict[str, int] = {}
    notes: dict[str, int] = {}
    left = None
    for number, kind in enumerate(name_kinds(params)):
        hit = _find_hit(frame, params, number)
        rows = len(frame)
        attacked = int(np.count_nonzero(hit))
        if isinstance(kind, SequenceAttack):
            heard = sources.heard.get(kind.listens)
            mine = state if state is not None and _makes(params, state.vehicle, number) else None
            made = attack_streams(frame, kind, hit, heard, state=mine, until=until)
            frame, attacked = made.frame, made.active
            if until is not None and _makes(params, until.vehicle, number):
                left = made.state
        else:
            frame = _displace(frame, kind, hit, sources.pool)
        name = "messages attacked" if len(name_kinds(params)) == 1 else f"messages attacked by {kind.kind}"
        notes[name] = notes.get(name, 0) + attacked
        if len(frame) > rows:
            added[kind.kind] = added.get(kind.kind, 0) + len(frame) - rows
    return Made(frame, added, notes, left)


def _makes(params: AttackParams, vehicle: int, number: int) -> bool:
    """Return True if a vehicle makes this one of the attacks, should it attack."""
    return not isinstance(params, Mix) or int(params.choose(np.array([vehicle], np.uint64))[0]) == number


def _find_hit(frame: pd.DataFrame, params: AttackParams, number: int) -> NDArray[np.bool_]:
    """Return the messages of those that make this one of the attacks."""
    hit: NDArray[np.bool_] = frame[IS_ATTACKER].to_numpy(np.int8) != 0
    if not isinstance(params, Mix):
        return hit
    if VEHICLE in frame.columns:
        vehicle = frame[VEHICLE].to_numpy(np.uint64)
    else:
        codes, hashes = view_vehicles(frame[VEHICLE_ID])
        vehicle = hashes[codes]
    hit &= params.choose(vehicle) == number
    return hit


def _displace(frame: pd.DataFrame, kind: AttackParams, hit: NDArray[np.bool_], pool: Pool | None) -> pd.DataFrame:
    x, y, moved = displace_messages(frame, kind, hit, pool)
    false = frame[IS_FALSE].to_numpy(np.int8) | moved.view(np.int8)
    columns: dict[str, Any] = {X_POS: x, Y_POS: y, IS_FALSE: false}
    return frame.assign(**columns)
