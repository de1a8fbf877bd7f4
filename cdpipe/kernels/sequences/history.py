"""History of messages: what each says against those that its vehicle sent before, in one pass, from a carried state.

Sums over a window are kept by adding the new and taking away the old, and are made anew whenever its ring has been gone
round: what rounding left, or one huge value, is gone after two windows.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.buffers.allocation import allot
from cdpipe.kernels.buffers.inputs import as_input
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined
from cdpipe.kernels.geodesy.ellipsoid import (
    DEGREES,
    ECCENTRICITY_2,
    EQUATORIAL_M,
    RADIANS,
    difference_degrees,
    sincos_degrees,
    wrap_degrees,
)

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]

NAMES: Final = (
    "history_count",
    "history_age_s",
    "history_interval_s",
    "history_displacement_m",
    "history_along_m",
    "history_across_m",
    "history_speed_gap_mps",
    "history_bearing_gap_deg",
    "history_acceleration_mps2",
    "history_turn_rate_dps",
    "history_trend_m",
    "history_same_position",
    "history_interval_mean_s",
    "history_displacement_mean_m",
    "history_residual_mean_m",
    "history_speed_gap_mean_mps",
    "history_bearing_gap_mean_deg",
    "history_acceleration_mean_mps2",
)
"""What is told of each message, in the order of the kernel's output; the last six are means over the window."""

_MEANS: Final = 6
_FIRST_MEAN: Final = len(NAMES) - _MEANS

_COUNT, _SLOT, _FIRST_US, _LAST_US, _REFERENCE_US = range(5)
_CLOCK: Final = 5
"""Whole numbers of a state: messages before the newest, its place in the ring, and moments."""

_X, _Y, _SPEED, _HEADING, _SINE, _COSINE, _EAST_SCALE, _NORTH_SCALE, _EAST, _NORTH = range(10)
_SUMS: Final = 10
_T, _TT, _E, _N, _TE, _TN = range(_SUMS + _MEANS, _SUMS + _MEANS + 6)
_RING: Final = _TN + 1
_POINT: Final = _MEANS
_WIDTH: Final = _MEANS + 3
"""A message in the ring: what the means are of, its time, and its place east and north of the reference."""

_LEAST_SPREAD_S2: Final = 1e-7
"""Times closer to each other than this have no trend: n x sum(t²) - sum(t)²."""


class State(NamedTuple):
    """What is known of one vehicle's messages so far: whole numbers, shape (5,), and others."""

    clock: Integers
    values: Floats


def make_states(vehicles: int, *, window: int) -> State:
    """Return the states of vehicles that have sent no message yet, shape (vehicles, …)."""
    clock = np.zeros((vehicles, _CLOCK), np.int64)
    clock[:, _COUNT] = -1
    return State(clock, np.zeros((vehicles, _RING + _WIDTH * window)))


@jit_inlined
def _or_zero(value: float) -> float:
    """Return a value, 0 for what is not known."""
    return value if value == value else 0.0  # noqa: PLR0124 - nan alone is not itself


@jit_inlined
def _drop_oldest(values: Floats, at: int) -> None:
    """Take what is in a place of the ring from the sums."""
    for k in range(_MEANS):
        values[_SUMS + k] -= values[at + k]
    t, east, north = values[at + _POINT], values[at + _POINT + 1], values[at + _POINT + 2]
    values[_T] -= t
    values[_TT] -= t * t
    values[_E] -= east
    values[_N] -= north
    values[_TE] -= t * east
    values[_TN] -= t * north


@jit_inlined
def _add_newest(values: Floats, at: int) -> None:
    """Add what is in a place of the ring to the sums."""
    for k in range(_MEANS):
        values[_SUMS + k] += values[at + k]
    t, east, north = values[at + _POINT], values[at + _POINT + 1], values[at + _POINT + 2]
    values[_T] += t
    values[_TT] += t * t
    values[_E] += east
    values[_N] += north
    values[_TE] += t * east
    values[_TN] += t * north


@jit_borrowing
def _sum_anew(clock: Integers, values: Floats, window: int) -> None:
    """Make the sums of a full ring anew, with its newest message as the reference of times and places."""
    newest = _RING + _WIDTH * (window - 1) + _POINT
    t, east, north = values[newest], values[newest + 1], values[newest + 2]
    for k in range(_SUMS, _RING):
        values[k] = 0.0
    for j in range(window):
        at = _RING + _WIDTH * j
        values[at + _POINT] -= t
        values[at + _POINT + 1] -= east
        values[at + _POINT + 2] -= north
        _add_newest(values, at)
    values[_EAST] = values[_NORTH] = 0.0
    clock[_REFERENCE_US] = clock[_LAST_US]


