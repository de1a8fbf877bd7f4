"""Probed benchmarks for any asv suite: the time and memory of some work, and where its time went.

asv runs each benchmark in a process of its own, so the probed run is made by whichever `track_` comes first, and the
others read its record: all users of one `setup_cache` run in the same folder, which asv removes at the end.
"""

import inspect
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from cdpipe.figures import CATALOGUE, PREFIX, SHARES, Join
from cdpipe.probe.local import LocalSession
from cdpipe.probe.probe import ProbeResult, probe

PROBED_S: Final = 0.5
"""Work that is done sooner is done again while it is probed: a run of 30 ms has too few samples to attribute."""

_ASV_UNITS: Final[Mapping[str, str]] = {"s": "seconds", "B": "bytes", "%": "percent"}
_BESIDE: Final = (
    "cpu_percent", "memory_percent", "tree_peak_bytes", "read_bytes", "write_bytes", "disk_busy", "page_cache_share",
    "cores", "samples", "wall_seconds", "cpu_seconds",
)  # fmt: skip
TRACKED: Final = (*(PREFIX + name for name in SHARES), *_BESIDE)
"""Figures of the probed run."""


class Probed:
    """Benchmarks of one piece of work: a subclass says what the work is, in `work`.

    It gets a `time_work`, a `peakmem_work` and a `track_` for each of `TRACKED`, with the attributes by which the
    bottleneck report knows them. asv's `params`, `param_names`, `setup` and `teardown` mean what they always do.

    Attributes
    ----------
    stage
        What the report calls it; by default the module's name and the class's.
    slots
        Threads that the work may use: 1 for plain Python, None for all processors of the machine.
    order
        How its time is to grow with the size, see `cdpipe_order` in the report's documentation; `""` says nothing.

    Examples
    --------
    >>> class Sort(Probed):
    ...     params = [[1_000, 100_000]]
    ...     param_names = ["n"]
    ...
    ...     def work(self, n):
    ...         sorted(range(n, 0, -1))
    >>> Sort.track_share_compute.cdpipe_figure
    'share_compute'
    """

    stage: ClassVar[str] = ""
    slots: ClassVar[int | None] = 1
    order: ClassVar[str] = ""
    number = 1
    warmup_time = 0

    def __init_subclass__(cls, **rest: Any) -> None:  # noqa: ANN401 - whatever another base class takes
        """Give a subclass the benchmarks that asv finds."""
        super().__init_subclass__(**rest)
        stage = cls.stage or f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
        _add(cls, "time_work", _work, stage, "seconds")
        _add(cls, "peakmem_work", _work, stage, "peak_bytes")
        cls.time_work.cdpipe_order = cls.order  # type: ignore[attr-defined] # it has just been added
        for figure in TRACKED:
            unit = CATALOGUE[figure].unit
            _add(cls, f"track_{figure}", _track(figure), stage, figure, _ASV_UNITS.get(unit, unit))

    def setup_cache(self) -> None:
        """Have asv give one folder to all processes of a run."""

    def work(self, *params: Any) -> object:  # noqa: ANN401 - values of the suite's own parameters
        """Do what is measured; called with the benchmark's parameters."""
        raise NotImplementedError

    def measure(self, *params: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
        """Return the figures of the probed run by name, made now if no other process has made them.

        Work that takes less than half a second is done again until that has passed; amounts are of one time.
        """
        name = "-".join(_spell(each) for each in (type(self).__module__, type(self).__name__, *params))
        record = Path(f"probed-{name}.json")
        if not record.exists():
            runs, begin = 0, time.perf_counter()
            with probe(LocalSession(slots=self.slots)) as used:
                while not runs or time.perf_counter() - begin < PROBED_S:
                    self.work(*params)
                    runs += 1
            beside = record.with_name(f"{record.name}.{os.getpid()}")
            beside.write_text(json.dumps(flatten_result(used, runs)), encoding="utf-8")
            beside.rename(record)
        found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        return found


def flatten_result(used: ProbeResult, runs: int = 1) -> dict[str, Any]:
    """Return what a probe measured under the names that the report knows, amounts of one of the `runs`; and `missing`.

    Shares are `share_compute` and so on.
    """
    figures = used.as_dict()
    figures |= {PREFIX + name: share for name, share in (used.shares or {}).items()}
    for name, value in figures.items():
        if value is not None and name in CATALOGUE and CATALOGUE[name].join is Join.SUM and name != "samples":
            figures[name] = value / runs
    return {name: figures.get(name) for name in TRACKED} | {"missing": used.missing}


def _add(cls: type[Probed], name: str, function: Callable[..., Any], stage: str, figure: str, unit: str = "") -> None:
    """Make a function a benchmark of the class, known to the report."""

    def run(self: Probed, *params: Any) -> Any:  # noqa: ANN401 - as of `work`
        return function(self, *params)

    run.__name__, run.__qualname__ = name, f"{cls.__qualname__}.{name}"
    run.cdpipe_stage, run.cdpipe_figure = stage, figure  # type: ignore[attr-defined] # asv exports such attributes
    if unit:
        run.unit = unit  # type: ignore[attr-defined]
    # asv tells versions of a benchmark by its source, and the work is not in the function that it sees.
    run.pretty_source = f"figure = {figure!r}\n{_read_source(cls.work)}"  # type: ignore[attr-defined]
    setattr(cls, name, run)


def _read_source(function: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # typed into a prompt
        return function.__qualname__


def _work(self: Probed, *params: Any) -> None:  # noqa: ANN401 - as of `work`
    self.work(*params)


def _track(figure: str) -> Callable[..., float]:
    def track(self: Probed, *params: Any) -> float:  # noqa: ANN401 - as of `work`
        used = self.measure(*params)
        value: float | None = used[figure]
        if value is None:
            from asv_runner.benchmarks.mark import SkipNotImplemented  # noqa: PLC0415 - asv alone calls this

            raise SkipNotImplemented(f"no {figure} was measured: {used['missing'] or 'this machine has none'}")
        return value

    return track


def _spell(value: object) -> str:
    """Write a value so that it can be a part of a file's name."""
    return "".join(sign if sign.isalnum() or sign in "._" else "_" for sign in str(value))[:80]
