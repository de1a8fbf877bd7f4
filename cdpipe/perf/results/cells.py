"""The measurements of one run, brought together by stage, variant and number of rows."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from cdpipe.figures import CONTENTION, PERCENTS, PREFIX, UNITS
from cdpipe.perf.results.contention import QUIET
from cdpipe.perf.results.model import Benchmark, Measurement, Run, State
from cdpipe.perf.results.sizes import ROWS, parse_rows, unquote
from cdpipe.perf.wording.units import format_count, list_units

FAILED: Final = "failed"
SKIPPED: Final = "skipped"
"""Kinds of trouble; what was not selected is skipped too, as asv writes the same of both."""

_STAGE_ORDER: Final = (
    "gather",
    "clean",
    "attack",
    "features",
    "train",
    "pipeline",
    "cache",
    "import",
    "kernel",
)
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number of a cell, and the benchmark it rests on.

    `interval` is asv's 99 % confidence interval, None where asv took a single value; `order` is how the benchmark
    declares that it grows with rows, `""` if it does not. `others` is the share of the processors that other programs
    had in the middle of its samples, None where that is not noted.
    """

    value: float
    interval: tuple[float, float] | None
    benchmark: str
    params: tuple[str, ...]
    order: str = ""
    others: float | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What is known of a stage, one variant of its other parameters, at one size.

    `rows` is None, and `rows_text` empty, where the benchmarks have no parameter of that name; None with a
    text where the text is not a number. A part of a run has rows and no text: it was not run at several sizes.
    `size_name` is the parameter that they are from; `scheduler` says where its tasks ran, `""` where that is not known.
    """

    stage: str
    variant: tuple[tuple[str, str], ...]
    rows: int | None
    rows_text: str
    figures: Mapping[str, Figure]
    size_name: str = ROWS
    scheduler: str = ""

    @property
    def benchmark(self) -> str:
        """The benchmark that stands for the cell: the one that timed it, else the first."""
        first = self.figures.get("seconds") or next(iter(self.figures.values()), None)
        return first.benchmark if first else ""

    @property
    def contention(self) -> float:
        """How much of the slots' time other work had the cores, 0-1; 0 where that was not measured."""
        figure = self.figures.get(PREFIX + CONTENTION)
        return figure.value if figure else 0.0

    @property
    def is_time_disturbed(self) -> bool:
        """Whether other programs were busy during most samples of its time, as noted beside them."""
        seconds = self.figures.get("seconds")
        return seconds is not None and seconds.others is not None and seconds.others > QUIET

    @property
    def size(self) -> str:
        """The rows as a table shows them: as the benchmark has them, else counted; `""` where they are not known."""
        return self.rows_text or ("" if self.rows is None else f"{self.rows:,}")

    @property
    def place(self) -> str:
        """Title and size: `attack/offset_rand (mode=local) at 5M`."""
        return f"{self.title} at {self.rows_text}" if self.rows_text else self.title

    @property
    def title(self) -> str:
        """Stage and variant in a line: `attack/offset_rand (mode=local)`."""
        if not self.variant:
            return self.stage
        return f"{self.stage} ({', '.join(f'{name}={value}' for name, value in self.variant)})"


class Place(NamedTuple):
    """Where a value of a benchmark belongs: a stage, a variant, rows as text, and a figure.

    `figure` is `""` if nothing says which it is; `scale` is what makes the value the figure, None if its unit is
    not known.
    """

    stage: str
    variant: tuple[tuple[str, str], ...]
    rows_text: str
    figure: str
    scale: float | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """A benchmark, at some or all of its parameters, that gives no figure, and why."""

    benchmark: str
    kind: str
    detail: str


def collect_cells(run: Run) -> tuple[tuple[Cell, ...], tuple[Trouble, ...]]:
    """Bring a run's measurements together; also say which give nothing, and why.

    A benchmark without `cdpipe_stage` is a stage of its own name; one without `cdpipe_figure` counts as
    `seconds` or `peak_bytes` if asv timed it or measured its memory, else it gives no figure.
    """
    gathered: dict[tuple[object, ...], dict[str, Figure]] = {}
    places: dict[tuple[object, ...], tuple[Place, Benchmark]] = {}
    troubles: list[Trouble] = []
    for measurement in run.measurements:
        benchmark, params = measurement.benchmark, measurement.params
        place = place_of(benchmark, params)
        if measurement.state is not State.MEASURED or place.figure not in UNITS or place.scale is None:
            troubles.append(_explain(measurement, place.figure))
            continue
        key = (place.stage, place.variant, parse_rows(place.rows_text) or place.rows_text)
        figures = gathered.setdefault(key, {})
        if place.figure in figures:
            other = figures[place.figure].benchmark
            detail = f"{place.stage} has its {place.figure} from {other} already{_at(params)}"
            troubles.append(Trouble(benchmark.name, "not used", detail))
            continue
        places.setdefault(key, (place, benchmark))
        figures[place.figure] = _read_figure(measurement, place.figure, place.scale)
    cells = [_make_cell(place, of, gathered[key]) for key, (place, of) in places.items()]
    return tuple(sorted(cells, key=_order)), (*troubles, *_absences(run))


