"""Commands on benchmarks: bottlenecks, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cdpipe.cli.command import explaining, main
from cdpipe.cli.options import Attribute, LocalPath, choose_format, choose_rules, choose_whole


@main.command(short_help="Say what bounds each stage, from asv.")
@click.option("--results", type=LocalPath(path_type=Path), default=Path(".asv/results"), show_default=True)
@click.option("--commit", help="Commit (or its beginning) instead of the newest with results.")
@click.option("--machine", help="Machine instead of all.")
@choose_rules
@click.option(
    "--history", type=click.IntRange(1), default=100, show_default=True, help="How many commits to look back on."
)
@click.option(
    "--settings", type=LocalPath(path_type=Path), help="A bottlenecks.toml instead of the one beside asv.conf.json."
)
@choose_format
@choose_whole
def bottlenecks(
    results: Path,
    commit: str | None,
    machine: str | None,
    rules: str,
    history: int,
    settings: Path | None,
    format_: str,
    *,
    whole: bool,
) -> None:
    """Say what each stage is bound by, from asv's results, and what to do about it.

    The text is what matters most; the rest is written to bottlenecks.md beside the results.
    """
    with explaining():
        from cdpipe.perf.command import print_report
        from cdpipe.terminal.tables import open_console

        print_report(
            results,
            commit=commit,
            machine=machine,
            rules=rules,
            history=history,
            settings=settings,
            format_=format_,
            whole=whole,
            console=open_console(),
        )


@main.command(short_help="Measure two commits side by side.")
@click.argument("base", required=False)
@click.argument("head", default="HEAD")
@click.option("--bench", help="Regular expression of benchmarks.  [default: the suite's subset `gate`]")
@click.option("--all", "everything", is_flag=True, help="Compare all benchmarks that say what a commit costs.")
@click.option(
    "-a", "--attribute", "attributes", type=Attribute(), multiple=True, help="Of benchmarks: repeat=3,10,1.0."
)
@click.option("--pairs", type=click.IntRange(6), default=24, show_default=True, help="Most pairs of processes.")
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), help="No longer than this.  [default: 10, with --all 120]"
)
@click.option(
    "--others",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Share of the cores that others may have.",
)
@click.option("--seed", type=click.IntRange(0), help="Of the order; drawn, and printed, unless given.")
@click.option("--no-why", is_flag=True, help="Do not look for causes.")
@click.option("--config", type=LocalPath(path_type=Path), default=Path("asv.conf.json"), show_default=True)
@click.option("--from-results", type=LocalPath(path_type=Path), help="Measure nothing: read asv's stored results.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds that those were recorded in.  [default: the suite's]")
@click.option("--machine", help="Machine of the stored results.")
@click.option("--markdown", type=LocalPath(path_type=Path), help="Write the comment for a pull request into this file.")
@click.option("--json", "json_", type=LocalPath(path_type=Path), help="Write all figures into this file.")
@choose_format
def compare(format_: str, **options: Any) -> None:  # noqa: ANN401 - see cdpipe.perf.gate.command
    """Measure HEAD against BASE side by side; say what became slower or larger, and why.

    BASE defaults to the commit where HEAD left its branch. The exit status is 0 if nothing got worse, 1 if something
    did, 2 if something could not be measured, 3 if the run is invalid: others had the machine.
    """
    with explaining(mendable=2):
        from cdpipe.extras import needing

        with needing("cdpipe compare"):
            from cdpipe.perf.gate.command import Options, run_command
        from cdpipe.terminal.tables import open_console

        status = run_command(
            Options(**options), format_=format_, console=open_console(), progress=open_console(stderr=True)
        )
    raise SystemExit(status)
