"""The same stages over commits: since when each is in its class, and where its time is going.

Commits are those of one machine and environment, in the order of their dates, up to the one reported. Classes are
named for all of them at once, on arrays, by the very rules that name today's.
"""

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from cdpipe.figures import CONTENTION, PREFIX, SHARES
from cdpipe.perf.analysis.slot_classes import CLASSES, DISTURBED, complete_shares, decide
from cdpipe.perf.analysis.statistics import correct_holm
from cdpipe.perf.analysis.thresholds import BOUNDS, RULES, Bound, Thresholds, classify_many
from cdpipe.perf.results.cells import Cell
from cdpipe.perf.results.contention import QUIET, ContentionNotes
from cdpipe.perf.results.figure_reader import FigureReader
from cdpipe.perf.results.files import last_started_ms
from cdpipe.perf.results.model import Header, Results, ResultsError

Floats = npt.NDArray[np.float64]

CONFIDENCE: Final = 0.95
TREND_COMMITS: Final = 5
SMALLEST_FACTOR: Final = 1.05
WIDEST_FACTOR: Final = 1000.0

_NEEDED: Final = tuple(dict.fromkeys(condition.figure for rule in RULES for condition in rule.conditions))
_NAMES: Final = ("seconds", "samples", *_NEEDED, *(PREFIX + name for name in SHARES))
_SHARES_AT: Final = len(_NAMES) - len(SHARES)
_CONTENTION_AT: Final = SHARES.index(CONTENTION)
_PLACES: Final = np.array([BOUNDS.index(bound) for bound in CLASSES])
_UNKNOWN: Final = BOUNDS.index(Bound.INSUFFICIENT)
_DISTURBED: Final = BOUNDS.index(Bound.DISTURBED)
NOT_MEASURED: Final = -1


