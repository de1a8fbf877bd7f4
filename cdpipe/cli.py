"""The command line: parse, call, print. No logic."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from cdpipe.config.model import RunConfig
    from cdpipe.terminal.progress import Progress

F = TypeVar("F", bound=Callable[..., Any])

_MESSAGES: Final = Path("bsm.csv")
"""Where the example of a configuration looks for messages."""


@contextmanager
def _explaining(mendable: int = 1) -> Iterator[None]:
    """Print an error as one message: status `mendable` if a user can mend it, 70 if it is a fault of cdpipe.

    Errors of the command line pass through, and so does the end of who read the output.
    """
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except Exception as error:
        if click.get_current_context().find_root().params["debug"]:
            raise
        from cdpipe.terminal.streams import MENDABLE, ended_reader, tell_error

        if isinstance(error, BrokenPipeError) and ended_reader():
            raise
        status = tell_error(error)
        raise SystemExit(mendable if status == MENDABLE else status) from None


@contextmanager
def _loading() -> Iterator[None]:
    """Look for no garbage while modules are loaded: they leave none, and to look took 0.15 s of 1.0."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _require_folder() -> None:
    """Make sure that there is a folder that relative paths begin in."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise FileNotFoundError("the folder that you are in was removed; change to another and run again") from None


class _LocalPath(click.Path):
    """A path of this machine: a URL would become a folder `s3:` here."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        if isinstance(value, str) and "://" in value:
            self.fail(f"{value!r} is a URL; give a path of this machine", param, ctx)
        return super().convert(value, param, ctx)


class _Rows(click.ParamType[int]):
    """A count of rows: 250000, 250_000, 2.5e5, 250k or 1M."""

    name = "rows"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        text = str(value).replace("_", "").replace(",", "")
        scale = {"k": 1e3, "m": 1e6}.get(text[-1:].lower(), 1.0)
        try:
            rows = float(text[:-1] if scale > 1 else text) * scale
        except ValueError:
            rows = -1.0
        if not (rows >= 1 and rows.is_integer()):
            self.fail(f"{value!r} is no count of rows; write e.g. 250000, 2.5e5, 250k or 1M", param, ctx)
        return int(rows)


class _Commands(click.Group):
    """The commands, which Ctrl-C ends by one sentence and status 130."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - whatever a command returns
        from cdpipe.interrupts import heeding_interrupts

        try:
            with heeding_interrupts():
                return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            from cdpipe.terminal.streams import tell_interrupt

            raise SystemExit(tell_interrupt(interrupt)) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cdpipe")
@click.option("--debug", is_flag=True, help="Show where an error arose.")
def main(*, debug: bool) -> None:
    """Labelled misbehaviour data sets from connected-vehicle messages, and what limits their making."""
    del debug  # read where errors are told
    atexit.register(gc.freeze)  # to search all that is left for cycles took another 0.35 s, and frees what ends anyway
    from cdpipe.terminal.streams import open_streams

    open_streams()
    with _explaining():
        _require_folder()


@main.command()
@click.option("--rows", type=_Rows(), required=True, help="How many messages, e.g. 250k or 1e6.")
@click.option(
    "--out",
    type=_LocalPath(dir_okay=False, path_type=Path),
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
    with _explaining():
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


def _rules(function: F) -> F:
    return click.option(
        "--rules",
        type=click.Choice(["attribution", "report"]),
        default="attribution",
        show_default=True,
        help="Name classes by where the time went, or by the fixed thresholds of the design.",
    )(function)


def _format(function: F) -> F:
    formats = click.Choice(["text", "md", "json"])
    return click.option("--format", "format_", type=formats, default="text", show_default=True)(function)


def _whole(function: F) -> F:
    return click.option("--all", "whole", is_flag=True, help="Print all of the text, not what matters most.")(function)


def _chosen(function: F) -> F:
    """Add what chooses a configuration, and how much is told meanwhile."""
    options = (
        click.argument("config", nargs=-1, metavar="CONFIG..."),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="E.g. attack.kind=swap_rand."),
        click.option(
            "--scheduler", help="Instead of session.scheduler: threads, local, tcp://HOST:PORT or tls://HOST:PORT."
        ),
        click.option("--out", help="Instead of output.directory: a folder, or a URL such as s3://bucket/study."),
        click.option("-q", "--quiet", is_flag=True, help="Show no progress."),
        click.option("-v", "--verbose", is_flag=True, help="Log each partition instead of a progress bar."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _follow(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the configuration that its words choose, and who is told how it goes."""

    @wraps(function)
    def command(
        config: tuple[str, ...],
        settings: tuple[str, ...],
        scheduler: str | None,
        out: str | None,
        quiet: bool,
        verbose: bool,
        **more: Any,  # noqa: ANN401
    ) -> None:
        if not config:
            raise click.UsageError("name a configuration or messages, or print one with `cdpipe run --example`")
        with _explaining():
            from cdpipe.engine.run.observer import StepBegan
            from cdpipe.limits import require_base
            from cdpipe.terminal.progress import choose_progress

            require_base()
            progress = choose_progress(quiet=quiet, verbose=verbose)
            with progress.showing(), _loading():
                progress.see(StepBegan("starting", is_brief=True))
                from cdpipe.config.command_line import choose_config

                chosen = choose_config(config, settings=settings, scheduler=scheduler, directory=out)
            function(chosen, progress, **more)

    return command


