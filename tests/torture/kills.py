"""Kills: runs that end by `kill -9` at each point that changes the disk, at random moments, two beside each other."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .crashpoints import Fault
from .ground import Ended, Ground, Place, Reference, check, judge_state, last_line
from .tally import Tally

KILLED: Final = -9
SCENES: Final = ("cold", "earlier", "warm")
"""No results and an empty cache; earlier results of another input; these, and all that the run needs in the cache."""

_COMMAND: Final = (sys.executable, "-c", "from cdpipe.cli import main; main()", "run")
_EXCHANGE: Final = 0.6
"""Share of a run's points behind which results are exchanged: there, earlier ones must stay whole."""

_WHOLE_PROCESSES: Final = 8
"""One of so many random kills is of a process that was started as a user would, imports and all."""


def kill_at_points(ground: Ground, tries: int, deadline: float) -> Tally:
    """Kill runs at points spread over all of a run's, and look at the next run."""
    tally = Tally("kill at each point")
    new, old = ground.refer(ground.source), ground.refer(ground.earlier)
    place = ground.make_place("points")
    for scene, number in spread(SCENES, tries):
        points = count_points(ground, place, scene, old)
        start, step = ground.random.random(), len(points) / number
        for each in range(number):
            if time.monotonic() > deadline:
                tally.skipped = f"{tally.tries} of {tries} in the time there was"
                return tally
            point = min(int((each + start) * step), len(points) - 1)
            set_scene(place, scene, old)
            [ended] = ground.run(place.asked(ground.source, fault=Fault("kill", str(place.root), point)))
            if ended.status == KILLED:
                tally.tries += 1
                where = f"{scene}, point {point} of {len(points)} ({points[point]})"
                whole = scene != "cold" and point > _EXCHANGE * len(points)
                _judge(tally, place, where, new, old if whole else None)
    return tally


def kill_at_random(ground: Ground, tries: int, deadline: float) -> Tally:
    """Kill runs at random moments; some of them processes of their own."""
    tally = Tally("kill at random")
    new, old = ground.refer(ground.source), ground.refer(ground.earlier)
    place = ground.make_place("random")
    seconds = {whole: measure(ground, place, whole=whole) for whole in (False, True)}
    for each in range(tries):
        if time.monotonic() > deadline:
            tally.skipped = f"{tally.tries} of {tries} in the time there was"
            break
        scene, whole = SCENES[each % len(SCENES)], each % _WHOLE_PROCESSES == 0
        set_scene(place, scene, old)
        moment = ground.random.uniform(0, seconds[whole])
        ended = _start(ground, place, moment) if whole else ground.run(place.asked(ground.source, kill_after=moment))[0]
        if ended.status == KILLED:
            tally.tries += 1
            _judge(tally, place, f"{scene}, after {moment:.3f} s", new, old if scene != "cold" and each % 2 else None)
    return tally


def kill_beside(ground: Ground, tries: int, deadline: float) -> Tally:
    """Run two processes on one cache and kill one or both; the other one must not notice."""
    tally = Tally("kill, one cache for two")
    new, old = ground.refer(ground.source), ground.refer(ground.earlier)
    first = ground.make_place("first")
    places = (first, ground.make_place("second", cache=first.cache))
    sources = (ground.source, ground.source, ground.earlier)
    seconds = measure(ground, first, whole=False) * 2
    while tally.tries < tries:
        if time.monotonic() > deadline:
            tally.skipped = f"{tally.tries} of {tries} in the time there was"
            break
        first.forget()
        inputs = ground.random.sample(sources, 2)
        moments = [ground.random.uniform(0, seconds), ground.random.choice((None, ground.random.uniform(0, seconds)))]
        for each in places:
            each.restore(None)
        asked = [place.asked(source) for place, source in zip(places, inputs, strict=True)]
        ends = ground.run(*({**each, "kill_after": moment} for each, moment in zip(asked, moments, strict=True)))
        where = f"killed after {moments} s"
        tally.tries += sum(ended.status == KILLED for ended in ends)
        for ended in ends:
            if ended.status not in (0, KILLED):
                tally.note("wrong", [f"the other run ended with {ended.status}: {last_line(ended.said)}"], where)
        tally.note("leftovers", ground.await_end(), where)
        first.age()
        for place, source, again, ended in zip(places, inputs, asked, ground.run(*asked), strict=True):
            check(tally, place, ended, new if source == ground.source else old, where, again=again)
    return tally


def spread(names: tuple[str, ...], tries: int) -> Iterator[tuple[str, int]]:
    """Give each name its part of so many tries."""
    for place, name in enumerate(names):
        number = (tries + place) // len(names)
        if number:
            yield name, number


def set_scene(place: Place, scene: str, old: Reference) -> None:
    """Make a place what a scene says; for a warm cache it has run before."""
    if scene != "warm":
        place.forget()
    place.restore(None if scene == "cold" else old.kept)


def count_points(ground: Ground, place: Place, scene: str, old: Reference) -> list[str]:
    """Run without disturbance, and return what it changes on the disk, in order."""
    if scene == "warm":
        ground.run(place.asked(ground.source))
    set_scene(place, scene, old)
    asked = place.asked(ground.source, fault=Fault("count", str(place.root)))
    [ended] = ground.run(asked)
    if ended.status != 0:
        raise RuntimeError(f"a run without disturbance ended with {ended.status}: {ended.said}")
    return Path(asked["log"] + ".points").read_text().splitlines()


def measure(ground: Ground, place: Place, *, whole: bool) -> float:
    """Return how many seconds a run takes, from an empty cache."""
    place.forget()
    return (_start(ground, place, None) if whole else ground.run(place.asked(ground.source))[0]).seconds


def _start(ground: Ground, place: Place, kill_after: float | None) -> Ended:
    """Start a run as a process of its own, and kill it after so many seconds."""
    asked = place.asked(ground.source)
    since = time.monotonic()
    with Path(asked["log"]).open("wb") as log:
        process = subprocess.Popen(
            [*_COMMAND, asked["config"]], stdout=log, stderr=log, env=ground.environment | {"TMPDIR": asked["tmp"]}
        )
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    said = Path(asked["log"]).read_text(errors="replace")
    return Ended(process.returncode, time.monotonic() - since, hangs=False, said=said)


def _judge(tally: Tally, place: Place, where: str, new: Reference, old: Reference | None) -> None:
    """Judge what a killed run left, by the runs after it: with earlier results, first by one that has no messages."""
    ground = place.ground
    tally.note("leftovers", ground.await_end(), where)
    if old is not None:
        [ended] = ground.run(place.asked(ground.empty))
        if ended.status == 0:
            tally.note("wrong", ["a run of an input without messages ended well"], where)
        tally.note("wrong", judge_state(place, old, new), f"{where}, after a run that failed")
    place.age()
    asked = place.asked(ground.source)
    [ended] = ground.run(asked)
    check(tally, place, ended, new, where, again=asked)
