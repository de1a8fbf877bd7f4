"""A person's own run under the probe: each part of it measured, judged, and written down beside Dask's own report."""

import datetime
import json
import os
import platform
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final
from uuid import uuid4

from cdpipe.config.model import RunConfig
from cdpipe.engine.files.own_folders import own_folder
from cdpipe.engine.files.seals import digest_file, find_own, seal
from cdpipe.engine.graph.partition import sum_outcomes
from cdpipe.engine.graph.steps import Outcome
from cdpipe.engine.outputs.output_folder import OutputError, explain_foreign
from cdpipe.engine.run.meters import Meter, PartsMeter, join_figures
from cdpipe.engine.run.observer import Event, PartitionDone, PartitionsBegan, RunObserver
from cdpipe.engine.run.runner import ORDER
from cdpipe.engine.sessions.base import Session, SessionError
from cdpipe.oserrors import naming
from cdpipe.perf.analysis.findings import Rules
from cdpipe.perf.analysis.run import WHOLE, report_run
from cdpipe.perf.results.model import Machine
from cdpipe.perf.settings.settings import read_settings
from cdpipe.pipeline import run
from cdpipe.reports.profile_report import DASK_REPORT, TRAIN, Profile
from cdpipe.reports.run_report import RunReport, describe_machine
from cdpipe.stages.ledger import Ledger

__all__ = ["DASK_REPORT", "PROFILES", "Profile", "flatten_figures", "profile"]

PROFILES: Final = {"text": "profile.txt", "md": "profile.md", "json": "profile.json"}
"""File in the output folder by format."""

_PUBLISH: Final = "publish"
_REMEDIES: Final = Path(__file__).parent / "reports" / "remedies.toml"
_BETWEEN_READINGS_S: Final = 0.25
"""How often Dask's `ResourceProfiler` looks."""


class _Recorder(RunObserver):
    """Measures each part of a run, remembers what its partitions gave back, and has Dask record it beside."""

    def __init__(self, config: RunConfig, told: RunObserver) -> None:
        super().__init__(told.see)
        self.out, self._scheduler = _require_local(config.output.directory), config.session.scheduler
        self.meter: PartsMeter | None = None
        self.place = ""
        self.wall_s = 0.0
        self.dask_report: bytes | None = None
        self._outcomes: dict[str, list[Outcome]] = {}

    def see(self, event: Event) -> None:
        """Take in an event, and pass it on."""
        match event:
            case PartitionsBegan(part):
                self._outcomes[part] = []  # it may begin anew
            case PartitionDone(part, outcome=outcome):
                self._outcomes[part].append(outcome)
        super().see(event)

    @contextmanager
    def measure(self, session: Session) -> Iterator[Meter]:
        """Measure the run's parts."""
        _require_own(self.out)
        self.place = _describe_place(session, self._scheduler)
        with own_folder(Path(gettempdir()), "cdpipe-profile-") as folder:
            beside = folder / DASK_REPORT
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
                    self.dask_report = beside.read_bytes()

    def count_rows(self) -> dict[str, int]:
        """Return the rows that came into each survey and pass."""
        return {label: sum(outcome.rows for outcome in outcomes) for label, outcomes in self._outcomes.items()}

    def add_up(self, labels: Collection[str]) -> tuple[dict[str, Ledger], dict[str, float]]:
        """Return, by stage, the rows' accounts and the threads' seconds of some surveys and passes."""
        ledgers: dict[str, Ledger] = {}
        seconds: dict[str, float] = {}
        for label in labels:
            totals = sum_outcomes(self._outcomes.get(label, ()))
            ledgers |= totals.ledgers
            for stage, spent in totals.seconds.items():
                seconds[stage] = seconds.get(stage, 0.0) + spent
        return ledgers, seconds


def _require_local(out: Path | str) -> Path:
    """Return the output folder, if it is on a disk.

    Raises
    ------
    OutputError
        If it is a URL.
    """
    if not isinstance(out, Path):
        raise OutputError(f"{out}: a profile is written to a folder of this machine; name one with --out")
    return out


