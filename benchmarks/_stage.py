"""Stage benchmarks: the time, the memory and the figures of one probed run that every stage's benchmarks measure.

A stage's module says what the work is; its benchmarks are made here, so that each figure means the same everywhere.
"""

import inspect
import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from types import CodeType
from typing import Any, ClassVar, Final

from asv_runner.benchmarks.mark import SkipNotImplemented

from benchmarks import _data
from benchmarks._sizes import FAMILIES, WARM_UP

SHARES: Final = (
    "compute", "memory", "disk", "network", "serialisation", "scheduling", "gil", "lock", "sleep", "contention", "gc",
    "idle", "unattributed",
)  # fmt: skip
TRACKED: Final[dict[str, str]] = {
    "tree_peak_bytes": "bytes",
    "cpu_percent": "percent",
    "memory_percent": "percent",
    "read_bytes": "bytes",
    "write_bytes": "bytes",
    "spilled_bytes": "bytes",
    "network_bytes": "bytes",
    "page_cache_share": "share",
    "disk_busy": "share",
    "ready_queue_max": "tasks",
    "queue_mean": "tasks",
    "tasks": "tasks",
    "task_seconds_p50": "seconds",
    "task_seconds_mean": "seconds",
    "task_seconds_max": "seconds",
    "cores": "cores",
    "samples": "samples",
    "wall_seconds": "seconds",
    "cpu_seconds": "seconds",
    **{f"share_{name}": "share" for name in SHARES},
}
"""Figures of the probed run (`cdpipe.engine.probe.ProbeResult`), with their units."""

OF_TASKS: Final = frozenset({"task_seconds_p50", "task_seconds_mean", "task_seconds_max"})
"""Those that a stage without tasks has not."""

SUMS: Final = frozenset(
    {"wall_seconds", "cpu_seconds", "read_bytes", "write_bytes", "spilled_bytes", "network_bytes", "tasks"}
)
"""Those that grow with the time probed: where the work was done several times, they are of one time."""

PROBED_S: Final = 0.5
"""Work that is done sooner is done again while it is probed: a run of 30 ms has too few samples to attribute."""


