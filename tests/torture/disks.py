"""Full disks: at each point of a run that needs room there is none, in one place and on a small disk of its own."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .crashpoints import FILLING, Fault
from .ground import Ended, Ground, Place, Reference, check, judge_state, last_line
from .kills import count_points, set_scene, spread
from .tally import Tally

_ACTIONS: Final = ("full", "full once", "short")
_LEAST_BYTES: Final = 96_000
"""A disk on which the user's own files and a configuration find room."""


def fill_at_points(ground: Ground, tries: int, deadline: float) -> Tally:
    """Let the disk be full at points spread over all that need room, once or from then on."""
    tally = Tally("full disk at each write")
    new, old = ground.refer(ground.source), ground.refer(ground.earlier)
    place = ground.make_place("full")
    for action, number in spread(_ACTIONS, tries):
        needing = {"write"} if action == "short" else FILLING
        points = [each for each in count_points(ground, place, "earlier", old) if each.partition(" ")[0] in needing]
        for each in range(number):
            if time.monotonic() > deadline:
                tally.skipped = f"{tally.tries} of {tries} in the time there was"
                return tally
            point = int((each + ground.random.random()) * len(points) / number)
            set_scene(place, "earlier", old)
            [ended] = ground.run(place.asked(ground.source, fault=Fault(action, str(place.root), point)))
            tally.tries += 1
            where = f"{action}, point {point} of {len(points)} ({points[min(point, len(points) - 1)]})"
            _judge(tally, place, ended, where, new, old)
    return tally


def fill_disk(ground: Ground, tries: int, deadline: float) -> Tally:
    """Run on disks of their own that are too small by more or less, then on one that is larger."""
    tally = Tally("full disk, a real one")
    if os.geteuid() != 0 or shutil.which("mount") is None:
        tally.skipped = "skipped: only root can mount a small disk"
        return tally
    new, old = ground.refer(ground.source), ground.refer(ground.earlier)
    place = ground.make_place("size")
    place.restore(old.kept)
    ground.run(place.asked(ground.source))
    need = sum(path.stat().st_size for path in place.root.rglob("*") if path.is_file())
    for each in range(tries):
        if time.monotonic() > deadline:
            tally.skipped = f"{tally.tries} of {tries} in the time there was"
            break
        size = _LEAST_BYTES + int((need - _LEAST_BYTES) * (each + ground.random.random()) / tries)
        root = ground.root / f"disk-{each}"
        try:
            with _mounted(root, 8 * need) as resize:
                disk = Place(ground, root)
                disk.restore(old.kept)
                used = sum(path.stat().st_blocks * 512 for path in root.rglob("*"))
                resize(used + size)
                [ended] = ground.run(disk.asked(ground.source))
                resize(8 * need)
                if ended.status != 0:
                    tally.tries += 1
                    _judge(tally, disk, ended, f"{size:,} bytes of room", new, old)
        except OSError as error:
            tally.skipped = f"skipped: {error}"
            break
    return tally


@contextmanager
def _mounted(root: Path, size: int) -> Iterator[object]:
    """Mount a disk in memory; yields a function that gives it another size."""
    root.mkdir()

    def mount(options: str) -> None:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "torture", str(root)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise OSError(f"no disk can be mounted here ({done.stderr.strip()})")

    mount(f"size={size}")
    try:
        yield lambda other: mount(f"remount,size={other}")
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=True)


def _judge(tally: Tally, place: Place, ended: Ended, where: str, new: Reference, old: Reference) -> None:
    """Judge a run that found no room: one sentence that names where, earlier results as they were; then the next."""
    ground = place.ground
    if ended.status != 0:
        if not ended.explains_itself:
            tally.note("wrong", [f"ended with {ended.status}, not by one sentence: {last_line(ended.said)}"], where)
        elif str(place.root) not in ended.said.partition("cdpipe: ")[2]:
            tally.note("wrong", [f"names no path: {last_line(ended.said)}"], where)
    tally.note("wrong", judge_state(place, old, new), where)
    tally.note("leftovers", ground.await_end(), where)
    place.age()
    asked = place.asked(ground.source)
    [ended] = ground.run(asked)
    check(tally, place, ended, new, where, again=asked)
