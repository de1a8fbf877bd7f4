"""The pipeline: gather -> clean -> attack -> features -> train -> metrics, in one function."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import pandas as pd

from cdpipe.columns import IS_FALSE, X_POS, Y_POS
from cdpipe.config.model import OutputParams, RunConfig, as_config
from cdpipe.engine.cache.store import CacheParams, Store
from cdpipe.engine.files.parts import read_part, read_types
from cdpipe.engine.files.rejects import REJECTS
from cdpipe.engine.graph.steps import Raw
from cdpipe.engine.outputs.destinations import OutputResults, open_folder
from cdpipe.engine.outputs.output_folder import DATASET, REPORT, picture_name
from cdpipe.engine.run.allocators import be_frugal
from cdpipe.engine.run.inputs import Inputs, require_shared, require_visible
from cdpipe.engine.run.memory_projection import (
    Projection,
    project_training,
    require_fit,
)
from cdpipe.engine.run.notebook import notebook_observer
from cdpipe.engine.run.observer import Announcer, RunObserver, StepBegan
from cdpipe.engine.run.runner import Prepared, Runner
from cdpipe.engine.sessions.base import Session
from cdpipe.engine.sessions.open import open_session
from cdpipe.interrupts import check_interrupt, heeding_interrupts
from cdpipe.kernels.compiling.jit import why_unkept
from cdpipe.limits import count_processors, require_base
from cdpipe.planning import describe_unpacked, fit_memory, own_limit_bytes, plan_inputs, project, stage_params
from cdpipe.remedies import explain_nothing
from cdpipe.reports.confusion_plot import plot_confusion
from cdpipe.reports.evaluation_files import EVALUATION_FILES, write_evaluation
from cdpipe.reports.map_plot import MAP, PositionMap, count_positions, outline_places, plot_map
from cdpipe.reports.run_report import RunReport, describe_machine, describe_versions
from cdpipe.reports.training_notes import write_notes
from cdpipe.stages.gather.conventions import describe_conventions
from cdpipe.training.evaluation.memory import find_need
from cdpipe.training.params import TrainParams
from cdpipe.training.train import Trained, train_parts

_MB: Final = 1e6
_GB: Final = 1e9


def run(config: RunConfig | Mapping[str, Any] | str | Path, *, observer: RunObserver | None = None) -> RunReport:
    """Run the pipeline.

    Parameters
    ----------
    config
        What to read, do and write: a configuration, its tables, or the path of a TOML or JSON file.
    observer
        Is told how the run goes, and measures what it uses; by default it is measured as one, and shown in a notebook.

    Returns
    -------
    RunReport
        Also written to `report.json` in the output folder, beside the labelled data set, the rejected records and a
        picture of each confusion matrix. They appear there together at the end, instead of those of the run before,
        which a run that fails leaves alone. If no message is left, report and rejects go to `failed-run`; if training
        fails, the data set is there, and the report says why.

    Raises
    ------
    SourceError
        If an input cannot be read.
    MemoryLimitError
        If streaming or training would not fit into memory; that part has not started.
    ValueError
        If stages do not fit together, results would replace an input, or there is nothing to learn from.
    KeyboardInterrupt
        At Ctrl-C, wherever it falls.

    Examples
    --------
    >>> report = run("study.toml")
    >>> report.ledgers["gather"].rows_out
    2000
    >>> [each.classifier for each in report.fitted]
    ['DecisionTree']
    >>> report = run({"input": {"paths": ["bsm.csv"]}, "attack": {"kind": "swap_rand"}, "train": None})
    """
    config = as_config(config)
    with heeding_interrupts() as heeding, ExitStack() as opened:
        return _run(config, heeding.held, opened, Announcer(observer or notebook_observer() or RunObserver()))


def _run(config: RunConfig, held: ExitStack, opened: ExitStack, announcer: Announcer) -> RunReport:
    """Run the pipeline; from the first thing written on, no other run can write to the output folder.

    That folder is in `held`, and goes back at the run's end whatever comes; the cache, which has to wait for others as
    it is closed, is in `opened`.
    """
    tell = announcer.say
    start, folder = time.perf_counter(), open_folder(config.output.directory)
    be_frugal()
    require_base(own_limit_bytes(config))
    config = fit_memory(config, tell)
    with ExitStack() as stack:
        inputs = Inputs(config.input.paths, cached=config.cache.enabled, content=config.input.identity == "content")
        make_scratch = cache(lambda: folder.take(held, opened))
        folder.refuse_others(inputs.paths, names=_name_results(config))
        sources, absent = plan_inputs(config, inputs.paths, announcer, make_scratch)
        scratch = make_scratch()
        conventions = {source.block.file.path: source.block.file.convention for source in sources}
        for sentence in (*describe_conventions(conventions), *describe_unpacked(sources)):
            tell(sentence)
        session = stack.enter_context(_open_session(config, announcer))
        require_visible(session, [source.block.file for source in sources])
        projections = [project(config, session, sources)]
        _require_fit(projections[0], announcer)
        meter = stack.enter_context(announcer.measuring(session))
        store, kept = _open_store(config, opened, scratch)
        require_shared(session, store.directory, mark=store.mark, remedy=_name_remedy(config))
        runner = Runner(
            stage_params(config, sources),
            files=inputs.keys({source.block.file.path: source.block.file for source in sources}),
            require_unchanged=inputs.require_unchanged,
            session=session,
            store=store,
            kept=kept,
            announcer=announcer,
        )
        results = folder.results(scratch)
        train = partial(_train, config, session, projections, announcer)
        prepared, counted, trained, failure = _make(runner, sources, train, results, config, announcer)
    pictures = _write_pictures(trained, results) | _write_map(counted, config, results)
    is_empty = not prepared.entry.manifest.rows
    if meter.missing is not None:
        tell(f"what the run used could not be measured: {meter.missing}")
    report = RunReport(
        config=config.model_dump(mode="json"),
        ledgers=prepared.ledgers,
        cache=prepared.cache,
        seconds=prepared.seconds,
        wall_s=time.perf_counter() - start,
        used=meter.used(),
        projections=tuple((each.what, each.needed_bytes, each.limit_bytes) for each in projections),
        trained=trained,
        notes=_write_notes(config, trained),
        absent=absent,
        conventions=conventions,
        inputs=dict(inputs.identities),
        outputs=_locate_outputs(results, pictures, failed=is_empty),
        versions=describe_versions(),
        machine=describe_machine(),
        failed=None if failure is None else str(failure),
    )
    report.write(results.folder / REPORT, files=results.digests())
    check_interrupt()
    results.put_failed() if is_empty else results.put()
    if failure is not None:
        raise failure
    store.forget(prepared.passing)
    return report


class _Made(NamedTuple):
    """What a run made: messages, their count in each square of a map, classifiers, or why there are none."""

    prepared: Prepared
    counted: PositionMap | None
    trained: Trained | None
    failure: Exception | None


def _make(
    runner: Runner,
    sources: Sequence[Raw],
    train: Callable[[Prepared], Trained | None],
    results: OutputResults,
    config: RunConfig,
    announcer: Announcer,
) -> _Made:
    """Prepare the messages, train on them, and put them among the results."""
    moves = not config.cache.enabled  # then the parts are this run's alone, and need no copy
    publish = partial(_collect, results, config.output, announcer, moves=moves)
    prepared = runner.prepare(sources)
    check_interrupt()
    prepared, counted = runner.use(prepared, sources, partial(_count_positions, config))
    if not moves:  # a disk that is full is noticed before training
        prepared, _ = runner.use(prepared, sources, publish)
    prepared, trained, failure = _train_if_wanted(partial(runner.use, sources=sources, what=train), prepared)
    if moves:  # who trains reads them where they were written
        prepared, _ = runner.use(prepared, sources, publish)
    return _Made(prepared, counted, trained, failure)


def _require_fit(projection: Projection, announcer: Announcer) -> None:
    """Tell how much memory a part of the run may take, and refuse it if that is more than there is."""
    announcer.say(f"projected memory, {projection}")
    require_fit(projection)


def _locate_outputs(results: OutputResults, pictures: Mapping[str, str], *, failed: bool) -> dict[str, Path | str]:
    """Return where each output will be that there is, by what it shows; of the report that it will be."""
    names = {DATASET: DATASET, "rejects": REJECTS, **pictures, "report": REPORT}
    return {
        what: results.locate(name, failed=failed) for what, name in names.items() if name == REPORT or results.has(name)
    }


def _project_training(config: RunConfig, params: TrainParams, prepared: Prepared, threads: int) -> Projection:
    rows = prepared.entry.manifest.rows
    features = read_types(prepared.entry.parts[0], known=prepared.entry.written[0]).shape[1]
    further = find_need(params.evaluation, features=features, classifiers=len(params.classifiers))
    return project_training(
        rows=rows if params.sample_rows is None else min(rows, params.sample_rows),
        features=features,
        trees=params.trees if "RandomForest" in params.classifiers else 1,
        threads=threads,
        limit_bytes=own_limit_bytes(config),
        further_row_bytes=further.row,
        further_bytes=further.fixed,
    )


@contextmanager
def _open_session(config: RunConfig, announcer: Announcer) -> Iterator[Session]:
    """Open the session, and tell what takes long in it and where it can be watched."""
    if reason := why_unkept():
        announcer.say(
            f"kernels are compiled anew in each process: {reason}; name a folder of your own in NUMBA_CACHE_DIR"
        )
    if config.session.scheduler != "threads":
        step = "starting the workers" if config.session.scheduler == "local" else "asking the scheduler for workers"
        announcer.see(StepBegan(step))
    with open_session(config.session) as session:
        if session.dashboard_link:
            announcer.say(f"dashboard: {session.dashboard_link}")
        yield session


def _open_store(config: RunConfig, opened: ExitStack, scratch: Path) -> tuple[Store, tuple[str, ...]]:
    """Open what takes the stages' outputs, and say whose stay; with no cache it goes with the scratch folder."""
    if config.cache.enabled:
        return opened.enter_context(Store(config.cache)), config.cache.stages
    return opened.enter_context(Store(CacheParams(directory=scratch / "stages", limit_gb=1e9), durable=False)), ()