@jit_inlined
def _find_trend(values: Floats, n: int, share: float, t: float, east: float, north: float) -> float:
    """Return how far a message is from the line through those of the ring, metres; 0 where there is no line."""
    spread = n * values[_TT] - values[_T] * values[_T]
    if spread < _LEAST_SPREAD_S2:
        return 0.0
    since = (t - values[_T] * share) / spread
    off_east = east - values[_E] * share - (n * values[_TE] - values[_T] * values[_E]) * since
    off_north = north - values[_N] * share - (n * values[_TN] - values[_T] * values[_N]) * since
    return math.sqrt(off_east * off_east + off_north * off_north)


@jit_inlined
def _compare(
    clock: Integers, values: Floats, t_us: int, fresh: Floats, out: Singles, i: int, is_geographic: bool
) -> None:
    """Tell of a message against the one before; what the means are of goes behind it into `fresh`."""
    x, y, speed, heading = values[_X], values[_Y], values[_SPEED], values[_HEADING]
    sine, cosine = values[_SINE], values[_COSINE]
    interval = (t_us - clock[_LAST_US]) * 1e-6
    rate = 1.0 / interval if interval > 0.0 else 0.0
    over = difference_degrees(fresh[_X], x) if is_geographic else fresh[_X] - x
    east, north = over * values[_EAST_SCALE], (fresh[_Y] - y) * values[_NORTH_SCALE]
    moved = math.sqrt(east * east + north * north)
    along = _or_zero(east * sine + north * cosine - speed * interval)
    across = _or_zero(east * cosine - north * sine)
    speed_gap = _or_zero(fresh[_SPEED] - moved * rate) if rate > 0.0 else 0.0
    bearing_gap = 0.0
    if moved > 0.0:
        bearing_gap = _or_zero(wrap_degrees(math.atan2(east, north) * DEGREES - fresh[_HEADING]))
    acceleration = _or_zero((fresh[_SPEED] - speed) * rate)
    values[_EAST] += east
    values[_NORTH] += north
    out[0, i] = clock[_COUNT] + 1
    out[1, i] = (t_us - clock[_FIRST_US]) * 1e-6
    out[2, i], out[3, i], out[4, i], out[5, i] = interval, moved, along, across
    out[6, i], out[7, i], out[8, i] = speed_gap, bearing_gap, acceleration
    out[9, i] = _or_zero(wrap_degrees(fresh[_HEADING] - heading) * rate)
    out[11, i] = 1.0 if fresh[_X] == x and fresh[_Y] == y else 0.0
    fresh[4], fresh[5], fresh[6] = interval, moved, math.sqrt(along * along + across * across)
    fresh[7], fresh[8], fresh[9] = abs(speed_gap), abs(bearing_gap), abs(acceleration)


@jit_inlined
def _remember(clock: Integers, values: Floats, t_us: int, fresh: Floats, is_geographic: bool) -> None:
    """Take a message as the one that the next is held against."""
    for k in range(_HEADING + 1):
        values[k] = fresh[k]
    values[_SINE], values[_COSINE] = sincos_degrees(fresh[_HEADING])
    values[_EAST_SCALE] = values[_NORTH_SCALE] = 1.0
    if is_geographic:
        sine, cosine = sincos_degrees(fresh[_Y])
        share = 1.0 - ECCENTRICITY_2 * sine * sine
        normal = EQUATORIAL_M / math.sqrt(share) * RADIANS
        values[_EAST_SCALE] = normal * cosine
        values[_NORTH_SCALE] = normal * (1.0 - ECCENTRICITY_2) / share
    clock[_LAST_US] = t_us


@jit_inlined
def _restart(clock: Integers, values: Floats, t_us: int, fresh: Floats) -> None:
    """Forget all messages: this one is the first."""
    for k in range(_EAST, _RING):
        values[k] = 0.0
    for k in range(_MEANS):
        fresh[_HEADING + 1 + k] = 0.0
    clock[_COUNT] = clock[_SLOT] = 0
    clock[_FIRST_US] = clock[_REFERENCE_US] = t_us


@jit_inlined
def _enter(clock: Integers, values: Floats, t_us: int, fresh: Floats, window: int) -> None:
    """Put a message into the ring, in the place of the oldest."""
    at = _RING + _WIDTH * clock[_SLOT]
    if clock[_COUNT] >= window:
        _drop_oldest(values, at)
    for k in range(_MEANS):
        values[at + k] = fresh[_HEADING + 1 + k]
    values[at + _POINT] = (t_us - clock[_REFERENCE_US]) * 1e-6
    values[at + _POINT + 1], values[at + _POINT + 2] = values[_EAST], values[_NORTH]
    _add_newest(values, at)


