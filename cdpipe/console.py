"""Terminal output of a run: its progress, and its tables at the end."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from cdpipe.engine.cache.store import CacheWarning
from cdpipe.engine.run.observer import Event, PartitionDone, PartitionsBegan, RunObserver, Said
from cdpipe.plain import show_plain
from cdpipe.reports.run_report import RunReport
from cdpipe.stages.gather.gather import KEPT_REJECTS
from cdpipe.training.train import Trained

if TYPE_CHECKING:
    from cdpipe.engine.cache.verification import Verdict
    from cdpipe.profiling import Profile
    from cdpipe.studies.importing.writing import Outcome as ImportOutcome
    from cdpipe.studies.sweep.sweep import OnCell, StudyReport

T = TypeVar("T")

_NARROWEST = 100


def show_run(run: Callable[[RunObserver], RunReport]) -> None:
    """Run with a progress bar and print the report.

    Parameters
    ----------
    run
        Runs the pipeline, given who is told how it goes.
    """
    console = open_console()
    show_report(_follow(run, console), console)


def show_profile(profile: Callable[[RunObserver], Profile], *, format_: str) -> Profile:
    """Run with a progress bar, print what limits the run as `text`, `md` or `json`, and return it.

    Where another program is to read it (`md`, `json`), progress and sentences go to standard error.
    """
    console = open_console()
    made = _follow(profile, console if format_ == "text" else open_console(stderr=True))
    if format_ == "text":
        made.print(console)
    else:
        sys.stdout.write(made.render(format_))
    return made


def _follow(run: Callable[[RunObserver], T], console: Console) -> T:
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        bars = _ProgressBars(progress)
        with _saying_warnings(bars.say):
            return run(bars)


@contextmanager
def _saying_warnings(say: Callable[[str], None]) -> Iterator[None]:
    """Have warnings about the cache said as sentences, in the block; others are shown as ever."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_sentence(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, CacheWarning):
                say(str(message))
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = show_sentence
        warnings.simplefilter("always", CacheWarning)
        yield


class _ProgressBars(RunObserver):
    """Follows the partitions of each pass with a bar of its own, and prints sentences above the bars."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._rows: dict[str, int] = {}
        self._bytes: dict[str, int] = {}

    def see(self, event: Event) -> None:
        """Begin the bar of a pass, move it on by one partition, or print a sentence."""
        match event:
            case Said(sentence):
                self.say(sentence)
            case PartitionsBegan(part, total):
                self._begin(part, total)
            case PartitionDone():
                self._move(event)

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        _print_line(self._progress.console, sentence)

    def _begin(self, part: str, total: int) -> None:
        if part in self._bars:  # it begins anew
            self._progress.remove_task(self._bars[part])
        self._bars[part] = self._progress.add_task(show_plain(part), total=total, rate="")
        self._rows[part] = self._bytes[part] = 0

    def _move(self, event: PartitionDone) -> None:
        part = event.part
        self._rows[part] += event.outcome.rows
        self._bytes[part] += event.outcome.read_bytes
        elapsed = self._progress.tasks[self._bars[part]].elapsed or 0.0
        rate = f"{self._rows[part]:,} rows"
        if elapsed > 0:
            rate += f", {self._rows[part] / elapsed:,.0f} rows/s, {self._bytes[part] / elapsed / 1e6:,.1f} MB/s"
        self._progress.update(self._bars[part], completed=event.done, rate=rate)


def show_report(report: RunReport, console: Console | None = None) -> None:
    """Print a run's accounts, metrics and outputs."""
    console = console or open_console()
    console.print(_ledger_table(report))
    for name, files in report.absent.items():
        _print_line(console, f"{name}: not in {', '.join(files)}; read as null")
    if report.trained is not None and report.trained.fitted:
        console.print(_metrics_table(report.trained))
        console.print()
        if report.trained.majority_rate == 1.0:
            _print_line(
                console, "every test message is of one class, so rates of the other are undefined (nan) and mcc is 0"
            )
        for reason, rows in report.trained.ledger.dropped.items():
            _print_line(console, f"training left out {rows:,} messages: {reason}")
    _print_line(console, _usage(report))
    if further := report.rejects_further:
        kept = f"rejects has the first {KEPT_REJECTS:,} rejected records"
        _print_line(console, f"{kept}; {further:,} more are only counted")
    for name, path in report.outputs.items():
        _print_line(console, f"{name}: {path}")


def show_cache(info: Mapping[str, Any]) -> None:
    """Print what the cache holds."""
    console = open_console()
    rate = "no look-up yet" if info["hit_rate"] is None else f"{info['hit_rate']:.1%}"
    _print_line(console, str(info["directory"]))
    _print_line(console, f"{info['entries']} entries, {info['bytes'] / 1e9:,.3f} GB")
    _print_line(console, f"{info['hits']} hits, {info['misses']} misses, hit rate {rate}")
    for stage, held in info["by_stage"].items():
        _print_line(console, f"  {stage}: {held['entries']} entries, {held['bytes'] / 1e6:,.1f} MB")


def show_verdicts(directory: Path, verdicts: Iterable[Verdict]) -> int:
    """Print what is wrong with entries of the cache, as it is found, and then how much was checked.

    Returns
    -------
    int
        How many are damaged.
    """
    console = open_console()
    _print_line(console, str(directory))
    entries = size = damaged = 0
    for verdict in verdicts:
        entries, size, damaged = entries + 1, size + verdict.bytes, damaged + verdict.damaged
        if verdict.fault is not None:
            found = "damaged" if verdict.damaged else "of another version of cdpipe"
            left = "removed" if verdict.removed else "a live run uses it, so verify again when that has ended"
            text = f"{verdict.key} ({verdict.stage or 'unknown stage'}) is {found}: {verdict.fault}; {left}"
            _print_line(console, text)
    _print_line(console, f"{entries} entries, {size / 1e9:,.3f} GB checked, {damaged} damaged")
    return damaged