def _make_cell(place: Place, of: Benchmark, figures: Mapping[str, Figure]) -> Cell:
    rows, text = parse_rows(place.rows_text), place.rows_text
    text = format_count(rows) if rows is not None and text.isdecimal() else text
    return Cell(place.stage, place.variant, rows, text, figures, size_name=of.size_name, scheduler=of.scheduler)


def _read_figure(measurement: Measurement, name: str, scale: float) -> Figure:
    """Return a measurement as a figure, in the figure's unit."""
    benchmark, interval = measurement.benchmark, measurement.interval
    if interval is not None:
        interval = (interval[0] * scale, interval[1] * scale)
    order = benchmark.orders.get(name, benchmark.order)
    return Figure(
        measurement.value * scale, interval, benchmark.name, measurement.params, order, others=measurement.others
    )


def place_of(benchmark: Benchmark, params: tuple[str, ...]) -> Place:
    """Return where the value of a benchmark at some parameters belongs.

    What stands in braces in the stage or the figure is a parameter of the benchmark, and of no variant then.
    """
    pairs = [(name, unquote(value)) for name, value in zip(benchmark.param_names, params, strict=False)]
    named, used = dict(pairs), {benchmark.size_name}

    def fill(template: str) -> str:
        if "{" not in template:
            return template
        used.update(_PARAMETER.findall(template))
        return _PARAMETER.sub(lambda match: named.get(match[1], match[0]), template)

    stage, figure = fill(benchmark.stage or benchmark.name), fill(benchmark.measures)
    variant = tuple((name, value) for name, value in pairs if name not in used)
    rows_text = next((value for name, value in pairs if name == benchmark.size_name), "")
    return Place(stage, variant, rows_text, PERCENTS.get(figure, figure), benchmark.scale(figure))


def _order(cell: Cell) -> tuple[int, str, tuple[tuple[str, str], ...], float, str]:
    head = cell.stage.split("/")[0]
    rank = _STAGE_ORDER.index(head) if head in _STAGE_ORDER else len(_STAGE_ORDER)
    return rank, cell.stage, cell.variant, math.inf if cell.rows is None else cell.rows, cell.rows_text


def _explain(measurement: Measurement, figure: str) -> Trouble:
    benchmark, at = measurement.benchmark, _at(measurement.params)
    if measurement.state is State.FAILED:
        return Trouble(benchmark.name, FAILED, f"raised or timed out{at}")
    if measurement.state is State.SKIPPED:
        return Trouble(benchmark.name, SKIPPED, f"not selected, or skipped itself{at}")
    if measurement.state is State.UNREADABLE:
        return Trouble(benchmark.name, "unreadable", f"its result is not one finite number{at}")
    if figure in UNITS:
        known = f"{figure!r} is read in {list_units(UNITS[figure])}"
        return Trouble(benchmark.name, "not used", f"its unit is {benchmark.unit!r}, and {known}{at}")
    if benchmark.figure:
        return Trouble(benchmark.name, "not used", f"cdpipe_figure {figure!r} is not one this report knows")
    return Trouble(benchmark.name, "not used", f"asv type {benchmark.kind!r} in {benchmark.unit!r}, no cdpipe_figure")


def _at(params: tuple[str, ...]) -> str:
    return f" at {', '.join(unquote(value) for value in params)}" if params else ""


def _absences(run: Run) -> list[Trouble]:
    outdated = "measured with other benchmark code than today's; run it again"
    unlisted = "benchmarks.json does not describe it"
    return [
        *(Trouble(name, "outdated", outdated) for name in run.outdated),
        *(Trouble(name, "unlisted", unlisted) for name in run.unlisted),
        *(Trouble(name, "not run", "no result in this file") for name in run.absent),
    ]
