"""Private parts of asv, each in one function; `tests/perf/gate/measuring/test_asv_compat.py` says which of them broke.

asv has commands, and no interface for programs. Its environments, its discovery of benchmarks and its runner are used
as they are, so that what is measured here is what `asv run` and `asv continuous` measure.
"""

import copy
import itertools
import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from asv import environment, plugins, runner, util
from asv.benchmarks import Benchmarks
from asv.config import Config
from asv.plugin_manager import plugin_manager
from asv.repo import NoSuchNameError, get_repo

_OUTPUT_LINES: Final = 30


HOOK: Final = "asv_runner.benchmarks._base:Benchmark.do_run"
"""The method that runs a benchmark whose function is `self.func`; `witness.py` watches it in the measured process."""


class CannotMeasureError(ValueError):
    """Nothing was measured: what failed, and in `output` the end of what the failing command wrote."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


class Cell(NamedTuple):
    """One benchmark at one set of parameters: asv's description of the benchmark, and the index of the parameters."""

    benchmark: Mapping[str, Any]
    place: int

    @property
    def name(self) -> str:
        """The name as asv's `--bench` sees it: `clean.Spatial.time_run('1M')`."""
        params = self.params
        return f"{self.benchmark['name']}({', '.join(params)})" if params else str(self.benchmark["name"])

    @property
    def params(self) -> tuple[str, ...]:
        """Texts of the values, as asv writes them."""
        return next(itertools.islice(itertools.product(*self.benchmark["params"]), self.place, None))


class Outcome(NamedTuple):
    """What one process gave: samples, or why there are none; `is_skipped` where the benchmark said so itself."""

    samples: tuple[float, ...]
    is_skipped: bool
    output: str


def load_config(path: Path) -> Any:  # noqa: ANN401 - asv has no types
    """Read `asv.conf.json`; the current folder must be its own, for its paths are relative.

    Raises
    ------
    CannotMeasureError
        If it is not there or not asv's.
    """
    with explaining(f"{path}: cannot be read"):
        return Config.load(str(path))


def open_repository(config: Any) -> Any:  # noqa: ANN401
    """Open the repository that is measured."""
    with explaining(f"repository {config.repo!r}: cannot be opened"):
        return get_repo(config)


def find_commit(repository: Any, name: str) -> str:  # noqa: ANN401
    """Return the hash of a commit.

    Raises
    ------
    CannotMeasureError
        If there is no such commit.
    """
    try:
        return str(repository.get_hash_from_name(name))
    except NoSuchNameError as error:
        raise CannotMeasureError(f"{name!r}: no such commit; fetch it, or name another") from error


def find_environment(config: Any, folder: Path) -> Any:  # noqa: ANN401
    """Return the first environment of the configuration's matrix, kept in a folder of its own.

    Raises
    ------
    CannotMeasureError
        If none can be made: most often there is no interpreter of the configured version.
    """
    own = copy.copy(config)
    own.env_dir = str(folder)
    plugin_manager.load_plugins(plugins)
    with explaining("no environment can be made"):
        found = list(environment.get_environments(own, None))
    if not found:
        pythons = ", ".join(map(str, config.pythons))
        raise CannotMeasureError(
            f"no environment can be made: of Python {pythons} with {config.environment_type!r} there is none here; "
            "install that Python, or change `pythons` in asv.conf.json"
        )
    return found[0]


def install(config: Any, repository: Any, env: Any, commit: str) -> None:  # noqa: ANN401
    """Make an environment, if it is missing, and have a commit in it.

    Raises
    ------
    CannotMeasureError
        If the environment cannot be made, or the commit cannot be built or installed.
    """
    if not env.can_install_project():
        raise CannotMeasureError(
            f"environment {env.name}: asv installs no commits there, so both sides would be the same; set "
            "`environment_type` to virtualenv in asv.conf.json"
        )
    with explaining(f"environment {env.name}: cannot be made"):
        env.create()
    with explaining(f"commit {commit[:8]}: cannot be built or installed"):
        env.install_project(config, repository, commit)


def discover(config: Any, repository: Any, env: Any, commit: str, expression: str | None) -> list[Cell]:  # noqa: ANN401
    """Return the selected benchmarks of the suite on disk, each at each selected set of parameters.

    Parameters
    ----------
    config, repository, env, commit
        Where the suite is imported: the commit is installed there already.
    expression
        Regular expression as for asv's `--bench`; None for all.

    Raises
    ------
    CannotMeasureError
        If the suite cannot be imported, or nothing is selected.
    """
    with explaining("the benchmark suite cannot be imported"):
        found = Benchmarks.discover(config, repository, [env], [commit], regex=expression)
    cells = []
    for name, benchmark in sorted(found.items()):
        if benchmark.get("timeout") is None:
            benchmark["timeout"] = config.default_benchmark_timeout
        places = found.benchmark_selection[name]
        cells += [Cell(benchmark, place) for place in ([0] if places is None else places)]
    if not cells:
        raise CannotMeasureError(f"no benchmark is selected by {expression!r}; see `asv run --bench`")
    return cells


