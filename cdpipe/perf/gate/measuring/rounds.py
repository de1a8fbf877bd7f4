"""Rounds: pairs of processes, base and head side by side, until each benchmark has its verdict.

A round is one pair of each benchmark that has none yet. A process beside which others had the cores is run again at
once; a pair that stays disturbed decides nothing, and another is measured in its place.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

import numpy as np

from cdpipe.perf.gate.deciding.looks import Looks, plan_looks
from cdpipe.perf.gate.deciding.series import Series, summarise_process
from cdpipe.perf.gate.deciding.verdicts import Criteria, Decision, decide
from cdpipe.perf.gate.measuring.order import is_head_first, order_round
from cdpipe.perf.results.contention import QUIET

CANARY: Final = "canary"
_AGAIN: Final = 2
"""How often a disturbed process is run again."""

_CANARY_MOVED: Final = 1.1
"""A canary slower than its own median by this has been disturbed."""

_CANARY_KNOWN: Final = 4
"""Readings from which on the canary's median is known."""

_CANARY_RECENT: Final = 9
"""Readings that the median is of: a machine that has become slower for good is the new measure after five of them."""

_GUESSED_PROCESS_S: Final = 5.0
"""What a process takes, before one was measured."""

_TRIES_A_PAIR: Final = 2
"""Pairs begun for each pair that is wanted, before a benchmark is given up."""


_HOPELESS_ROUNDS: Final = 4
_HOPELESS: Final = 0.8
"""Share of disturbed pairs, and the rounds after which it ends the run: it will be invalid."""


class Side(StrEnum):
    """The two commits."""

    BASE = "base"
    HEAD = "head"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one process gave.

    Attributes
    ----------
    samples
        In the order taken; empty if it failed or skipped.
    others
        Share of the processors that other programs had meanwhile.
    seconds, cpu_seconds
        Of the whole process, imports and preparation included.
    is_skipped
        Whether the benchmark does not exist for this commit.
    output
        The end of what it wrote, if it failed.
    """

    samples: tuple[float, ...]
    others: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    is_skipped: bool = False
    output: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two processes that ran one after the other, and how often one of them was run again."""

    benchmark: str
    number: int
    head_first: bool
    base: Reading
    head: Reading
    again: int
    is_disturbed: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """A benchmark that could not be measured on one side."""

    benchmark: str
    side: Side
    output: str


class _Calmest(NamedTuple):
    """The least disturbed of the runs of a process, how many runs there were before it, and whether it was calm."""

    reading: Reading
    again: int
    is_disturbed: bool


class Sides(Protocol):
    """What starts processes."""

    def measure(self, benchmark: str, side: Side) -> Reading:
        """Run one benchmark in a fresh process of one side."""

    def watch_canary(self, side: Side) -> Reading:
        """Run the canary in a fresh process of one side; one sample."""


@dataclass(slots=True)
class Measured:
    """All that a run measured.

    Attributes
    ----------
    series, decisions
        Benchmarks that both sides have, and their verdicts, in one order.
    canary
        The canary's pairs and its verdict, which must be *no change*.
    pairs
        Every pair, those of the canary and disturbed ones too, in the order taken.
    failures, missing
        What could not be measured; benchmarks that only one commit has, with that side.
    is_out_of_time
        Whether measuring ended by its limit.
    seconds
        That measuring took.
    """

    series: list[Series] = field(default_factory=list)
    decisions: tuple[Decision, ...] = ()
    canary: Series = field(default_factory=lambda: Series(CANARY, "seconds"))
    canary_decision: Decision | None = None
    pairs: list[Pair] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    missing: dict[str, Side] = field(default_factory=dict)
    is_out_of_time: bool = False
    seconds: float = 0.0

    @property
    def disturbed_share(self) -> float:
        """Share of the benchmarks' pairs that stayed disturbed."""
        own = [pair for pair in self.pairs if pair.benchmark != CANARY]
        return sum(pair.is_disturbed for pair in own) / len(own) if own else 0.0


