"""A whole process: it is run to its end, and what its tree held in memory is watched from outside."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Final

from benchmarks._memory_watch import list_tree, resident

LOOK_SECONDS: Final = 0.01
_TOLD: Final = 2_000
"""Of what a program that failed has said: so many characters, the last ones."""


class ProgramError(OSError):
    """A program of the comparison failed; the message has its last words."""


def run(command: Sequence[str]) -> float | None:
    """Run a program; return the peak memory of its tree in MB of 1e6 bytes.

    It is the kernel's own record of the first process (`VmHWM`, mapped files count), and the most that its
    descendants held together at any look. Pages that they share count twice, against whoever starts them.

    Raises
    ------
    ProgramError
        If it fails.
    """
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
        watch = _Watch(process.pid)
        try:
            status = process.wait()
        finally:
            watch.end()
        if status:
            words.seek(0)
            said = words.read().decode(errors="replace")[-_TOLD:]
            raise ProgramError(f"{command[0]} ended with status {status}: {said}")
    return watch.peak_mb


class _Watch:
    """A thread that looks at a process and its descendants: some 50 µs a look, whoever is measured."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._record = self._others = 0
        self._ended = Event()
        self._thread = Thread(target=self._look)
        self._thread.start()

    @property
    def peak_mb(self) -> float | None:
        """The peak, None where the kernel keeps no record."""
        return (self._record + self._others) / 1e6 if self._record else None

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self._record = max(self._record, _record_bytes(self._pid))
            self._others = max(self._others, resident(list_tree(self._pid) - {self._pid}))


def _record_bytes(pid: int) -> int:
    """Return the most that a process has held, 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    _, found, rest = status.partition("VmHWM:")
    return int(rest.split()[0]) * 1024 if found else 0
