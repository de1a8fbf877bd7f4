"""The page's plots: how time and memory grow with rows, on logarithmic axes, with the fit and what was declared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Subject
from cdpipe.perf.analysis.scaling import ORDERS, Judgement, Scaling, expected_exponent
from cdpipe.perf.page.pieces import Picture
from cdpipe.perf.page.stages import group_findings
from cdpipe.perf.wording.units import format_count, format_quantity

_DRAWN: Final = 200
"""How many plots at most: ten times as many are half of a large suite's page."""

_SMALLEST_SPAN: Final = math.log10(6.25)
"""The height of a plot stands for at least this factor: noise looks flat, and two steps of 2.5 have two ticks."""

_WORDS: Final = {"seconds": ("time", "s"), "tree_peak_bytes": ("peak memory", "B"), "peak_bytes": ("peak memory", "B")}
_STEPS: Final = (1, 2, 5)


Line = Sequence[tuple[float, float]]
"""Corners, in the picture's units."""


class Frame(NamedTuple):
    """A picture's size and where the plot in it lies, in units of the picture."""

    width: int = 320
    height: int = 190
    left: int = 58
    right: int = 306
    top: int = 8
    bottom: int = 166


_FRAME: Final = Frame()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """How one figure of a stage grows: words, ticks with their texts, points, and the lines through them."""

    title: str
    benchmark: str
    bounds: tuple[Bound, ...]
    is_warned: bool
    grows: str
    judged: str
    said: str
    across: tuple[tuple[float, str], ...]
    up: tuple[tuple[float, str], ...]
    points: Line
    fit: Line
    interval: Line
    declared: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Plots(Picture):
    """Plots of the growth of stages, `count` of them had all been drawn."""

    template = "growth.html.j2"
    frame: Frame = _FRAME
    count: int
    plots: tuple[Plot, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis: the exponents of ten at its ends, and where they lie in the picture, in its units."""

    low: float
    high: float
    start: float
    end: float

    def locate(self, exponent: float) -> float:
        """Return where an exponent of ten lies."""
        return self.start + (exponent - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> Sequence[float]:
        """Two to five round values within it: powers of ten, or 1, 2 and 5 times those where it is short."""
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        for steps in ((1,), _STEPS):
            known = [10.0**decade * step for decade in decades for step in steps]
            inside = [value for value in known if self.low <= math.log10(value) <= self.high]
            if len(inside) > 1:
                return inside[:: math.ceil(len(inside) / 5)]
        return inside


def lay_scalings(subject: Subject, name: str, place: str) -> Plots | None:
    """Lay out the growth of every stage that was measured at two sizes or more; None where none was."""
    if not subject.scalings:
        return None
    bounds = {title: tuple(finding.bound for finding in every) for title, every in group_findings(subject).items()}
    return Plots(
        title=f"How time and memory grow on {name}",
        place=place,
        count=len(subject.scalings),
        plots=tuple(_lay_plot(scaling, bounds.get(scaling.title, ())) for scaling in _choose(subject.scalings)),
    )


def _choose(scalings: Sequence[Scaling]) -> Sequence[Scaling]:
    """Return all, in their order, or of very many those that leave their declared order, then the steepest."""
    ranked = sorted(scalings, key=lambda scaling: (scaling.judgement is not Judgement.ABOVE, -scaling.fit.exponent))
    chosen = {id(scaling) for scaling in ranked[:_DRAWN]}
    return [scaling for scaling in scalings if id(scaling) in chosen]


def _lay_plot(scaling: Scaling, bounds: tuple[Bound, ...]) -> Plot:
    word, unit = _WORDS[scaling.figure]
    grows = f"{word} grows as {scaling.size_name}^{scaling.fit.text}"
    judged = f"{scaling.judgement}: {scaling.reason}"
    sizes = ((f"{format_count(rows)} {scaling.size_name}", value) for rows, value in scaling.points)
    measured = (f"{size} {format_quantity(value, unit)}" for size, value in sizes)
    points = [(math.log10(rows), math.log10(value)) for rows, value in scaling.points]
    x = _span([across for across, _ in points], _FRAME.left, _FRAME.right, 0.0)
    y = _span([height for _, height in points], _FRAME.bottom, _FRAME.top, _SMALLEST_SPAN)
    fit, interval, declared = _draw_laws(scaling, points, x, y)
    return Plot(
        title=scaling.title,
        benchmark=scaling.benchmark,
        bounds=bounds,
        is_warned=scaling.judgement is Judgement.ABOVE,
        grows=grows,
        judged=judged,
        said=f"{scaling.title}: {grows}; {judged}. {', '.join(measured)}",
        across=tuple((y.locate(math.log10(value)), format_quantity(value, unit)) for value in y.ticks),
        up=tuple((x.locate(math.log10(value)), format_count(round(value))) for value in x.ticks),
        points=[(x.locate(across), y.locate(height)) for across, height in points],
        fit=fit,
        interval=interval,
        declared=declared,
    )


def _span(exponents: Sequence[float], start: float, end: float, smallest: float) -> Axis:
    low, high = min(exponents), max(exponents)
    margin = max((smallest - (high - low)) / 2, 0.08 * (high - low))
    return Axis(low - margin, high + margin, start, end)


def _draw_laws(scaling: Scaling, points: Line, x: Axis, y: Axis) -> tuple[Line, Line, Line]:
    """Draw the fit, its interval and the declared order: straight lines on these axes, through the points' middle.

    The latter two are empty where there are none.
    """
    fit = scaling.fit
    middle_x = sum(across for across, _ in points) / len(points)
    middle_y = sum(height for _, height in points) / len(points)

    def trace(*ends: tuple[float, float]) -> Line:
        return [(x.locate(at), y.locate(middle_y + slope * (at - middle_x))) for at, slope in ends]

    shade: Line = ()
    if fit.interval:
        low, high = fit.interval
        # The two slopes cross in the middle: there and back again is a triangle on each side.
        shade = trace((x.low, low), (x.high, low), (x.high, high), (x.low, high))
    order = expected_exponent(scaling.order, [rows for rows, _ in scaling.points]) if scaling.order in ORDERS else None
    declared = () if order is None else trace((x.low, order), (x.high, order))
    return trace((x.low, fit.exponent), (x.high, fit.exponent)), shade, declared
