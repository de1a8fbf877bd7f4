"""Ctrl-C: an interrupt ends what it was meant for, wherever it falls.

Python calls some functions where an exception has nowhere to go: callbacks of the garbage collector and of weak
references, `__del__`, functions that a C library calls. A `KeyboardInterrupt` that is raised there is printed, and
forgotten: the work goes on and ends well. So an interrupt is noted here, and raised again until it has ended the work.
"""

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import CodeType, FrameType, FunctionType, TracebackType
from typing import Any, Final, Self, TypeVar, cast

STATUS: Final = 130
"""Exit status of a command that was interrupted: 128 and the number of the signal, as shells have it."""

_AGAIN_S: Final = 0.01
"""What was fallen into has most likely ended by then."""

_UNINTERRUPTED: Final[set[CodeType]] = set()

_F = TypeVar("_F", bound=Callable[..., Any])


def uninterrupted(function: _F) -> _F:
    """Have an interrupt wait for the end of a function, in a block of `heeding_interrupts`; then it comes again.

    For what takes or gives back something, and must not be left between the two: there is no moment between the call
    and the first line, as there is before any `try`. It must not wait for others.
    """
    _UNINTERRUPTED.add(cast("FunctionType", function).__code__)
    return function


class heeding_interrupts:  # noqa: N801 - used as a block, like `contextlib.suppress`
    """Have an interrupt end the block by `KeyboardInterrupt`, for certain, at the latest as the block ends.

    Outside the main thread, which alone gets signals, and where somebody else handles `SIGINT` or ignores it, this does
    nothing. A block within such a block is ended so too, by the handler of the outer one. Python's own handler is back
    at the end, and what was put into `held` is released.

    Raises
    ------
    KeyboardInterrupt
        From the error that it led to, if any: whoever interrupts the work does not ask how it ends.
    """

    def __init__(self) -> None:
        self._is_noted = self._is_forgotten = False
        self.is_holding = False
        self.held = ExitStack()
        """What the block took, to be released at its end, which no interrupt cuts short: put in what a function of
        `uninterrupted` takes, and nothing is taken without being in here."""
        self._is_heeding = self._is_closing = self._is_closed = False
        self._lock = threading.Lock()
        self._hook: Callable[[Any], object] = sys.unraisablehook
        self._ours: Callable[[Any], object] = self._take_ignored

    @uninterrupted
    def __enter__(self) -> Self:
        """Begin, if this is the outermost block, of the main thread."""
        check_interrupt()
        is_pythons = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if threading.current_thread() is threading.main_thread() and not _HEEDING and is_pythons:
            signal.signal(signal.SIGINT, self._interrupt)
            self._is_heeding = True
            _HEEDING.append(self)
            self._hook, sys.unraisablehook = sys.unraisablehook, self._ours
        return self

    @uninterrupted
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End, by a `KeyboardInterrupt` if there was an interrupt that did not end the block."""
        try:
            self.held.close()
        finally:
            self._end(kind, error)

    def _end(self, kind: type[BaseException] | None, error: BaseException | None) -> None:
        if not self._is_heeding:
            if kind is None or issubclass(kind, Exception):
                check_interrupt(error)
            return
        self._is_closing = True  # from here on an interrupt is noted alone
        with self._lock:
            self._is_closed = True
        if sys.unraisablehook is self._ours:
            sys.unraisablehook = self._hook
        _HEEDING.remove(self)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._is_noted and (kind is None or issubclass(kind, Exception)):
            raise KeyboardInterrupt from error

    def raise_noted(self, error: BaseException | None) -> None:
        """Raise the interrupt that was noted, if there is one: where this is called nothing forgets it."""
        if self._is_noted:
            self._is_noted = self._is_forgotten = False
            raise KeyboardInterrupt from error

    def _interrupt(self, _number: int, frame: FrameType | None) -> None:
        self._is_noted, self._is_forgotten = True, False
        if self._is_closing or self.is_holding:
            return
        while frame is not None:
            if frame.f_code in _UNINTERRUPTED:
                self._let_come_again()
                return
            frame = frame.f_back
        raise KeyboardInterrupt

    def _take_ignored(self, ignored: Any) -> None:  # noqa: ANN401 - `sys.UnraisableHookArgs` is a word of type checkers
        """Have an interrupt that nobody could receive come again; pass on what else comes."""
        if not (issubclass(ignored.exc_type, KeyboardInterrupt) and self._is_noted):
            self._hook(ignored)
            return
        self._let_come_again()

    def _let_come_again(self) -> None:
        self._is_forgotten = True
        # Raised at once it would be ignored again, or come too early. A thread of `threading` takes locks that the code
        # fallen into may hold.
        with suppress(RuntimeError):  # no thread can be had: then the next check raises it
            _thread.start_new_thread(self._come_again, ())

    def _come_again(self) -> None:
        time.sleep(_AGAIN_S)
        with self._lock:
            if self._is_forgotten and not self._is_closed:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


_HEEDING: Final[list[heeding_interrupts]] = []
"""The outermost block that heeds interrupts now, if any."""


def check_interrupt(error: BaseException | None = None) -> None:
    """Raise an interrupt that has come and was forgotten; to be called where work could end.

    Parameters
    ----------
    error
        What it led to, if anything.

    Raises
    ------
    KeyboardInterrupt
        If there was one in a block of `heeding_interrupts`; once.
    """
    if _HEEDING and threading.current_thread() is threading.main_thread():
        _HEEDING[0].raise_noted(error)


def forget_unhandled() -> None:
    """Have Python end by the exit status it is given, once an interrupt is dealt with.

    Python notes an interrupt that leaves `exec` or `eval` of a text, which makes named tuples and data classes. Started
    by `-m`, it would at its end kill itself by the signal, whoever caught it since. Another such call clears the note.
    """
    exec("")  # noqa: S102 - see above


@contextmanager
def holding_interrupts() -> Iterator[None]:
    """Have an interrupt wait for the end of the block, for what must not be left half done and takes seconds.

    Threads that are started in the block get no interrupt ever, nor do processes that these start.

    Raises
    ------
    KeyboardInterrupt
        As the block ends, if there was an interrupt: what the block made must be in hands that release it by then.
    """
    with heeding_interrupts():
        if not _HEEDING or threading.current_thread() is not threading.main_thread():
            yield
            return
        heeding = _HEEDING[0]
        heeding.is_holding = True
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            heeding.is_holding = False
