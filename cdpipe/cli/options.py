"""Options and types of arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from cdpipe.cli.command import explaining, loading

F = TypeVar("F", bound=Callable[..., Any])


class LocalPath(click.Path):
    """A path of this machine: a URL would become a folder `s3:` here."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Refuse URLs."""
        if isinstance(value, str) and "://" in value:
            self.fail(f"{value!r} is a URL; give a path of this machine", param, ctx)
        return super().convert(value, param, ctx)


class Rows(click.ParamType[int]):
    """A count of rows: 250000, 250_000, 2.5e5, 250k or 1M."""

    name = "rows"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401
        """Return the number of rows."""
        text = str(value).replace("_", "").replace(",", "")
        scale = {"k": 1e3, "m": 1e6}.get(text[-1:].lower(), 1.0)
        try:
            rows = float(text[:-1] if scale > 1 else text) * scale
        except ValueError:
            rows = -1.0
        if not (rows >= 1 and rows.is_integer()):
            self.fail(f"{value!r} is no count of rows; write 250k or 1M", param, ctx)
        return int(rows)


class Attribute(click.ParamType[tuple[str, Any]]):
    """An attribute of benchmarks, as asv's `-a` takes it: `repeat=5`, `repeat=3,10,1.0`."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:  # noqa: ANN401
        """Return name and value."""
        import json

        name, sign, text = str(value).partition("=")
        try:
            numbers = json.loads(f"[{text}]")
        except ValueError:
            numbers = [text]
        if not (name.isidentifier() and sign and text):
            self.fail(f"{value!r} is no attribute; write e.g. repeat=5 or repeat=3,10,1.0", param, ctx)
        return name, numbers[0] if len(numbers) == 1 else numbers


def choose_rules(function: F) -> F:
    """Add the choice of rules that name classes."""
    return click.option(
        "--rules",
        type=click.Choice(["attribution", "report"]),
        default="attribution",
        show_default=True,
        help="Name classes by where the time went, or by the fixed thresholds of the design.",
    )(function)


def choose_format(function: F) -> F:
    """Add the choice of what the report is written as."""
    formats = click.Choice(["text", "md", "json"])
    return click.option("--format", "format_", type=formats, default="text", show_default=True)(function)


def choose_whole(function: F) -> F:
    """Add the choice of all of a report."""
    return click.option("--all", "whole", is_flag=True, help="Print all of the text, not what matters most.")(function)


def choose_run(function: F) -> F:
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


def follow_run(function: Callable[..., None]) -> Callable[..., None]:
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
            raise click.UsageError("name a configuration or messages, or print one: cdpipe run --example")
        with explaining():
            from cdpipe.engine.run.observer import StepBegan
            from cdpipe.limits import require_base
            from cdpipe.terminal.progress import choose_progress

            require_base()
            progress = choose_progress(quiet=quiet, verbose=verbose)
            with progress.showing(), loading():
                progress.see(StepBegan("starting", is_brief=True))
                from cdpipe.config.command_line import choose_config

                chosen = choose_config(config, settings=settings, scheduler=scheduler, directory=out)
            function(chosen, progress, **more)

    return command
