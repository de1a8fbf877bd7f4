"""Sweep: runs the cells of a study that have not been done, and puts all of them into tables."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cdpipe.config.model import RunConfig, parse_config
from cdpipe.engine.api.stages import apply_stage
from cdpipe.engine.files.parts import read_types
from cdpipe.engine.files.seals import seal
from cdpipe.engine.outputs.output_folder import REPORT, LocalFolder, OutputError
from cdpipe.engine.run.inputs import Inputs
from cdpipe.engine.run.memory_projection import project_training, require_fit
from cdpipe.engine.run.observer import RunObserver, Said
from cdpipe.engine.sessions.base import Session
from cdpipe.engine.sessions.open import open_session
from cdpipe.figures import GB
from cdpipe.interrupts import check_interrupt, heeding_interrupts
from cdpipe.limits import require_base
from cdpipe.reports.run_report import describe_machine, describe_versions
from cdpipe.studies.sweep.cells import AFTER_CLEAN, Cell, configure, list_attacks, list_cells, list_features
from cdpipe.studies.sweep.messages import Messages, clean_once
from cdpipe.studies.sweep.params import StudyParams
from cdpipe.studies.sweep.records import FOLDER, Record, Records
from cdpipe.studies.sweep.tables import TABLES, summarise_seeds, tabulate_cells, write_tables
from cdpipe.studies.sweep.transfers import Transfer, list_transfers, tabulate_transfers
from cdpipe.studies.sweep.work import Work, do_works, take_cell, take_transfer

OnCell = Callable[[int, int, str], None]
"""Called as (cells done, cells in all, what was done); as the study begins, with ""."""


@dataclass(frozen=True, slots=True)
class StudyReport:
    """What a study found.

    Attributes
    ----------
    directory
        Where it is.
    tables
        "cells", "summary" and "transfer"; see `tabulate_cells`, `summarise_seeds` and `tabulate_transfers`.
    fitted
        Cells that this run did; the others had been done.
    failed
        Cells that cannot be done, with the reason.
    wall_s
        Seconds of this run.
    """

    directory: Path
    tables: dict[str, pd.DataFrame]
    fitted: int
    failed: dict[str, str]
    wall_s: float


def sweep(study: StudyParams, *, observer: RunObserver | None = None, on_cell: OnCell | None = None) -> StudyReport:
    """Run the cells of a study that have not been done, and write its tables.

    What a cell finds is on the disk as soon as it is found, under a key of all that it depends on. Whatever ends a
    study, the next run of it does the cells that are missing, and no other.

    Parameters
    ----------
    study
        Its axes, and what all cells share.
    observer
        Told how gathering and cleaning go.
    on_cell
        Told of each cell that is done.

    Raises
    ------
    ConfigError
        If a cell's configuration is none.
    SourceError
        If an input cannot be read.
    MemoryLimitError
        If cells would not fit into memory.
    OutputError
        If the folder holds something that no study made where its tables go.
    KeyboardInterrupt
        At Ctrl-C; the cells that were done are kept.
    """
    with heeding_interrupts() as heeding, ExitStack() as opened:
        return _sweep(study, heeding.held, opened, observer or RunObserver(), on_cell or (lambda *_: None))


def _sweep(
    study: StudyParams, held: ExitStack, opened: ExitStack, observer: RunObserver, on_cell: OnCell
) -> StudyReport:
    start, place = time.perf_counter(), LocalFolder(study.directory)
    require_base()
    base = _first_config(study)
    inputs = Inputs(base.input.paths, cached=True, content=base.input.identity == "content")
    cells = list_cells(study, inputs.identities)
    transfers = list_transfers(cells) if study.transfer else []
    _refuse_runs(study.directory)
    place.refuse_others(inputs.paths, names=[*TABLES, REPORT])
    scratch = place.take(held, opened)
    records = Records(study.directory / FOLDER)
    works = {each.key: each for each in (*map(take_cell, cells), *map(take_transfer, transfers))}
    missing = [work for work in works.values() if records.read(work.key) is None]
    if missing:
        progress = _Progress(on_cell, done=len(works) - len(missing), total=len(works))
        try:
            with open_session(base.session) as session:
                for config, some in _share_messages(missing, cells):
                    messages = clean_once(
                        config, inputs, session=session, opened=opened, scratch=scratch, observer=observer
                    )
                    _require_fit(config, messages, some, session, observer)
                    do_works(some, messages, session=session, records=records, on_done=progress.move)
        except KeyboardInterrupt:
            kept = sum(records.read(name) is not None for name in works)
            observer.see(Said(f"{kept:,} of {len(works):,} cells are done and kept; run it again to go on"))
            raise
    found = {name: record for name in works if (record := records.read(name)) is not None}
    report = _report(study, cells, transfers, found, fitted=len(missing), start=start)
    _publish(study, report, place, scratch)
    return report


def _report(
    study: StudyParams,
    cells: Sequence[Cell],
    transfers: Sequence[Transfer],
    found: Mapping[str, Record],
    *,
    fitted: int,
    start: float,
) -> StudyReport:
    table = tabulate_cells(cells, found)
    failed = {each.label: str(found[each.key]["failed"]) for each in cells if found[each.key].get("failed")}
    tables = {
        "cells": table,
        "summary": summarise_seeds(table),
        "transfer": tabulate_transfers(transfers, found),
    }
    return StudyReport(study.directory, tables, fitted, failed, time.perf_counter() - start)


class _Progress:
    """How far a study is."""

    def __init__(self, on_cell: OnCell, *, done: int, total: int) -> None:
        self._on_cell, self._done, self._total = on_cell, done, total
        on_cell(done, total, "")

    def move(self, work: Work) -> None:
        """Count a cell."""
        check_interrupt()
        self._done += 1
        self._on_cell(self._done, self._total, work.label)


def _first_config(study: StudyParams) -> RunConfig:
    attack = next(iter(list_attacks(study)))
    _name, features = next(iter(list_features(study)))
    return parse_config(
        configure(study, attack.table, features, study.seeds[0], study.splits[0]),
        source=f"attack {attack.name}, variant 1",
    )


def _refuse_runs(directory: Path) -> None:
    """Refuse the output folder of a run: its data set would go."""
    try:
        said = json.loads((directory / REPORT).read_bytes())
    except (OSError, ValueError):
        return
    if isinstance(said, dict) and "study" not in said:
        raise OutputError(f"{directory}: holds the results of a run; choose another directory for the study")


def _share_messages(works: Sequence[Work], cells: Sequence[Cell]) -> list[tuple[RunConfig, list[Work]]]:
    """Part works by the messages that they start from; each with a configuration that makes those."""
    configs = {cell.shared: cell.config for cell in cells}
    found: dict[str, list[Work]] = {}
    for work in works:
        found.setdefault(work.shared, []).append(work)
    return [(configs[shared], some) for shared, some in found.items()]


def _require_fit(
    config: RunConfig, messages: Messages, works: Sequence[Work], session: Session, observer: RunObserver
) -> None:
    """Make sure that cells fit into memory: each thread trains, and all share the messages."""
    path, known = messages.parts[0]
    frame = read_types(path, known=known)
    for stage in AFTER_CLEAN:
        frame, _ledger = apply_stage(stage.name, frame, getattr(config, stage.name))
    trees = max(work.train.trees if "RandomForest" in work.train.classifiers else 1 for work in works)
    limit = int(session.memory()["cluster_total_gb"] * GB)
    one = project_training(rows=messages.rows, features=len(frame.columns), trees=trees, limit_bytes=limit)
    at_once = min(session.threads, len(works))
    what = f"{at_once} cells at a time on {messages.rows:,} rows"
    projection = one._replace(what=what, needed_bytes=one.needed_bytes * at_once)
    observer.see(Said(f"projected memory, {projection}"))
    require_fit(projection)


def _publish(study: StudyParams, report: StudyReport, place: LocalFolder, scratch: Path) -> None:
    """Put the tables and a report into the study's folder, together, instead of those of the run before."""
    results = place.results(scratch)
    write_tables(report.tables, results.folder)
    said = {
        "study": study.model_dump(mode="json"),
        "cells": len(report.tables["cells"]),
        "failed": report.failed,
        "fitted": report.fitted,
        "wall_s": report.wall_s,
        "versions": describe_versions(),
        "machine": describe_machine(),
        "outputs": {name: str(study.directory / name) for name in (*TABLES, REPORT)},
    }
    sealed = json.dumps(seal(said, results.digests()), indent=2, allow_nan=False)
    (results.folder / REPORT).write_text(f"{sealed}\n", encoding="utf-8")
    check_interrupt()
    results.put()
