"""Sequence attacks: what an attacker claims rests on the messages that it sent before, in their order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cdpipe.columns import ROW_NUMBER, VEHICLE, X_POS, Y_POS
from cdpipe.kernels.draws.keyed import CLAIM, EPISODE, integers_below, keys, uniform_pairs
from cdpipe.stages.attacks.base import AttackParams, Heard, Positions

SPEED: Final = "coreData_speed"
HEADING: Final = "coreData_heading"
_HALF: Final = 0.5
_TURNS: Final = 8
_SECOND_US: Final = 1_000_000
_STRIDE: Final = np.uint64(0x9E3779B97F4A7C15)
"""Odd and without a pattern: a vehicle's hash plus multiples of it is as good as a hash of both."""

Places = NDArray[np.int64]
Floats = NDArray[np.float64]


def number_within(vehicle: NDArray[np.uint64], number: Places) -> NDArray[np.uint64]:
    """Return a counter for each (vehicle, number), shape (n,), that draws can be keyed by."""
    with np.errstate(over="ignore"):
        return vehicle + (number.astype(np.uint64) + np.uint64(1)) * _STRIDE


class Added(NamedTuple):
    """Messages that attackers send beside their own, shape (m,) each.

    Attributes
    ----------
    source
        Index in the stream of the message that each is made of.
    copy
        Its number among those made of that message, from 1 on.
    delay_us
        How much later it is sent, microseconds, not negative.
    identity
        0 for the sender's own id, else the number of a made one.
    claimed
        What it claims, by column; what is not named is as in the message it is made of.
    """

    source: Places
    copy: Places
    delay_us: Places
    identity: Places
    claimed: Mapping[str, NDArray[Any]] = {}


class Claims(NamedTuple):
    """What attackers claim.

    Attributes
    ----------
    claimed
        By column, the value of each message of the stream, shape (k,); those not active keep theirs.
    added
        Messages sent beside; None: none.
    """

    claimed: Mapping[str, NDArray[Any]] = {}
    added: Added | None = None


@dataclass(frozen=True)
class Stream:
    """The messages of attackers, each vehicle's in one piece and in order, shape (k,).

    Attributes
    ----------
    frame
        The messages; `vehicle`, `time_us` and `row_number` among their columns.
    time_us
        When each was sent, microseconds since 1970; never earlier than the one before.
    first_us
        When each message's vehicle sent its first.
    params
        When they attack.
    """

    frame: pd.DataFrame
    time_us: Places
    first_us: Places
    params: "SequenceAttack" = field(repr=False)

    def __len__(self) -> int:
        """Return how many messages there are."""
        return len(self.frame)

    def column(self, name: str) -> Floats:
        """Return the true values of a column; nulls are nan."""
        return self.frame[name].to_numpy(np.float64, na_value=np.nan)

    @cached_property
    def vehicle(self) -> NDArray[np.uint64]:
        """Hash of each message's vehicle."""
        return self.frame[VEHICLE].to_numpy(np.uint64)

    @cached_property
    def row_number(self) -> Places:
        """Row number of each message in the whole input."""
        return self.frame[ROW_NUMBER].to_numpy(np.int64)

    @cached_property
    def begin(self) -> Places:
        """Index of the first message of each one's vehicle."""
        begins = np.ones(len(self), np.bool_)
        begins[1:] = self.vehicle[1:] != self.vehicle[:-1]
        places: Places = np.maximum.accumulate(np.where(begins, np.arange(len(self)), 0))
        return places

    @cached_property
    def active(self) -> NDArray[np.bool_]:
        """Whether each message is sent while its vehicle attacks."""
        since_us = self.time_us - self.first_us - round(self.params.onset_s * _SECOND_US)
        if self.params.active_share == 1.0:
            return since_us >= 0
        number = since_us // round(self.params.episode_s * _SECOND_US)
        drawn = keys(number_within(self.vehicle, number), seed=self.params.seed, purpose=EPISODE)
        # Truncation drops a fraction of the 64th bit.
        return (since_us >= 0) & (drawn <= np.uint64(max(0, int(self.params.active_share * 2.0**64) - 1)))

    @cached_property
    def onset(self) -> Places:
        """Index of the first active message of each one's vehicle; meaningless before that."""
        places = np.where(self.active, np.arange(len(self)), len(self))
        starts = np.unique(self.begin)
        first = np.minimum.reduceat(places, starts) if starts.size else places
        repeated: Places = np.repeat(first, np.diff(np.append(starts, len(self))))
        return np.minimum(repeated, max(0, len(self) - 1))

    def position(self) -> Positions:
        """Return the true positions."""
        return self.column(X_POS), self.column(Y_POS)


