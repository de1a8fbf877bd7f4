"""Benchmarks by `rows`: their sizes, their input, the warm-up run, and what a report wants to know of each."""

import inspect
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
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

VERSION: Final = "1"
"""What asv calls the version of a benchmark. Raise it for those whose work changes; a refactoring leaves series whole.

Left to itself asv takes a digest of the source, so that any change of a line would end a series.
`tests/benchmarks/test_benchmark_versions.py` notices when the source of the work changes.
"""

_PARAMETER: Final = re.compile(r"/?\{\w+\}")


class Sized:
    """Benchmarks that take `rows`, and whatever else `choices` names.

    asv prepares before every timed call, so all that `ready` does is done once in a process, which measures one
    benchmark at one combination of parameters. By default there are at least eight samples from two processes, with
    `make compare` eight from four: with fewer than seven a side no change can be significant to asv.
    """

    params: ClassVar[list[list[Any]]]
    param_names: ClassVar[tuple[str, ...]] = ("rows",)
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {}
    """Parameters beside `rows`, in the order in which methods take them, with all values."""
    data: ClassVar[tuple[str, ...]]
    needs: ClassVar[tuple[str, ...]] = ()
    """What of cdpipe they use, `module:name`; on a commit that lacks one of these they are skipped."""
    settings: ClassVar[dict[str, Any]] = {}
    """Parameters of the work that differ between classes that share it."""
    orders: ClassVar[dict[str, str]] = {"seconds": "linear", "peak_bytes": "constant", "tree_peak_bytes": "constant"}
    """How figures are to grow with rows, in the words of `perf.analysis.scaling`; measured growth is held to it."""

    version = VERSION
    number = 1
    repeat = (4, 10, 3.0)
    rounds = 2
    warmup_time = 0
    timeout = 1800

    def __init_subclass__(cls, *, family: str = "", data: tuple[str, ...] = (), **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if family:
            cls.params, cls.data = [FAMILIES[family].labels, *map(list, cls.choices.values())], data
            cls.param_names = ("rows", *cls.choices)

    def __init__(self) -> None:
        self._scratch: list[Path] = []

    def ready(self, rows: str, *others: Any) -> None:
        """Have the input there, and the code warm; skip what the commit does not have."""
        skip_unless(*self.needs)
        for kind in self.data:
            _data.need(kind, rows)
        _warm(type(self), *others)

    def teardown(self, rows: str, *others: Any) -> None:
        del rows, others
        while self._scratch:
            shutil.rmtree(self._scratch.pop(), ignore_errors=True)

    def scratch(self) -> Path:
        """Return a new folder, which is removed after the measurement."""
        self._scratch.append(Path(mkdtemp(prefix="cdpipe-bench-")))
        return self._scratch[-1]

    def work(self, rows: str, *others: Any) -> None:
        """Do all that is measured, from reading the input on."""
        raise NotImplementedError


def add(cls: type[Sized], function: Callable[..., Any], stage: str, figure: str) -> None:
    """Make a function a benchmark of the class, with what the bottleneck report and the site want to know of it.

    `stage` may have a parameter's name in braces: its value is part of the stage's name then.
    """
    describe(function, stage, figure)
    if figure in cls.orders:
        function.cdpipe_order = cls.orders[figure]
    # With `rows` by name: what can be called without arguments asv calls ahead of `setup_cache` too.
    function.setup = lambda rows, *others: cls().ready(rows, *others)
    function.pretty_source = show_source(cls)
    setattr(cls, function.__name__, function)


def offer(function: Callable[..., None], works: Mapping[str, type[Sized]], stage: str, figure: str) -> None:
    """Make a function of a module one benchmark of several works: which of them is its last parameter.

    Parameters
    ----------
    function
        Takes `rows`, what else the works take, and the key of one of them.
    works
        All of the same sizes and parameters; each has its own `needs`, input and work.
    stage, figure
        As in `add`.
    """
    first = next(iter(works.values()))
    names = list(inspect.signature(function).parameters)
    describe(function, stage, figure)
    function.params = [*first.params, list(works)]
    function.param_names = names
    for name in ("version", "number", "repeat", "rounds", "warmup_time", "timeout"):
        setattr(function, name, getattr(first, name))

    def setup(rows: str, *others: Any) -> None:
        *others, chosen = others
        works[chosen]().ready(rows, *others)

    function.setup = setup
    function.pretty_source = "\n\n".join(f"# {key}\n{show_source(work)}" for key, work in works.items())


def describe(function: Callable[..., Any], stage: str, figure: str, title: str = "") -> None:
    """Say of a benchmark which figure of which stage it measures.

    A parameter's name in braces stands for its value, in both. `title` is for people, the figure's name if empty.
    """
    function.cdpipe_stage, function.cdpipe_figure = stage, figure
    shown = _PARAMETER.sub("", stage), title or figure.replace("_", " ")
    function.pretty_name = ": ".join(filter(None, shown))


def show_source(cls: type[Sized]) -> str:
    """Return the text of what a class measures, for the site: the work is not in the function that asv sees."""
    own = [getattr(cls, name) for name in ("prepare", "account", "call", "work") if hasattr(cls, name)]
    shared = (__name__, "benchmarks._stage", "benchmarks._prepared")
    parts = [_source(part.__code__) for part in own if part.__module__ not in shared]
    return "\n".join([*parts, *([f"settings = {cls.settings!r}"] if cls.settings else [])])


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


@cache
def _source(code: CodeType) -> str:
    """Return the source text of a function; those that one line makes in many classes share it."""
    return inspect.getsource(code)


@cache
def _warm(cls: type[Sized], *others: Any) -> None:
    """Do the work once on few rows, so that no sample has compilation, late imports or thread start-up in it."""
    one = cls()
    for kind in cls.data:
        _data.need(kind, WARM_UP)
    one.work(WARM_UP, *others)
    one.teardown(WARM_UP, *others)
