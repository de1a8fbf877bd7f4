"""Plausibility checks: how far a message is from what its sender could have done, after those of F2MD.

J. Kamel et al., "Simulation Framework for Misbehavior Detection in Vehicular Networks", IEEE Trans. Veh. Technol. 69,
2020. Each gives 1 up to its limit, and falls to 0 at twice the limit; where nothing is known that speaks against a
message, 1. Those that rest on what a receiver or its neighbours saw are not here: `docs/history.md` names them.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cdpipe.kernels.sequences.history import NAMES
from cdpipe.stages.params import Params

Singles = NDArray[np.float32]


class CheckLimits(Params):
    """What a vehicle can do, for the plausibility checks."""

    speed_mps: float = Field(70.0, gt=0, le=1e6, description="greatest speed, metres per second")
    acceleration_mps2: float = Field(9.0, gt=0, le=1e6, description="greatest change of speed, either way")
    turn_rate_dps: float = Field(60.0, gt=0, le=1e6, description="greatest change of heading, degrees per second")
    heading_deg: float = Field(30.0, gt=0, le=180, description="greatest angle between its heading and its way")
    rate_hz: float = Field(12.5, gt=0, le=1e6, description="most messages a second")
    tolerance_m: float = Field(5.0, ge=0.001, le=1e6, description="what positions are off by, metres")


class Claims(NamedTuple):
    """What is looked at, shape (n,) each.

    Attributes
    ----------
    speed
        What each message claims, metres per second; nan where not known.
    coarse
        Whether its time is known to the whole second only.
    told
        By name, the columns of history.
    window
        Messages over which that has a trend.
    """

    speed: NDArray[np.float64]
    coarse: NDArray[np.bool_]
    told: Mapping[str, Singles]
    window: int

    def tell(self, name: str) -> NDArray[np.float64]:
        """Return a column of history."""
        return self.told[f"history_{name}"].astype(np.float64)


def _speed(claims: Claims, limits: CheckLimits) -> NDArray[np.float64]:
    """Speed plausibility: the claimed speed against the greatest."""
    return np.nan_to_num(claims.speed) / limits.speed_mps


def _position(claims: Claims, limits: CheckLimits) -> NDArray[np.float64]:
    """Position consistency: the way since the message before against the longest."""
    return claims.tell("displacement_m") / (limits.speed_mps * claims.tell("interval_s") + limits.tolerance_m)


def _position_speed(claims: Claims, limits: CheckLimits) -> NDArray[np.float64]:
    """Position and speed consistency: the way against that of the claimed speed."""
    interval = claims.tell("interval_s")
    room = limits.tolerance_m + 0.5 * limits.acceleration_mps2 * interval**2
    return np.abs(claims.tell("speed_gap_mps")) * interval / room


def _position_heading(claims: Claims, limits: CheckLimits) -> NDArray[np.float64]:
    """Position and heading consistency: the direction of the way against the heading, where the way is long enough."""
    is_long = claims.tell("displacement_m") > limits.tolerance_m
    return np.where(is_long, np.abs(claims.tell("bearing_gap_deg")) / limits.heading_deg, 0.0)


def _dead_reckoning(claims: Claims, limits: CheckLimits) -> NDArray[np.float64]:
    """Prediction consistency: the position against where the message before was to be by now (in place of Kalman's)."""
    interval = claims.tell("interval_s")
    room = limits.tolerance_m + 0.5 * limits.acceleration_mps2 * interval**2
    return np.hypot(claims.tell("along_m"), claims.tell("across_m")) / room


def _trend(claims: Claims, limits: CheckLimits) -> NDArray[np.float64]:
    """Trend consistency: the position against the line through the window's messages."""
    span = claims.tell("interval_mean_s") * np.minimum(claims.tell("count"), claims.window)
    room = limits.tolerance_m + 0.5 * limits.acceleration_mps2 * span**2
    return claims.tell("trend_m") / room


def _acceleration(claims: Claims, limits: CheckLimits) -> NDArray[np.float64]:
    """Speed consistency: the change of speed against the greatest."""
    return np.abs(claims.tell("acceleration_mps2")) / limits.acceleration_mps2


def _turn(claims: Claims, limits: CheckLimits) -> NDArray[np.float64]:
    """Heading consistency: the change of heading against the greatest, of a vehicle that moves."""
    moves = claims.tell("displacement_m") > limits.tolerance_m * 0.1
    return np.where(moves, np.abs(claims.tell("turn_rate_dps")) / limits.turn_rate_dps, 0.0)


def _frequency(claims: Claims, limits: CheckLimits) -> NDArray[np.float64]:
    """Beacon frequency: messages a second against the most; a coarse time cannot tell."""
    interval = claims.tell("interval_s")
    has_history = (claims.tell("count") > 0) & ~claims.coarse
    with np.errstate(divide="ignore"):
        return np.where(has_history, 1.0 / (interval * limits.rate_hz), 0.0)


CHECKS: Final[dict[str, Callable[[Claims, CheckLimits], NDArray[np.float64]]]] = {
    "check_speed": _speed,
    "check_position": _position,
    "check_position_speed": _position_speed,
    "check_position_heading": _position_heading,
    "check_dead_reckoning": _dead_reckoning,
    "check_trend": _trend,
    "check_acceleration": _acceleration,
    "check_turn": _turn,
    "check_frequency": _frequency,
}
"""By column: how many times its limit a message is at."""


def check(claims: Claims, limits: CheckLimits, names: tuple[str, ...]) -> dict[str, Singles]:
    """Return the plausibility of messages by each of some checks, float32 in [0, 1], shape (n,)."""
    return {name: np.clip(2.0 - CHECKS[name](claims, limits), 0.0, 1.0).astype(np.float32) for name in names}


def claims_of(speed: NDArray[np.float64], coarse: NDArray[np.bool_], told: Singles, *, window: int) -> Claims:
    """Return what checks look at, of the kernel's output, shape (18, n)."""
    return Claims(speed, coarse, dict(zip(NAMES, told, strict=True)), window)
