"""The terminal: streams that take any text, and errors said in one sentence that cannot write over it."""

import os
import select
import sys
import tempfile
import traceback
from contextlib import suppress
from typing import Final

from cdpipe.interrupts import STATUS
from cdpipe.oserrors import explain_os_error
from cdpipe.plain import break_lines, show_plain

MENDABLE: Final = 1
FAULT: Final = 70
"""Exit status of an error that nobody foresaw, `EX_SOFTWARE` of sysexits.h."""

_COLUMNS: Final = 80
"""Of a terminal that does not say how wide it is."""

_ANEW: Final = "the same command starts anew"
_STREAMS: Final = ("stdin", "stdout", "stderr")


def open_streams() -> None:
    """Make standard output and error take any text, as escapes where their encoding has no sign for it.

    A stream that was closed leads nowhere from then on: else the first file opened would get its number.
    """
    for name in _STREAMS:
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif name != "stdin" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def ended_reader() -> bool:
    """Return True if nobody reads standard output any more: `cdpipe … | head`."""
    try:
        polled = select.poll()
        polled.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in polled.poll(0))
    except (AttributeError, OSError, ValueError):  # no such call, or no file behind the stream
        return False


def tell_error(error: Exception) -> int:
    """Print an error to standard error and return the exit status that it stands for.

    Errors of ours, and of values, files and memory are sentences. Any other is a fault of cdpipe: what a developer
    needs of it is kept in a temporary file, for a run of hours is not soon repeated.
    """
    _give_up_output(error)
    is_ours = type(error).__module__.partition(".")[0] == "cdpipe"
    if is_ours or isinstance(error, ValueError | OSError | MemoryError):
        _print(f"cdpipe: {word_error(error)}")
        return MENDABLE
    said = show_plain(f"{type(error).__name__}: {error}".removesuffix(": "))
    kept = _keep_trace(error)
    _print(f"cdpipe: {said}; this is a fault of cdpipe: report it with {kept}, or run again with --debug")
    return FAULT


def tell_interrupt(interrupt: BaseException) -> int:
    """Print to standard error that Ctrl-C ended the command, and return the exit status that it stands for.

    Notes on the interrupt, or on what it came from, say what is kept and how to go on.
    """
    notes: list[str] = []
    error: BaseException | None = interrupt
    while error is not None:
        notes += getattr(error, "__notes__", [])
        error = error.__cause__ or error.__context__
    said = "; ".join(["interrupted", "nothing unfinished was published", *map(show_plain, notes or [_ANEW])])
    _print(f"cdpipe: {said}")
    return STATUS


def word_error(error: Exception) -> str:
    """Return what an error says, without signs that would not print; a wrong configuration says a line a problem."""
    from pydantic import ValidationError  # noqa: PLC0415 - start-up

    from cdpipe.config.file import ConfigError  # noqa: PLC0415 - start-up

    if isinstance(error, OSError):
        return show_plain(explain_os_error(error))
    if isinstance(error, UnicodeEncodeError):
        return show_plain(
            f"{error.object!r}: has signs beyond {error.encoding}, in which this system writes names; run with "
            "LC_ALL=C.UTF-8, or choose another name"
        )
    if isinstance(error, ValidationError):
        return show_plain("; ".join(each["msg"].removeprefix("Value error, ") for each in error.errors()))
    if isinstance(error, MemoryError) and not str(error):
        return "memory is used up; lower gather.block_mb or session.threads_per_worker"
    lines = str(error).split("\n") if isinstance(error, ConfigError) else [str(error)]
    return "\n".join(map(show_plain, lines)) or type(error).__name__


def _give_up_output(error: Exception) -> None:
    """Name standard output in an error if it is what cannot be written, and write no more to it."""
    try:
        sys.stdout.flush()
    except OSError:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = "standard output"
        # What is still to be written would fail again as Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _keep_trace(error: Exception) -> str:
    """Write where an error arose to a temporary file and return its path; print it where no file can be made."""
    trace = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="cdpipe-fault-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as stream:
            stream.write(trace)
    except OSError:
        _print(trace)
        return "the lines above"
    return stream.name


def _print(text: str) -> None:
    """Print to standard error; on a terminal lines break between words."""
    with suppress(OSError, ValueError):  # no file behind the stream
        if sys.stderr.isatty():
            text = break_lines(text, os.get_terminal_size(sys.stderr.fileno()).columns or _COLUMNS)
    try:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - who reads it is a person
    except OSError:  # nobody can be told
        return
