"""Resampling: whole vehicles drawn anew, so that an interval knows how few they are, however much each has sent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.draws.keyed import RESAMPLE, integers_below

Floats = NDArray[np.float64]

LEAST_VEHICLES: Final = 3
"""With fewer attackers, or fewer honest vehicles, there is no interval."""

_CHUNK: Final = 1 << 17
"""Weights that are held at a time."""

_PURPOSES: Final = 256
"""Purposes of draws are below this number; multiples of it tell draws of one purpose apart."""


class Profiles(NamedTuple):
    """Counts of vehicles' messages.

    Attributes
    ----------
    negative, positive
        By vehicle and column, such as (no alarm, alarm) or a score's bin: messages of label 0 and of label 1, whole
        numbers as float64, shape (v, columns) each.
    vehicle
        Indices of these v vehicles among all, ascending; None: all of them.
    """

    negative: Floats
    positive: Floats
    vehicle: NDArray[np.intp] | None = None


@dataclass(frozen=True, slots=True)
class Resampler:
    """Draws vehicles with replacement: as many attackers as there are, and as many honest ones.

    To each group comes one vehicle more, drawn from both, whose messages count as the group's own. Without it no
    resample could have what was not seen once, such as a miss of a perfect detector, and an interval would say that it
    cannot happen. It is what Agresti and Caffo (2000) do to two proportions.

    Attributes
    ----------
    attacks
        Whether each vehicle has messages of label 1, in the order of the vehicles' hashes, shape (vehicles,).
    seed
        Of the draws.
    resamples
        How many.
    """

    attacks: NDArray[np.bool_]
    seed: int
    resamples: int

    @property
    def is_able(self) -> bool:
        """Whether there are enough vehicles of each group for an interval."""
        return all(group.size >= LEAST_VEHICLES for group in self._groups) and bool(self.attacks.any())

    def add_up(self, profiles: Sequence[Profiles]) -> list[Profiles]:
        """Add up what each resample's vehicles have; sums are exact, in whatever order they are made.

        Returns
        -------
        list of Profiles
            For each that was given, shape (resamples, columns).
        """
        sums = [_Sum(each, self.resamples, self._groups, self.attacks.size) for each in profiles]
        for rows, weights, further in self._draw():
            for each in sums:
                each.take(rows, weights, further)
        return [each.total for each in sums]

    @property
    def _groups(self) -> list[NDArray[np.intp]]:
        """Vehicles that are honest and those that attack, without a group that nobody is in."""
        groups = (np.flatnonzero(~self.attacks), np.flatnonzero(self.attacks))
        return [group for group in groups if group.size]

    def _draw(self) -> Iterator[tuple[slice, Floats, list[NDArray[np.int64]]]]:
        """Yield resamples: how often each vehicle is drawn, and the one vehicle more of each group."""
        vehicles = self.attacks.size
        step = max(1, _CHUNK // vehicles)
        for start in range(0, self.resamples, step):
            numbers = np.arange(start, min(start + step, self.resamples), dtype=np.uint64)
            weights = np.zeros(numbers.size * vehicles)
            for place, group in enumerate(self._groups):
                drawn = group[self._integers(numbers, group.size, place, below=group.size)]
                cells = np.arange(numbers.size)[:, np.newaxis] * vehicles + drawn
                weights += np.bincount(cells.ravel(), minlength=weights.size)
            further = [
                self._integers(numbers, 1, len(self._groups) + place, below=vehicles)[:, 0]
                for place in range(len(self._groups))
            ]
            yield slice(start, start + numbers.size), weights.reshape(numbers.size, vehicles), further

    def _integers(self, numbers: NDArray[np.uint64], count: int, purpose: int, *, below: int) -> NDArray[np.int64]:
        """Draw `count` integers for each resample's number."""
        counters = numbers[:, np.newaxis] * np.uint64(2**32) + np.arange(count, dtype=np.uint64)
        drawn = integers_below(counters.ravel(), seed=self.seed, purpose=RESAMPLE + _PURPOSES * purpose, bound=below)
        return drawn.reshape(numbers.size, count)


class _Sum:
    """Sums of one kind of counts over the vehicles of each resample."""

    def __init__(self, profiles: Profiles, resamples: int, groups: list[NDArray[np.intp]], vehicles: int) -> None:
        self._profiles = profiles
        columns = profiles.negative.shape[1]
        self._both = np.vstack([profiles.negative + profiles.positive, np.zeros((1, columns))])
        rows = np.arange(vehicles) if profiles.vehicle is None else profiles.vehicle
        self._row = np.full(vehicles, rows.size)  # a vehicle that is not among these has nothing
        self._row[rows] = np.arange(rows.size)
        self._positive = [_share(profiles.positive, self._both, self._row[group]) for group in groups]
        self.total = Profiles(np.empty((resamples, columns)), np.empty((resamples, columns)))

    def take(self, rows: slice, weights: Floats, further: list[NDArray[np.int64]]) -> None:
        """Take some resamples in."""
        used = weights if self._profiles.vehicle is None else weights[:, self._profiles.vehicle]
        self.total.negative[rows] = used @ self._profiles.negative
        self.total.positive[rows] = used @ self._profiles.positive
        for drawn, positive in zip(further, self._positive, strict=True):
            counts = self._both[self._row[drawn]]
            self.total.negative[rows] += (1 - positive) * counts
            self.total.positive[rows] += positive * counts


def _share(positive: Floats, both: Floats, rows: NDArray[np.intp]) -> float:
    """Return the share of label 1 among a group's messages."""
    there = rows[rows < len(positive)]
    total = float(both[there].sum())
    return float(positive[there].sum()) / total if total else 0.0
