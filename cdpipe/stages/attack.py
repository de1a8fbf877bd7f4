"""Attack: clean messages -> messages where some vehicles claim false positions, and which messages those are."""

from collections.abc import Callable, Iterable, Mapping
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
    SIDE,
    TIME,
    VEHICLE,
    VEHICLE_ID,
    X_POS,
    Y_POS,
)
from cdpipe.kernels.buffers.selection import Kept, look_up, take
from cdpipe.kernels.draws.bottom_k import draw_smallest, mark_smallest
from cdpipe.kernels.draws.keyed import ATTACKER, POOL
from cdpipe.kernels.draws.thresholds import NOBODY, choose_rows, choose_threshold, is_chosen, unite
from cdpipe.stages.attacks import AttackParams, Given, Mix, Pool, SequenceAttack
from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.displacing import displace_messages
from cdpipe.stages.attacks.each_kind import Sources, attack_each, name_kinds
from cdpipe.stages.attacks.given import INPUTS as GIVEN_INPUTS
from cdpipe.stages.attacks.given import find_attackers, mark, take_labels
from cdpipe.stages.attacks.hearing import HEARD_ROW_BYTES, HEARD_ROWS, By, hear, join_heard
from cdpipe.stages.attacks.hearing import INPUTS as HEARD_INPUTS
from cdpipe.stages.attacks.streaming import State
from cdpipe.stages.frames.interop import Vehicles, number_plainly, require_columns, view_vehicles
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.order import Key
from cdpipe.stages.sides import SideFacts, choose_by_side, conclude_sides, find_tests

NAME: Final = "attack"
VERSION: Final = 5
POOL_ROWS: Final = 1 << 17
"""Swaps draw from this many messages, themselves a uniform draw; from all where there are fewer (ADR 3 and 7)."""

_ATTACKING: Final = "messages of attackers"
_POOL_ROW_BYTES: Final = 28
_POOLS_AT_ONCE: Final = 8
"""Full pools that a process holds while surveys merge: two merges at a time, each of two pools with their copies."""

_NO_HASHES: Final = np.empty(0, np.uint64)
_NO_POOL: Final = Pool(np.empty(0, np.int64), np.empty(0, np.uint32), np.empty(0), np.empty(0))


