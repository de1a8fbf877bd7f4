"""Run every workload several times, with the machine idle and with a core busy; then the causal check."""

import argparse
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from cdpipe.perf.analysis.bounds import Bound

from . import causes
from .ground import Skipped, Workload, open_ground
from .measuring import Outcome, describe_shares, measure
from .outsiders import keep_core_busy
from .workloads import WORKLOADS

VERDICTS: Final = ("right", "mixed", "disturbed", "wrong")
_WIDTH: Final = 120
"""Of what is printed where there is no terminal, so that the table of classes fits."""

_LEAST_RIGHT, _MOST_WRONG, _LEAST_AGREED = 0.95, 0.02, 0.9
_MOST_DISTURBED = 0.01
"""Of the runs on an idle machine: more, and it was not idle, or the probe sees others where there are none."""


def run_all(
    workloads: Sequence[Workload], *, runs: int, busy: Sequence[bool], console: Console, skipped: dict[str, str]
) -> Iterator[Outcome]:
    """Yield the outcome of every run as it ends; note in `skipped`, by workload, why it cannot run here."""
    total = len(workloads) * runs * len(busy)
    with Progress(console=console, transient=True, auto_refresh=False) as progress:
        bar = progress.add_task("", total=total)
        for session, group in itertools.groupby(workloads, key=lambda each: each.session):
            same = [*group]
            with open_ground(session) as ground:
                for beside, _, workload in itertools.product(busy, range(runs), same):
                    # By hand: a thread that redraws would be one of the run's.
                    progress.update(bar, advance=1, description=workload.name, refresh=True)
                    if workload.name in skipped:
                        continue
                    try:
                        with keep_core_busy() if beside else nullcontext():
                            outcome = measure(workload, ground, busy=beside)
                    except Skipped as why:
                        skipped[workload.name] = str(why)
                        console.print(f"skipped: {workload.name}: {why}", soft_wrap=True)
                    else:
                        yield outcome


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Count runs by verdict, and by what was expected and what was named."""
    counts = Counter(each.verdict for each in outcomes)
    confusion: dict[str, dict[str, int]] = {}
    for each in outcomes:
        row = confusion.setdefault(_expected(each.workload), {})
        row[str(each.bound)] = row.get(str(each.bound), 0) + 1
    workloads = len({each.workload.name for each in outcomes})
    return {"workloads": workloads, **{name: counts[name] for name in VERDICTS}, "confusion": confusion}


def are_named(outcomes: Sequence[Outcome]) -> bool:
    """Return True if enough runs are right, idle and busy each, few are wrong, and few on an idle machine disturbed."""
    for busy in (False, True):
        counted = Counter(each.verdict for each in outcomes if each.busy == busy)
        runs = counted.total()
        if counted["right"] < _LEAST_RIGHT * runs or counted["wrong"] > _MOST_WRONG * runs:
            return False
        if not busy and counted["disturbed"] > _MOST_DISTURBED * runs:
            return False
    return True


def _expected(workload: Workload) -> str:
    return " or ".join(sorted(workload.accepted))


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    """Print the confusion matrix, and how much was named right, idle and busy."""
    confusion = summarise(outcomes)["confusion"]
    named = [bound for bound in map(str, Bound) if any(bound in row for row in confusion.values())]
    table = Table("expected", *map(_shorten, named), title="runs, by what they were named", box=box.SIMPLE, padding=0)
    for expected, row in confusion.items():
        table.add_row(_shorten(expected), *(str(row.get(bound, "")) for bound in named))
    console.print(table)
    for title, busy in (("idle machine", False), ("one core busy", True)):
        counted = Counter(each.verdict for each in outcomes if each.busy == busy)
        if runs := counted.total():
            parts = ", ".join(f"{counted[verdict]} {verdict} ({counted[verdict] / runs:.1%})" for verdict in VERDICTS)
            console.print(
                f"{title}: {runs} runs of {summarise(outcomes)['workloads']} workloads: {parts}", soft_wrap=True
            )


def _shorten(bounds: str) -> str:
    return bounds.replace("-bound", "").replace("too little parallel work", "parallel work")


def describe(outcome: Outcome) -> str:
    """Return one line: what was expected and named, and the shares of 2 % or more."""
    beside = ", one core busy" if outcome.busy else ""
    wanted = "" if outcome.verdict == "right" else f", not {_expected(outcome.workload)}"
    return (
        f"{outcome.workload.name}{beside}: {outcome.bound}{wanted}: {describe_shares(outcome.shares)}; "
        f"memory {outcome.memory_percent:.0f} %, {outcome.wall_seconds:.2f} s, {outcome.samples} samples"
    )


def main() -> None:
    """Be the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.ground_truth", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each workload, idle and busy")
    parser.add_argument("--only", default="", help="workloads whose name has this in it; causal/STAGE is the check's")
    parser.add_argument("--busy", choices=("", "0", "1"), default="", help="1: only beside a busy core, 0: only idle")
    parser.add_argument("--json", default="", help="file to write")
    parser.add_argument("--verbose", action="store_true", help="print the shares of runs that are named right too")
    said = parser.parse_args()
    chosen = [each for each in WORKLOADS if said.only in each.name]
    checked = [stage for stage in causes.STAGES if said.only in f"causal/{stage}"]
    if not chosen and not checked:
        parser.error(f"no workload has {said.only!r} in its name: {', '.join(each.name for each in WORKLOADS)}")
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    sys.exit(0 if _run(chosen, checked, said, console) else 1)


def _run(chosen: Sequence[Workload], checked: Sequence[str], said: argparse.Namespace, console: Console) -> bool:
    """Run what was chosen, print and write each outcome as it is there, and return whether all is good enough."""
    start_s = time.monotonic()
    busy = {"": (False, True), "0": (False,), "1": (True,)}[said.busy]
    outcomes: list[Outcome] = []
    skipped: dict[str, str] = {}
    cells: list[causes.Cell] = []
    for outcome in run_all(chosen, runs=said.runs, busy=busy, console=console, skipped=skipped):
        outcomes.append(outcome)
        if said.verbose or outcome.verdict != "right":
            console.print(f"{outcome.verdict}: {describe(outcome)}", highlight=False, soft_wrap=True)
        _write(said.json, outcomes, skipped, cells)
    if chosen:
        show(outcomes, console)
    if checked:
        console.print("the causal check: times as slow with a tax as without")
    for cell in causes.check_all(checked):
        cells.append(cell)
        console.print(causes.describe(cell), highlight=False, soft_wrap=True)
        _write(said.json, outcomes, skipped, cells)
    if cells:
        console.print(causes.sum_up(cells))
    console.print(f"{time.monotonic() - start_s:.0f} s")
    return bool(are_named(outcomes) and causes.count_agreed(cells) >= _LEAST_AGREED * len(cells))


def _write(file: str, outcomes: Sequence[Outcome], skipped: dict[str, str], cells: Sequence[causes.Cell]) -> None:
    """Write what there is, so that a run that does not end loses nothing."""
    if file:
        whole = summarise(outcomes) | {"skipped": skipped, "causal": causes.summarise(cells)}
        Path(file).write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
