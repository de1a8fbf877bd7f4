"""Results as frozen values: all that a results directory says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from cdpipe.figures import PERCENTS, UNITS
from cdpipe.perf.wording.units import read_unit

_UNDECLARED: Final = ("", "unit")
"""What asv writes as the unit of a `track_` that says none."""

_HUNDREDTHS: Final = 100.0

_BY_KIND: Final = {("time", "seconds"): "seconds", ("peakmemory", "bytes"): "peak_bytes"}


class ResultsError(ValueError):
    """Results that cannot be read: which file, which field of it, what is wrong and the way out."""

    def __init__(self, path: Path, field_name: str, problem: str, remedy: str) -> None:
        self.path, self.field_name, self.problem, self.remedy = path, field_name, problem, remedy
        place = f"field {field_name!r}: " if field_name else ""
        super().__init__(f"{path}: {place}{problem}; {remedy}")


class State(StrEnum):
    """What became of one benchmark at one set of parameters."""

    MEASURED = "measured"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as `machine.json` describes it; what it leaves out is empty."""

    name: str
    cpu: str = ""
    cores: str = ""
    ram: str = ""
    os: str = ""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark as `benchmarks.json` describes it.

    `stage`, `figure` and `order` are the attributes `cdpipe_stage`, `cdpipe_figure` and `cdpipe_order` of the benchmark
    function, `""` when it has none: another project's benchmark, for instance. A parameter's name in braces in the
    first two stands for its value; `orders` is by figure, where one benchmark measures several. `params` are asv's
    texts (`repr`) of the values; `rounds` is in how many processes it is measured unless asv is told otherwise.
    `scheduler` is `cdpipe_scheduler`; `size_name` is the parameter that is the size, `""` if none is.
    """

    name: str
    kind: str
    unit: str
    param_names: tuple[str, ...]
    params: tuple[tuple[str, ...], ...]
    version: str
    stage: str
    figure: str
    order: str = ""
    orders: Mapping[str, str] = field(default_factory=dict)
    rounds: int = 1
    scheduler: str = ""
    size_name: str = "rows"

    def scale(self, figure: str) -> float | None:
        """Return what a value is multiplied by to be a figure in its own unit; None if it is in no such unit."""
        percent = PERCENTS.get(figure)
        if self.unit in {*_UNDECLARED, self.figure, figure}:
            return _HUNDREDTHS if percent else 1.0
        wanted = UNITS.get(percent or figure)
        return 1.0 if wanted is None else read_unit(self.unit, wanted)

    @property
    def measures(self) -> str:
        """The figure: as declared, else what asv itself times or measures, `""` if neither says it."""
        return self.figure or _BY_KIND.get((self.kind, self.unit), "")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One benchmark at one set of parameters.

    `value` is asv's result (the median where there are samples), NaN unless `state` is `measured`; `interval`
    is asv's 99 % confidence interval of it; `samples` are in the order taken, empty unless asv recorded them. `others`
    is the share of the processors that other programs had in the middle of the samples, None where that is not noted.
    """

    benchmark: Benchmark
    params: tuple[str, ...]
    state: State
    value: float = math.nan
    interval: tuple[float, float] | None = None
    samples: tuple[float, ...] = ()
    others: float | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """Which commit, machine and environment a result file is about; `date_ms` is the commit's, since 1970."""

    path: Path
    machine: str
    commit: str
    date_ms: int
    environment: str


@dataclass(frozen=True, slots=True)
class Run:
    """The content of one result file.

    `outdated` names benchmarks whose code has changed since (asv ignores such results too), `unlisted` those
    that `benchmarks.json` no longer knows, `absent` those it knows and the file does not have.
    """

    header: Header
    measurements: tuple[Measurement, ...]
    outdated: tuple[str, ...]
    unlisted: tuple[str, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Results:
    """A results directory: its benchmarks, its machines, and the headers of its result files."""

    path: Path
    benchmarks: Mapping[str, Benchmark]
    machines: Mapping[str, Machine]
    headers: tuple[Header, ...] = field(repr=False)