def profile(
    config: RunConfig,
    *,
    rules: Rules = Rules.ATTRIBUTION,
    observer: RunObserver | None = None,
) -> Profile:
    """Run the pipeline and say what limits each part of it.

    Parameters
    ----------
    config
        What to read, do and write; see `cdpipe.pipeline.run`, whose results are written as ever.
    rules
        Which rules name the classes.
    observer
        Is told how the run goes; the profile does the measuring.

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
    recorder = _Recorder(config, observer or RunObserver())
    reported, failure = None, None
    try:
        reported = run(config, observer=recorder)
    except Exception as error:  # whatever it is, the parts before it are worth knowing
        if recorder.meter is None or not recorder.meter.begun:
            raise
        failure = error
    meter = recorder.meter
    if meter is None:
        raise RuntimeError("the run ended without having been measured")
    made = _judge(config, recorder, meter, reported, failure, rules)
    _write(recorder.out, made, recorder.dask_report)
    return made


def _judge(
    config: RunConfig,
    recorder: _Recorder,
    meter: PartsMeter,
    reported: RunReport | None,
    failure: Exception | None,
    rules: Rules,
) -> Profile:
    figures, out = meter.parts, recorder.out
    seen, seconds = recorder.add_up([*figures, *meter.unmeasured])
    ledgers = seen if reported is None else reported.ledgers
    whole = flatten_figures(join_figures(list(figures.values()))) if figures and not meter.unmeasured else None
    measured_s = sum(each["wall_seconds"] for each in figures.values())
    dask_report = {} if recorder.dask_report is None else {"Dask's own report": out / DASK_REPORT}
    return Profile(
        report=report_run(
            {name: flatten_figures(each) for name, each in figures.items()},
            machine=_name_machine(),
            date=datetime.datetime.now(datetime.UTC),
            whole=whole,
            rows=_count_rows(config, list(figures), recorder, reported, ledgers),
            rules=rules,
            settings=replace(read_settings(_REMEDIES), scheduler=config.session.scheduler),
        ),
        figures=figures,
        ledgers=ledgers,
        thread_seconds=seconds,
        place=recorder.place,
        cached=_find_cached(meter.begun),
        wall_s=recorder.wall_s,
        between_s=recorder.wall_s - measured_s - sum(seconds for _, seconds in meter.unmeasured.values()),
        files={f"this report, {format_}": out / name for format_, name in PROFILES.items()} | dask_report,
        failure=failure,
        broke=meter.begun[-1] if failure is not None and meter.begun[-1] not in {*figures, *meter.unmeasured} else None,
        unmeasured={name: why for name, (why, _) in meter.unmeasured.items()},
    )


def _name_machine() -> Machine:
    described = describe_machine()
    return Machine(
        name=platform.node(),
        cpu=described["processor"],
        cores=str(described["cores"]),
        ram=f"{described['memory_gb']} GB",
        os=described["system"],
    )


def _count_rows(
    config: RunConfig,
    parts: list[str],
    recorder: _Recorder,
    reported: RunReport | None,
    ledgers: Mapping[str, Ledger],
) -> dict[str, int]:
    """Return the rows that went into each part, as far as they are known; into the whole those into its first."""
    rows = recorder.count_rows()
    if config.output.dataset and ORDER[-1] in ledgers:
        rows[_PUBLISH] = ledgers[ORDER[-1]].rows_out
    if reported is not None and reported.trained is not None:
        rows[TRAIN] = reported.trained.ledger.rows_in
    if parts and parts[0] in rows:
        rows[WHOLE] = rows[parts[0]]
    return rows


def flatten_figures(figures: Mapping[str, Any]) -> dict[str, float | None]:
    """Return a probe's figures under the names that the report knows: `share_compute`, `task_seconds_p50`."""
    flat = {name: value for name, value in figures.items() if isinstance(value, int | float)}
    flat |= {f"share_{name}": value for name, value in (figures.get("shares") or {}).items()}
    return flat | {f"task_seconds_{name}": value for name, value in (figures.get("task_seconds") or {}).items()}


def _find_cached(begun: list[str]) -> tuple[str, ...]:
    """Return the stages before the first that was run; all of them, if none was and yet results were published."""
    ran = {name for label in begun for name in label.split(" → ")}
    first = next((place for place, name in enumerate(ORDER) if name in ran), len(ORDER) if _PUBLISH in ran else 0)
    return ORDER[:first]


def _describe_place(session: Session, scheduler: str) -> str:
    if session.runs_here:
        return f"{session.threads} threads of one process"
    where = "a cluster on this machine" if scheduler == "local" else f"the scheduler {scheduler}"
    return f"{session.threads} threads of {session.workers} workers of {where}; training in the process that asked"


@contextmanager
def _record_threads(path: Path) -> Iterator[None]:
    """Have Dask record the tasks of this process's threads, and what it sees of CPU and memory."""
    if find_spec("bokeh") is None:  # Dask's own report is left out; ours needs nothing of it
        yield
        return
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

    from cdpipe.engine.sessions.cluster import ClusterSession  # noqa: PLC0415 - as above

    if not isinstance(session, ClusterSession):
        raise TypeError(f"{type(session).__name__} has no scheduler to ask")
    report = performance_report(filename=str(path), mode="inline")
    with session.client.as_current():
        with session.asking():
            report.__enter__()
        try:
            yield
        except BaseException:
            with suppress(SessionError), session.asking():  # what made the run fail is told instead
                report.__exit__(None, None, None)
            raise
        with session.asking():
            report.__exit__(None, None, None)


def _write(out: Path, made: Profile, dask_report: bytes | None) -> None:
    """Write a profile instead of the one before, each file whole."""
    own = _require_own(out)
    written = {
        PROFILES[format_]: made.render(format_).encode("utf-8", "backslashreplace") for format_ in ("text", "md")
    }
    if dask_report is not None:
        written[DASK_REPORT] = dask_report
    elif DASK_REPORT in own:
        (out / DASK_REPORT).unlink(missing_ok=True)  # it speaks of another run
    for name, content in written.items():
        _write_whole(out / name, content)
    said = seal(json.loads(made.render("json")), {name: digest_file(out / name) for name in written})
    _write_whole(out / PROFILES["json"], (json.dumps(said, indent=2) + "\n").encode())


def _require_own(out: Path) -> set[str]:
    """Return the files of the profile before.

    Raises
    ------
    OutputError
        If a file stands where one of a profile goes, and no profile has made it.
    """
    own = find_own(out / PROFILES["json"])
    for name in (*PROFILES.values(), DASK_REPORT):
        if name not in own and os.path.lexists(out / name):
            raise explain_foreign(out / name)
    return own


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file beside, flush it to the disk, and only then give it its name."""
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with naming(beside), beside.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
