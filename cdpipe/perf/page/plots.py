"""The page's plots: how time and memory grow with rows, on logarithmic axes, with the fit and what was declared."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.analysis.findings import Subject
from cdpipe.perf.analysis.scaling import ORDERS, Judgement, Scaling, expected_exponent
from cdpipe.perf.page.pieces import fold, head_section, link_benchmark, mark_filtered, show_text
from cdpipe.perf.page.stages import group_findings
from cdpipe.perf.wording.units import format_count, format_quantity

_WIDTH: Final = 320
_HEIGHT: Final = 190
_LEFT: Final = 58
_TOP: Final = 8
_INNER_WIDTH: Final = _WIDTH - _LEFT - 14
_INNER_HEIGHT: Final = _HEIGHT - _TOP - 24
_DRAWN: Final = 200
"""How many plots at most: ten times as many are half of a large suite's page."""

_SMALLEST_SPAN: Final = math.log10(6.25)
"""The height of a plot stands for at least this factor: noise looks flat, and two steps of 2.5 have two ticks."""

_WORDS: Final = {"seconds": ("time", "s"), "tree_peak_bytes": ("peak memory", "B"), "peak_bytes": ("peak memory", "B")}
_STEPS: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis: the exponents of ten at its ends, and where they lie in the picture, in its units."""

    low: float
    high: float
    start: float
    end: float

    def place(self, exponent: float) -> float:
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


def draw_scalings(subject: Subject, name: str, place: str) -> str:
    """Draw the growth of every stage that was measured at two sizes or more; `""` where none was."""
    if not subject.scalings:
        return ""
    bounds = {title: [finding.bound for finding in every] for title, every in group_findings(subject).items()}
    chosen = _choose(subject.scalings)
    plots = "\n".join(_draw_figure(scaling, bounds) for scaling in chosen)
    legend = (
        "Points are measured, the line is the fit of factor x size^exponent, the shade its 95 % interval, "
        "dashes the order that the benchmark declares. Both axes are logarithmic."
    )
    count = len(subject.scalings)
    left = f"<p>Drawn are the {len(chosen)} of {count:,} that grow fastest; the table has all.</p>\n"
    content = fold(f'<div class="plots">\n{plots}\n</div>', len(chosen), "plots")
    told = f"<p>{legend}</p>\n{left if count > len(chosen) else ''}{content}"
    return head_section(f"How time and memory grow on {name}", place, told)


def _choose(scalings: Sequence[Scaling]) -> Sequence[Scaling]:
    """Return all, in their order, or of very many those that leave their declared order, then the steepest."""
    ranked = sorted(scalings, key=lambda scaling: (scaling.judgement is not Judgement.ABOVE, -scaling.fit.exponent))
    chosen = {id(scaling) for scaling in ranked[:_DRAWN]}
    return [scaling for scaling in scalings if id(scaling) in chosen]


def _draw_figure(scaling: Scaling, bounds: Mapping[str, Sequence[Bound]]) -> str:
    word, unit = _WORDS[scaling.figure]
    grows = f"{word} grows as {scaling.size_name}^{scaling.fit.text}"
    judged = f"{scaling.judgement}: {scaling.reason}"
    said = f"{scaling.title}: {grows}; {judged}. " + ", ".join(
        f"{format_count(rows)} {scaling.size_name} {format_quantity(value, unit)}" for rows, value in scaling.points
    )
    warned = " warned" if scaling.judgement is Judgement.ABOVE else ""
    return (
        f'<figure class="plot{warned}" {mark_filtered(bounds.get(scaling.title, ()))}>'
        f'<figcaption><b class="name">{link_benchmark(scaling.title, scaling.benchmark)}</b>'
        f"<span>{show_text(grows)}</span><small>{show_text(judged)}</small></figcaption>\n"
        f"{_draw_plot(scaling, unit, show_text(said))}</figure>"
    )


def _draw_plot(scaling: Scaling, unit: str, said: str) -> str:
    points = [(math.log10(rows), math.log10(value)) for rows, value in scaling.points]
    x = _span([place for place, _ in points], _LEFT, _LEFT + _INNER_WIDTH, 0.0)
    y = _span([height for _, height in points], _TOP + _INNER_HEIGHT, _TOP, _SMALLEST_SPAN)
    marks = "".join(f'<circle cx="{x.place(a):.1f}" cy="{y.place(b):.1f}" r="3.5"/>' for a, b in points)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{said}">{_draw_axes(x, y, unit)}'
        f'<svg x="{_LEFT}" y="{_TOP}" width="{_INNER_WIDTH}" height="{_INNER_HEIGHT}" '
        f'viewBox="{_LEFT} {_TOP} {_INNER_WIDTH} {_INNER_HEIGHT}">{_draw_laws(scaling, points, x, y)}</svg>'
        f"{marks}</svg>"
    )


def _span(exponents: Sequence[float], start: float, end: float, smallest: float) -> Axis:
    low, high = min(exponents), max(exponents)
    margin = max((smallest - (high - low)) / 2, 0.08 * (high - low))
    return Axis(low - margin, high + margin, start, end)


def _draw_axes(x: Axis, y: Axis, unit: str) -> str:
    bottom = _TOP + _INNER_HEIGHT
    across = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _INNER_WIDTH}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{format_quantity(value, unit)}</text>'
        for value in y.ticks
        for at in (y.place(math.log10(value)),)
    )
    up = "".join(
        f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{bottom}"/>'
        f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{format_count(round(value))}</text>'
        for value in x.ticks
        for at in (x.place(math.log10(value)),)
    )
    return across + up


def _draw_laws(scaling: Scaling, points: Sequence[tuple[float, float]], x: Axis, y: Axis) -> str:
    """Draw the fit, its interval and the declared order: straight lines on these axes, through the points' middle."""
    fit = scaling.fit
    middle_x = sum(place for place, _ in points) / len(points)
    middle_y = sum(height for _, height in points) / len(points)

    def trace(*ends: tuple[float, float]) -> str:
        return " ".join(f"{x.place(at):.1f},{y.place(middle_y + slope * (at - middle_x)):.1f}" for at, slope in ends)

    def draw_line(kind: str, slope: float) -> str:
        return f'<polyline class="{kind}" points="{trace((x.low, slope), (x.high, slope))}"/>'

    shade = ""
    if fit.interval:
        low, high = fit.interval
        # The two slopes cross in the middle: there and back again is a triangle on each side.
        corners = trace((x.low, low), (x.high, low), (x.high, high), (x.low, high))
        shade = f'<polygon class="interval" points="{corners}"/>'
    sizes = [rows for rows, _ in scaling.points]
    declared = draw_line("declared", expected_exponent(scaling.order, sizes)) if scaling.order in ORDERS else ""
    return shade + declared + draw_line("fit", fit.exponent)
