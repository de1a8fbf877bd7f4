"""Sides: two environments of asv, one a commit, so that rounds switch between commits without installing."""

import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cdpipe.perf.gate.measuring.asv_compat import (
    HOOK,
    CannotMeasureError,
    Cell,
    Processes,
    discover,
    find_commit,
    find_environment,
    install,
    load_config,
    open_repository,
)
from cdpipe.perf.gate.measuring.contention import Stopwatch
from cdpipe.perf.gate.measuring.notes import Notes
from cdpipe.perf.gate.measuring.rounds import Reading, Side
from cdpipe.perf.gate.measuring.sighting import Sighting
from cdpipe.perf.results.sizes import parse_rows

SUBSET: Final = "gate"
"""What the suite calls the benchmarks that a pull request is held against: `python -m benchmarks select gate`."""

ALL: Final = "compare"
"""What it calls all that say something of a commit's cost."""

ATTRIBUTES: Final[Mapping[str, Any]] = {"repeat": [3, 10, 1.0]}
"""Of benchmarks that do not say themselves how often: three to ten samples a process, no more after a second.

Processes count, not samples.
"""

_BRANCHES: Final = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
"""Where heads are merged into, if the configuration names no branch."""

_FOLDER: Final = "gate"
_CANARY: Final = Path(__file__).with_name("canary_work.py")
_WITNESS: Final = Path(__file__).with_name("witness.py")
_PROBE: Final = "cdpipe.probe"
_WITNESSED: Final[Mapping[str, Any]] = {"repeat": 4, "warmup_time": 0}


class AsvSides:
    """Processes of both sides, in asv's environments.

    Attributes
    ----------
    cells
        What can be measured, by name.
    processes
        What starts a process of each side.
    package
        Name of the project's package.
    """

    def __init__(
        self,
        cells: Mapping[str, Cell],
        processes: Mapping[Side, Processes],
        attributes: Mapping[str, Any],
        package: str,
        notes: Mapping[Side, Notes] | None = None,
    ) -> None:
        self.cells, self.processes, self._attributes, self.package = cells, processes, attributes, package
        self._notes = notes or {}

    def find_cell(self, benchmark: str) -> Cell:
        """Return a benchmark at one of its sizes, whether it was selected or not."""
        if benchmark in self.cells:
            return self.cells[benchmark]
        known = {cell.benchmark["name"]: cell.benchmark for cell in self.cells.values()}
        described = known[benchmark.partition("(")[0]]
        places = range(math.prod(map(len, described["params"])))
        return next(cell for cell in (Cell(described, place) for place in places) if cell.name == benchmark)

    def measure(self, benchmark: str, side: Side) -> Reading:
        """Run one benchmark in a fresh process of one side."""
        cell, notes = self.cells[benchmark], self._notes.get(side)
        own = {} if cell.benchmark.get("repeat") else ATTRIBUTES
        if notes is not None:
            notes.skip()
        watch = Stopwatch()
        outcome = self.processes[side].run(cell, attributes={**own, **self._attributes})
        watch.stop()
        samples, others = outcome.samples, watch.others
        calm = notes.choose_calm(cell.benchmark["name"], cell.params, samples) if notes and samples else None
        if calm is not None:
            samples, others = calm
        return Reading(samples, others, watch.seconds, watch.cpu_seconds, outcome.is_skipped, outcome.output)

    def watch_canary(self, side: Side) -> Reading:
        """Run the canary with one side's Python."""
        watch = Stopwatch()
        seconds = float(self.processes[side].call(["-I", "-S", str(_CANARY)]))
        watch.stop()
        return Reading((seconds,), watch.others, watch.seconds, watch.cpu_seconds)


class AsvWitnesses:
    """Runs benchmarks of both sides under the witness."""

    def __init__(self, sides: AsvSides) -> None:
        self._sides = sides

    def witness(self, benchmark: str, side: Side) -> Sighting | None:
        """Run one process; None if it gave nothing."""
        return self._see(benchmark, side, probe="")

    def probe(self, benchmark: str, side: Side) -> Mapping[str, float]:
        """Run one process under cdpipe's probe and return its figures; none where the commit has no probe."""
        seen = self._see(benchmark, side, probe=_PROBE)
        return {} if seen is None else seen.figures

    def _see(self, benchmark: str, side: Side, *, probe: str) -> Sighting | None:
        with tempfile.TemporaryDirectory(prefix="cdpipe-witness-") as folder:
            out = Path(folder) / "seen.json"
            settings = {"out": str(out), "hook": HOOK, "package": self._sides.package, "probe": probe}
            os.environ["CDPIPE_WITNESS"] = json.dumps(settings)
            try:
                cell = self._sides.find_cell(benchmark)
                outcome = self._sides.processes[side].run(cell, attributes=_WITNESSED, script=_WITNESS)
            finally:
                del os.environ["CDPIPE_WITNESS"]
            if not (outcome.samples and out.is_file()):
                return None
            seen = json.loads(out.read_text(encoding="utf-8"))
        return Sighting(seen["figures"], seen["functions"])

    def find_smaller(self, benchmark: str) -> tuple[str, float] | None:
        """Return the same benchmark at the next smaller size, and how many times as many rows this one has."""
        cell = self._sides.find_cell(benchmark)
        names = cell.benchmark.get("param_names") or []
        sized = [at for at, name in enumerate(names) if name == "rows" and at < len(cell.params)]
        rows = parse_rows(cell.params[sized[0]]) if sized else None
        if rows is None:
            return None
        best: tuple[str, float] | None = None
        for place in range(math.prod(map(len, cell.benchmark["params"]))):
            other = Cell(cell.benchmark, place)
            others = parse_rows(other.params[sized[0]])
            same = all(
                a == b for at, (a, b) in enumerate(zip(cell.params, other.params, strict=True)) if at != sized[0]
            )
            if same and others is not None and others < rows and (best is None or rows / others < best[1]):
                best = other.name, rows / others
        return best


