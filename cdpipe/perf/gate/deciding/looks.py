"""Looks: after how many pairs a comparison may end, and what part of its false alarms each of them may cost.

A test that is repeated until it is significant has more false alarms than it says. So the probability of one is spent
over the looks (Lan and DeMets 1983): look k may spend the part `weights[k]` of it, and the parts add up to 1. By
Bonferroni's inequality that holds for every level at once, for ties, and however the looks depend on each other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cdpipe.perf.gate.deciding.signed_rank import weigh_signs

FEWEST: Final = 6
"""Pairs below which there is no interval of 95 %."""

_FIRST_WEIGHT: Final = 0.4
_STEP: Final = 4
_EARLY_STEP: Final = 2


@dataclass(frozen=True, slots=True)
class Looks:
    """When a comparison is looked at.

    Attributes
    ----------
    early
        Counts of pairs at which it may end with *no change*: too few for a change to be significant.
    counts
        Counts of pairs at which it is tested, ascending.
    weights
        The part of false alarms that each of those may spend; they add up to 1.
    """

    early: tuple[int, ...]
    counts: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def most(self) -> int:
        """Pairs of the last look."""
        return self.counts[-1]

    def includes(self, count: int) -> bool:
        """Return True if there is a look after this many pairs."""
        return count in self.early or count in self.counts


def plan_looks(*, comparisons: int, false_alarms: float, most_pairs: int) -> Looks:
    """Plan the looks of each benchmark in a run.

    The first test is where the smallest possible p-value suffices for one benchmark among all.

    Parameters
    ----------
    comparisons
        Benchmarks that are compared in the run, at least one.
    false_alarms
        Probability of any false alarm in the run.
    most_pairs
        Pairs after which measuring ends, at least `FEWEST`.

    Raises
    ------
    ValueError
        If that is too few for any interval.
    """
    if most_pairs < FEWEST:
        raise ValueError(f"{most_pairs} pairs say nothing; allow at least {FEWEST}, better 24")
    level = false_alarms * _FIRST_WEIGHT / comparisons
    first = max(FEWEST, 2 * math.ceil((1 - math.log2(level)) / 2))
    counts = (*range(first, most_pairs, _STEP), most_pairs)
    # A last step of one or two pairs is no look of its own.
    if len(counts) > 1 and counts[-1] - counts[-2] < _STEP // 2:
        counts = (*counts[:-2], most_pairs)
    later = len(counts) - 1
    weights = (_FIRST_WEIGHT, *((1 - _FIRST_WEIGHT) / later for _ in range(later))) if later else (1.0,)
    return Looks(tuple(range(FEWEST, counts[0], _EARLY_STEP)), counts, weights)


def weigh_looks(differences: Sequence[float], looks: Looks, *, ended: bool = False) -> float:
    """Return the p-value of all looks at a series of pairs, valid whenever and why ever it was stopped.

    Parameters
    ----------
    differences
        One of each pair, in the order taken.
    looks
        The plan.
    ended
        Whether no pairs will follow: those after the last look are then tested with what the next look might spend.
    """
    count = len(differences)
    spent = [
        weigh_signs(differences[:at]) / weight
        for at, weight in zip(looks.counts, looks.weights, strict=True)
        if at <= count
    ]
    if ended and count > 0:
        reached = len(spent)
        if reached < len(looks.counts) and (not reached or looks.counts[reached - 1] < count):
            spent.append(weigh_signs(differences) / looks.weights[reached])
    return min([1.0, *spent])


def correct_many(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number by Benjamini and Hochberg (1995), in the order given.

    Rejecting those of at most q keeps the expected part of false ones among the rejected below q, where the tests are
    independent or lean the same way. If nothing has changed at all, that is the probability of any alarm.
    """
    order = sorted(range(len(p_values)), key=lambda at: p_values[at], reverse=True)
    corrected, least = [1.0] * len(p_values), 1.0
    for rank, at in zip(range(len(order), 0, -1), order, strict=True):
        least = min(least, p_values[at] * len(order) / rank)
        corrected[at] = least
    return corrected
