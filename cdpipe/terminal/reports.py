"""Terminal output of commands: a run's tables, what the cache holds, and what is wrong with it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from rich.console import Console

from cdpipe.engine.cache.store import CacheWarning
from cdpipe.engine.run.observer import Event, RunObserver, Said, StepCounted
from cdpipe.reports.run_report import RunReport
from cdpipe.reports.training_notes import describe_sides
from cdpipe.stages.gather.gather import KEPT_REJECTS
from cdpipe.terminal.evaluation import print_evaluation
from cdpipe.terminal.tables import Column, open_console, print_line, print_table
from cdpipe.training.train import Trained

if TYPE_CHECKING:
    from cdpipe.config.model import RunConfig
    from cdpipe.engine.cache.verification import Verdict
    from cdpipe.perf.report.render import Rules
    from cdpipe.profiling import Profile
    from cdpipe.studies.importing.writing import Outcome as ImportOutcome
    from cdpipe.studies.sweep.sweep import OnCell, StudyReport
    from cdpipe.terminal.progress import Progress

T = TypeVar("T")


def show_run(config: RunConfig, progress: Progress) -> None:
    """Run the pipeline with progress on standard error, and print the report."""
    from cdpipe.pipeline import run  # noqa: PLC0415 - start-up: the first word comes before it is imported

    report = follow(lambda observer: run(config, observer=observer), progress, resumes=config.cache.enabled)
    show_report(report, open_console())


def show_profile(config: RunConfig, progress: Progress, *, rules: Rules, format_: str, whole: bool = False) -> Profile:
    """Run the pipeline with progress on standard error, and print what limits it as `text`, `md` or `json`."""
    from cdpipe.profiling import profile  # noqa: PLC0415 - as above

    made = follow(
        lambda observer: profile(config, rules=rules, observer=observer), progress, resumes=config.cache.enabled
    )
    if format_ == "text":
        made.print(open_console(), whole=whole)
    else:
        sys.stdout.write(made.render(format_))
    return made


def follow(run: Callable[[RunObserver], T], progress: Progress, *, resumes: bool = False) -> T:
    """Run something with progress shown; an interrupt gets a note of what was finished and is kept.

    Parameters
    ----------
    run
        Runs it, given who is told how it goes.
    progress
        What shows it.
    resumes
        Whether what was finished is kept, so that the same command goes on there.
    """
    with progress.showing(), _saying_warnings(progress.say):
        try:
            return run(progress)
        except KeyboardInterrupt as interrupt:
            ended = [part for part in progress.ended if "→" in part or "survey" not in part]
            if resumes and ended:
                interrupt.add_note(f"kept in the cache: {', '.join(ended)}; the same command goes on after it")
            elif progress.ended:
                interrupt.add_note("with cache.enabled = true the same command could go on where it was")
            raise


def show_check(config: RunConfig, progress: Progress) -> None:
    """Print what a run would do; raise `MemoryLimitError` then, if that would not fit into memory."""
    from cdpipe.checking import check  # noqa: PLC0415 - as above
    from cdpipe.engine.run.memory_projection import require_fit  # noqa: PLC0415 - as above

    found = follow(lambda observer: check(config, observer=observer), progress)
    console = open_console()
    print_table(
        console,
        "inputs",
        [
            Column("format", [each.format for each in found.files], is_text=True),
            Column("MB", [f"{each.bytes / 1e6:,.1f}" for each in found.files]),
            Column("partitions", [f"{each.partitions:,}" for each in found.files]),
            Column("file", [each.path for each in found.files], is_text=True, folds=True),
        ],
    )
    for sentence in found.conventions:
        print_line(console, sentence)
    for name, files in found.absent.items():
        print_line(console, f"{name}: not in {', '.join(files)}; read as null")
    if found.cached:
        print_line(console, f"from the cache: {', '.join(found.cached)}")
    print_line(console, f"to do: {'; '.join([*found.passes, 'publish'])}")
    if found.classifiers:
        print_line(console, f"to train: {', '.join(found.classifiers)}; its memory is known when rows are counted")
    print_line(console, f"projected memory, {found.projection}")
    print_line(console, f"results would go to {found.directory}")
    require_fit(found.projection)


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


def show_report(report: RunReport, console: Console | None = None) -> None:
    """Print a run's accounts, metrics and outputs."""
    console = console or open_console()
    _print_ledgers(console, report)
    for name, files in report.absent.items():
        print_line(console, f"{name}: not in {', '.join(files)}; read as null")
    if report.trained is not None and report.trained.fitted:
        _print_metrics(console, report.trained)
        if report.trained.evaluation is not None:
            print_evaluation(console, report.trained.evaluation)
        for note in report.notes:
            print_line(console, note)
        if report.trained.majority_rate == 1.0:
            print_line(
                console, "every test message is of one class, so rates of the other are undefined (nan) and mcc is 0"
            )
        for reason, rows in report.trained.ledger.dropped.items():
            print_line(console, f"training left out {rows:,} messages: {reason}")
    print_line(console, _usage(report))
    if further := report.rejects_further:
        kept = f"rejects has the first {KEPT_REJECTS:,} rejected records"
        print_line(console, f"{kept}; {further:,} more are only counted")
    for name, path in report.outputs.items():
        print_line(console, f"{name}: {path}")


