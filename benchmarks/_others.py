"""Other programs: the share of the processors that they took while a command ran.

All processor time of the machine is counted, less that of the command and of all its descendants that have ended.
"""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

QUIET_SHARE: Final = 0.1
"""Up to this share of the processors the machine counts as quiet."""

NOT_BUSY: Final = frozenset({"idle", "iowait", "guest", "guest_nice"})
"""Fields of `psutil.cpu_times` without work, or counted as user time already."""


def run(command: Sequence[str], note: Path) -> int:
    """Run a command and return its exit status; write one line into `note` if other programs were busy, else nothing.

    Raises
    ------
    OSError
        If there is no such command, or the note cannot be written.
    """
    before, start = _others_seconds(), time.monotonic()
    # Ctrl-C reaches the command too, which ends by it; a handler, unlike SIG_IGN, is not handed on to it.
    handler = signal.signal(signal.SIGINT, _leave_to_command)
    try:
        status = subprocess.call(command)
    finally:
        signal.signal(signal.SIGINT, handler)
    capacity = len(_processor_times()) * (time.monotonic() - start)
    note.write_text(describe((_others_seconds() - before) / capacity), encoding="utf-8")
    return status if status >= 0 else 128 - status


def describe(share: float) -> str:
    """Return the line on the other programs' share of the processors; nothing for a quiet machine."""
    if share <= QUIET_SHARE:
        return ""
    return (
        f"Other programs took {share:.0%} of the processors meanwhile (quiet is up to {QUIET_SHARE:.0%}): "
        "the times above are not those of a quiet machine; measure again.\n"
    )


def _others_seconds() -> float:
    """Return the processor time that everything has used but this process's descendants."""
    busy = sum(value for each in _processor_times() for name, value in each.items() if name not in NOT_BUSY)
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return busy - own.ru_utime - own.ru_stime


def _processor_times() -> list[dict[str, float]]:
    """Return what each processor that this process may use has spent its time on, in seconds."""
    import psutil  # here: asv imports this module in every process, whose memory is measured

    times = [each._asdict() for each in psutil.cpu_times(percpu=True)]
    if hasattr(os, "sched_getaffinity"):  # Linux; a container may number processors otherwise
        return [each for index, each in enumerate(times) if index in os.sched_getaffinity(0)] or times
    return times


def _leave_to_command(number: int, frame: FrameType | None) -> None:
    """Do nothing about a signal."""
