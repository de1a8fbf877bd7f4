"""Commands on one run: synth, run, check, profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cdpipe.cli.command import explaining, main
from cdpipe.cli.options import LocalPath, Rows, choose_format, choose_rules, choose_run, choose_whole, follow_run

if TYPE_CHECKING:
    from cdpipe.config.model import RunConfig
    from cdpipe.terminal.progress import Progress

_MESSAGES: Final = Path("bsm.csv")
"""Where the example of a configuration looks for messages."""


@main.command(short_help="Write synthetic messages.")
@click.option("--rows", type=Rows(), required=True, help="How many messages, e.g. 250k or 1e6.")
@click.option(
    "--out",
    type=LocalPath(dir_okay=False, path_type=Path),
    help=f".csv, .parquet or .jsonl.  [default: {_MESSAGES}, unless it is there]",
)
@click.option(
    "--seed", type=click.IntRange(0), default=42, show_default=True, help="The same seed gives the same bytes."
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def synth(rows: int, out: Path | None, seed: int, *, quiet: bool) -> None:
    r"""Write synthetic messages: trips of vehicles whose position, speed and heading agree.

    \b
    cdpipe synth --rows 100k
    cdpipe synth --rows 15M --out bsm.parquet
    """
    with explaining():
        if out is None and _MESSAGES.exists():
            raise FileExistsError(f"{_MESSAGES}: is there already; name it with --out to replace it, or another")
        out = out or _MESSAGES
        from cdpipe.engine.run.observer import StepCounted
        from cdpipe.terminal.progress import choose_progress

        progress = choose_progress(quiet=quiet)
        with progress.showing():
            progress.see(StepCounted("messages", 0, rows))
            from cdpipe.synthetic.generator import SynthParams, synthesize

            made = synthesize(
                out,
                SynthParams(rows=rows, seed=seed),
                tell=lambda done: progress.see(StepCounted("messages", done, rows)),
            )
    from cdpipe.plain import show_plain

    click.echo(
        f"{show_plain(str(out))}: {made.rows:,} messages of {made.vehicles:,} vehicles, "
        f"{made.bytes / 1e6:,.1f} MB in {made.seconds:.1f} s ({made.rows / made.seconds / 1e6:.2f} Mrows/s)"
    )


@main.command("run", short_help="Run the pipeline.")
@choose_run
@click.option("--example", is_flag=True, help="Print a commented configuration and stop.")
@click.pass_context
def run_command(context: click.Context, /, config: tuple[str, ...], *, example: bool, **more: Any) -> None:  # noqa: ANN401
    r"""Run the pipeline.

    CONFIG is a configuration (TOML or JSON), the report.json of a run, or messages (files, globs, Parquet folders,
    URLs), for which the defaults hold.

    \b
    cdpipe run study.toml
    cdpipe run bsm.csv --set attack.kind=swap_rand --out swapped
    cdpipe run study.toml --scheduler local
    """
    if example:
        with explaining():
            from cdpipe.config.template import example_config

            click.echo(example_config(), nl=False)
    else:
        context.invoke(_run, config=config, **more)


@follow_run
def _run(chosen: RunConfig, progress: Progress) -> None:
    from cdpipe.terminal.reports import show_run

    show_run(chosen, progress)


@main.command("check", short_help="Say what a run would do.")
@choose_run
@follow_run
def check_command(chosen: RunConfig, progress: Progress) -> None:
    r"""Say what a run of CONFIG would do, and the memory it would take; nothing is run or written.

    The exit status is 1 if it would not fit.

    \b
    cdpipe check study.toml
    """
    from cdpipe.terminal.reports import show_check

    show_check(chosen, progress)


@main.command("profile", short_help="Run, and say what limits each part.")
@choose_run
@choose_rules
@choose_format
@choose_whole
@follow_run
def profile_command(chosen: RunConfig, progress: Progress, rules: str, format_: str, *, whole: bool) -> None:
    r"""Run the pipeline that CONFIG describes, and say what limits each part of it.

    \b
    cdpipe profile study.toml
    cdpipe profile study.toml --format md > profile.md
    """
    from cdpipe.perf.report.render import Rules
    from cdpipe.terminal.reports import show_profile

    made = show_profile(chosen, progress, rules=Rules(rules), format_=format_, whole=whole)
    if made.failure is not None:
        raise made.failure