def show_cache(info: Mapping[str, Any]) -> None:
    """Print what the cache holds."""
    console = open_console()
    rate = "no look-up yet" if info["hit_rate"] is None else f"{info['hit_rate']:.1%}"
    print_line(console, str(info["directory"]))
    print_line(console, f"{info['entries']} entries, {info['bytes'] / 1e9:,.3f} GB")
    print_line(console, f"{info['hits']} hits, {info['misses']} misses, hit rate {rate}")
    for stage, held in info["by_stage"].items():
        print_line(console, f"  {stage}: {held['entries']} entries, {held['bytes'] / 1e6:,.1f} MB")


def show_verdicts(directory: Path, verdicts: Iterable[Verdict]) -> int:
    """Print what is wrong with entries of the cache, as it is found, and then how much was checked.

    Returns
    -------
    int
        How many are damaged.
    """
    console = open_console()
    print_line(console, str(directory))
    entries = size = damaged = 0
    for verdict in verdicts:
        entries, size, damaged = entries + 1, size + verdict.bytes, damaged + verdict.damaged
        if verdict.fault is not None:
            found = "damaged" if verdict.damaged else "of another version of cdpipe"
            left = "removed" if verdict.removed else "a live run uses it, so verify again when that has ended"
            text = f"{verdict.key} ({verdict.stage or 'unknown stage'}) is {found}: {verdict.fault}; {left}"
            print_line(console, text)
    print_line(console, f"{entries} entries, {size / 1e9:,.3f} GB checked, {damaged} damaged")
    return damaged


def show_study(run: Callable[[RunObserver, OnCell], StudyReport], progress: Progress) -> StudyReport:
    """Run a study with its progress on standard error, print its means and return it."""

    def see(event: Event) -> None:
        if isinstance(event, Said):
            progress.see(event)

    def move(done: int, total: int, _label: str) -> None:
        progress.see(StepCounted("cells", done, total))

    report = follow(lambda _observer: run(RunObserver(see), move), progress)
    console = open_console()
    _print_means(console, report)
    for label, why in report.failed.items():
        print_line(console, f"{label}: {why}")
    done = len(report.tables["cells"])
    print_line(console, f"{report.fitted:,} fits now, {done:,} cells in all, {report.wall_s:.2f} s")
    print_line(console, f"tables: {report.directory}")
    return report


