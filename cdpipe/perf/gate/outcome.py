"""Outcome: what a comparison of two commits says, and the exit status that it stands for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from cdpipe.perf.gate.deciding.series import Series, Verdict
from cdpipe.perf.gate.deciding.verdicts import Criteria, Decision
from cdpipe.perf.gate.measuring.rounds import Failure, Pair, Side

MOST_DISTURBED: Final = 0.5
"""Share of disturbed pairs above which a run that left a question open is invalid."""

_WORSE: Final = frozenset({Verdict.SLOWER, Verdict.LARGER, Verdict.HIGHER})


class Status(IntEnum):
    """Exit statuses of `cdpipe compare`."""

    PASSED = 0
    REGRESSION = 1
    NOT_MEASURED = 2
    INVALID = 3


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, and the name by which it was asked for."""

    hash: str
    name: str

    @property
    def short(self) -> str:
        """Eight characters of the hash."""
        return self.hash[:8]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a benchmark changed: a sentence, and the figures that it rests on, base and head, in their units."""

    sentence: str
    resource: str = ""
    figures: Mapping[str, tuple[float, float, str]] = field(default_factory=dict)
    functions: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark that was compared.

    Attributes
    ----------
    series, decision
        Its pairs and its verdict.
    accepted
        The reason by which a regression is meant, `""` where it is not.
    explanation
        Why it changed; None where it did not, or nobody looked.
    """

    series: Series
    decision: Decision
    accepted: str = ""
    explanation: Explanation | None = None

    @property
    def is_worse(self) -> bool:
        """Whether it has changed for the worse."""
        return self.series.has_direction and self.decision.verdict in _WORSE

    @property
    def is_regression(self) -> bool:
        """Whether it fails the run."""
        return self.is_worse and not self.accepted

    @property
    def rank(self) -> tuple[int, float, str]:
        """What sorts the worst first."""
        groups = (self.is_regression, self.is_worse, self.decision.is_open, self.decision.has_changed, True)
        size = self.decision.change if self.decision.pairs else 0.0
        return groups.index(True), -abs(size), self.series.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A comparison of two commits.

    Attributes
    ----------
    base, head
        The commits.
    rows
        What was compared, the worst first.
    criteria, seed
        By which it was decided and ordered.
    failures, missing
        What could not be measured, and what only one side has.
    design
        Sentences on how it was measured, and what that can decide.
    notes
        What else a reader must know: trailers that name nothing, for instance.
    invalid
        Why nothing of it counts, `""` if it does.
    error, output
        Why nothing could be measured at all, `""` if something could; the end of what the failing command wrote.
    canary
        The canary's verdict; None where there was none.
    pairs
        Every pair that was measured; empty for stored results.
    seconds
        That measuring took; None for stored results.
    """

    base: Commit
    head: Commit
    rows: tuple[Row, ...]
    criteria: Criteria
    seed: int | None = None
    failures: tuple[Failure, ...] = ()
    missing: Mapping[str, Side] = field(default_factory=dict)
    design: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    invalid: str = ""
    error: str = ""
    output: str = ""
    canary: Decision | None = None
    pairs: tuple[Pair, ...] = ()
    seconds: float | None = None

    @property
    def status(self) -> Status:
        """The exit status: a run that is invalid says nothing; a regression that is certain counts before all else."""
        if self.invalid:
            return Status.INVALID
        if any(row.is_regression for row in self.rows):
            return Status.REGRESSION
        is_decided = any(not row.decision.is_open for row in self.rows)
        return Status.NOT_MEASURED if self.failures or not is_decided else Status.PASSED

    @property
    def headline(self) -> str:
        """The result in a sentence."""
        if self.invalid:
            return f"Invalid run, which says nothing of the change: {self.invalid}"
        regressions = [row for row in self.rows if row.is_regression]
        if regressions:
            return f"{_count(len(regressions), 'benchmark')} got worse"
        if self.status is Status.NOT_MEASURED:
            if not self.rows:
                return f"Nothing was measured: {self.error}" if self.error else "Nothing was measured"
            if not self.failures:
                return "Nothing could be decided: more pairs, or a quieter machine, are needed"
            return f"{_count(len(self.failures), 'benchmark')} could not be measured"
        open_ = sum(row.decision.is_open for row in self.rows)
        rest = f"; {_count(open_, 'benchmark')} can't be told" if open_ else ""
        return f"No regression in {_count(len(self.rows) - open_, 'benchmark')}{rest}"


def judge_validity(*, rows: tuple[Row, ...], canary: Decision | None, disturbed_share: float, pairs: int) -> str:
    """Say why a run is invalid, `""` if it is not.

    Parameters
    ----------
    rows
        What was compared.
    canary
        Verdict on the canary, which is the same program on both sides.
    disturbed_share, pairs
        Share of pairs beside which others had the cores, of how many.
    """
    if canary is not None and canary.has_changed:
        return (
            f"the canary, which runs none of the project's code, was {canary.verdict} on the head by "
            f"{abs(canary.change):.1%}: the two environments or their moments differ; measure again"
        )
    is_open = any(row.decision.is_open for row in rows)
    if is_open and pairs and disturbed_share > MOST_DISTURBED:
        return (
            f"other programs had the cores in {disturbed_share:.0%} of the {pairs} pairs, after measuring again; "
            "end them, or measure on a quiet machine"
        )
    return ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
