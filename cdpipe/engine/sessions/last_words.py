"""Last words: what worker processes write to standard error as they start, and how they ended if they did."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Final
from uuid import uuid4

_ONE_AT_A_TIME: Final = threading.Lock()
"""Standard error is the process's: two clusters that start at once would hand each other's back."""

_NANNY: Final = logging.getLogger("distributed.nanny")
_READ_BYTES: Final = 65536
_PATIENCE_SECONDS: Final = 5.0


class LastWords:
    """What was written while it was held back; `pass_on` gives it, and all that follows, to who would have got it."""

    def __init__(self) -> None:
        self._deaths: list[str] = []
        self._text, self._passes = b"", False
        self._lock = threading.Lock()
        self._target: int | None = None

    @property
    def death(self) -> str:
        """How the first process ended that did, as "worker process 17 exited with status 1"; empty if unknown."""
        return self._deaths[0] if self._deaths else ""

    @property
    def text(self) -> str:
        """All that was written."""
        return self._text.decode(errors="replace")

    @property
    def last_line(self) -> str:
        """The last line that says something; of a traceback that is the error."""
        return next((line.strip() for line in reversed(self.text.splitlines()) if line.strip()), "")

    def pass_on(self) -> None:
        """Hold nothing back any more."""
        with self._lock:
            self._passes = True
            self._send(self._text)

    def _take(self, written: bytes) -> None:
        with self._lock:
            if self._passes:
                self._send(written)
            else:
                self._text += written

    def _close(self) -> None:
        with self._lock:
            if self._target is not None:
                os.close(self._target)
            self._target = None

    def _send(self, written: bytes) -> None:
        with suppress(OSError):  # nobody reads there any more
            while written and self._target is not None:
                written = written[os.write(self._target, written) :]


class _Listener(logging.Handler):
    """Hears from Dask's nannies how their workers ended."""

    def __init__(self, deaths: list[str]) -> None:
        super().__init__(logging.INFO)
        self._deaths = deaths

    def emit(self, record: logging.LogRecord) -> None:
        """Note it."""
        message = record.getMessage()
        if message.startswith("Worker process "):
            self._deaths.append(message[0].lower() + message[1:])


@contextmanager
def hearing_last_words() -> Iterator[LastWords]:
    """Hold back what processes that are started in the block write to standard error; this process's too, meanwhile.

    Yields
    ------
    LastWords
        Complete when the block ends.
    """
    words = LastWords()
    listener = _Listener(words._deaths)
    resource_tracker.ensure_running()  # it outlives the block, and is no worker
    _NANNY.addHandler(listener)
    try:
        with _ONE_AT_A_TIME, _holding_back(words):
            yield words
    finally:
        _NANNY.removeHandler(listener)


@contextmanager
def _holding_back(words: LastWords) -> Iterator[None]:
    try:
        words._target = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    end, complete = uuid4().bytes, threading.Event()
    source, sink = os.pipe()
    # Workers hold the pipe as long as they live, so it is read as long.
    threading.Thread(target=_pump, args=(source, words, end, complete), daemon=True).start()
    os.dup2(sink, 2)
    os.close(sink)
    try:
        yield
    finally:
        os.write(2, end)
        os.dup2(words._target, 2)
        complete.wait(_PATIENCE_SECONDS)


def _pump(source: int, words: LastWords, end: bytes, complete: threading.Event) -> None:
    """Hand on what comes, until every process that could write has ended; what came before `end` is complete there."""
    kept = b""  # the beginning of `end`, perhaps
    while read := os.read(source, _READ_BYTES):
        kept += read
        before, found, after = kept.partition(end)
        if found:
            words._take(before + after)
            complete.set()
            break
        if len(kept) >= len(end):
            words._take(kept[: 1 - len(end)])
            kept = kept[1 - len(end) :]
    while read := os.read(source, _READ_BYTES):
        words._take(read)
    os.close(source)
    words._close()
