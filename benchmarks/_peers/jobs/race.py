"""The race of the programs: a checked first run of each, then rounds of whole processes."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks._peers import stages as s
from benchmarks._peers.agreement import Referee
from benchmarks._peers.implementation import Work
from benchmarks._peers.jobs.job import COLUMNS, COMMANDS
from benchmarks._peers.jobs.programs import Program
from benchmarks._peers.line import Line
from benchmarks._peers.reference import sort_rows
from benchmarks._peers.rounds import measure

UNMOVED: Final = (*(name for name in COLUMNS if name not in (s.ID, s.TIME)), *s.PARTS)
"""Columns that no attack moves; the referee sees to ids, labels and positions."""


class Race:
    """Programs that do the jobs on one data set.

    Parameters
    ----------
    csv, parquet
        The messages.
    stack
        Keeps what they write until it is closed.
    """

    def __init__(self, csv: Path, parquet: Path, stack: ExitStack) -> None:
        self._referee = Referee(parquet)
        self._programs = {
            name: Program(name, csv, parquet, Path(stack.enter_context(TemporaryDirectory(prefix="cdpipe-peers-"))))
            for name in COMMANDS
        }

    def run(self, stage: s.Stage, *, rows: int, repeats: int) -> Line:
        """Measure a job: its seconds and the peak memory of its processes, each the median of the rounds."""
        line = Line(stage, rows)
        works = {name: self._programs[name].prepare(stage) for name in stage.implementations}
        self._check(line, works)
        for name in works:
            self._programs[name].peaks_mb.clear()
        discard = {name: self._programs[name].discard for name in works}
        line.samples = measure(works, discard=discard, repeats=repeats)
        for name in works:
            line.peaks_mb[name] = peaks = list(self._programs[name].peaks_mb)
            known = [peak for peak in peaks if peak is not None]
            line.peak_mb[name] = float(np.median(known)) if known else None
        return line

    def _check(self, line: Line, works: Mapping[str, Work]) -> None:
        """Do each work once, and hold its result against the reference and against ours, which is the first."""
        ours: _Rows | None = None
        for name, work in works.items():
            program, result = self._programs[name], work()
            line.rows_out[name], wrong = self._referee.judge(line.stage, program, result)
            found = _read_unmoved(program, result)
            ours = ours or found
            line.complaints += [*wrong, *(f"{line.stage.name}, {name}: {each}" for each in _compare(found, ours))]
            program.discard(result)


class _Rows(NamedTuple):
    """Rows in the order of their keys, and the columns that no attack moves."""

    key: NDArray[np.uint64]
    columns: dict[str, NDArray[Any]]


def _read_unmoved(program: Program, result: Path) -> _Rows:
    table = program.table(result, (s.ID, *UNMOVED))
    key, order = sort_rows(table)
    return _Rows(key, {name: table[name].to_numpy()[order] for name in UNMOVED})


def _compare(found: _Rows, ours: _Rows) -> Iterator[str]:
    """Say which columns differ from ours in the rows that both have: at the circle's edge one may have a row more."""
    _, mine, theirs = np.intersect1d(ours.key, found.key, assume_unique=True, return_indices=True)
    for name in UNMOVED:
        if not np.array_equal(ours.columns[name][mine], found.columns[name][theirs]):
            yield f"{name} differs from cdpipe's"
