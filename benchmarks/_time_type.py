"""`time_` and `timeraw_` benchmarks that know when they were disturbed.

asv's own, but for this: what each sample waited for a processor, and what other programs used meanwhile, is read at its
ends and kept beside the results. A disturbed sample is measured again, at most twice, and the least disturbed counts:
chosen by what disturbed it, never by its time, so that none is the faster for it.
"""

from typing import Any, Final

from asv_runner.benchmarks import benchmark_types
from asv_runner.benchmarks.time import TimeBenchmark
from asv_runner.benchmarks.timeraw import TimerawBenchmark

from benchmarks._contention import Stopwatch, Use, keep

MOST_TRIES: Final = 3


class PatientTimer:
    """A timer that measures a disturbed sample again; `timer` is one of asv's, made with the clock."""

    def __init__(self, timer: Any, clock: Stopwatch, *, is_outside: bool = False) -> None:
        self._timer, self._clock, self._is_outside = timer, clock, is_outside
        self.uses: list[Use] = []
        self.tries: list[int] = []

    def timeit(self, number: int) -> float:
        """Return the seconds of the least disturbed try."""
        seconds, use = self._measure(number)
        tries = 1
        while use.disturbance > 1 and tries < MOST_TRIES:
            again, other = self._measure(number)
            tries += 1
            if other.disturbance < use.disturbance:
                seconds, use = again, other
        self.uses.append(use)
        self.tries.append(tries)
        return seconds

    def _measure(self, number: int) -> tuple[float, Use]:
        """Return asv's seconds, and what was used; a process of its own is looked at from outside."""
        self._clock.use = None
        if self._is_outside:
            self._clock()
        seconds = self._timer.timeit(number)
        if self._is_outside:
            self._clock()
        return seconds, self._clock.use


class _Patient:
    """What both types share: the timer, and the note on what the samples took."""

    _is_outside = False

    def run(self, *param: Any) -> dict[str, Any]:
        """Take the samples, and write down what they took."""
        result = super().run(*param)
        count = len(result["samples"])
        keep(self.name, tuple(self._current_params), self._patient.uses[-count:], self._patient.tries[-count:])
        return result

    def _get_timer(self, *param: Any) -> PatientTimer:
        clock = self._take_clock()
        return self._make_patient(super()._get_timer(*param), clock)

    def _take_clock(self) -> Stopwatch:
        """Return the clock, having asv's timers use it if they are in this process."""
        if self._is_outside:
            return Stopwatch()
        self.timer = Stopwatch(self.timer)
        return self.timer

    def _make_patient(self, timer: Any, clock: Stopwatch) -> PatientTimer:
        self._patient = PatientTimer(timer, clock, is_outside=self._is_outside)
        return self._patient


class PatientTime(_Patient, TimeBenchmark):
    """A `time_` benchmark: its setup before each sample is outside of what is timed, and of what is looked at."""

    def _get_interleaved_timer(self, *param: Any) -> PatientTimer:
        clock = self._take_clock()
        return self._make_patient(super()._get_interleaved_timer(*param), clock)


class PatientTimeraw(_Patient, TimerawBenchmark):
    """A `timeraw_` benchmark: each sample is a process, whose start and end are looked at too."""

    _is_outside = True


def register() -> None:
    """Make asv take these for its own types in this process; it asks in every process anew."""
    for own in (PatientTime, PatientTimeraw):
        if own not in benchmark_types:
            benchmark_types.insert(0, own)