class Processes:
    """Starts the processes of one side; leave the block to remove what `setup_cache` made."""

    def __init__(self, config: Any, env: Any) -> None:  # noqa: ANN401
        self._env = env
        self._spawner = runner.Spawner(env, config.benchmark_dir)
        self._caches: dict[str, Path] = {}

    def __enter__(self) -> "Processes":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folders."""
        for folder in self._caches.values():
            shutil.rmtree(folder, ignore_errors=True)

    def run(self, cell: Cell, *, attributes: Mapping[str, Any], script: Path | None = None) -> Outcome:
        """Run one benchmark in a fresh process.

        Each gets a copy of its own of what `setup_cache` made: what one process leaves there, none other finds.

        Parameters
        ----------
        cell
            What to run.
        attributes
            Of the benchmark, instead of its own: `repeat`, for instance.
        script
            Python script that runs asv's own, which is its first argument; None for asv's own alone.
        """
        folder, output = self._copy_cache(cell)
        if output:
            return Outcome((), is_skipped=False, output=output)
        try:
            result = runner.run_benchmark(
                cell.benchmark,
                self._spawner if script is None else _Scripted(self._env, self._spawner.benchmark_dir, script),
                profile=False,
                selected_idx={cell.place},
                extra_params=dict(attributes),
                cwd=None if folder is None else str(folder),
            )
        except util.UserError as error:  # asv's way to say Ctrl-C
            raise KeyboardInterrupt from error
        finally:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
        return _read_outcome(result, cell.place)

    def call(self, arguments: list[str]) -> str:
        """Run the environment's Python with arguments and return what it wrote.

        Raises
        ------
        CannotMeasureError
            If it fails.
        """
        with explaining("the canary cannot be run"):
            return str(self._env.run(arguments, dots=False))

    def _copy_cache(self, cell: Cell) -> tuple[Path | None, str]:
        key = cell.benchmark.get("setup_cache_key")
        if key is None:
            return None, ""
        if key not in self._caches:
            timeout = cell.benchmark.get("setup_cache_timeout", cell.benchmark["timeout"])
            made, output = self._spawner.create_setup_cache(f"{cell.benchmark['name']}", timeout, "{}")
            if made is None:
                return None, str(output or "setup_cache failed")
            self._caches[key] = Path(made)
        copied = Path(tempfile.mkdtemp(prefix="cdpipe-gate-"))
        shutil.copytree(self._caches[key], copied, dirs_exist_ok=True)
        return copied, ""


class _Scripted(runner.Spawner):  # type: ignore[misc] # asv has no types
    """A spawner whose processes run a script of ours, which runs asv's."""

    def __init__(self, env: Any, benchmark_dir: str, script: Path) -> None:  # noqa: ANN401
        super().__init__(_Prefixed(env, script), benchmark_dir)


class _Prefixed:
    """An environment that puts a script ahead of what it is told to run."""

    def __init__(self, env: Any, script: Path) -> None:  # noqa: ANN401
        self._env, self._script = env, script

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._env, name)

    def run(self, arguments: list[str], **options: Any) -> Any:  # noqa: ANN401
        return self._env.run([str(self._script), *arguments], **options)


def _read_outcome(result: Any, place: int) -> Outcome:  # noqa: ANN401
    value, samples = result.result[place], result.samples[place]
    output = _shorten(str(result.stderr or ""))
    if value is None or isinstance(value, str):
        return Outcome((), is_skipped=False, output=output or f"ended with status {result.errcode}")
    numbers = (float(value),) if samples is None else tuple(float(sample) for sample in samples)
    if not numbers or any(math.isinf(number) for number in numbers):
        return Outcome((), is_skipped=False, output=output or "gave no finite number")
    if any(math.isnan(number) for number in numbers):
        return Outcome((), is_skipped=True, output=output)
    return Outcome(numbers, is_skipped=False, output="")


@contextmanager
def explaining(what: str) -> Iterator[None]:
    """Turn asv's errors into one of ours that says what failed and why.

    Raises
    ------
    CannotMeasureError
        For whatever asv raises.
    """
    try:
        yield
    except util.ProcessError as error:
        written = "\n".join(filter(None, (str(error.stdout or "").strip(), str(error.stderr or "").strip())))
        command = f"{what}: a command of asv ended with status {error.retcode}"
        raise CannotMeasureError(command, _shorten(f"{error}\n{written}")) from error
    except (util.UserError, RuntimeError, environment.EnvironmentUnavailable) as error:
        raise CannotMeasureError(f"{what}: {error}") from error


def _shorten(text: str) -> str:
    """Return the end of a text, where errors stand."""
    lines = text.strip().splitlines()
    return "\n".join(lines[-_OUTPUT_LINES:])
