"""Attack: clean messages -> messages where some vehicles claim false positions, and which messages those are."""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import (
    GIVEN_ATTACKER,
    GIVEN_FALSE,
    IS_ATTACKER,
    IS_FALSE,
    LABELS,
    ROW_NUMBER,
    TIME,
    VEHICLE,
    VEHICLE_ID,
    X_POS,
    Y_POS,
)
from cdpipe.kernels.buffers.allocation import allot
from cdpipe.kernels.buffers.selection import Kept, look_up, put, take
from cdpipe.kernels.draws.bottom_k import draw_smallest, mark_smallest
from cdpipe.kernels.draws.keyed import ATTACKER, POOL
from cdpipe.kernels.draws.thresholds import NOBODY, choose_rows, choose_threshold, distinct, is_chosen
from cdpipe.stages.attacks import AttackParams, Given, Pool, Positions, Targets
from cdpipe.stages.attacks.given import INPUTS as GIVEN_INPUTS
from cdpipe.stages.attacks.given import find_attackers, mark, take_labels
from cdpipe.stages.attacks.sequence import SequenceAttack
from cdpipe.stages.attacks.streaming import State, attack_streams
from cdpipe.stages.frames.interop import Vehicles, number_plainly, require_columns, view_vehicles
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.order import Key

NAME: Final = "attack"
VERSION: Final = 5
POOL_ROWS: Final = 1 << 17
"""Swaps draw from this many messages, themselves a uniform draw; from all where there are fewer (ADR 3 and 7)."""

_ATTACKING: Final = "messages of attackers"
_POOL_ROW_BYTES: Final = 28
_POOLS_AT_ONCE: Final = 8
"""Full pools that a process holds while surveys merge: two merges at a time, each of two pools with their copies."""

_NO_HASHES: Final = np.empty(0, np.uint64)
_ROWS_AT_ONCE: Final = 1 << 16
"""What is worked out of this many rows stays in the processor's cache, and in memory that is used again."""

_NO_POOL: Final = Pool(np.empty(0, np.int64), np.empty(0, np.uint32), np.empty(0), np.empty(0))


class Survey(NamedTuple):
    """What must be known of all messages before one can be attacked; two of them merge into one.

    Attributes
    ----------
    vehicles
        Distinct hashes of vehicle ids, ascending.
    pool
        The messages with the smallest keys, at most `POOL_ROWS`.
    """

    vehicles: NDArray[np.uint64]
    pool: Pool


class Facts(NamedTuple):
    """What a survey says of the whole data set.

    Attributes
    ----------
    vehicles, attackers
        How many vehicles there are, and how many of them attack (0 and 0 where rows are chosen alone).
    threshold
        Largest (key, hash) of a vehicle that still attacks.
    pool
        Positions for swaps; None: not needed.
    named
        Hashes of the vehicles that attack, ascending, where the input says which; None: `threshold` does.
    """

    vehicles: int
    attackers: int
    threshold: tuple[int, int]
    pool: Pool | None
    named: NDArray[np.uint64] | None = None


def needs_survey(params: AttackParams | Given) -> bool:
    """Say whether the attack must first look at all messages."""
    return params.choose_by == "vehicle" or (not isinstance(params, Given) and params.uses_pool)


def inputs(params: AttackParams | Given) -> tuple[str, ...]:
    """Return the columns that the survey reads."""
    if isinstance(params, Given):
        return GIVEN_INPUTS
    return (ROW_NUMBER, VEHICLE_ID, X_POS, Y_POS) if params.uses_pool else (ROW_NUMBER, VEHICLE_ID)


def survey(frame: pd.DataFrame, params: AttackParams | Given) -> Survey:
    """Look at one partition of clean messages, shape (n, …); of given labels at the vehicles that attack."""
    if isinstance(params, Given):
        require_columns(frame, GIVEN_INPUTS, stage=NAME)
        return Survey(find_attackers(frame), _NO_POOL)
    vehicles = view_vehicles(frame[VEHICLE_ID]).present() if params.choose_by == "vehicle" else _NO_HASHES
    if not params.uses_pool:
        return Survey(vehicles, _NO_POOL)
    row_number = frame[ROW_NUMBER].to_numpy(np.int64)
    rows, keys = draw_smallest(row_number, seed=params.seed, purpose=POOL, k=POOL_ROWS)
    x, y = (frame[name].to_numpy(np.float64) for name in (X_POS, Y_POS))
    return Survey(vehicles, _sort(Pool(take(row_number, rows), keys, take(x, rows), take(y, rows))))


