"""The command `bottlenecks`: what each benchmark of an asv suite is bound by, in a terminal or a file."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from cdpipe.perf.analysis.findings import HISTORY_COMMITS
from cdpipe.perf.report.render import (
    Report,
    Rules,
    build_report,
    render_brief,
    render_json,
    render_markdown,
    render_text,
)
from cdpipe.perf.results.commits import resolve_commit
from cdpipe.perf.results.model import ResultsError
from cdpipe.perf.settings.settings import read_settings
from cdpipe.plain import show_plain

RESULTS: Final = Path(".asv/results")
FORMATS: Final = ("text", "md", "json")
_FILE: Final = "bottlenecks.md"
_MARK: Final = "<!-- The bottleneck report, written anew each time. -->\n"
_WIDTH: Final = 100
"""Of what is printed where there is no terminal."""


def print_report(
    results: Path,
    *,
    commit: str | None = None,
    machine: str | None = None,
    rules: str = Rules.ATTRIBUTION,
    history: int = HISTORY_COMMITS,
    settings: Path | None = None,
    format_: str = "text",
    whole: bool = False,
    console: Console | None = None,
) -> None:
    """Print the bottleneck report on asv's results.

    Parameters
    ----------
    results
        asv's results directory.
    commit, machine, rules, history
        See `build_report`; a commit may have any name that git knows here.
    settings
        A `bottlenecks.toml`; None for the one beside the results' `asv.conf.json`.
    format_
        `text`, `md` or `json`.
    whole
        Print all of the text. Else what matters most, and the rest goes to `bottlenecks.md` beside the results.
    console
        Where text goes; None for standard output.

    Raises
    ------
    ResultsError
        If results or settings cannot be read.
    """
    report = build_report(
        results,
        commit=commit and resolve_commit(commit),
        machine=machine,
        rules=Rules(rules),
        history=history,
        settings=read_settings(settings) if settings else None,
    )
    terminal = console or open_terminal()
    if format_ != "text":
        sys.stdout.write({"md": render_markdown, "json": render_json}[format_](report))
    elif whole:
        render_text(report, terminal)
    else:
        render_brief(report, terminal, rest=say_rest(write_rest(report, results.parent / _FILE)))


def open_terminal() -> Console:
    """Return a console on standard output, wide enough for tables where that is no terminal."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH)


def write_rest(report: Report, path: Path) -> Path | None:
    """Write the whole report into a file, and return it; None where another's file is there, or none can be."""
    try:
        if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(_MARK):
            return None
        path.write_text(_MARK + render_markdown(report), encoding="utf-8")
    except OSError:
        return None
    return path


def say_rest(path: Path | None) -> str:
    """Say where the rest of a report is."""
    what = "The rest (remedies, growth, history, every figure)"
    return f"{what} is in {show_plain(str(path))}; --all prints it." if path else f"{what}: --all prints it."


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the command; return its status."""
    parser = argparse.ArgumentParser(prog="bottlenecks", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"asv's results directory ({RESULTS})")
    parser.add_argument("--commit", help="instead of the newest with results")
    parser.add_argument("--machine", help="instead of all")
    parser.add_argument("--rules", choices=[*Rules], default=Rules.ATTRIBUTION, help="what names classes")
    parser.add_argument("--history", type=int, default=HISTORY_COMMITS, help="how many commits to look back on")
    parser.add_argument("--settings", type=Path, help="instead of the project's bottlenecks.toml")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument("--all", action="store_true", help="print all of the text")
    said = parser.parse_args(arguments)
    try:
        print_report(
            said.results,
            commit=said.commit,
            machine=said.machine,
            rules=said.rules,
            history=max(said.history, 1),
            settings=said.settings,
            format_=said.format,
            whole=said.all,
        )
    except ResultsError as error:
        sys.stderr.write(f"bottlenecks: {show_plain(str(error))}\n")
        return 1
    return 0
