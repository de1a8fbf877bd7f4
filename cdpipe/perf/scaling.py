"""How time grows with rows: the exponent of a power law, with its interval, and plain ratios."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import stdtrit

from cdpipe.perf.cells import Cell

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Fit:
    """Exponent `b` of `seconds = a * rows ** b`; `interval` is None below three sizes."""

    exponent: float
    interval: tuple[float, float] | None

    @property
    def text(self) -> str:
        """Exponent and interval: `1.02 [0.96, 1.08]`."""
        if self.interval is None:
            return f"{self.exponent:.2f}"
        return f"{self.exponent:.2f} [{self.interval[0]:.2f}, {self.interval[1]:.2f}]"


@dataclass(frozen=True, slots=True)
class Growth:
    """Size and time, each as a multiple of the same measured size's."""

    rows_factor: float
    seconds_factor: float


@dataclass(frozen=True, slots=True)
class Scaling:
    """How a stage, in one variant, grows: `points` are (rows, seconds), ascending; `fit` needs two."""

    title: str
    benchmark: str
    points: tuple[tuple[int, float], ...]
    fit: Fit | None
    growth: tuple[Growth, ...]


def fit_exponent(points: Sequence[tuple[int, float]]) -> Fit | None:
    """Fit a power law by least squares of log seconds against log rows.

    Parameters
    ----------
    points
        (rows, seconds), both above zero, one per size.

    Returns
    -------
    Fit or None
        The slope, with the 95 % interval of Student's t on n - 2 degrees of freedom from three sizes on;
        None for fewer than two sizes.
    """
    if len(points) < 2:
        return None
    x, y = np.log(np.array(points, dtype=np.float64)).T
    x, y = x - x.mean(), y - y.mean()
    spread = float(x @ x)
    slope = float(x @ y) / spread
    freedom = len(points) - 2
    if freedom == 0:
        return Fit(slope, None)
    residual = y - slope * x
    margin = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * float(np.sqrt(residual @ residual / freedom / spread))
    return Fit(slope, (slope - margin, slope + margin))


def growth_factors(points: Sequence[tuple[int, float]]) -> tuple[Growth, ...]:
    """Compare sizes: 1x, 5x and 10x of the largest size that has both, else each with the smallest.

    Returns
    -------
    tuple of Growth
        Empty for fewer than two sizes.
    """
    if len(points) < 2:
        return ()
    seconds = dict(points)
    bases = [rows for rows in seconds if rows * 5 in seconds and rows * 10 in seconds]
    base = max(bases) if bases else min(seconds)
    compared = [base, base * 5, base * 10] if bases else sorted(seconds)
    return tuple(Growth(rows / base, seconds[rows] / seconds[base]) for rows in compared)


def measure_scaling(cells: Iterable[Cell]) -> tuple[Scaling, ...]:
    """Follow every stage and variant that was timed at two sizes or more."""
    grouped: dict[tuple[str, tuple[tuple[str, str], ...]], list[Cell]] = {}
    for cell in cells:
        if cell.rows is not None and "seconds" in cell.figures and cell.figures["seconds"].value > 0:
            grouped.setdefault((cell.stage, cell.variant), []).append(cell)
    followed = []
    for group in grouped.values():
        if len(group) > 1:
            points = tuple(sorted((cell.rows or 0, cell.figures["seconds"].value) for cell in group))
            benchmark = group[0].figures["seconds"].benchmark
            followed.append(Scaling(group[0].title, benchmark, points, fit_exponent(points), growth_factors(points)))
    return tuple(followed)