@dataclass(frozen=True, slots=True)
class CommitPoint:
    """A commit and its date."""

    commit: str
    date: datetime.datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A stage at a size that is in another class than it was.

    `since` is the first commit of the present class, with no other class after it; `changes` counts how often the class
    changed in all of `commits` commits that named one.
    """

    cell: Cell
    before: Bound
    after: Bound
    since: CommitPoint
    commits_since: int
    changes: int
    commits: int


@dataclass(frozen=True, slots=True)
class Trend:
    """Where the time of a stage at a size is going.

    Attributes
    ----------
    place
        Of the cell in `History.cells`, and so of its column in `History.seconds`.
    count, first, last
        How many commits timed it; its seconds at the first and the last of them.
    factor, interval
        By what its time has multiplied from the first to the last commit that timed it, by the straight line through
        the logarithms, with the 95 % interval; None below three such commits. The interval is None too where it says
        nothing: where it reaches further than `WIDEST_FACTOR` either way.
    certain
        Whether that is a trend: five commits or more, a factor beyond 1.05 either way, and p < 0.05 after Holm's
        correction for the number of stages and sizes.
    """

    cell: Cell
    place: int
    count: int
    first: float
    last: float
    factor: float | None
    interval: tuple[float, float] | None
    certain: bool


@dataclass(frozen=True, slots=True)
class History:
    """Commits, and what they say of the cells of the one reported.

    Attributes
    ----------
    commits
        Oldest first; the last is the one reported.
    cells
        Those of the commit reported, in its order.
    bounds
        Shape (commits, cells): indices in `BOUNDS`, `NOT_MEASURED` where a commit has nothing to class the cell by. A
        cell that is classed by shares today was classed by shares in all of them.
    seconds
        Shape (commits, cells), NaN where it was not timed.
    changes, trends
        What changed class, latest first; trends of all cells timed at the last commit and one before. What was
        disturbed counts for neither.
    unreadable
        Result files that could not be read, and why.
    """

    commits: tuple[CommitPoint, ...]
    cells: tuple[Cell, ...]
    bounds: npt.NDArray[np.int64]
    seconds: Floats
    changes: tuple[Change, ...]
    trends: tuple[Trend, ...]
    unreadable: tuple[str, ...]


def choose_history(results: Results, header: Header, *, limit: int) -> tuple[Header, ...]:
    """Return the headers of a machine and environment up to one of them, oldest first, at most `limit`."""
    same = [h for h in results.headers if (h.machine, h.environment) == (header.machine, header.environment)]
    dates = Counter(h.date_ms for h in same)

    def age(h: Header) -> tuple[int, float, str]:
        # Commits made by a script share a second: then the one that was measured first is the older.
        return h.date_ms, _measured_ms(h) if dates[h.date_ms] > 1 else 0.0, h.commit

    until = age(header)
    ordered = sorted(
        ((age(h), h) for h in same if h.date_ms <= header.date_ms and h.commit != header.commit), key=itemgetter(0)
    )
    earlier = [h for when, h in ordered if when < until]
    return (*earlier[max(0, len(earlier) - limit + 1) :], header)


def _measured_ms(header: Header) -> float:
    """Return when a commit was measured; 0 where its file cannot be read, which `read_history` will say."""
    try:
        return last_started_ms(header.path)
    except ResultsError:
        return 0.0


def read_history(
    results: Results, headers: Sequence[Header], cells: Sequence[Cell], *, thresholds: Thresholds, by_shares: bool
) -> History:
    """Read what the commits say of some cells.

    Parameters
    ----------
    results, headers
        An open results directory, and what `choose_history` chose of it.
    cells
        Of the last of them.
    thresholds
        Where the fixed rules' indicators lie.
    by_shares
        Whether cells that have shares at the last commit are classed by them; else all are by the thresholds.
    """
    reader = FigureReader(results.benchmarks, cells, _NAMES)
    has_shares = np.array([any(PREFIX + name in cell.figures for name in SHARES) for cell in cells], dtype=bool)
    points, seconds, is_disturbed, bounds, unreadable = [], [], [], [], []
    for header in headers:
        try:
            figures = reader.read(header)
        except ResultsError as error:
            unreadable.append(str(error))
            continue
        points.append(CommitPoint(header.commit, _date(header)))
        seconds.append(figures[:, 0])
        is_disturbed.append(_find_disturbed(ContentionNotes(results.path, header, tuple(results.machines)), cells))
        bounds.append(_class_all(figures, has_shares & by_shares, thresholds))
    shape = (len(points), len(cells))
    known_bounds, known_seconds = np.reshape(bounds, shape).astype(np.int64), np.reshape(seconds, shape)
    beside_work = np.reshape(is_disturbed, shape).astype(bool) | (known_bounds == _DISTURBED)
    return History(
        commits=tuple(points),
        cells=tuple(cells),
        bounds=known_bounds,
        seconds=known_seconds,
        changes=find_changes(points, cells, known_bounds),
        trends=find_trends(cells, np.where(beside_work, np.nan, known_seconds)),
        unreadable=tuple(unreadable),
    )


def find_changes(
    commits: Sequence[CommitPoint], cells: Sequence[Cell], bounds: npt.NDArray[np.int64]
) -> tuple[Change, ...]:
    """Find the cells whose class at the last commit is not what it was before; see `History.bounds`.

    A commit that could not name a class, or was disturbed, says nothing either way; what the last commit cannot class
    has not changed.
    """
    changes = []
    last_known = len(commits) - 1
    known = (bounds != NOT_MEASURED) & (bounds != _UNKNOWN) & (bounds != _DISTURBED)
    differs = known & (bounds != bounds[-1:])
    for place in np.flatnonzero(differs.any(axis=0) & known[-1]).tolist():
        at = np.flatnonzero(known[:, place])
        named = bounds[at, place]
        other = int(np.flatnonzero(named != named[-1])[-1])
        first = int(at[other + 1])
        changes.append(
            Change(
                cell=cells[place],
                before=BOUNDS[int(named[other])],
                after=BOUNDS[int(named[-1])],
                since=commits[first],
                commits_since=last_known - first,
                changes=int(np.count_nonzero(np.diff(named))),
                commits=len(at),
            )
        )
    return tuple(sorted(changes, key=lambda change: change.commits_since))


def find_trends(cells: Sequence[Cell], seconds: Floats) -> tuple[Trend, ...]:
    """Fit a straight line to the logarithm of each cell's seconds, shape (commits, cells), against the commits."""
    known = seconds > 0
    count = known.sum(axis=0)
    places = np.flatnonzero((count > 1) & known[-1:].any(axis=0))
    if not places.size:
        return ()
    factor, margin, p_values = _fit_lines(np.where(known, seconds, np.nan)[:, places])
    corrected = correct_holm(np.nan_to_num(p_values, nan=1.0).tolist())
    beyond = np.abs(factor) > np.log(SMALLEST_FACTOR)
    certain = (corrected < 1 - CONFIDENCE) & beyond & (count[places] >= TREND_COMMITS)
    first, last = (seconds[at, places] for at in (known.argmax(axis=0)[places], -1))
    fitted = count[places] > 2
    narrow = fitted & (margin <= np.log(WIDEST_FACTOR))
    with np.errstate(over="ignore"):
        low, middle, high = np.exp(factor - margin), np.exp(factor), np.exp(factor + margin)
    fitted, narrow = fitted & np.isfinite(middle), narrow & np.isfinite(high)
    return tuple(
        Trend(
            cell=cells[place],
            place=place,
            count=int(count[place]),
            first=float(first[row]),
            last=float(last[row]),
            factor=float(middle[row]) if fitted[row] else None,
            interval=(float(low[row]), float(high[row])) if narrow[row] else None,
            certain=bool(certain[row]),
        )
        for row, place in enumerate(places.tolist())
    )