def merge(first: Survey, second: Survey, params: AttackParams | Given) -> Survey:
    """Merge the surveys of two sets of messages; the order does not matter."""
    del params
    vehicles = distinct(np.concatenate((first.vehicles, second.vehicles)))
    one, other = first.pool, second.pool
    rows, keys = np.concatenate((one.row_number, other.row_number)), np.concatenate((one.key, other.key))
    if keys.size > POOL_ROWS:
        of_one, of_other = np.split(mark_smallest(keys, rows, k=POOL_ROWS), [one.key.size])
        one, other = Pool(*Kept(of_one).of_all(one)), Pool(*Kept(of_other).of_all(other))
    return Survey(vehicles, _sort(_each(np.concatenate, zip(one, other, strict=True))))


def conclude(whole: Survey, params: AttackParams | Given) -> Facts:
    """Decide, from the survey of all messages, exactly round(ratio x vehicles) attackers, or those given."""
    if isinstance(params, Given):
        return Facts(0, whole.vehicles.size, NOBODY, None, whole.vehicles)
    pool = whole.pool if params.uses_pool else None
    if params.choose_by == "row":
        return Facts(0, 0, NOBODY, pool)
    attackers = round(params.ratio * whole.vehicles.size)
    threshold = choose_threshold(whole.vehicles, seed=params.seed, purpose=ATTACKER, count=attackers)
    return Facts(whole.vehicles.size, attackers, threshold, pool)


def held_bytes(params: AttackParams | Given) -> int:
    """Return how many bytes surveys and facts take at most in a process (hashes of vehicles are few beside them)."""
    uses_pool = not isinstance(params, Given) and params.uses_pool
    return _POOLS_AT_ONCE * POOL_ROWS * _POOL_ROW_BYTES if uses_pool else 0


