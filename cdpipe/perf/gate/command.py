"""The command `cdpipe compare`: its options, and where its reports go."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from cdpipe.perf.gate.comparison import compare_commits, compare_results
from cdpipe.perf.gate.deciding.verdicts import Criteria
from cdpipe.perf.gate.measuring.asv_compat import CannotMeasureError
from cdpipe.perf.gate.outcome import Commit, Outcome
from cdpipe.perf.gate.reporting.as_data import render_data
from cdpipe.perf.gate.reporting.comment import render_comment
from cdpipe.perf.gate.reporting.table import print_outcome
from cdpipe.perf.results.commits import resolve_commit
from cdpipe.perf.results.contention import QUIET
from cdpipe.perf.results.model import ResultsError
from cdpipe.plain import show_plain

_MINUTES: Final = 10.0
_MINUTES_OF_ALL: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says; see `cdpipe compare --help`."""

    base: str | None = None
    head: str = "HEAD"
    bench: str | None = None
    everything: bool = False
    attributes: tuple[tuple[str, Any], ...] = ()
    pairs: int = 24
    minutes: float | None = None
    others: float = QUIET
    seed: int | None = None
    no_why: bool = False
    config: Path = Path("asv.conf.json")
    from_results: Path | None = None
    rounds: int | None = None
    machine: str | None = None
    markdown: Path | None = None
    json_: Path | None = None


def run_command(options: Options, *, format_: str, console: Console, progress: Console) -> int:
    """Compare, print the outcome as `text`, `md` or `json`, write the files that are asked for; return the exit status.

    Raises
    ------
    CannotMeasureError, ResultsError
        If a commit cannot be built, or there is nothing to compare.
    """
    try:
        outcome = _compare(options, progress)
    except (CannotMeasureError, ResultsError) as error:
        # Whoever posts the comment has most to say when nothing could be built.
        output = getattr(error, "output", "")
        for line in output.splitlines():
            progress.print(Text(show_plain(line)))
        failed = _describe_failure(options, str(error), output)
        _write_files(options, failed)
        if format_ != "text":
            console.file.write(_render(failed, format_))
        raise
    _write_files(options, outcome)
    if format_ == "text":
        print_outcome(outcome, console)
    else:
        console.file.write(_render(outcome, format_))
    return int(outcome.status)


def _render(outcome: Outcome, format_: str) -> str:
    return render_comment(outcome) if format_ == "md" else render_data(outcome)


def _write_files(options: Options, outcome: Outcome) -> None:
    for path, format_ in ((options.markdown, "md"), (options.json_, "json")):
        if path is not None:
            path.write_text(_render(outcome, format_), encoding="utf-8")


def _describe_failure(options: Options, error: str, output: str) -> Outcome:
    base, head = (
        Commit(resolve_commit(name), name) if name else Commit("", "") for name in (options.base, options.head)
    )
    return Outcome(base=base, head=head, rows=(), criteria=Criteria(), error=error, output=output)


def _compare(options: Options, progress: Console) -> Outcome:
    criteria = Criteria(most_pairs=options.pairs)
    if options.from_results is not None:
        if options.base is None:
            raise ValueError("stored results need both commits: cdpipe compare BASE HEAD --from-results DIRECTORY")
        return compare_results(
            options.from_results,
            options.base,
            options.head,
            rounds=options.rounds,
            machine=options.machine,
            criteria=criteria,
        )
    minutes = options.minutes or (_MINUTES_OF_ALL if options.everything else _MINUTES)
    return compare_commits(
        options.config,
        options.base,
        options.head,
        expression=options.bench,
        everything=options.everything,
        attributes=dict(options.attributes),
        criteria=criteria,
        seed=options.seed,
        limit_s=60 * minutes,
        most_others=options.others,
        why=not options.no_why,
        say=lambda sentence: progress.print(Text(show_plain(sentence))),
    )