@jit_inlined
def _tell(
    clock: Integers,
    values: Floats,
    time_us: int,
    fresh: Floats,
    gap_us: int,
    window: int,
    is_geographic: bool,
    out: Singles,
    i: int,
) -> None:
    """Tell of one message, and go on to it."""
    t_us = max(time_us, clock[_LAST_US]) if clock[_COUNT] >= 0 else time_us
    if clock[_COUNT] < 0 or t_us - clock[_LAST_US] > gap_us:
        _restart(clock, values, t_us, fresh)
        _enter(clock, values, t_us, fresh, window)
        for k in range(out.shape[0]):
            out[k, i] = 0.0
    else:
        _compare(clock, values, t_us, fresh, out, i, is_geographic)
        clock[_COUNT] += 1
        clock[_SLOT] = clock[_SLOT] + 1 if clock[_SLOT] + 1 < window else 0
        n = min(clock[_COUNT], window)
        since = (t_us - clock[_REFERENCE_US]) * 1e-6
        share = 1.0 / n
        out[_FIRST_MEAN - 2, i] = _find_trend(values, n, share, since, values[_EAST], values[_NORTH])
        _enter(clock, values, t_us, fresh, window)
        for k in range(_MEANS):
            out[_FIRST_MEAN + k, i] = values[_SUMS + k] * share
    _remember(clock, values, t_us, fresh, is_geographic)
    if clock[_SLOT] == window - 1:
        _sum_anew(clock, values, window)


@jit_borrowing
def _tell_all(
    bounds: Integers,
    time_us: Integers,
    x: Floats,
    y: Floats,
    speed: Floats,
    heading: Floats,
    gap_us: int,
    window: int,
    is_geographic: bool,
    clocks: Integers,
    states: Floats,
    place: Integers,
    fresh: Floats,
    out: Singles,
) -> None:
    spare = clocks.shape[0] - 1
    for vehicle in range(bounds.size - 1):
        at = place[vehicle]
        if at < 0:
            at = spare
            clocks[spare, _COUNT] = -1
        clock, values = clocks[at], states[at]
        for i in range(bounds[vehicle], bounds[vehicle + 1]):
            fresh[_X], fresh[_Y], fresh[_SPEED], fresh[_HEADING] = x[i], y[i], speed[i], heading[i]
            _tell(clock, values, time_us[i], fresh, gap_us, window, is_geographic, out, i)


class Track(NamedTuple):
    """Messages, each vehicle's in one piece and in their order.

    Attributes
    ----------
    bounds
        Where each vehicle's messages begin, and where the last one's end: int64, shape (vehicles + 1,).
    time_us
        int64, shape (n,): microseconds since 1970. One that is earlier than the one before counts as that.
    x, y
        float64, shape (n,): degrees of longitude and latitude, or metres east and north; none is nan.
    speed, heading
        float64, shape (n,): metres per second, and degrees clockwise from north; nan where not known.
    """

    bounds: Integers
    time_us: Integers
    x: Floats
    y: Floats
    speed: Floats
    heading: Floats


def tell_history(
    track: Track,
    *,
    window: int,
    gap_s: float,
    is_geographic: bool,
    states: State | None = None,
    place: Integers | None = None,
) -> Singles:
    """Tell of each message what its vehicle's messages before it make of it.

    Parameters
    ----------
    track
        The messages.
    window
        Over how many messages means and trends go.
    gap_s
        A message that comes later than this after the one before has no history.
    is_geographic
        Whether places are degrees. Then metres are those of the plane that touches the ellipsoid at the place before.
    states, place
        States that some vehicles go on from, and that are changed: `place`, int64, shape (vehicles,), says which of
        them is each one's; -1: there was no message before, and the state is not asked for.

    Returns
    -------
    numpy.ndarray
        float32, shape (18, n): a row for each of `NAMES`. All are 0 where there is no message before, or what they
        rest on is not known.
    """
    vehicles, rows = track.bounds.size - 1, track.time_us.size
    given = make_states(0, window=window) if states is None else states
    spare = make_states(1, window=window)
    clocks = np.concatenate((given.clock, spare.clock))
    values = np.concatenate((given.values, spare.values))
    out: Singles = allot(len(NAMES) * rows, np.float32).reshape(len(NAMES), rows)
    _tell_all(
        as_input(track.bounds, np.int64),
        as_input(track.time_us, np.int64),
        as_input(track.x, np.float64),
        as_input(track.y, np.float64),
        as_input(track.speed, np.float64),
        as_input(track.heading, np.float64),
        round(gap_s * 1e6),
        window,
        is_geographic,
        clocks,
        values,
        as_input(np.full(vehicles, -1) if place is None else place, np.int64),
        np.zeros(_HEADING + 1 + _MEANS),
        out,
    )
    given.clock[:], given.values[:] = clocks[:-1], values[:-1]
    return out