def _fit_lines(seconds: Floats) -> tuple[Floats, Floats, Floats]:
    """Return, by column, the rise of the logarithm from its first commit to its last, its margin, and p of no rise."""
    mask = ~np.isnan(seconds)
    count = mask.sum(axis=0)
    y = np.log(np.where(mask, seconds, 1.0))
    first, last = mask.argmax(axis=0), len(seconds) - 1 - mask[::-1].argmax(axis=0)
    x = np.where(mask, (np.arange(len(seconds))[:, None] - first) / (last - first), 0.0)
    x = np.where(mask, x - x.sum(axis=0) / count, 0.0)
    y = np.where(mask, y - y.sum(axis=0) / count, 0.0)
    spread = (x * x).sum(axis=0)
    rise = (x * y).sum(axis=0) / spread
    freedom = np.maximum(count - 2, 1)
    error = np.sqrt(((y - rise * x) ** 2).sum(axis=0) / freedom / spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_values = 2 * (1 - stdtr(freedom, np.abs(rise) / error))
    p_values[(count < 3) | (rise == 0)] = 1.0
    return rise, stdtrit(freedom, (1 + CONFIDENCE) / 2) * error, p_values


def _class_all(figures: Floats, by_shares: npt.NDArray[np.bool_], thresholds: Thresholds) -> npt.NDArray[np.int64]:
    columns = {name: figures[:, column] for column, name in enumerate(_NAMES)}
    bounds = classify_many({name: columns[name] for name in _NEEDED}, thresholds=thresholds)
    bounds[np.isnan(figures[:, 2:_SHARES_AT]).all(axis=1)] = NOT_MEASURED
    shares = figures[by_shares, _SHARES_AT:]
    if len(shares):
        memory, samples = columns["memory_percent"][by_shares], columns["samples"][by_shares]
        named = _PLACES[decide(complete_shares(shares), memory_percent=memory, samples=samples)]
        named[np.isnan(shares).all(axis=1)] = NOT_MEASURED
        bounds[by_shares] = named
    bounds[complete_shares(figures[:, _SHARES_AT:])[:, _CONTENTION_AT] >= DISTURBED] = _DISTURBED
    return bounds


def _find_disturbed(notes: ContentionNotes, cells: Sequence[Cell]) -> list[bool]:
    """Say of each cell if other programs were busy during most samples of its time, of the last process there."""
    timed = [cell.figures.get("seconds") for cell in cells]
    return [each is not None and (notes.find_others(each.benchmark, each.params) or 0.0) > QUIET for each in timed]


def _date(header: Header) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(header.date_ms / 1000, tz=datetime.UTC)
