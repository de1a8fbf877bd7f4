"""The command: one comparison after the other, records as they come, and the rates at the end."""

import argparse
import datetime
import json
import os
import platform
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from cdpipe.perf.gate.comparison import compare_commits
from cdpipe.perf.gate.deciding.verdicts import Criteria
from cdpipe.perf.gate.measuring.asv_compat import CannotMeasureError
from cdpipe.perf.gate.measuring.sides import SUBSET, choose_expression
from cdpipe.perf.gate.reporting.as_data import describe_outcome

from .bursts import burst
from .clone import Clone
from .plants import PLANTS, Plant
from .rates import Rate, count_rates
from .tasks import Records, Task, list_quick_tasks, list_tasks

SECONDS: Final = 90.0
"""Of measuring, for each benchmark that a comparison has."""

_BENCHMARKS: Final = 6
_QUICK_BENCHMARKS: Final = 1.3
"""In a quick proof the six share the time of little more than one: what is open then is open."""

_LONG: Final = 12
_KEPT: Final = ("benchmark", "verdict", "change", "interval", "pairs", "spread", "floor")
_QUICK_SECONDS: Final = 240.0
"""After which a quick proof begins no further comparison; environments and calibration take most of the rest."""

_TRUTH: Final = Criteria(false_alarms=1e-12, tolerance=0.0, most_pairs=100)
"""Undecided to the end: a hundred pairs."""


def compare_task(task: Task, clone: Clone, *, seconds: float, benchmarks: float = _BENCHMARKS) -> dict[str, Any]:
    """Make the commits of a task, compare them, and return the record.

    Parameters
    ----------
    task
        What to compare.
    clone
        Where.
    seconds
        Of measuring, for each benchmark.
    benchmarks
        How many times that the whole gate may take.
    """
    planted = next((each for each in PLANTS if each.name == task.plant), None)
    head = clone.make_planted(planted, task.level) if planted else clone.make_equal()
    is_long = task.kind == "truth"
    with burst(task.duty, side=task.side):
        outcome = compare_commits(
            clone.path / "asv.conf.json",
            clone.base,
            head,
            expression=choose_benchmarks(clone, planted),
            criteria=_TRUTH if is_long else Criteria(),
            seed=zlib.crc32(task.key.encode()),
            limit_s=seconds * (_LONG if is_long else 1 if planted else benchmarks),
            why=task.kind == "planted",
            say=lambda sentence: click.echo(f"  {sentence}", err=True),
        )
    return {"key": task.key, "task": task._asdict(), "date": _now(), "outcome": describe_outcome(outcome)}


def choose_benchmarks(clone: Clone, planted: Plant | None) -> str:
    """Return the expression of the benchmark that sees a plant, at the size that the gate has; of the gate, if None.

    Raises
    ------
    CannotMeasureError
        If the suite does not say what its gate is.
    """
    gate = choose_expression(clone.path / "asv.conf.json", SUBSET)
    if gate is None:
        raise CannotMeasureError("`python -m benchmarks select gate` gives nothing")
    if planted is None:
        return gate
    return f"^{planted.benchmark}" if planted.is_of_memory else f"^(?={planted.benchmark}){gate.removeprefix('^')}"


def run_tasks(
    tasks: Sequence[Task], clone: Clone, records: Records, *, seconds: float, benchmarks: float, until: float
) -> None:
    """Do what is not done yet, until the time is up; what cannot be measured is said, and tried next time."""
    done = {record["key"] for record in records.read()}
    for number, task in enumerate(tasks, start=1):
        if task.key in done:
            continue
        if time.monotonic() > until:
            click.echo(f"{number - 1} of {len(tasks)} are done; run it again to go on")
            return
        click.echo(f"{number}/{len(tasks)} {task.kind} {task.plant} {task.level or ''} {task.side}", err=True)
        try:
            records.add(compare_task(task, clone, seconds=seconds, benchmarks=benchmarks))
        except CannotMeasureError as error:
            click.echo(f"  could not be measured: {error}", err=True)


def describe_proof(records: Sequence[dict[str, Any]], rates: Sequence[Rate]) -> dict[str, Any]:
    """Return the proof as data: machine and dates, what was compared, and the rates."""
    dates = sorted(record["date"] for record in records)
    return {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "dates": [dates[0], dates[-1]] if dates else [],
        "comparisons": len(records),
        "seconds": sum(record["outcome"]["seconds"] or 0.0 for record in records),
        "rates": [rate.as_data() for rate in rates],
        "runs": [
            {"task": record["task"], "date": record["date"], "status": record["outcome"]["status"],
             "benchmarks": [
                 {name: row[name] for name in _KEPT} | {"resource": (row["why"] or {}).get("resource")}
                 for row in record["outcome"]["benchmarks"]]}
            for record in records
        ],
    }  # fmt: skip


def write_rates(rates: Sequence[Rate]) -> str:
    """Write a line a rate: how often, the bounds, and whether that is what is wanted."""
    words = {True: "met", False: "NOT MET", None: ""}
    lines = []
    for rate in rates:
        low, high = rate.bounds
        wanted = f"  wanted {rate.wanted}: {words[rate.is_met]}" if rate.is_met is not None else ""
        lines.append(f"{rate.what}: {rate.count} of {rate.of} (95 % bounds {low:.1%}, {high:.1%}){wanted}")
    return "\n".join(lines)


def find_plant(name: str) -> Plant:
    """Return a plant by its name."""
    return next(each for each in PLANTS if each.name == name)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def main() -> None:
    """Be the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.gate_proof", description=__doc__)
    parser.add_argument("--quick", choices=("", "0", "1"), default="", help="1: a few comparisons, 10 minutes in all")
    parser.add_argument(
        "--folder", default="cdpipe-out/gate-proof", help="clone and records; a later run goes on there"
    )
    parser.add_argument("--json", default="", help="write the proof as data into this file")
    parser.add_argument("--hours", type=float, default=12.0, help="begin nothing after this")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of measuring, for each benchmark compared")
    parser.add_argument("--only", default="", help="tasks whose kind or plant has this in it")
    parser.add_argument("--rates", action="store_true", help="measure nothing: count what is recorded")
    said = parser.parse_args()
    quick = said.quick == "1"
    folder = Path(said.folder).absolute()
    records = Records(folder / ("quick.jsonl" if quick else "records.jsonl"))
    tasks = [
        task for task in (list_quick_tasks() if quick else list_tasks()) if said.only in f"{task.kind} {task.plant}"
    ]
    if not tasks:
        parser.error(f"no task has {said.only!r} in its kind or plant")
    if not said.rates:
        until = time.monotonic() + (_QUICK_SECONDS if quick else said.hours * 3600)
        benchmarks = _QUICK_BENCHMARKS if quick else _BENCHMARKS
        run_tasks(tasks, Clone(folder / "clone"), records, seconds=said.seconds, benchmarks=benchmarks, until=until)
    found = records.read()
    rates = count_rates(found)
    click.echo(write_rates(rates))
    if said.json:
        Path(said.json).write_text(json.dumps(describe_proof(found, rates), indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if any(rate.is_met is False for rate in rates) and not quick else 0)
