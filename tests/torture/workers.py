"""Workers: those of a local cluster are killed while they work, several in a run."""

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from .ground import Ended, Ground, Place, check
from .tally import Tally

_COMMAND: Final = (sys.executable, "-c", "from cdpipe.cli import main; main()", "run")
_KILLS: Final = 3
"""In a run: dask gives up a task at the fourth worker that dies of it, and cannot know that it was not to blame."""

_ROWS, _BLOCKS = 60_000, 60
_BEGUN: Final = "projected memory"
_HANGING_SECONDS: Final = 600.0


def kill_workers(ground: Ground, tries: int, deadline: float) -> Tally:
    """Kill workers of a local cluster at random moments of runs; each run must publish what one on threads does."""
    tally = Tally("kill of workers")
    source = ground.write_messages("many", seed=3, rows=_ROWS, blocks=_BLOCKS)
    reference = ground.refer(source)
    place = ground.make_place("workers", tables={"session": {"scheduler": "local", "workers": 2, "dashboard": False}})
    while tally.tries < tries:
        if time.monotonic() > deadline:
            tally.skipped = f"{tally.tries} of {tries} in the time there was"
            break
        place.forget()
        place.restore(None)
        ended, kills = _run(ground, place, source)
        if not kills:
            tally.skipped = "a run ended before a worker could be killed"
        tally.tries += kills
        where = f"{kills} kills in a run of {ended.seconds:.1f} s"
        if ended.hangs:
            tally.note("wrong", ["did not end"], where)
        tally.note("leftovers", ground.await_end(), where)
        check(tally, place, ended, reference, where, again=place.asked(source))
    return tally


def _run(ground: Ground, place: Place, source: Path) -> tuple[Ended, int]:
    asked, kills, since = place.asked(source), 0, time.monotonic()
    log = Path(asked["log"])
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*_COMMAND, asked["config"]],
            stdout=stream,
            stderr=stream,
            env=ground.environment | {"TMPDIR": asked["tmp"]},
        )
    pause = 0.0
    while process.poll() is None and time.monotonic() - since < _HANGING_SECONDS:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05 + pause)
        pause = 0.0
        if kills < _KILLS and _BEGUN in log.read_text(errors="replace") and (found := _find_workers(process.pid)):
            with suppress(psutil.NoSuchProcess):
                ground.random.choice(found).kill()
                kills += 1
                pause = ground.random.uniform(0, 1.5)
    hangs = process.poll() is None
    if hangs:
        process.kill()
        process.wait()
    said = log.read_text(errors="replace")
    return Ended(process.returncode, time.monotonic() - since, hangs=hangs, said=said), kills


def _find_workers(pid: int) -> list[psutil.Process]:
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
    return found
