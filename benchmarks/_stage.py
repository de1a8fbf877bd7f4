"""Stage benchmarks: the time, the memory and the figures of one probed run that every stage's benchmarks measure.

A stage's module says what the work is; its benchmarks are made here, so that each figure means the same everywhere.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from asv_runner.benchmarks.mark import SkipNotImplemented

from benchmarks import _data
from benchmarks._sized import Sized, add, describe, show_source, skip_unless

SHARES: Final = (
    "compute", "memory", "disk", "network", "serialisation", "scheduling", "gil", "lock", "sleep", "contention", "gc",
    "idle", "unattributed",
)  # fmt: skip
TRACKED: Final[dict[str, tuple[str, ...]]] = {
    "bytes": ("tree_peak_bytes", "read_bytes", "write_bytes", "spilled_bytes", "network_bytes"),
    "share": ("cpu_share", "memory_share", "page_cache_share", "disk_busy", *(f"share_{name}" for name in SHARES)),
    "seconds": ("wall_seconds", "cpu_seconds", "task_seconds_p50", "task_seconds_mean", "task_seconds_max"),
    "count": ("tasks", "ready_queue_max", "queue_mean", "cores", "samples"),
}
"""Figures of the probed run (`cdpipe.engine.probe.ProbeResult`), by their unit: asv has one unit a benchmark."""

PERCENTS: Final = {"cpu_share": "cpu_percent", "memory_share": "memory_percent"}
"""What the probe says in percent, and the suite as a share."""

OF_TASKS: Final = frozenset({"task_seconds_p50", "task_seconds_mean", "task_seconds_max"})
"""Those that a stage without tasks has not."""

SUMS: Final = frozenset(
    {"wall_seconds", "cpu_seconds", "read_bytes", "write_bytes", "spilled_bytes", "network_bytes", "tasks"}
)
"""Those that grow with the time probed: where the work was done several times, they are of one time."""

PROBED_S: Final = 0.5
"""Work that is done sooner is done again while it is probed: a run of 30 ms has too few samples to attribute."""


class Stage(Sized):
    """Benchmarks of one stage. A subclass says what the work is, or with `account` what the lazy work is.

    `graph` says whether building its graph is measured, `tasks` whether it hands out any.

    The probed run is made by whichever `track_` comes first, in its own process, and the others read its record: asv
    runs all users of one `setup_cache` in the same folder, and removes it at the end (docs/adr/0005).
    """

    def __init_subclass__(cls, *, stage: str = "", graph: bool = True, tasks: bool = True, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if not stage:
            return  # what several stages share
        add(cls, _run_it("time_run"), stage, "seconds")
        add(cls, _run_it("peakmem_run"), stage, "peak_bytes")
        for unit, figures in TRACKED.items():
            _add_track(cls, stage, unit, [name for name in figures if tasks or name not in OF_TASKS])
        if graph and cls.account is not Stage.account:
            add(cls, _build_it(), stage, "graph_seconds")

    def setup_cache(self) -> None:
        """Have asv give one folder to all processes of a run; deliberately the same one for all stages."""

    def account(self, folder: Path, *others: Any) -> Any:
        """Return the work on a data set as one lazy account: computing it needs no more memory than a few parts."""
        raise NotImplementedError

    def build(self, rows: str, *others: Any) -> Any:
        """Return the work on the stage's own data set."""
        return self.account(_data.place(self.data[0], rows), *others)

    def work(self, rows: str, *others: Any) -> None:
        """Compute the account on threads."""
        from cdpipe import SessionParams, open_session

        with open_session(SessionParams()) as session:
            with laying_graph():
                account = self.build(rows, *others)
            session.run([account])

    def used(self, rows: str, *others: Any) -> dict[str, Any]:
        """Return what the probed run used; it is made if there is no record of it in the current folder.

        Beside the figures the record has `runs`, how many times the work was done to fill `PROBED_S`, and `missing`,
        why there are no figures.
        """
        combination = "-".join((f"{type(self).__module__}.{type(self).__name__}", rows, *map(str, others)))
        record = Path(f"used-{combination}.json")
        if not record.exists():
            skip_unless("cdpipe.engine.probe:probe")
            self.ready(rows, *others)
            from cdpipe import SessionParams, open_session
            from cdpipe.engine.probe import probe

            runs = 0
            with open_session(SessionParams()) as session, probe(session) as result:
                begin = time.perf_counter()
                while not runs or time.perf_counter() - begin < PROBED_S:
                    self.work(rows, *others)
                    runs += 1
            beside = record.with_suffix(".new")
            missing = getattr(result, "missing", None)  # older commits know of nothing that is
            beside.write_text(json.dumps(flatten(result.as_dict(), runs) | {"missing": missing}), encoding="utf-8")
            beside.rename(record)
        return json.loads(record.read_text(encoding="utf-8"))


def flatten(probed: Mapping[str, Any], runs: int) -> dict[str, Any]:
    """Return a probed run's figures by the names of `TRACKED`, of one of the `runs` times that the work was done."""
    figures = dict(probed)
    for name, prefix in (("shares", "share_"), ("task_seconds", "task_seconds_")):
        figures |= {prefix + key: value for key, value in (figures.pop(name, None) or {}).items()}
    for name, percent in PERCENTS.items():
        value = figures.pop(percent, None)
        figures[name] = None if value is None else value / 100
    for name in SUMS & figures.keys():
        if figures[name] is not None:
            whole, rest = divmod(figures[name], runs)
            figures[name] = whole if rest == 0 else figures[name] / runs
    return figures | {"runs": runs}


def laying_graph() -> AbstractContextManager[object]:
    """Return the block in which the caller lays a graph, so that a probe counts it to the graph and not to the work.

    Where a commit has no such block, laying graphs counts as computing there.
    """
    if find_spec("cdpipe.engine.tasks") is None:
        return nullcontext()
    building = getattr(import_module("cdpipe.engine.tasks"), "building_graph", nullcontext)
    return building()


def _run_it(name: str) -> Callable[..., None]:
    def run(self: Stage, rows: str, *others: Any) -> None:
        self.work(rows, *others)

    run.__name__ = name
    return run


def _build_it() -> Callable[..., None]:
    def time_build_graph(self: Stage, rows: str, *others: Any) -> None:
        self.build(rows, *others)

    return time_build_graph


def _add_track(cls: type[Stage], stage: str, unit: str, figures: list[str]) -> None:
    """Add the benchmark of all figures of a unit. It gets itself ready if it must: most only read a record."""

    def track(self: Stage, rows: str, *others: Any) -> float:
        *others, figure = others
        used = self.used(rows, *others)
        value = used.get(figure)
        if value is None:
            why = used.get("missing") or "this commit or this machine has none"
            raise SkipNotImplemented(f"no {figure} was measured: {why}")
        return value

    track.__name__ = f"track_{unit}"
    describe(track, stage, "{figure}", unit)
    track.unit = unit
    track.params, track.param_names = [*cls.params, figures], [*cls.param_names, "figure"]
    orders = {name: order for name, order in cls.orders.items() if name in figures}
    if orders:
        track.cdpipe_order = orders
    track.pretty_source = show_source(cls)
    setattr(cls, track.__name__, track)
