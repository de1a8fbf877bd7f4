"""Command `cdpipe`: what all its commands have in common: errors, Ctrl-C, streams."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


@contextmanager
def explaining(mendable: int = 1) -> Iterator[None]:
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
def loading() -> Iterator[None]:
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


class _Commands(click.Group):
    """The commands, which Ctrl-C ends by one sentence and status 130."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:  # noqa: ANN401 - as click has it
        with _telling_interrupts():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - whatever a command returns
        with _telling_interrupts():
            return super().invoke(ctx)


@contextmanager
def _telling_interrupts() -> Iterator[None]:
    """End the command by one sentence if it is interrupted in the block: click would say "Aborted!"."""
    from cdpipe.interrupts import forget_unhandled, heeding_interrupts

    try:
        with heeding_interrupts():
            yield
    except KeyboardInterrupt as interrupt:
        from cdpipe.terminal.streams import tell_interrupt

        forget_unhandled()
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
    with explaining():
        _require_folder()
