"""Scaling of time and memory with rows: the exponent of a power law with its interval, held against what was declared.

A benchmark declares its order in the attribute `cdpipe_order`. The exponent is judged against it only where the sizes
can bear that: at least `JUDGED_SIZES` of them over `JUDGED_DECADES`. Below that it is shown.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from scipy.special import stdtrit

from cdpipe.perf.analysis.slot_classes import DISTURBED
from cdpipe.perf.results.cells import Cell
from cdpipe.perf.results.sizes import ROWS

CONFIDENCE: Final = 0.95
JUDGED_SIZES: Final = 4
JUDGED_DECADES: Final = 1.5
TOLERANCE: Final = 0.1
"""Of an exponent: a tenth more is 1.26 times the work at ten times the rows."""

ORDERS: Final[Mapping[str, tuple[float, float]]] = {
    "constant": (0.0, 0.0),
    "logarithmic": (0.0, 1.0),
    "linear": (1.0, 0.0),
    "linearithmic": (1.0, 1.0),
    "quadratic": (2.0, 0.0),
    "cubic": (3.0, 0.0),
}
"""What `cdpipe_order` may be, with the exponents of the rows and of their logarithm."""

FOLLOWED: Final = ("seconds", "tree_peak_bytes", "peak_bytes")
"""Figures whose growth is followed."""


class Judgement(StrEnum):
    """What a measured exponent says of the declared one."""

    HOLDS = "holds"
    ABOVE = "grows faster"
    BELOW = "grows slower"
    OPEN = "cannot tell"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True)
class Fit:
    """Exponent `b` of `figure = a * rows ** b`; `interval` of it is None below three sizes."""

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
    """Size and figure, each as a multiple of the same measured size's."""

    rows_factor: float
    factor: float


@dataclass(frozen=True, slots=True)
class Scaling:
    """How one figure of a stage, in one variant, grows.

    Attributes
    ----------
    title, figure, benchmark
        The stage, which of `FOLLOWED`, and where it is from.
    points
        (rows, figure), ascending, two or more.
    fit, growth
        The power law, and plain ratios.
    order
        As declared, `""` if it is not.
    judgement, reason
        Of the exponent against the declared order, and why.
    size_name
        The parameter that the sizes are from.
    """

    title: str
    figure: str
    benchmark: str
    points: tuple[tuple[int, float], ...]
    fit: Fit
    growth: tuple[Growth, ...]
    order: str
    judgement: Judgement
    reason: str
    size_name: str = ROWS

    @property
    def code(self) -> str:
        """`S101` (time) or `S102` (memory) where it grows faster than declared, else `""`."""
        if self.judgement is not Judgement.ABOVE:
            return ""
        return "S101" if self.figure == "seconds" else "S102"


def fit_exponent(points: Sequence[tuple[int, float]]) -> Fit | None:
    """Fit a power law by least squares of the figure's logarithm against that of rows.

    Parameters
    ----------
    points
        (rows, figure), both above zero, one per size.

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


def expected_exponent(order: str, sizes: Sequence[int]) -> float:
    """Return the exponent that a power law fitted to an exact figure of a declared order has, over two sizes or more.

    That of a logarithm falls as rows grow: of `n log n` it is 1.16 from 100 rows to 3,000, and 1.07 about a million.
    """
    of_rows, of_logarithm = ORDERS[order]
    fit = fit_exponent([(rows, math.log(max(rows, 2)) ** of_logarithm) for rows in sizes])
    return of_rows + (fit.exponent if fit else 0.0)


def growth_factors(points: Sequence[tuple[int, float]]) -> tuple[Growth, ...]:
    """Compare sizes: 1x, 5x and 10x of the largest size that has both, else each with the smallest.

    Returns
    -------
    tuple of Growth
        Empty for fewer than two sizes.
    """
    if len(points) < 2:
        return ()
    known = dict(points)
    bases = [rows for rows in known if rows * 5 in known and rows * 10 in known]
    base = max(bases) if bases else min(known)
    compared = [base, base * 5, base * 10] if bases else sorted(known)
    return tuple(Growth(rows / base, known[rows] / known[base]) for rows in compared)


def judge(points: Sequence[tuple[int, float]], fit: Fit, order: str) -> tuple[Judgement, str]:
    """Hold an exponent against a declared order.

    Returns
    -------
    Judgement, str
        *grows faster* or *slower* if the whole interval lies more than `TOLERANCE` from the exponent that the declared
        order has over these sizes;
        *holds* if the whole interval lies within it; *cannot tell* if the interval leaves both open; *not judged*, with
        the reason, where nothing is declared or the sizes are too few or too near each other.
    """
    if not order:
        return Judgement.NOT_JUDGED, "no cdpipe_order"
    if order not in ORDERS:
        return Judgement.NOT_JUDGED, f"cdpipe_order is {order!r}; it can be {', '.join(ORDERS)}"
    decades = math.log10(points[-1][0] / points[0][0])
    if fit.interval is None or len(points) < JUDGED_SIZES or decades < JUDGED_DECADES - 1e-9:
        needed = f"needs {JUDGED_SIZES} sizes over {JUDGED_DECADES} decades"
        return Judgement.NOT_JUDGED, f"{len(points)} sizes over {decades:.1f} decades; {needed}"
    expected = expected_exponent(order, [rows for rows, _ in points])
    low, high = (end - expected for end in fit.interval)
    if low > TOLERANCE:
        return Judgement.ABOVE, f"declared {order}"
    if high < -TOLERANCE:
        return Judgement.BELOW, f"declared {order}"
    within = low >= -TOLERANCE and high <= TOLERANCE
    return (Judgement.HOLDS if within else Judgement.OPEN), f"declared {order}"


def measure_scaling(cells: Iterable[Cell]) -> tuple[Scaling, ...]:
    """Follow time and memory of every stage and variant that was measured at two sizes or more.

    Of the two peaks, that of the process tree is followed where it was measured: it has the worker processes in it.
    Disturbed times are left out.
    """
    grouped: dict[tuple[str, tuple[tuple[str, str], ...]], list[Cell]] = {}
    for cell in cells:
        if cell.rows is not None:
            grouped.setdefault((cell.stage, cell.variant), []).append(cell)
    followed = []
    for group in grouped.values():
        laws = [law for figure in FOLLOWED if (law := _follow(group, figure)) is not None]
        trees = any(law.figure == "tree_peak_bytes" for law in laws)
        followed += [law for law in laws if law.figure != "peak_bytes" or not trees]
    return tuple(followed)


def _follow(group: Sequence[Cell], figure: str) -> Scaling | None:
    calm = [
        cell for cell in group if figure != "seconds" or not (cell.contention >= DISTURBED or cell.is_time_disturbed)
    ]
    known = [(cell.rows or 0, cell.figures[figure]) for cell in calm if figure in cell.figures]
    known = sorted((pair for pair in known if pair[1].value > 0), key=lambda pair: pair[0])
    points = tuple((rows, each.value) for rows, each in known)
    fit = fit_exponent(points)
    if fit is None:
        return None
    order = known[-1][1].order
    judgement, reason = judge(points, fit, order)
    growth, of = growth_factors(points), known[-1][1].benchmark
    return Scaling(
        group[0].title, figure, of, points, fit, growth, order, judgement, reason, size_name=group[0].size_name
    )
