"""Simulated pairs: two sides whose truth is known, measured by the gate's own rounds without a process."""

import math

import numpy as np

from cdpipe.perf.gate.deciding.series import Series
from cdpipe.perf.gate.deciding.verdicts import Criteria
from cdpipe.perf.gate.measuring.rounds import Reading, Rounds, Side


class SimulatedSides:
    """Sides whose processes take drawn times.

    Parameters
    ----------
    changes
        By benchmark, how much more the head takes: 0.05 is 5 %.
    spread
        Standard deviation of the logarithm of a pair's ratio.
    noise
        `normal`, or `heavy`: t with three degrees of freedom, of the same spread.
    second
        How much longer the second process of two takes than the first.
    weather
        Spread of what both processes of a round share.
    busy
        Called with (name, side): the share of the processors that others have.
    """

    def __init__(self, changes, *, spread=0.02, noise="normal", second=0.0, weather=0.0, busy=None, seed=0, unit=1.0):
        self.changes, self.spread, self.noise, self.second, self.unit = changes, spread, noise, second, unit
        self.weather, self.busy = weather, busy or (lambda name, side: 0.0)
        self.generator = np.random.default_rng(seed)
        self.calls = []

    def measure(self, benchmark, side):
        self.calls.append((benchmark, side))
        own = [call for call in self.calls if call[0] == benchmark]
        if len(own) % 2:
            self._sky = self.generator.normal(0, self.weather) if self.weather else 0.0
        others = self.busy(benchmark, side)
        log = self.draw() + self._sky + (0 if len(own) % 2 else math.log1p(self.second)) + 2 * others
        change = self.changes.get(benchmark, 0.0) if side is Side.HEAD else 0.0
        value = self.unit * math.exp(log) * (1 + change)
        return Reading((value, value * 1.5), others=others, seconds=0.0)

    def draw(self):
        one = self.spread / math.sqrt(2)
        if self.noise == "heavy":
            return one * self.generator.standard_t(3) / math.sqrt(3)
        return self.generator.normal(0, one)

    def watch_canary(self, side):
        self.calls.append(("canary", side))
        return Reading((0.02 * math.exp(self.generator.normal(0, 0.005)),), others=self.busy("canary", side))


def measure(sides, names, *, unit="seconds", criteria=None, seed=1, limit_s=math.inf, say=lambda sentence: None):
    series = [Series(name, unit) for name in names]
    criteria = criteria or Criteria()
    return Rounds(sides, series, criteria=criteria, seed=seed, limit_s=limit_s, say=say).run()


def decide_one(change, **options):
    """Return the decision on the first of eight benchmarks, which alone has changed, and those on the others."""
    names = [f"b{at}" for at in range(8)]
    measured = measure(SimulatedSides({"b0": change}, **options), names, seed=options.get("seed", 0))
    decisions = {series.name: decision for series, decision in zip(measured.series, measured.decisions, strict=True)}
    return decisions.pop("b0"), list(decisions.values())