class Survey(NamedTuple):
    """What must be known of all messages before one can be attacked; two of them merge into one.

    Attributes
    ----------
    vehicles
        Distinct hashes of vehicle ids, ascending.
    pool
        The messages with the smallest keys, at most `POOL_ROWS`.
    heard
        What attackers hear of others, by how that is drawn.
    """

    vehicles: NDArray[np.uint64]
    pool: Pool
    heard: Mapping[By, Heard] = {}


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
    heard
        What attackers hear of others, by how that is drawn.
    sides
        Who attacks in training and in testing, where that differs.
    """

    vehicles: int
    attackers: int
    threshold: tuple[int, int]
    pool: Pool | None
    named: NDArray[np.uint64] | None = None
    heard: Mapping[By, Heard] = {}
    sides: SideFacts | None = None


def needs_survey(params: AttackParams | Given) -> bool:
    """Say whether the attack must first look at all messages."""
    if isinstance(params, Given):
        return params.choose_by == "vehicle"
    return _needs_vehicles(params) or _uses_pool(params)


def _needs_vehicles(params: AttackParams) -> bool:
    return params.choose_by == "vehicle" or params.differs_by_vehicle


def inputs(params: AttackParams | Given) -> tuple[str, ...]:
    """Return the columns that the survey reads."""
    if isinstance(params, Given):
        return GIVEN_INPUTS
    heard = HEARD_INPUTS if _listens(params) else ()
    pool = (ROW_NUMBER, VEHICLE_ID, X_POS, Y_POS) if _uses_pool(params) else (ROW_NUMBER, VEHICLE_ID)
    return tuple(dict.fromkeys((*pool, *heard)))


def survey(frame: pd.DataFrame, params: AttackParams | Given) -> Survey:
    """Look at one partition of clean messages, shape (n, …); of given labels at the vehicles that attack."""
    if isinstance(params, Given):
        require_columns(frame, GIVEN_INPUTS, stage=NAME)
        return Survey(find_attackers(frame), _NO_POOL)
    vehicles = view_vehicles(frame[VEHICLE_ID]).present() if _needs_vehicles(params) else _NO_HASHES
    heard = {by: hear(frame, by=by, seed=params.seed) for by in _listens(params)}
    if not _uses_pool(params):
        return Survey(vehicles, _NO_POOL, heard)
    row_number = frame[ROW_NUMBER].to_numpy(np.int64)
    rows, keys = draw_smallest(row_number, seed=params.seed, purpose=POOL, k=POOL_ROWS)
    x, y = (frame[name].to_numpy(np.float64) for name in (X_POS, Y_POS))
    return Survey(vehicles, _sort(Pool(take(row_number, rows), keys, take(x, rows), take(y, rows))), heard)


def merge(first: Survey, second: Survey, params: AttackParams | Given) -> Survey:
    """Merge the surveys of two sets of messages; the order does not matter."""
    del params
    vehicles = unite(first.vehicles, second.vehicles)
    one, other = first.pool, second.pool
    rows, keys = np.concatenate((one.row_number, other.row_number)), np.concatenate((one.key, other.key))
    if keys.size > POOL_ROWS:
        of_one, of_other = np.split(mark_smallest(keys, rows, k=POOL_ROWS), [one.key.size])
        one, other = Pool(*Kept(of_one).of_all(one)), Pool(*Kept(of_other).of_all(other))
    heard = {by: join_heard(each, second.heard[by]) for by, each in first.heard.items()}
    return Survey(vehicles, _sort(_each(np.concatenate, zip(one, other, strict=True))), heard)


def conclude(whole: Survey, params: AttackParams | Given) -> Facts:
    """Decide, from the survey of all messages, exactly round(ratio x vehicles) attackers, or those given."""
    if isinstance(params, Given):
        return Facts(0, whole.vehicles.size, NOBODY, None, whole.vehicles)
    pool = whole.pool if _uses_pool(params) else None
    sides = conclude_sides(whole.vehicles, params) if _needs_vehicles(params) else None
    if params.choose_by == "row":
        return Facts(0, 0, NOBODY, pool, sides=sides)
    attackers = round(params.ratio * whole.vehicles.size)
    threshold = choose_threshold(whole.vehicles, seed=params.seed, purpose=ATTACKER, count=attackers)
    return Facts(whole.vehicles.size, attackers, threshold, pool, heard=whole.heard, sides=sides)


def held_bytes(params: AttackParams | Given) -> int:
    """Return how many bytes surveys and facts take at most in a process (hashes of vehicles are few beside them)."""
    if isinstance(params, Given):
        return 0
    pool = POOL_ROWS * _POOL_ROW_BYTES if _uses_pool(params) else 0
    return _POOLS_AT_ONCE * (pool + len(_listens(params)) * HEARD_ROWS * HEARD_ROW_BYTES)


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
    if isinstance(params, SequenceAttack | Mix):
        return resume(frame, params, facts, None, None)[:2]
    _refuse_labels(frame)
    require_columns(frame, (ROW_NUMBER, VEHICLE_ID, X_POS, Y_POS), stage=NAME)
    vehicles = view_vehicles(frame[VEHICLE_ID])
    row_number = frame[ROW_NUMBER].to_numpy(np.int64)
    pool = facts.pool if facts else None
    chosen, tests = _choose(frame, row_number, vehicles, params, facts)
    hit, notes = _spare_lone(chosen, row_number, pool)
    x, y, moved = displace_messages(frame, params, hit, pool, vehicles)
    ledger = Ledger(NAME, len(frame), len(frame), notes={_ATTACKING: int(np.count_nonzero(hit)), **notes})
    # Pandas copies arrays that it is given, and Series not.
    columns = {X_POS: x, Y_POS: y, IS_ATTACKER: hit.view(np.int8), IS_FALSE: moved.view(np.int8)}
    columns |= {} if tests is None else {SIDE: tests.view(np.int8)}
    series = {name: pd.Series(values, index=frame.index, copy=False) for name, values in columns.items()}
    return frame.assign(**series), ledger


def _refuse_labels(frame: pd.DataFrame) -> None:
    for name in LABELS:
        if name in frame.columns:
            raise ValueError(
                f"the messages have a column {name!r} already, which an attack would overwrite; take it as it is with "
                'attack.kind = "given", or rename it'
            )


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
    return not isinstance(params, Given) and any(each.is_ordered for each in name_kinds(params))


def _uses_pool(params: AttackParams) -> bool:
    return any(each.uses_pool for each in name_kinds(params))


def _listens(params: AttackParams) -> tuple[By, ...]:
    return tuple(sorted({each.listens for each in name_kinds(params)} - {""}))


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
    if not isinstance(params, SequenceAttack | Mix):  # history alone asked for order: pieces are nothing to it
        return *apply(frame, params, facts), None
    _refuse_labels(frame)
    keys = (VEHICLE, TIME) if is_ordered(params) else ()
    claimed = (name for each in name_kinds(params) if isinstance(each, SequenceAttack) for name in each.claimed)
    require_columns(frame, (ROW_NUMBER, VEHICLE_ID, *keys, X_POS, Y_POS, *claimed), stage=NAME)
    frame = number_plainly(frame)
    row_number = frame[ROW_NUMBER].to_numpy(np.int64)
    hit, tests = _choose(frame, row_number, view_vehicles(frame[VEHICLE_ID]), params, facts)
    labels = {IS_ATTACKER: hit.view(np.int8), IS_FALSE: np.zeros(len(frame), np.int8)}
    labels |= {} if tests is None else {SIDE: tests.view(np.int8)}
    made = attack_each(frame.assign(**labels), params, _find_sources(facts), state=state, until=until)
    notes = {_ATTACKING: int(np.count_nonzero(hit)), **made.notes}
    return made.frame, Ledger(NAME, len(frame), len(made.frame), notes=notes, added=made.added), made.state


def _find_sources(facts: Facts | None) -> Sources:
    return Sources(None, {}) if facts is None else Sources(facts.pool, facts.heard)


def _choose(
    frame: pd.DataFrame,
    row_number: NDArray[np.int64],
    vehicles: Vehicles,
    params: AttackParams,
    facts: Facts | None,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_] | None]:
    """Return which messages are attackers', and where that differs by side, which will test; shape (n,) each."""
    if params.test_ratio is None:
        return _choose_alike(row_number, vehicles, params, facts), None
    sides = facts.sides if facts else None
    tests = find_tests(frame, row_number, vehicles, params, sides)
    return choose_by_side(tests, row_number, vehicles, params, sides), tests


def _choose_alike(
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