@main.command("run")
@_chosen
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
        with _explaining():
            from cdpipe.config.template import example_config

            click.echo(example_config(), nl=False)
    else:
        context.invoke(_run, config=config, **more)


@_follow
def _run(chosen: RunConfig, progress: Progress) -> None:
    from cdpipe.terminal.reports import show_run

    show_run(chosen, progress)


@main.command("check")
@_chosen
@_follow
def check_command(chosen: RunConfig, progress: Progress) -> None:
    r"""Say what a run of CONFIG would do, and the memory it would take; nothing is run or written.

    \b
    cdpipe check study.toml
    """
    from cdpipe.terminal.reports import show_check

    show_check(chosen, progress)


@main.command("profile")
@_chosen
@_rules
@_format
@_whole
@_follow
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


@main.command("sweep")
@click.argument("study", type=_LocalPath(path_type=Path), required=False)
@click.option("--example", is_flag=True, help="Print a commented study and stop.")
@click.option(
    "--out", type=_LocalPath(file_okay=False, path_type=Path), help="Instead of directory: where the study goes."
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def sweep_command(study: Path | None, out: Path | None, *, example: bool, quiet: bool) -> None:
    """Run every attack, seed, split and classifier of STUDY (TOML or JSON) that has not been run yet.

    Cells that are done are kept, whatever ends the command. The status is 1 if a cell could not be done.
    """
    with _explaining():
        if example:
            from cdpipe.studies.sweep.template import example_study

            click.echo(example_study(), nl=False)
            return
        if study is None:
            raise click.UsageError("name a study, or print one with --example")
        from cdpipe.studies.sweep.params import load_study
        from cdpipe.studies.sweep.sweep import sweep
        from cdpipe.terminal.progress import choose_progress
        from cdpipe.terminal.reports import show_study

        chosen = load_study(study, directory=out)
        made = show_study(
            lambda observer, on_cell: sweep(chosen, observer=observer, on_cell=on_cell), choose_progress(quiet=quiet)
        )
    if made.failed:
        raise SystemExit(1)


@main.command("card")
@click.argument("folder", type=_LocalPath(path_type=Path))
@click.option("--out", type=_LocalPath(file_okay=False, path_type=Path), help="Folder of the card.  [default: FOLDER]")
def card_command(folder: Path, out: Path | None) -> None:
    """Write the data card of a run's output FOLDER: card.md and card.json."""
    with _explaining():
        from cdpipe.studies.card.writing import write_card

        facts = write_card(folder, out=out)
    from cdpipe.plain import show_plain

    data = facts["data"]
    click.echo(f"content digest {data['content_digest']}: {data['rows']:,} messages of {data['vehicles']:,} vehicles")
    click.echo(show_plain(f"card: {(out or folder) / 'card.md'}"))


@main.command("import-config")
@click.argument("files", type=_LocalPath(path_type=Path), nargs=-1, required=True)
@click.option(
    "--out", type=_LocalPath(file_okay=False, path_type=Path), help="Folder of the TOML files.  [default: beside each]"
)
@click.option("--input", "data", help="Input of all of them, instead of what the files name.")
def import_command(files: tuple[Path, ...], out: Path | None, data: str | None) -> None:
    """Write JSON configurations of the pipeline people use today as TOML, and name what is lost.

    FILES are JSON files, or folders of them. The status is 1 if one of them could not be imported.
    """
    with _explaining():
        from cdpipe.studies.importing.writing import find_sources, import_files
        from cdpipe.terminal.reports import show_imports

        failed = show_imports(import_files(find_sources(files), folder=out, data=data))
    if failed:
        raise SystemExit(1)


@main.command()
@click.option("--results", type=_LocalPath(path_type=Path), default=Path(".asv/results"), show_default=True)
@click.option("--commit", help="Commit (or its beginning) instead of the newest with results.")
@click.option("--machine", help="Machine instead of all.")
@_rules
@click.option(
    "--history", type=click.IntRange(1), default=100, show_default=True, help="How many commits to look back on."
)
@click.option(
    "--settings", type=_LocalPath(path_type=Path), help="A bottlenecks.toml instead of the one beside asv.conf.json."
)
@_format
@_whole
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
    with _explaining():
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


class _Attribute(click.ParamType[tuple[str, Any]]):
    """An attribute of benchmarks, as asv's `-a` takes it: `repeat=5`, `repeat=3,10,1.0`."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:  # noqa: ANN401
        import json

        name, sign, text = str(value).partition("=")
        try:
            numbers = json.loads(f"[{text}]")
        except ValueError:
            numbers = [text]
        if not (name.isidentifier() and sign and text):
            self.fail(f"{value!r} is no attribute; write e.g. repeat=5 or repeat=3,10,1.0", param, ctx)
        return name, numbers[0] if len(numbers) == 1 else numbers


@main.command()
@click.argument("base", required=False)
@click.argument("head", default="HEAD")
@click.option("--bench", help="Regular expression of benchmarks.  [default: the suite's subset `gate`]")
@click.option("--all", "everything", is_flag=True, help="Compare all benchmarks that say what a commit costs.")
@click.option(
    "-a", "--attribute", "attributes", type=_Attribute(), multiple=True, help="Of benchmarks: repeat=3,10,1.0."
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
@click.option("--config", type=_LocalPath(path_type=Path), default=Path("asv.conf.json"), show_default=True)
@click.option("--from-results", type=_LocalPath(path_type=Path), help="Measure nothing: read asv's stored results.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds that those were recorded in.  [default: the suite's]")
@click.option("--machine", help="Machine of the stored results.")
@click.option(
    "--markdown", type=_LocalPath(path_type=Path), help="Write the comment for a pull request into this file."
)
@click.option("--json", "json_", type=_LocalPath(path_type=Path), help="Write all figures into this file.")
@_format
def compare(format_: str, **options: Any) -> None:  # noqa: ANN401 - see cdpipe.perf.gate.command
    """Measure HEAD against BASE side by side; say what became slower or larger, and why.

    BASE defaults to the commit where HEAD left its branch. The exit status is 0 if nothing got worse, 1 if something
    did, 2 if something could not be measured, 3 if the run is invalid: others had the machine.
    """
    with _explaining(mendable=2):
        from cdpipe.extras import needing

        with needing("cdpipe compare"):
            from cdpipe.perf.gate.command import Options, run_command
        from cdpipe.terminal.tables import open_console

        status = run_command(
            Options(**options), format_=format_, console=open_console(), progress=open_console(stderr=True)
        )
    raise SystemExit(status)


@main.group()
def cache() -> None:
    """Look at the cache of stages' outputs, or empty it."""


def _directory(function: F) -> F:
    return click.option("--directory", type=_LocalPath(path_type=Path), help="Default: the user's cache folder.")(
        function
    )


@cache.command()
@_directory
def info(directory: Path | None) -> None:
    """Print entries, size, hits and misses."""
    with _explaining():
        from cdpipe.engine.cache.store import CacheParams, Store
        from cdpipe.terminal.reports import show_cache

        with Store(CacheParams(directory=directory)) as store:
            show_cache(store.info())


@cache.command()
@_directory
def verify(directory: Path | None) -> None:
    """Read every entry wholly; remove those that are damaged and no live run uses.

    The status is 1 if any was damaged.
    """
    with _explaining():
        from cdpipe.engine.cache.store import CacheParams, Store
        from cdpipe.terminal.reports import show_verdicts

        with Store(CacheParams(directory=directory)) as store:
            damaged = show_verdicts(store.directory, store.verify())
    if damaged:
        raise SystemExit(1)


@cache.command()
@_directory
def clear(directory: Path | None) -> None:
    """Remove every entry that no live run uses."""
    with _explaining():
        from cdpipe.engine.cache.store import CacheParams, Store

        with Store(CacheParams(directory=directory)) as store:
            removed = store.clear()
    click.echo(f"removed {removed.entries} entries, {removed.bytes / 1e6:,.1f} MB; {removed.entries_left} are in use")
