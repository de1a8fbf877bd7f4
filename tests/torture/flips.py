"""Flips: one bit of a cached entry is another one, in data, footers, manifests and rejects."""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .ground import Ground, Place, digest_results, last_line
from .tally import Tally

PARTS: Final = ("data", "footer", "manifest", "rejects")
STAGES: Final = ("features", "gather")
_MAGIC: Final = 4
_TAIL: Final = 8
"""Bytes at the end of a Parquet file: the footer's length, and its name."""


def flip_bits(ground: Ground, tries: int, deadline: float) -> list[Tally]:
    """Flip one bit of an entry that the next run would take, and look at that run and at the one after it."""
    tallies = [Tally(f"bit flip in {part}") for part in PARTS]
    tables = {"train": None}
    reference = ground.refer(ground.source, **tables)
    place = ground.make_place("flips", tables=tables)
    asked = place.asked(ground.source)
    ground.run(asked)
    pristine = ground.root / "pristine"
    assert place.cache is not None
    shutil.copytree(place.cache, pristine)
    for each in range(tries):
        tally, stage = tallies[each % len(PARTS)], STAGES[each // len(PARTS) % len(STAGES)]
        if time.monotonic() > deadline:
            for one in tallies:
                one.skipped = f"{one.tries} of {tries // len(PARTS)} in the time there was"
            break
        where = _flip(ground, place, stage, PARTS[each % len(PARTS)])
        tally.tries += 1
        before = sum(getattr(tally, name) for name in ("wrong", "unnoticed", "twice"))
        [ended] = ground.run(asked)
        if ended.status != 0:
            tally.note("wrong", [f"the run ended with {ended.status}: {last_line(ended.said)}"], where)
        else:
            tally.note("unnoticed", _judge(place, stage, reference.results), where)
            if "cache entry" not in ended.said:
                tally.note("wrong", ["nothing was said of it"], where)
        [second] = ground.run(asked)
        if second.status != 0:
            tally.note("twice", [f"the run after it ended with {second.status}: {last_line(second.said)}"], where)
        elif _cache(place).get("features") != "hit":
            tally.note("twice", ["the run after it did not find what was computed again"], where)
        tally.note("leftovers", place.find_leftovers(reference.names), where)
        tally.note("touched", place.find_touched(), where)
        if sum(getattr(tally, name) for name in ("wrong", "unnoticed", "twice")) > before:
            place.forget()
            shutil.copytree(pristine, place.cache, dirs_exist_ok=True)
            place.own = place.digest_own()
    return tallies


def _flip(ground: Ground, place: Place, stage: str, part: str) -> str:
    """Flip a random bit in the entry of a stage, which is the newest one; say where."""
    entries = {json.loads(path.read_text())["stage"]: path.parent for path in _manifests(place)}
    if stage == "gather":
        shutil.rmtree(entries["features"])
    path = _choose(ground, entries[stage], part)
    data = bytearray(path.read_bytes())
    footer = len(data) - _TAIL - int.from_bytes(data[-_TAIL:-_MAGIC], "little") if path.suffix == ".parquet" else 0
    first, stop = {"data": (_MAGIC, footer), "footer": (footer, len(data))}.get(part, (0, len(data)))
    byte, bit = ground.random.randrange(first, stop), ground.random.randrange(8)
    data[byte] ^= 1 << bit
    path.write_bytes(data)
    return f"bit {bit} of byte {byte} of {len(data)}, {stage}/{path.name}"


def _choose(ground: Ground, entry: Path, part: str) -> Path:
    names = {"manifest": "manifest.json", "rejects": "rejects.jsonl"}
    return entry / names[part] if part in names else ground.random.choice(sorted(entry.glob("part-*.parquet")))


def _manifests(place: Place) -> Sequence[Path]:
    assert place.cache is not None
    return sorted(place.cache.glob("??/*/manifest.json"))


def _judge(place: Place, stage: str, wanted: dict[str, str]) -> list[str]:
    """Return what a run published although an entry of that stage was damaged."""
    found = digest_results(place.out)
    said = [f"differs: {name}" for name in sorted(found | wanted) if found.get(name) != wanted.get(name)]
    return said or (["the damaged entry was taken"] if _cache(place).get(stage) == "hit" else [])


def _cache(place: Place) -> dict[str, str]:
    cache: dict[str, str] = json.loads((place.out / "report.json").read_text())["cache"]
    return cache
