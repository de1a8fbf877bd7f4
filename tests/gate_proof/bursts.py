"""Bursts: another process that has a core for a stated part of the time, beside both sides or beside one alone."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SCRIPT: Final = """
import pathlib, sys, time
duty, period, side = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3]

def is_running():
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if f"/gate/{side}/".encode() in (entry / "cmdline").read_bytes():
                return True
        except OSError:
            pass
    return False

while True:
    if side and not is_running():
        time.sleep(0.05)
        continue
    end = time.perf_counter() + duty * period
    while time.perf_counter() < end:
        sum(range(1000))
    time.sleep((1 - duty) * period)
"""


@contextmanager
def burst(duty: float, *, period_s: float = 4.0, side: str = "") -> Iterator[None]:
    """Have another process compute for a part of each period, while the block runs.

    Parameters
    ----------
    duty
        Part of the period in which it has a core; 0 for none.
    period_s
        Seconds from one burst to the next.
    side
        `base` or `head`: only while a process of that side runs; `""` for always.
    """
    if duty <= 0:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", _SCRIPT, str(duty), str(period_s), side])
    try:
        yield
    finally:
        process.kill()
        process.wait()
