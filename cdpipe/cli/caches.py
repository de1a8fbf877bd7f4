"""Commands on the cache: info, verify, clear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cdpipe.cli.command import explaining, main
from cdpipe.cli.options import LocalPath

F = TypeVar("F", bound=Callable[..., Any])


@main.group(short_help="Look at the cache, or empty it.")
def cache() -> None:
    """Look at the cache of stages' outputs, or empty it."""


def _directory(function: F) -> F:
    return click.option("--directory", type=LocalPath(path_type=Path), help="Default: the user's cache folder.")(
        function
    )


@cache.command()
@_directory
def info(directory: Path | None) -> None:
    """Print entries, size, hits and misses."""
    with explaining():
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
    with explaining():
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
    with explaining():
        from cdpipe.engine.cache.store import CacheParams, Store

        with Store(CacheParams(directory=directory)) as store:
            removed = store.clear()
    click.echo(f"removed {removed.entries} entries, {removed.bytes / 1e6:,.1f} MB; {removed.entries_left} are in use")