def apply(frame: pd.DataFrame, params: AttackParams | Given, facts: Facts | None) -> tuple[pd.DataFrame, Ledger]:
    """Attack one partition.

    Parameters
    ----------
    frame
        Clean messages, shape (n, …): `row_number`, `coreData_id`, `x_pos`, `y_pos`; of given labels also
        `given_isAttacker`, and `given_isFalse` if there is one.
    params
        Who attacks and how.
    facts
        What is known of the whole data set; None only where `needs_survey` says no.

    Returns
    -------
    frame
        New frame: the same rows, `isAttacker` and `isFalse` (int8). Only attackers' positions differ, and `isFalse` is
        1 where one really does. Given labels are taken as they are, and no position changes. The input is not changed.
    ledger
        No row is dropped but those without a given label; it notes how many messages attack, and whether one had
        nobody to swap with.

    Raises
    ------
    KeyError
        If a column is missing; the error names it and those there are.
    ValueError
        If the frame has labels already: they would be overwritten.
    """
    if isinstance(params, Given):
        return _take_given(frame, params, facts)
    if isinstance(params, SequenceAttack):
        return resume(frame, params, facts, None, None)[:2]
    _refuse_labels(frame)
    require_columns(frame, (ROW_NUMBER, VEHICLE_ID, X_POS, Y_POS), stage=NAME)
    vehicles = view_vehicles(frame[VEHICLE_ID])
    row_number = frame[ROW_NUMBER].to_numpy(np.int64)
    pool = facts.pool if facts else None
    hit, notes = _spare_lone(_choose(row_number, vehicles, params, facts), row_number, pool)
    rows = Kept(hit).places
    x, y = (_copy(frame[name].to_numpy(np.float64)) for name in (X_POS, Y_POS))
    moved = np.zeros(len(frame), np.bool_)
    for some in np.array_split(rows, -(-rows.size // _ROWS_AT_ONCE) or 1):
        targets = Targets(some, row_number=row_number, vehicles=vehicles, x=x, y=y)
        claimed = params.displace(targets, pool)
        moved[some] = _find_moved(targets.position(), claimed)
        for values, into in zip(claimed, (x, y), strict=True):
            put(values, some, into)
    ledger = Ledger(NAME, len(frame), len(frame), notes={_ATTACKING: rows.size, **notes})
    # Pandas copies arrays that it is given, and Series not.
    columns = {X_POS: x, Y_POS: y, IS_ATTACKER: hit.view(np.int8), IS_FALSE: moved.view(np.int8)}
    series = {name: pd.Series(values, index=frame.index, copy=False) for name, values in columns.items()}
    return frame.assign(**series), ledger


def _refuse_labels(frame: pd.DataFrame) -> None:
    for name in LABELS:
        if name in frame.columns:
            raise ValueError(
                f"the messages have a column {name!r} already, which an attack would overwrite; take it as it is with "
                'attack.kind = "given", or rename it'
            )


def _find_moved(true: Positions, claimed: Positions) -> NDArray[np.bool_]:
    """Return which claims differ from the truth, shape (n,); nobody can tell of a position that is not known."""
    moved = np.zeros(true[0].size, np.bool_)
    for was, said in zip(true, claimed, strict=True):
        moved |= (said != was) & ~np.isnan(was)
    return moved


def _take_given(frame: pd.DataFrame, params: Given, facts: Facts | None) -> tuple[pd.DataFrame, Ledger]:
    """Label messages as their source does, and let their positions be; those without a label are dropped."""
    require_columns(frame, GIVEN_INPUTS, stage=NAME)
    rows_in, dropped = len(frame), {}
    unknown = frame[GIVEN_ATTACKER].isna().to_numpy()
    if unknown.any():
        dropped[f"null in {GIVEN_ATTACKER}"] = int(np.count_nonzero(unknown))
        frame = number_plainly(frame[~unknown])
    labels = take_labels(frame)
    if params.choose_by == "vehicle":
        if facts is None or facts.named is None:
            raise ValueError("vehicles attack if any message of theirs does: survey the whole data set first")
        labels[IS_ATTACKER] = mark(frame, facts.named)
    notes = {_ATTACKING: int(np.count_nonzero(labels[IS_ATTACKER]))}
    series = {name: pd.Series(values, index=frame.index, copy=False) for name, values in labels.items()}
    rest = frame.drop(columns=[name for name in (GIVEN_ATTACKER, GIVEN_FALSE) if name in frame.columns])
    return rest.assign(**series), Ledger(NAME, rows_in, len(frame), dropped, notes)


def is_ordered(params: AttackParams | Given) -> bool:
    """Return True if the attack must see a vehicle's messages one after the other."""
    return not isinstance(params, Given) and params.is_ordered


def resume(
    frame: pd.DataFrame, params: AttackParams | Given, facts: Facts | None, state: State | None, until: Key | None
) -> tuple[pd.DataFrame, Ledger, State | None]:
    """Attack one partition of ordered messages, as `apply` does, from the state that the one before left.

    Parameters
    ----------
    frame, params, facts
        As for `apply`; the messages are in the order of `stages.order`, and have its columns.
    state
        What the piece before left of a vehicle that goes on here; None: nothing.
    until
        Where the next piece begins; None: whole vehicles are here.

    Returns
    -------
    frame, ledger
        As of `apply`. Messages that attackers add are among the others in their order, with `copy` from 1 on, and in
        the ledger.
    state
        For the next piece.
    """
    if not isinstance(params, SequenceAttack):  # history alone asked for order: pieces are nothing to it
        return *apply(frame, params, facts), None
    _refuse_labels(frame)
    require_columns(frame, (ROW_NUMBER, VEHICLE_ID, VEHICLE, TIME, *params.claimed), stage=NAME)
    frame = number_plainly(frame)
    hit = _choose(frame[ROW_NUMBER].to_numpy(np.int64), view_vehicles(frame[VEHICLE_ID]), params, facts)
    labels = {IS_ATTACKER: hit.view(np.int8), IS_FALSE: np.zeros(len(frame), np.int8)}
    labelled = frame.assign(**labels)
    made = attack_streams(labelled, params, hit, facts.pool if facts else None, state=state, until=until)
    notes = {_ATTACKING: int(np.count_nonzero(hit)), "messages attacked": made.active}
    added = {params.kind: made.added} if made.added else {}
    return made.frame, Ledger(NAME, len(frame), len(made.frame), notes=notes, added=added), made.state


def _copy(values: NDArray[np.float64]) -> NDArray[np.float64]:
    copied = allot(values.size, np.float64)
    np.copyto(copied, values)
    return copied


def _choose(
    row_number: NDArray[np.int64], vehicles: Vehicles, params: AttackParams, facts: Facts | None
) -> NDArray[np.bool_]:
    if params.choose_by == "row":
        return choose_rows(row_number, seed=params.seed, purpose=ATTACKER, ratio=params.ratio)
    if facts is None:
        raise ValueError("attackers are chosen by vehicle, so the whole data set must be surveyed first")
    key, last = facts.threshold
    attack = is_chosen(vehicles.hashes, seed=params.seed, purpose=ATTACKER, threshold_key=key, threshold_hash=last)
    return look_up(attack, vehicles.codes)


def _spare_lone(
    hit: NDArray[np.bool_], row_number: NDArray[np.int64], pool: Pool | None
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Return which messages attack, shape (n,), without one that is alone in the pool, and a note of that one."""
    if pool is None or pool.row_number.size != 1:
        return hit, {}
    lone = hit & (row_number == pool.row_number[0])
    count = int(np.count_nonzero(lone))
    return hit & ~lone, {"messages with nobody to swap with": count} if count else {}


def _sort(pool: Pool) -> Pool:
    """Return the pool ascending by row number, as it nearly always is already."""
    if (pool.row_number[1:] >= pool.row_number[:-1]).all():
        return pool
    order = np.argsort(pool.row_number, kind="stable")
    return _each(lambda values: take(values, order), pool)


def _each(function: Callable[[Any], NDArray[Any]], columns: Iterable[Any]) -> Pool:
    return Pool(*(function(values) for values in columns))
