"""A person's own run under the probe: each part of it measured, judged, and written down beside Dask's own report."""

import datetime
import io
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cdpipe.config import RunConfig
from cdpipe.engine.metering import Meter, PartsMeter, join_figures
from cdpipe.engine.runner import ORDER, OnPartition
from cdpipe.engine.session import Session
from cdpipe.perf.findings import Report, Rules
from cdpipe.perf.measurements import Machine
from cdpipe.perf.report import render_json, render_markdown, render_text, show_plain
from cdpipe.perf.run_report import report_run
from cdpipe.pipeline import Say, run
from cdpipe.runreport import describe_machine

WHOLE: Final = "whole run"
"""What all parts of a run together are called."""

DASK_REPORT: Final = "dask-report.html"
PROFILES: Final = {"text": "profile.txt", "md": "profile.md", "json": "profile.json"}
"""File in the output folder by format."""

_WIDTH: Final = 100
_BETWEEN_READINGS_S: Final = 0.25
"""How often Dask's `ResourceProfiler` looks."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What limits a run.

    Attributes
    ----------
    report
        Class, evidence and remedies of each part, and of all parts together as `WHOLE`.
    figures
        By part the probe's figures; of parts that ended well.
    place
        Where tasks ran.
    cached
        Stages whose output came from the cache, in order.
    wall_s, between_s
        Seconds from the first part's beginning to the end, and those of them in no part that was measured.
    files
        Files written, by what they are.
    failure
        Why the run failed; None if it did not.
    broke
        The part in which it failed, if any.
    """

    report: Report
    figures: Mapping[str, Mapping[str, Any]]
    place: str
    cached: tuple[str, ...]
    wall_s: float
    between_s: float
    files: Mapping[str, Path]
    failure: Exception | None
    broke: str | None

    def render(self, format_: str) -> str:
        """Write the profile as `text` (100 columns), `md` or `json`."""
        if format_ == "json":
            return json.dumps(json.loads(render_json(self.report)) | {"run": self._describe()}, indent=2) + "\n"
        if format_ == "md":
            lines = "\n".join(f"- {line}" for line in (*self.notes(), *self._name_files()))
            return f"{render_markdown(self.report)}\n## About this run\n\n{lines}\n"
        stream = io.StringIO()
        self.print(Console(file=stream, width=_WIDTH))
        return stream.getvalue()

    def print(self, console: Console) -> None:
        """Print the profile to a terminal."""
        render_text(self.report, console)
        console.print("About this run", style="bold")
        for line in self.notes():
            console.print(Padding(Text(line), (0, 0, 0, 2), expand=False))
        for line in self._name_files():
            console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)  # a path is to be copied whole

    def notes(self) -> list[str]:
        """Say what the report's figures do not: where it ran, what came from the cache, what is not in them."""
        notes = [f"ran on {self.place}"]
        if self.cached:
            notes.append(f"from the cache, so not run: {', '.join(self.cached)}")
        if self.broke:
            notes.append(f"{self.broke}: failed, so it has no figures")
        if self.figures:
            notes.append(
                f"{self.between_s:.2f} s of {self.wall_s:.2f} s are in no part: opening and closing the probes, "
                "looking into the cache"
            )
        if self.failure is not None:
            notes.append(f"the run failed: {show_plain(' '.join(str(self.failure).split()))}")
        if DASK_REPORT not in {path.name for path in self.files.values()}:
            notes.append("no report of Dask's own: no task ran through Dask")
        return notes

    def _name_files(self) -> list[str]:
        return [f"{what}: {path}" for what, path in self.files.items()]

    def _describe(self) -> dict[str, Any]:
        return {
            "place": self.place,
            "parts": {name: dict(figures) for name, figures in self.figures.items()},
            "from_cache": list(self.cached),
            "wall_seconds": self.wall_s,
            "seconds_in_no_part": self.between_s,
            "failed": None if self.failure is None else str(self.failure),
            "failed_part": self.broke,
            "files": {what: str(path) for what, path in self.files.items()},
        }


class _Recorder:
    """Opens a run's meter, and has Dask record the run beside it."""

    def __init__(self, config: RunConfig) -> None:
        self._out, self._scheduler = config.output.directory, config.session.scheduler
        self.meter: PartsMeter | None = None
        self.place = ""
        self.wall_s = 0.0
        self.dask_report: Path | None = None

    @contextmanager
    def open(self, session: Session) -> Iterator[Meter]:
        """Measure the run's parts; files of an earlier profile go, for they speak of another run."""
        for name in (*PROFILES.values(), DASK_REPORT):
            (self._out / name).unlink(missing_ok=True)
        self.place = _describe_place(session, self._scheduler)
        beside = self._out / f".{uuid4().hex}-{DASK_REPORT}"
        try:
            with _record_threads(beside) if session.runs_here else _record_cluster(session, beside):
                self.meter = PartsMeter(session)
                start = datetime.datetime.now(datetime.UTC)
                try:
                    yield self.meter
                finally:
                    self.wall_s = (datetime.datetime.now(datetime.UTC) - start).total_seconds()
        finally:
            if beside.exists():
                self.dask_report = beside.replace(self._out / DASK_REPORT)