def _name_remedy(config: RunConfig) -> str:
    """Say what moves the folder that stages write to."""
    if config.cache.enabled:
        return "set cache.directory to"
    if isinstance(config.output.directory, Path):
        return "set output.directory to"
    return "set cache.enabled = true, and cache.directory to"


def _train_if_wanted(
    use: Callable[[Prepared], tuple[Prepared, Trained | None]], prepared: Prepared
) -> tuple[Prepared, Trained | None, Exception | None]:
    """Train, and give back why that failed: the messages are there, so they are put in place before it is told."""
    try:
        return *use(prepared), None
    except (ValueError, MemoryError) as error:
        return prepared, None, error


def _train(
    config: RunConfig,
    session: Session,
    projections: list[Projection],
    announcer: Announcer,
    prepared: Prepared,
) -> Trained | None:
    """Fit and measure the classifiers, if any are asked for and what they need fits."""
    _require_rows(config, prepared)
    if config.train is None or not config.train.classifiers:
        return None
    # Workers elsewhere have nothing to do meanwhile, so all processors are there for it.
    threads = session.threads if session.runs_here else count_processors()
    projections[1:] = [_project_training(config, config.train, prepared, threads)]  # it may begin anew
    _require_fit(projections[-1], announcer)

    def read(columns: Sequence[str] | None) -> Iterator[pd.DataFrame]:
        parts = zip(prepared.entry.parts, prepared.entry.written, strict=True)
        return (read_part(path, columns, known=known) for path, known in parts)

    with announcer.part("train"):
        return train_parts(
            read,
            config.train,
            rows=prepared.entry.manifest.rows,
            threads=threads,
            tell=lambda name, number, total: announcer.see(StepBegan(f"train {name}", number, total)),
        )