def find_latest(begin: Places, time_us: Places, wanted_us: Places, *, stop: Places | None = None) -> Places:
    """Return for each of n moments the index of the last message that is not later; the first one if all are.

    Parameters
    ----------
    begin
        Where the messages that each may find begin, shape (n,).
    time_us
        When messages were sent, shape (m,): within what one may find it never falls.
    wanted_us
        The moments, shape (n,).
    stop
        Where the messages that each may find end, shape (n,); None: m = n, and each finds none behind itself.
    """
    low, high = begin.copy(), (np.arange(begin.size) if stop is None else stop - 1).copy()
    while (low < high).any():
        middle = (low + high + 1) // 2
        fits = time_us[middle] <= wanted_us
        low, high = np.where(fits, middle, low), np.where(fits, high, np.maximum(low, middle - 1))
    return low


class SequenceAttack(AttackParams):
    """An attack on a vehicle's own stream of messages, from an onset on, all the time or in episodes.

    Attributes
    ----------
    is_ordered
        True: it takes whole vehicles, in order.
    adds
        Whether it sends messages beside those there are; the frame then has `copy`.
    claimed
        The columns that it changes.
    """

    is_ordered: ClassVar[bool] = True
    adds: ClassVar[bool] = False
    claimed: ClassVar[tuple[str, ...]] = (X_POS, Y_POS)

    choose_by: Literal["vehicle"] = Field(
        default="vehicle", description="a sequence is a vehicle's, so vehicles attack"
    )
    onset_s: float = Field(
        default=0.0, ge=0, le=1e9, description="seconds after a vehicle's first message when it begins"
    )
    active_share: float = Field(
        default=1.0, gt=0, le=1, description="share of the time from then on in which it attacks"
    )
    episode_s: float = Field(default=10.0, ge=0.001, le=1e9, description="seconds for which that is drawn anew")

    @property
    def memory_us(self) -> int:
        """How far back an attack looks beyond the onset's message, microseconds."""
        return 0

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers claim, a function of seed, vehicle and messages."""
        raise NotImplementedError

    def draw(self, counters: NDArray[np.uint64], low: float, high: float) -> Floats:
        """Return a number for each counter, shape (n,), uniform between two bounds."""
        share, _ = uniform_pairs(counters, seed=self.seed, purpose=CLAIM)
        return low + share * (high - low)


class SpeedRange(SequenceAttack):
    """Speeds drawn uniformly from a range."""

    claimed: ClassVar[tuple[str, ...]] = (SPEED,)

    min_mps: float = Field(0.0, ge=0, le=1000, description="least speed, metres per second")
    max_mps: float = Field(40.0, ge=0, le=1000, description="greatest speed, metres per second")

    @model_validator(mode="after")
    def _speeds_in_order(self) -> Self:
        if self.min_mps > self.max_mps:
            raise ValueError(f"min_mps {self.min_mps} is greater than max_mps {self.max_mps}; swap them")
        return self

    def change(self, true: Floats, counters: NDArray[np.uint64]) -> Floats:
        """Return true speeds, shape (n,), changed by an amount of the range, up or down alike; none below 0."""
        share, side = uniform_pairs(counters, seed=self.seed, purpose=CLAIM)
        amount = self.min_mps + share * (self.max_mps - self.min_mps)
        return np.maximum(0.0, true + np.where(side < _HALF, -amount, amount))


def take_heard(heard: Heard | None, places: Places, names: tuple[str, ...]) -> dict[str, Floats]:
    """Return by column what heard messages say, at some indices; nothing where none was heard."""
    if heard is None or not heard.key.size:
        return {}
    says = {X_POS: heard.x, Y_POS: heard.y, SPEED: heard.speed, HEADING: heard.heading}
    return {name: says[name][places] for name in names}


def hear_others(vehicle: NDArray[np.uint64], counters: NDArray[np.uint64], heard: Heard, *, seed: int) -> Places:
    """Draw for each counter, shape (n,), the index of a heard message that is not its own vehicle's.

    Own messages are drawn again, and what is own after that gives -1: hardly anything, unless nobody else was heard.
    """
    places = np.full(vehicle.size, -1)
    for turn in range(_TURNS if heard.key.size else 0):
        left = np.flatnonzero(places < 0)
        again = number_within(counters[left], np.full(left.size, turn))
        drawn = integers_below(again, seed=seed, purpose=CLAIM, bound=heard.key.size)
        places[left] = np.where(heard.vehicle[drawn] == vehicle[left], -1, drawn)
    return places