class Sized:
    """Benchmarks that take `rows`: their sizes, their input and the warm-up run.

    asv prepares before every timed call, so all that `ready` does is done once in a process, which measures one
    benchmark at one size. By default there are at least eight samples from two processes, with `make compare` eight
    from four: with fewer than seven a side no change can be significant to asv.
    """

    params: ClassVar[list[list[str]]]
    param_names = ("rows",)
    data: ClassVar[tuple[str, ...]]
    needs: ClassVar[tuple[str, ...]] = ()
    """What of cdpipe they use, `module:name`; on a commit that lacks one of these they are skipped."""
    settings: ClassVar[dict[str, Any]] = {}
    """Parameters of the work that differ between classes that share it."""
    orders: ClassVar[dict[str, str]] = {"seconds": "linear", "peak_bytes": "constant", "tree_peak_bytes": "constant"}
    """How figures are to grow with rows, in the words of `perf.analysis.scaling`; measured growth is held to it."""

    number = 1
    repeat = (4, 10, 3.0)
    rounds = 2
    warmup_time = 0
    timeout = 1800

    def __init_subclass__(cls, *, family: str = "", data: tuple[str, ...] = (), **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if family:
            cls.params, cls.data = [FAMILIES[family].labels], data

    def __init__(self) -> None:
        self._scratch: list[Path] = []

    def ready(self, rows: str) -> None:
        """Have the input there, and the code warm; skip what the commit does not have."""
        skip_unless(*self.needs)
        for kind in self.data:
            _data.need(kind, rows)
        _warm(type(self))

    def teardown(self, rows: str) -> None:
        del rows
        while self._scratch:
            shutil.rmtree(self._scratch.pop(), ignore_errors=True)

    def scratch(self) -> Path:
        """Return a new folder, which is removed after the measurement."""
        self._scratch.append(Path(mkdtemp(prefix="cdpipe-bench-")))
        return self._scratch[-1]

    def work(self, rows: str) -> None:
        """Do all that is measured, from reading the input on."""
        raise NotImplementedError


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
        for figure, unit in TRACKED.items():
            if tasks or figure not in OF_TASKS:
                add(cls, _track(figure), stage, figure, unit)
        if graph and cls.account is not Stage.account:
            add(cls, _build_it(), stage, "graph_seconds")

    def setup_cache(self) -> None:
        """Have asv give one folder to all processes of a run; deliberately the same one for all stages."""

    def account(self, folder: Path) -> Any:
        """Return the work on a data set as one lazy account: computing it needs no more memory than a few parts."""
        raise NotImplementedError

    def build(self, rows: str) -> Any:
        """Return the work on the stage's own data set."""
        return self.account(_data.place(self.data[0], rows))

    def work(self, rows: str) -> None:
        """Compute the account on threads."""
        from cdpipe import SessionParams, open_session

        with open_session(SessionParams()) as session:
            with laying_graph():
                account = self.build(rows)
            session.run([account])

    def used(self, rows: str) -> dict[str, Any]:
        """Return what the probed run used; it is made if there is no record of it in the current folder.

        Beside the figures the record has `runs`, how many times the work was done to fill `PROBED_S`, and `missing`,
        why there are no figures.
        """
        record = Path(f"used-{type(self).__module__}.{type(self).__name__}-{rows}.json")
        if not record.exists():
            skip_unless("cdpipe.engine.probe:probe")
            self.ready(rows)
            from cdpipe import SessionParams, open_session
            from cdpipe.engine.probe import probe

            runs = 0
            with open_session(SessionParams()) as session, probe(session) as result:
                begin = time.perf_counter()
                while not runs or time.perf_counter() - begin < PROBED_S:
                    self.work(rows)
                    runs += 1
            beside = record.with_suffix(".new")
            missing = getattr(result, "missing", None)  # older commits know of nothing that is
            beside.write_text(json.dumps(flatten(result.as_dict(), runs) | {"missing": missing}), encoding="utf-8")
            beside.rename(record)
        return json.loads(record.read_text(encoding="utf-8"))


def add(cls: type[Sized], function: Callable[..., Any], stage: str, figure: str, unit: str = "") -> None:
    """Make a function a benchmark of the class, with what the bottleneck report and the site want to know of it.

    With a `unit` it is a `track_` benchmark, which gets itself ready if it must: most only read a record.
    """
    function.cdpipe_stage, function.cdpipe_figure = stage, figure
    if issubclass(cls, Stage) and figure in cls.orders:
        function.cdpipe_order = cls.orders[figure]
    function.pretty_name = f"{stage}: {figure.replace('_', ' ')}"
    if unit:
        function.unit = unit
    else:
        # With `rows` by name: what can be called without arguments asv calls ahead of `setup_cache` too.
        function.setup = lambda rows, *others: cls().ready(rows, *others)
    # asv tells versions of a benchmark by its source, and the work is not in the function that it sees.
    own = [getattr(cls, name) for name in ("prepare", "account", "call", "work") if hasattr(cls, name)]
    parts = [_source(part.__code__) for part in own if part.__module__ != __name__]
    said = f"settings, figure = {cls.settings!r}, {figure!r}"
    function.pretty_source = "\n".join([*parts, said, _source(function.__code__)])
    setattr(cls, function.__name__, function)


def flatten(probed: Mapping[str, Any], runs: int) -> dict[str, Any]:
    """Return a probed run's figures by the names of `TRACKED`, of one of the `runs` times that the work was done."""
    figures = dict(probed)
    for name, prefix in (("shares", "share_"), ("task_seconds", "task_seconds_")):
        figures |= {prefix + key: value for key, value in (figures.pop(name, None) or {}).items()}
    for name in SUMS & figures.keys():
        if figures[name] is not None:
            whole, rest = divmod(figures[name], runs)
            figures[name] = whole if rest == 0 else figures[name] / runs
    return figures | {"runs": runs}


def skip_unless(*needs: str) -> None:
    """Skip the benchmark on a commit that does not have yet what it measures; a broken import still fails.

    Raises
    ------
    SkipNotImplemented
        Naming what is missing.
    """
    for need in needs:
        module, _, name = need.partition(":")
        parent = module.rpartition(".")[0]
        known = (not parent or find_spec(parent)) and find_spec(module)
        if not known or not hasattr(import_module(module), name):
            raise SkipNotImplemented(f"this commit has no {need}")


def laying_graph() -> AbstractContextManager[object]:
    """Return the block in which the caller lays a graph, so that a probe counts it to the graph and not to the work.

    Where a commit has no such block, laying graphs counts as computing there.
    """
    if find_spec("cdpipe.engine.tasks") is None:
        return nullcontext()
    building = getattr(import_module("cdpipe.engine.tasks"), "building_graph", nullcontext)
    return building()


@cache
def _source(code: CodeType) -> str:
    """Return the source text of a function; those that one line makes in many classes share it."""
    return inspect.getsource(code)


@cache
def _warm(cls: type[Sized]) -> None:
    """Do the work once on few rows, so that no sample has compilation, late imports or thread start-up in it."""
    one = cls()
    for kind in cls.data:
        _data.need(kind, WARM_UP)
    one.work(WARM_UP)
    one.teardown(WARM_UP)


def _run_it(name: str) -> Callable[[Stage, str], None]:
    def run(self: Stage, rows: str) -> None:
        self.work(rows)

    run.__name__ = name
    return run


def _build_it() -> Callable[[Stage, str], None]:
    def time_build_graph(self: Stage, rows: str) -> None:
        self.build(rows)

    return time_build_graph


def _track(figure: str) -> Callable[[Stage, str], float]:
    def track(self: Stage, rows: str) -> float:
        used = self.used(rows)
        value = used.get(figure)
        if value is None:
            why = used.get("missing") or "this commit or this machine has none"
            raise SkipNotImplemented(f"no {figure} was measured: {why}")
        return value

    track.__name__ = f"track_{figure}"
    return track