def _count_positions(config: RunConfig, prepared: Prepared) -> PositionMap | None:
    """Count the messages of each square of a map, if one is wanted and positions are columns of the data set."""
    parts = list(zip(prepared.entry.parts, prepared.entry.written, strict=True))
    if (
        not config.output.map
        or not parts
        or not {X_POS, Y_POS, IS_FALSE} <= set(read_types(parts[0][0], known=parts[0][1]).columns)
    ):
        return None
    return count_positions(lambda columns: (read_part(path, columns, known=known) for path, known in parts))


def _require_rows(config: RunConfig, prepared: Prepared) -> None:
    """Say where the messages went, if none is left."""
    if prepared.entry.manifest.rows == 0:
        filters = {each.reason: each.name for each in config.clean.active_filters}
        raise ValueError(explain_nothing(prepared.ledgers, filters))


def _write_notes(config: RunConfig, trained: Trained | None) -> tuple[str, ...]:
    """Say what a reader of the metrics must know."""
    if trained is None or config.train is None:
        return ()
    return write_notes(trained, attack=config.attack.kind, split=config.train.split)


def _name_results(config: RunConfig) -> list[str]:
    """Return what the run's results will be called."""
    classifiers = config.train.classifiers if config.train else ()
    evaluation = EVALUATION_FILES if config.train and config.train.evaluation.enabled else ()
    dataset = [DATASET] if config.output.dataset else []
    dataset += [MAP] if config.output.map else []
    return [*dataset, REJECTS, REPORT, *map(picture_name, classifiers), *evaluation]


def _collect(
    results: OutputResults, output: OutputParams, announcer: Announcer, prepared: Prepared, *, moves: bool
) -> None:
    """Copy the rejected records, and copy or move the labelled data set if it is wanted and there is a message."""
    with announcer.part("publish"):
        results.add_rejects(prepared.entry.attached(REJECTS))
        if output.dataset and prepared.entry.manifest.rows:
            results.add_dataset(prepared.entry.kept_parts, partition_by=output.partition_by, moves=moves)


def _write_pictures(trained: Trained | None, results: OutputResults) -> dict[str, str]:
    """Draw the confusion matrices, and write what an evaluation tells; names of files by what they show."""
    pictures: dict[str, str] = {}
    for each in trained.fitted if trained else ():
        name = picture_name(each.classifier)
        plot_confusion(each.metrics, each.classifier, results.folder / name)
        pictures[f"confusion matrix of {each.classifier}"] = name
    if trained is not None and trained.evaluation is not None:
        written = write_evaluation(trained.evaluation, results.folder)
        pictures |= {name.partition("evaluation_")[2] or name: name for name in written}
    return pictures


def _write_map(counted: PositionMap | None, config: RunConfig, results: OutputResults) -> dict[str, str]:
    """Draw the map, if messages were counted for one."""
    if counted is None:
        return {}
    is_local = config.clean.coordinates == "local"
    plot_map(counted, outline_places(config.clean), results.folder / MAP, is_local=is_local)
    return {"map": MAP}
