"""Comparison of two commits: builds both, measures them in turns, decides, and says why."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cdpipe.perf.gate.acceptance import accept, read_acceptances
from cdpipe.perf.gate.deciding.series import Series
from cdpipe.perf.gate.deciding.verdicts import Criteria
from cdpipe.perf.gate.explanation import Witnesses, explain
from cdpipe.perf.gate.measuring.asv_compat import Cell
from cdpipe.perf.gate.measuring.rounds import Measured, Rounds
from cdpipe.perf.gate.measuring.sides import (
    ALL,
    SUBSET,
    AsvWitnesses,
    choose_expression,
    open_sides,
    resolve,
)
from cdpipe.perf.gate.outcome import Commit, Outcome, Row, judge_validity
from cdpipe.perf.gate.stored import compare_stored
from cdpipe.perf.results.commits import resolve_commit
from cdpipe.perf.results.contention import QUIET
from cdpipe.perf.results.directory import open_results

_SEEDS: Final = 10**6
_MEASURED: Final = frozenset({"time", "timeraw", "peakmemory", "memory", "track", "treememory"})
"""asv's types whose results are numbers of a process."""


def compare_commits(
    config_path: Path,
    base: str | None,
    head: str,
    *,
    expression: str | None = None,
    everything: bool = False,
    attributes: Mapping[str, Any] | None = None,
    criteria: Criteria | None = None,
    seed: int | None = None,
    limit_s: float = 600.0,
    most_others: float = QUIET,
    why: bool = True,
    say: Callable[[str], None],
) -> Outcome:
    """Measure two commits side by side and decide what has changed.

    Parameters
    ----------
    config_path
        `asv.conf.json` of the project.
    base, head
        Names of commits; without a base it is where the head left its branch.
    expression
        Regular expression of benchmarks, as for asv's `--bench`; None for the suite's subset `gate`.
    everything
        Whether all benchmarks are compared instead of that subset.
    attributes
        Of the benchmarks, instead of their own.
    criteria
        When a difference counts.
    seed
        Of the order; None draws one.
    limit_s
        Seconds after which no further pair is begun; building is not counted.
    most_others
        Share of the processors that other programs may have beside a process that counts.
    why
        Whether changes are explained: that runs each changed benchmark a few times more.
    say
        Called with sentences on the progress.

    Raises
    ------
    CannotMeasureError
        If a commit cannot be built, or nothing can be measured.
    """
    criteria = criteria or Criteria()
    seed = secrets.randbelow(_SEEDS) if seed is None else seed
    base_hash, head_hash = resolve(config_path, base, head)
    expression = expression or choose_expression(config_path, ALL if everything else SUBSET)
    with open_sides(
        config_path, base_hash, head_hash, expression=expression, attributes=attributes or {}, say=say
    ) as sides:
        series = [_open_series(cell) for cell in sides.cells.values() if cell.benchmark["type"] in _MEASURED]
        measured = Rounds(
            sides, series, criteria=criteria, seed=seed, limit_s=limit_s, say=say, most_others=most_others
        ).run()
        rows = _make_rows(measured, AsvWitnesses(sides) if why else None, say)
    reasons, notes = accept(
        [row.series.name for row in rows if row.is_worse],
        read_acceptances(config_path.resolve().parent, base_hash, head_hash),
    )
    rows = tuple(replace(row, accepted=reasons.get(row.series.name, "")) for row in rows)
    return Outcome(
        base=Commit(base_hash, base or "where the head left its branch"),
        head=Commit(head_hash, head),
        rows=tuple(sorted(rows, key=lambda row: row.rank)),
        criteria=criteria,
        seed=seed,
        failures=tuple(measured.failures),
        missing=measured.missing,
        design=_describe_design(measured, seed),
        notes=notes,
        invalid=judge_validity(
            rows=rows,
            canary=measured.canary_decision,
            disturbed_share=measured.disturbed_share,
            pairs=len(measured.pairs),
        ),
        canary=measured.canary_decision,
        pairs=tuple(measured.pairs),
        seconds=measured.seconds,
    )


def compare_results(
    results_dir: Path,
    base: str,
    head: str,
    *,
    rounds: int | None,
    machine: str | None,
    criteria: Criteria | None = None,
) -> Outcome:
    """Compare two commits by what asv has stored of them; trailers are read if this folder is their repository.

    Parameters
    ----------
    results_dir
        asv's results directory.
    base, head
        Names of commits, or the beginnings of their hashes.
    rounds, machine, criteria
        See `compare_stored`.

    Raises
    ------
    ResultsError
        If the results cannot be read, or do not have both commits.
    """
    commits = [Commit(resolve_commit(name), name) for name in (base, head)]
    outcome = compare_stored(
        open_results(results_dir), *commits, rounds=rounds, machine=machine, criteria=criteria or Criteria()
    )
    try:
        acceptances = read_acceptances(Path(), commits[0].hash, commits[1].hash)
    except OSError:
        return outcome
    reasons, notes = accept([row.series.name for row in outcome.rows if row.is_worse], acceptances)
    rows = (replace(row, accepted=reasons.get(row.series.name, "")) for row in outcome.rows)
    return replace(outcome, rows=tuple(sorted(rows, key=lambda row: row.rank)), notes=notes)


def _open_series(cell: Cell) -> Series:
    benchmark = cell.benchmark
    return Series(
        cell.name,
        str(benchmark.get("unit") or ""),
        stage=str(benchmark.get("cdpipe_stage") or ""),
        figure=str(benchmark.get("cdpipe_figure") or ""),
    )


def _make_rows(measured: Measured, witnesses: Witnesses | None, say: Callable[[str], None]) -> tuple[Row, ...]:
    rows = []
    for series, decision in zip(measured.series, measured.decisions, strict=True):
        explanation = None
        if witnesses is not None and decision.has_changed:
            say(f"{series.name}: {decision.verdict}; looking for the cause")
            explanation = explain(series, decision, witnesses)
        rows.append(Row(series, decision, explanation=explanation))
    return tuple(rows)


def _describe_design(measured: Measured, seed: int) -> tuple[str, ...]:
    pairs = [len(each.base) for each in measured.series]
    again = sum(pair.again for pair in measured.pairs)
    how = (
        f"Fresh processes in pairs, base and head in turns, order drawn by seed {seed}: "
        f"{min(pairs, default=0)} to {max(pairs, default=0)} pairs a benchmark in {measured.seconds / 60:.1f} min."
    )
    beside = f"Others had the cores in {measured.disturbed_share:.0%} of the pairs; {again} processes were run again."
    late = "Measuring ended by its time limit; what is open would take more pairs."
    return (how, beside, late) if measured.is_out_of_time else (how, beside)