class Rounds:
    """A run: first every benchmark once a side, to see which work and how long they take; then rounds of pairs.

    Parameters
    ----------
    sides
        Starts the processes.
    series
        What to compare, without pairs.
    criteria
        When a difference counts.
    seed
        Of the order.
    limit_s
        Seconds after which no further pair is begun.
    say
        Called with sentences on the progress.
    most_others
        Share of the processors that other programs may have beside a process that counts.
    """

    def __init__(
        self,
        sides: Sides,
        series: Sequence[Series],
        *,
        criteria: Criteria,
        seed: int,
        limit_s: float,
        say: Callable[[str], None],
        most_others: float = QUIET,
    ) -> None:
        self._sides, self._criteria, self._seed, self._say = sides, criteria, seed, say
        self._limit_s, self._begin, self._most_others = limit_s, time.monotonic(), most_others
        self._known = {each.name: each for each in series}
        self._open: set[str] = set()
        self._tried: dict[str, int] = {}
        self._canaries: deque[float] = deque(maxlen=_CANARY_RECENT)
        self.measured = Measured()

    def run(self) -> Measured:
        """Measure until all verdicts are there, or the time is up."""
        process_s = self._try_all()
        self.measured.series = list(self._known.values())
        if self._known:
            looks = plan_looks(
                comparisons=len(self._known),
                false_alarms=self._criteria.false_alarms,
                most_pairs=self._criteria.most_pairs,
            )
            self._announce(looks, process_s)
            self._begin = time.monotonic()
            self._measure_rounds(looks)
            self._decide(looks, ended=True)
        self.measured.seconds = time.monotonic() - self._begin
        return self.measured

    def _try_all(self) -> float:
        """Run each benchmark once a side and drop those without figures; return the seconds of one round."""
        guess = len(self._known) * len(Side) * _GUESSED_PROCESS_S
        self._say(f"{len(self._known)} benchmarks are tried on both sides first: {guess / 60:.1f} min, as a guess")
        total = 0.0
        for name in list(self._known):
            for side in Side:
                reading = self._sides.measure(name, side)
                total += reading.seconds
                self._drop_unmeasured(name, side, reading)
        return total

    def _drop_unmeasured(self, name: str, side: Side, reading: Reading) -> None:
        if reading.samples:
            if min(reading.samples) >= 0:
                return
            self.measured.failures.append(Failure(name, side, "gave a figure below 0, which has no ratio"))
        elif reading.is_skipped:
            other = Side.HEAD if side is Side.BASE else Side.BASE
            self.measured.missing[name] = other
        else:
            self.measured.failures.append(Failure(name, side, reading.output))
        self._known.pop(name, None)

    def _announce(self, looks: Looks, round_s: float) -> None:
        least, most = ((looks.early or looks.counts)[0], looks.most)
        limit = "" if self._limit_s == float("inf") else f", and no longer than {self._limit_s / 60:.0f} min"
        self._say(
            f"{len(self._known)} benchmarks, {round_s:.0f} s a round: {least} to {most} rounds take "
            f"{least * round_s / 60:.1f} to {most * round_s / 60:.1f} min{limit}; order drawn by seed {self._seed}"
        )

    def _measure_rounds(self, looks: Looks) -> None:
        self._open = set(self._known)
        number = 0
        while self._open and not self._is_late() and not self._is_hopeless(number):
            calm = self._measure_pair(self.measured.canary, number)
            for name in order_round(sorted(self._open), number, seed=self._seed):
                if self._is_late():
                    break
                self._measure_pair(self._known[name], self._tried.get(name, 0), calm=calm)
                self._tried[name] = self._tried.get(name, 0) + 1
            self._close(looks)
            number += 1
        self.measured.is_out_of_time = bool(self._open) and self._is_late()

    def _is_late(self) -> bool:
        return time.monotonic() - self._begin > self._limit_s

    def _is_hopeless(self, rounds: int) -> bool:
        """Return True if others have the machine, so that measuring on would only take time."""
        return rounds >= _HOPELESS_ROUNDS and self.measured.disturbed_share > _HOPELESS

    def _measure_pair(self, series: Series, number: int, *, calm: bool = True) -> bool:
        """Measure a pair, keep it, and count it in if it was undisturbed; return whether it was."""
        head_first = is_head_first(series.name, number, seed=self._seed)
        order = (Side.HEAD, Side.BASE) if head_first else (Side.BASE, Side.HEAD)
        found = {side: self._measure_calmly(series, side) for side in order}
        base, head = found[Side.BASE].reading, found[Side.HEAD].reading
        if not (base.samples and head.samples):
            for side, measured in found.items():
                if not measured.reading.samples and series.name in self._known:
                    self._drop_late(series, side, measured.reading)
            return False
        disturbed = not calm or any(each.is_disturbed for each in found.values())
        again = sum(each.again for each in found.values())
        self.measured.pairs.append(Pair(series.name, number, head_first, base, head, again, disturbed))
        if not disturbed:
            series.base.append(summarise_process(base.samples, unit=series.unit))
            series.head.append(summarise_process(head.samples, unit=series.unit))
        return not disturbed

    def _measure_calmly(self, series: Series, side: Side) -> "_Calmest":
        """Run a process, again if others had the cores, and return the least disturbed."""
        is_canary = series is self.measured.canary
        best: _Calmest | None = None
        for again in range(_AGAIN + 1):
            reading = self._sides.watch_canary(side) if is_canary else self._sides.measure(series.name, side)
            disturbed = reading.others > self._most_others or (is_canary and self._is_moved(reading))
            if best is None or not reading.samples or not disturbed or reading.others < best.reading.others:
                best = _Calmest(reading, again, disturbed)
            if not reading.samples or not disturbed:
                break
        assert best is not None
        if is_canary and best.reading.samples:
            self._canaries.append(best.reading.samples[0])
        return best

    def _is_moved(self, reading: Reading) -> bool:
        """Return True if the canary was slower than it mostly is of late."""
        known = self._canaries
        return len(known) >= _CANARY_KNOWN and reading.samples[0] > _CANARY_MOVED * float(np.median(known))

    def _drop_late(self, series: Series, side: Side, reading: Reading) -> None:
        self._drop_unmeasured(series.name, side, reading)
        self._open.discard(series.name)
        if series in self.measured.series:
            self.measured.series.remove(series)

    def _close(self, looks: Looks) -> None:
        """Close the benchmarks that have a verdict, all their pairs, or too many disturbed ones."""
        due = {name for name in self._open if looks.includes(len(self._known[name].base))}
        if due:
            self._decide(looks, ended=False)
            decided = {
                series.name
                for series, decision in zip(self.measured.series, self.measured.decisions, strict=True)
                if not decision.is_open or decision.pairs >= looks.most
            }
            self._open -= due & decided
        self._open -= {name for name in self._open if self._tried.get(name, 0) >= _TRIES_A_PAIR * looks.most}

    def _decide(self, looks: Looks, *, ended: bool) -> None:
        self.measured.decisions = decide(self.measured.series, looks=looks, criteria=self._criteria, ended=ended)
        canary_looks = plan_looks(comparisons=1, false_alarms=self._criteria.false_alarms, most_pairs=looks.most)
        (self.measured.canary_decision,) = decide(
            [self.measured.canary], looks=canary_looks, criteria=self._criteria, ended=ended
        )
