"""Queue depth over time, kept in little memory. Travels by value to schedulers that have no cdpipe."""

import time
from typing import Final

_MOST_CHANGES: Final = 4096
_POINTS: Final = 64


class Depth:
    """The depth of a queue over time: its mean and most exactly, its course coarsely."""

    def __init__(self) -> None:
        self.most = self.now = 0
        self._area = 0.0
        self._start_s = self._last_s = time.perf_counter()
        self._changes: list[tuple[float, int]] = [(self._start_s, 0)]
        self._apart_s = 0.0

    def note(self, depth: int) -> None:
        """Say what the depth is from now on."""
        if depth == self.now:
            return
        now_s = time.perf_counter()
        self._area += self.now * (now_s - self._last_s)
        self.most, self.now, self._last_s = max(self.most, depth), depth, now_s
        if now_s - self._changes[-1][0] >= self._apart_s:
            self._changes.append((now_s, depth))
            if len(self._changes) > _MOST_CHANGES:
                self._changes = self._changes[::2]
                self._apart_s = 2 * (now_s - self._start_s) / _MOST_CHANGES

    def finish(self) -> tuple[float, tuple[float, ...]]:
        """Return the mean over the time, and at most 64 means over equal parts of it."""
        end_s = time.perf_counter()
        whole_s = max(end_s - self._start_s, 1e-9)
        mean = (self._area + self.now * (end_s - self._last_s)) / whole_s
        width_s = whole_s / _POINTS
        points = [0.0] * _POINTS
        ends = [*(moment for moment, _ in self._changes[1:]), end_s]
        for (from_s, depth), to_s in zip(self._changes, ends, strict=True):
            low, high = (from_s - self._start_s) / width_s, (to_s - self._start_s) / width_s
            for point in range(int(low), min(_POINTS, int(high) + 1)):
                points[point] += depth * max(0.0, min(high, point + 1) - max(low, point))
        return mean, tuple(points)