def profile(
    config: RunConfig,
    *,
    rules: Rules = Rules.ATTRIBUTION,
    on_partition: OnPartition | None = None,
    say: Say | None = None,
) -> Profile:
    """Run the pipeline and say what limits each part of it.

    Parameters
    ----------
    config
        What to read, do and write; see `cdpipe.pipeline.run`, whose results are written as ever.
    rules
        Which rules name the classes.
    on_partition, say
        As of `cdpipe.pipeline.run`.

    Returns
    -------
    Profile
        Also written to the output folder as `PROFILES`, beside Dask's own report, `DASK_REPORT`. Of a run that failed
        it holds the parts that ended well, and `failure`.

    Raises
    ------
    Exception
        What `cdpipe.pipeline.run` raises, if it failed before any part began.
    """
    recorder, failure = _Recorder(config), None
    try:
        run(config, on_partition=on_partition, say=say, metering=recorder.open)
    except Exception as error:  # whatever it is, the parts before it are worth knowing
        if recorder.meter is None or not recorder.meter.begun:
            raise
        failure = error
    meter = recorder.meter
    if meter is None:
        raise RuntimeError("the run ended without having been measured")
    made = _judge(recorder, meter, failure, config.output.directory, rules)
    for format_, name in PROFILES.items():
        _write_whole(config.output.directory / name, made.render(format_))
    return made


def _judge(recorder: _Recorder, meter: PartsMeter, failure: Exception | None, out: Path, rules: Rules) -> Profile:
    figures = meter.parts
    parts = {WHOLE: join_figures(list(figures.values())), **figures} if figures else {}
    described = describe_machine()
    machine = Machine(
        name=platform.node(),
        cpu=described["processor"],
        cores=str(described["cores"]),
        ram=f"{described['memory_gb']} GB",
        os=described["system"],
    )
    flat = {name: flatten_figures(each) for name, each in parts.items()}
    dask_report = {} if recorder.dask_report is None else {"Dask's own report": recorder.dask_report}
    return Profile(
        report=report_run(flat, machine=machine, date=datetime.datetime.now(datetime.UTC), rules=rules),
        figures=figures,
        place=recorder.place,
        cached=_find_cached(meter.begun),
        wall_s=recorder.wall_s,
        between_s=recorder.wall_s - sum(each["wall_seconds"] for each in figures.values()),
        files={f"this report, {format_}": out / name for format_, name in PROFILES.items()} | dask_report,
        failure=failure,
        broke=next((name for name in meter.begun if name not in figures), None),
    )


def flatten_figures(figures: Mapping[str, Any]) -> dict[str, float | None]:
    """Return a probe's figures under the names that the report knows: `share_compute`, `task_seconds_p50`."""
    flat = {name: value for name, value in figures.items() if isinstance(value, int | float)}
    flat |= {f"share_{name}": value for name, value in (figures.get("shares") or {}).items()}
    return flat | {f"task_seconds_{name}": value for name, value in (figures.get("task_seconds") or {}).items()}


def _find_cached(begun: list[str]) -> tuple[str, ...]:
    """Return the stages before the first that was run; all of them, if none was and yet results were published."""
    ran = {name for label in begun for name in label.split(" → ")}
    first = next((place for place, name in enumerate(ORDER) if name in ran), len(ORDER) if "publish" in ran else 0)
    return ORDER[:first]


def _describe_place(session: Session, scheduler: str) -> str:
    if session.runs_here:
        return f"{session.threads} threads of one process"
    where = "a cluster on this machine" if scheduler == "local" else f"the scheduler {scheduler}"
    return f"{session.threads} threads of {session.workers} workers of {where}; training in the process that asked"


@contextmanager
def _record_threads(path: Path) -> Iterator[None]:
    """Have Dask record the tasks of this process's threads, and what it sees of CPU and memory."""
    from dask.diagnostics import Profiler, ResourceProfiler, visualize  # noqa: PLC0415 - bokeh takes 0.5 s

    with ExitStack() as stack:
        tasks = stack.enter_context(Profiler())
        resources = stack.enter_context(ResourceProfiler(dt=_BETWEEN_READINGS_S))
        try:
            yield
        finally:
            stack.close()
            if tasks.results:
                visualize([tasks, resources], filename=str(path), show=False, save=True, mode="inline")


@contextmanager
def _record_cluster(session: Session, path: Path) -> Iterator[None]:
    """Have the scheduler record what its workers do."""
    from distributed import performance_report  # noqa: PLC0415 - sessions on threads need not pay for it

    from cdpipe.engine.cluster import ClusterSession  # noqa: PLC0415 - as above

    if not isinstance(session, ClusterSession):
        raise TypeError(f"{type(session).__name__} has no scheduler to ask")
    with session.client.as_current(), performance_report(filename=str(path), mode="inline"):
        yield


def _write_whole(path: Path, text: str) -> None:
    """Write a file beside, flush it to the disk, and only then give it its name."""
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with beside.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
