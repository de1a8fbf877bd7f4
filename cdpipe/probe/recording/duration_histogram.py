"""Duration histogram, kept in little memory: exact sum, least and most; quantiles within 1 %."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

_GROWTH: Final = math.log(1.02)
_LEAST_SECONDS: Final = 1e-9
_MOST_NEW: Final = 4096


@dataclass(slots=True)
class Durations:
    """A histogram of durations whose bins grow by 2 %; parts kept by several threads can be added up.

    Attributes
    ----------
    seconds, least_seconds, most_seconds
        Sum, least and most.
    bins
        Number of durations by bin.
    """

    seconds: float = 0.0
    least_seconds: float = math.inf
    most_seconds: float = 0.0
    bins: Counter[int] = field(default_factory=Counter)
    _new: list[float] = field(default_factory=list)

    def note(self, seconds: float) -> None:
        """Add one duration; sorted into its bin later, with others."""
        self._new.append(seconds)
        if len(self._new) >= _MOST_NEW:
            self._sort()

    def _sort(self) -> None:
        new, self._new = np.array(self._new), []
        self.seconds += float(new.sum())
        self.least_seconds = min(self.least_seconds, float(new.min(initial=math.inf)))
        self.most_seconds = max(self.most_seconds, float(new.max(initial=0.0)))
        bins = np.rint(np.log(np.maximum(new, _LEAST_SECONDS)) / _GROWTH).astype(np.int64)
        for position, count in zip(*np.unique(bins, return_counts=True), strict=True):
            self.bins[int(position)] += int(count)

    def copy(self) -> Self:
        """Return what has been noted so far; the thread that notes may go on meanwhile."""
        found = type(self)(
            self.seconds, self.least_seconds, self.most_seconds, Counter(dict(self.bins)), list(self._new)
        )
        found._sort()
        return found

    @property
    def count(self) -> int:
        """Number of durations."""
        return self.bins.total() + len(self._new)

    @classmethod
    def join(cls, parts: Iterable[Self]) -> Self:
        """Return all of them together."""
        whole = cls()
        for part in (each.copy() for each in parts):
            whole.seconds += part.seconds
            whole.least_seconds = min(whole.least_seconds, part.least_seconds)
            whole.most_seconds = max(whole.most_seconds, part.most_seconds)
            whole.bins.update(part.bins)
        return whole

    def quantile(self, share: float) -> float:
        """Return the duration that `share` (0 to 1) of all do not exceed, within 1 %; NaN of none."""
        self._sort()
        wanted, passed = share * self.count, 0
        for position in sorted(self.bins):
            passed += self.bins[position]
            if passed >= wanted:
                return min(max(math.exp(position * _GROWTH), self.least_seconds), self.most_seconds)
        return math.nan

    def summarise(self) -> dict[str, float]:
        """Return `min`, `p50`, `p95`, `max` and `mean` in seconds; nothing of none."""
        self._sort()
        if not self.count:
            return {}
        return {
            "min": self.least_seconds,
            "p50": self.quantile(0.5),
            "p95": self.quantile(0.95),
            "max": self.most_seconds,
            "mean": self.seconds / self.count,
        }