@contextmanager
def open_sides(
    config_path: Path,
    base: str,
    head: str,
    *,
    expression: str | None,
    attributes: Mapping[str, Any],
    say: Callable[[str], None],
) -> Iterator[AsvSides]:
    """Build both commits, each in its own environment, and find the benchmarks.

    The environments are kept in `gate` beside asv's own: the next run installs two wheels and nothing else.

    Parameters
    ----------
    config_path
        `asv.conf.json`. Its folder is the current one meanwhile.
    base, head
        Hashes.
    expression
        Regular expression of benchmarks; None for what `choose_expression` finds.
    attributes
        Of the benchmarks, instead of their own.
    say
        Called with sentences on the progress.

    Raises
    ------
    CannotMeasureError
        If an environment, a commit or the suite fails, or nothing is selected.
    """
    with contextlib.chdir(config_path.resolve().parent), contextlib.ExitStack() as stack:
        config = load_config(Path(config_path.name))
        repository = open_repository(config)
        environments = {}
        for side, commit in ((Side.BASE, base), (Side.HEAD, head)):
            # Both names have four letters: a path's length moves the stack, and that alone can change a timing.
            env = find_environment(config, Path(config.env_dir).parent / _FOLDER / side)
            say(f"{side}: building and installing {commit[:8]}")
            install(config, repository, env, commit)
            environments[side] = env
        cells = discover(config, repository, environments[Side.HEAD], head, expression)
        processes = {side: stack.enter_context(Processes(config, env)) for side, env in environments.items()}
        package = str(config.project).lower().replace("-", "_")
        results = Path(config.results_dir).resolve() / "contention"
        notes = {
            side: Notes(results / f"{commit[:8]}-{environments[side].name}.jsonl")
            for side, commit in ((Side.BASE, base), (Side.HEAD, head))
        }
        yield AsvSides({cell.name: cell for cell in cells}, processes, attributes, package, notes)


def choose_expression(config_path: Path, subset: str) -> str | None:
    """Ask the suite for the expression of a subset; None where it has no such answer, and so all is measured.

    Parameters
    ----------
    config_path
        `asv.conf.json`.
    subset
        `SUBSET` or `ALL`.
    """
    folder = config_path.resolve().parent
    with contextlib.chdir(folder):
        suite = Path(load_config(Path(config_path.name)).benchmark_dir)
    if suite.is_absolute() or not (suite.parts and (folder / suite / "__main__.py").is_file()):
        return None
    asked = subprocess.run(  # noqa: S603 - the suite is run in any case
        [sys.executable, "-m", ".".join(suite.parts), "select", subset],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or None if asked.returncode == 0 else None


def resolve(config_path: Path, base: str | None, head: str) -> tuple[str, str]:
    """Return the hashes of both commits; without a base it is where the head left its branch.

    Parameters
    ----------
    config_path
        `asv.conf.json`, whose first branch is the one that the head will be merged into.
    base, head
        Names as git knows them.

    Raises
    ------
    CannotMeasureError
        If there is no such commit, or no base.
    """
    with contextlib.chdir(config_path.resolve().parent):
        config = load_config(Path(config_path.name))
        repository = open_repository(config)
        found_head = find_commit(repository, head)
        if base is not None:
            return find_commit(repository, base), found_head
        return find_commit(repository, _find_base(config.branches, found_head)), found_head


def _find_base(branches: Sequence[str | None], head: str) -> str:
    """Return where a head left the branch that it will be merged into; the commit ahead of it if it is on that branch.

    Branches are those of the configuration, then those that a clone mostly has; the first that exists counts.
    """
    named = [branch for branch in branches if branch and branch != "HEAD"]
    for name in [f"{where}{branch}" for branch in named for where in ("origin/", "")] + list(_BRANCHES):
        asked = subprocess.run(  # noqa: S603 - the name stands behind the end of options
            ["git", "merge-base", "--end-of-options", name, head],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0:
            found = asked.stdout.strip()
            return found if found != head else f"{head}^"
    tried = ", ".join(named or _BRANCHES)
    raise CannotMeasureError(
        f"{head[:8]} has no commit in common with {tried}; fetch the branch with its history, or name a base: "
        "cdpipe compare BASE HEAD"
    )
