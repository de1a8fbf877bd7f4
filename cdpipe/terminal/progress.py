"""Progress of a run for a person: what is being done, how far it is, and about how long it still takes."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from rich import progress as bars
from rich.console import Console
from rich.text import Text

from cdpipe.engine.run.observer import (
    Event,
    PartBegan,
    PartEnded,
    PartitionDone,
    PartitionsBegan,
    RunObserver,
    Said,
    StepBegan,
    StepCounted,
    word_event,
)
from cdpipe.plain import show_plain
from cdpipe.terminal.tables import open_console, print_line

_SLOWEST_S: Final = 3600.0
"""Longer than that, minutes are told."""


class _Pace(NamedTuple):
    """Rows of a survey or pass so far, and when it began."""

    start_s: float
    rows: int = 0

    def describe(self, now_s: float) -> str:
        elapsed_s = now_s - self.start_s
        if not self.rows or elapsed_s <= 0:
            return ""
        return f"{self.rows:,} rows, {self.rows / elapsed_s / 1e6:.2f}M/s"


class _TimeColumn(bars.ProgressColumn):
    """Seconds since a bar began, and how many it still takes."""

    def render(self, task: bars.Task) -> Text:
        passed = _show_seconds(task.finished_time if task.finished else task.elapsed)
        left = "" if task.finished or task.time_remaining is None else f", {_show_seconds(task.time_remaining)} left"
        return Text(passed + left)


class Progress(RunObserver):
    """Shows nothing but what it must: the base of those that show a run.

    Attributes
    ----------
    ended
        Parts that ended well, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []

    def see(self, event: Event) -> None:
        """Remember the parts that ended."""
        if isinstance(event, PartEnded):
            self.ended.append(event.part)

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show what happens in the block."""
        yield

    def say(self, sentence: str) -> None:
        """Show a sentence."""
        self.see(Said(sentence))


class LoggedProgress(Progress):
    """Has all of a run logged to standard error, each partition too."""

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Log what happens in the block."""
        logger, handler = logging.getLogger("cdpipe"), logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(handler)

    def say(self, sentence: str) -> None:
        """Log a sentence."""
        logging.getLogger("cdpipe").info("%s", show_plain(sentence))


class TerminalProgress(Progress):
    """Shows a run on a terminal: a line that moves for each part, sentences above; in a file, a line as each part ends.

    Parameters
    ----------
    console
        Where to; standard error, so that results can be piped.

    Examples
    --------
    >>> from cdpipe.engine.run.observer import Said
    >>> progress = TerminalProgress(Console(width=80))
    >>> with progress.showing():
    ...     progress.see(Said("projected memory, streaming: at most 0.4 GB of 24.0 GB"))
    projected memory, streaming: at most 0.4 GB of 24.0 GB
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._bars = bars.Progress(
            bars.SpinnerColumn(finished_text=" "),
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(bar_width=12),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[rate]}", markup=False),
            _TimeColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._shown: dict[str, bars.TaskID] = {}
        self._paces: dict[str, _Pace] = {}
        self._began_s: dict[str, float] = {}

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show what happens in the block; it can be shown in several."""
        with self._bars:
            try:
                yield
            finally:
                self._drop("")

    def see(self, event: Event) -> None:
        """Show an event."""
        super().see(event)
        match event:
            case Said(sentence):
                self.say(sentence)
            case StepBegan():
                self._show_step(word_event(event))
                if not (event.is_brief or self._console.is_terminal):
                    self.say(word_event(event))
            case StepCounted(name, done, total):
                self._count(name, done, total)
            case PartBegan(part):
                self._began_s[part] = time.monotonic()
                self._show_step(part)
            case PartitionsBegan(part, total):
                self._begin(part, total)
            case PartitionDone():
                self._move(event)
            case PartEnded(part):
                self._end(part)

    def say(self, sentence: str) -> None:
        """Print a sentence that nothing colours."""
        print_line(self._console, sentence)

    def _show_step(self, name: str) -> None:
        """Show what has no partitions, instead of the step before."""
        self._drop("")
        self._shown[""] = self._bars.add_task(show_plain(name), total=None, rate="")

    def _count(self, name: str, done: int, total: int) -> None:
        if name not in self._shown:
            self._drop("")
            self._shown[name] = self._bars.add_task(show_plain(name), total=total, rate="")
        self._bars.update(self._shown[name], completed=done)

    def _begin(self, part: str, total: int) -> None:
        self._drop("")
        self._drop(part)  # it begins anew
        self._shown[part] = self._bars.add_task(show_plain(part), total=total, rate="")
        self._paces[part] = _Pace(time.monotonic())

    def _move(self, event: PartitionDone) -> None:
        pace = self._paces[event.part]
        pace = pace._replace(rows=pace.rows + event.outcome.rows)
        self._paces[event.part] = pace
        self._bars.update(self._shown[event.part], completed=event.done, rate=pace.describe(time.monotonic()))

    def _end(self, part: str) -> None:
        self._drop("")
        if not self._console.is_terminal:
            passed_s = time.monotonic() - self._began_s[part]
            pace = self._paces.get(part)
            rows = f"{pace.rows:,} rows, " if pace else ""
            self.say(f"{part}: {rows}{_show_seconds(passed_s)}")

    def _drop(self, part: str) -> None:
        if part in self._shown:
            self._bars.remove_task(self._shown.pop(part))


def _show_seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds >= _SLOWEST_S:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def choose_progress(*, quiet: bool = False, verbose: bool = False) -> Progress:
    """Return what shows a run on standard error: nothing, a log, or lines that move."""
    if quiet:
        return Progress()
    return LoggedProgress() if verbose else TerminalProgress(_open_apart())


def _open_apart() -> Console:
    """Return standard error; a terminal by a descriptor of its own, which nothing holds back while workers start."""
    console = open_console(stderr=True)
    if console.is_terminal:
        with suppress(OSError, ValueError):  # no file behind the stream
            own = os.dup(sys.stderr.fileno())
            console.file = open(own, "w", encoding=sys.stderr.encoding, errors="backslashreplace")  # noqa: PTH123, SIM115
    return console
