"""The command: every kind of torture in turn, each problem as it is seen, and the table at the end."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import click

from .disks import fill_at_points, fill_disk
from .flips import flip_bits
from .ground import Ground, open_ground
from .kills import kill_at_points, kill_at_random, kill_beside
from .tally import Tally, write_table
from .workers import kill_workers


class Kind(NamedTuple):
    """A kind of torture: how often in full, and in a quick round, which also ends after a share of its time."""

    name: str
    torture: Callable[[Ground, int, float], Tally | Sequence[Tally]]
    tries: int
    quick: int
    share: float


KINDS: Final = (
    Kind("points", kill_at_points, 330, 30, 0.30),
    Kind("random", kill_at_random, 120, 9, 0.12),
    Kind("beside", kill_beside, 80, 6, 0.10),
    Kind("workers", kill_workers, 102, 3, 0.15),
    Kind("flips", flip_bits, 240, 24, 0.15),
    Kind("full", fill_at_points, 120, 12, 0.12),
    Kind("disk", fill_disk, 16, 3, 0.06),
)
_QUICK_SECONDS: Final = 270.0
_FOREVER: Final = 1e9


def torture(kinds: Sequence[Kind], *, quick: bool, seed: int, folder: Path | None = None) -> list[Tally]:
    """Do what each kind does, printing what goes wrong as it is seen."""
    tallies: list[Tally] = []
    total = sum(kind.share for kind in kinds)
    with open_ground(seed, folder) as ground:
        for kind in kinds:
            seconds = _QUICK_SECONDS * kind.share / total if quick else _FOREVER
            since = time.monotonic()
            done = kind.torture(ground, kind.quick if quick else kind.tries, since + seconds)
            found = [done] if isinstance(done, Tally) else [*done]
            for each in found:
                for sentence in each.said:
                    click.echo(sentence)
            tried = sum(each.tries for each in found)
            click.echo(f"{kind.name}: {tried} tries in {time.monotonic() - since:.0f} s")
            tallies += found
    return tallies


def main() -> None:
    """Be the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--quick", choices=("", "0", "1"), default="", help="1: some of each kind, 5 minutes in all")
    parser.add_argument("--seed", default="", help="of what is random; by default the time, which is printed")
    parser.add_argument(
        "--only", default="", help=f"kinds whose name has this in it: {', '.join(k.name for k in KINDS)}"
    )
    said = parser.parse_args()
    kinds = [kind for kind in KINDS if said.only in kind.name]
    if not kinds:
        parser.error(f"no kind has {said.only!r} in its name: {', '.join(kind.name for kind in KINDS)}")
    seed = int(said.seed) if said.seed else int(time.time())
    click.echo(f"seed {seed}")
    tallies = torture(kinds, quick=said.quick == "1", seed=seed)
    click.echo(write_table(tallies))
    sys.exit(0 if all(each.is_clean for each in tallies) else 1)