def _print_means(console: Console, report: StudyReport) -> None:
    rows = report.tables["summary"].to_dict("records")
    names = ("attack", "parameters", "features", "split", "classifier", "seeds")
    described = [Column(name, [str(row[name]) for row in rows], is_text=name != "seeds") for name in names]
    scores = [Column(name, [_show_mean(row, name) for row in rows]) for name in ("mcc", "f1")]
    if rows:
        cell = Column("cell", [str(number) for number in range(1, len(rows) + 1)])
        print_table(console, "means over seeds [95 % interval of the mean]", [cell, *described, *scores])


def _show_mean(row: Mapping[Any, Any], name: str) -> str:
    """Return a mean and its interval; of one seed there is none."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{row[f'{name}_mean']:.3f}" + ("" if low != low else f" [{low:.3f}, {high:.3f}]")  # noqa: PLR0124 - NaN


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
            print_line(console, f"not imported: {problem}")
            continue
        lost = len(imported.lost)
        whole, partly = whole + (not lost), partly + bool(lost)
        print_line(console, f"{source} -> {target}: {f'{lost} lost' if lost else 'nothing lost'}")
        for fate, sentence in imported.remarks:
            print_line(console, f"  {fate}: {sentence}")
    total = whole + partly + failed
    print_line(console, f"{total} files: {whole} with nothing lost, {partly} with losses, {failed} not imported")
    return failed


def _print_ledgers(console: Console, report: RunReport) -> None:
    """Print how many rows each stage took, gave and dropped, and why."""
    ledgers = report.ledgers
    print_table(
        console,
        "rows",
        [
            Column("stage", list(ledgers), is_text=True),
            Column("in", [f"{each.rows_in:,}" for each in ledgers.values()]),
            Column("out", [f"{each.rows_out:,}" for each in ledgers.values()]),
            Column("dropped", [f"{each.rows_in - each.rows_out:,}" for each in ledgers.values()]),
            Column("cache", [report.cache.get(name, "") for name in ledgers], is_text=True),
            Column(
                "thread-seconds", [f"{report.seconds[name]:.2f}" if name in report.seconds else "-" for name in ledgers]
            ),
        ],
    )
    reasons = [
        *((name, f"{rows:,}", why) for name, each in ledgers.items() for why, rows in each.dropped.items()),
        *((name, f"{rows:,}", f"({what})") for name, each in ledgers.items() for what, rows in each.notes.items()),
    ]
    if reasons:
        stages, counts, texts = zip(*sorted(reasons, key=lambda reason: list(ledgers).index(reason[0])), strict=True)
        columns = [Column("stage", stages, is_text=True), Column("rows", counts)]
        print_table(console, "dropped, and (noted)", [*columns, Column("why", texts, is_text=True, folds=True)])


def _print_metrics(console: Console, trained: Trained) -> None:
    names = ("accuracy", "precision", "recall", "f1", "specificity", "balanced_accuracy", "mcc")
    print_table(
        console,
        describe_sides(trained),
        [
            Column("classifier", [each.classifier for each in trained.fitted], is_text=True),
            *(
                Column(name.removesuffix("_accuracy"), [f"{getattr(fit.metrics, name):.4f}" for fit in trained.fitted])
                for name in names
            ),
            Column("fit s", [f"{each.fit_s:.2f}" for each in trained.fitted]),
            Column("predict s", [f"{each.predict_s:.2f}" for each in trained.fitted]),
        ],
    )


def _usage(report: RunReport) -> str:
    used = report.used or {}
    parts = [f"{report.wall_s:.2f} s in all"]
    if used.get("cpu_percent") is not None:
        parts.append(f"CPU {used['cpu_percent']:.0f} % of {report.machine['cores']} cores")
    if used.get("tree_peak_bytes") is not None:
        parts.append(f"peak memory {used['tree_peak_bytes'] / 1e9:.2f} GB")
    return ", ".join(parts) + f" on {report.machine['processor']}, {report.machine['memory_gb']} GB"