def show_study(run: Callable[[RunObserver, OnCell], StudyReport]) -> StudyReport:
    """Run a study with a progress bar, print its means and return it."""
    console = open_console()
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.description}", markup=False), console=console) as progress:
        bar = progress.add_task("", total=None)

        def see(event: Event) -> None:
            if isinstance(event, Said):
                _print_line(progress.console, event.sentence)

        def move(done: int, total: int, label: str) -> None:
            progress.update(bar, completed=done, total=total, description=show_plain(label))

        with _saying_warnings(lambda sentence: _print_line(progress.console, sentence)):
            report = run(RunObserver(see), move)
    console.print(_summary_table(report))
    for label, why in report.failed.items():
        _print_line(console, f"{label}: {why}")
    done = len(report.tables["cells"])
    _print_line(console, f"{report.fitted:,} fits now, {done:,} cells in all, {report.wall_s:.2f} s")
    _print_line(console, f"tables: {report.directory}")
    return report


def _summary_table(report: StudyReport) -> Table:
    title = "means over seeds [95 % interval of the mean]"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 0))
    names = ("attack", "parameters", "features", "split", "classifier", "seeds")
    for name in (*names, "mcc", "f1"):
        table.add_column(name, overflow="fold", no_wrap=name != "parameters")
    for row in report.tables["summary"].to_dict("records"):
        shown = (
            f"{row[f'{name}_mean']:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]" for name in ("mcc", "f1")
        )
        table.add_row(*(Text(show_plain(str(row[name]))) for name in names), *map(Text, shown))
    return table


def show_imports(outcomes: Iterable[ImportOutcome]) -> int:
    """Print what became of each configuration to import, as it is done, and a sum.

    Returns
    -------
    int
        How many could not be imported.
    """
    console = open_console()
    whole = partly = failed = 0
    for source, target, imported, problem in outcomes:
        if imported is None or target is None:
            failed += 1
            _print_line(console, f"not imported: {problem}")
            continue
        lost = len(imported.lost)
        whole, partly = whole + (not lost), partly + bool(lost)
        _print_line(console, f"{source} -> {target}: {f'{lost} lost' if lost else 'nothing lost'}")
        for fate, sentence in imported.remarks:
            _print_line(console, f"  {fate}: {sentence}")
    total = whole + partly + failed
    _print_line(console, f"{total} files: {whole} with nothing lost, {partly} with losses, {failed} not imported")
    return failed


def open_console(*, stderr: bool = False) -> Console:
    """Return the terminal, or a file of `_NARROWEST` columns; text is printed as it is, brackets and colons too."""
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, width=None if is_terminal else _NARROWEST, markup=False, emoji=False, highlight=False)


def _print_line(console: Console, text: str) -> None:
    """Print a line that nothing breaks or colours; names in it cannot write to the terminal."""
    console.print(Text(show_plain(text)), soft_wrap=True)


def _ledger_table(report: RunReport) -> Table:
    table = Table(title="rows", title_justify="left", box=SIMPLE_HEAD, padding=(0, 0))
    for heading in ("stage", "in", "out", "dropped", "why", "cache", "thread-seconds"):
        is_text = heading in ("stage", "why", "cache")
        # Reasons are never cut off, and nothing else is ever broken.
        table.add_column(heading, justify="left" if is_text else "right", overflow="fold", no_wrap=heading != "why")
    for name, ledger in report.ledgers.items():
        why = [f"{rows:,} {reason}" for reason, rows in ledger.dropped.items()]
        notes = [f"({rows:,} {what})" for what, rows in ledger.notes.items()]
        table.add_row(
            name,
            f"{ledger.rows_in:,}",
            f"{ledger.rows_out:,}",
            f"{ledger.rows_in - ledger.rows_out:,}",
            Text("\n".join(map(show_plain, why + notes))),
            report.cache.get(name, ""),
            f"{report.seconds[name]:.2f}" if name in report.seconds else "-",
        )
    return table


def _metrics_table(trained: Trained) -> Table:
    table = Table(
        title=f"metrics on {trained.test_rows:,} messages of {trained.test_vehicles:,} vehicles, trained on "
        f"{trained.train_rows:,}; always naming the commoner class scores {trained.majority_rate:.4f}",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 0),
        show_edge=False,
    )
    table.add_column("classifier", no_wrap=True)
    names = ("accuracy", "precision", "recall", "f1", "specificity", "balanced_accuracy", "mcc")
    for name in (*names, "fit s", "predict s"):
        table.add_column(name.replace("_accuracy", ""), justify="right", no_wrap=True)
    for each in trained.fitted:
        shown = (getattr(each.metrics, name) for name in names)
        table.add_row(
            each.classifier, *(f"{value:.4f}" for value in shown), f"{each.fit_s:.2f}", f"{each.predict_s:.2f}"
        )
    return table


def _usage(report: RunReport) -> str:
    used = report.used or {}
    parts = [f"{report.wall_s:.2f} s in all"]
    if used.get("cpu_percent") is not None:
        parts.append(f"CPU {used['cpu_percent']:.0f} % of {report.machine['cores']} cores")
    if used.get("tree_peak_bytes") is not None:
        parts.append(f"peak memory {used['tree_peak_bytes'] / 1e9:.2f} GB")
    return ", ".join(parts) + f" on {report.machine['processor']}, {report.machine['memory_gb']} GB"
