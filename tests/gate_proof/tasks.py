"""Tasks: every comparison of the proof, in an order in which an early end is of use too; their records, a line each."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .plants import LEVELS, PLANTS


class Task(NamedTuple):
    """One comparison.

    Attributes
    ----------
    kind
        `equal`, `planted`, `burst` (either, beside another process) or `truth`: 100 pairs of a plant, undecided.
    plant, level
        Name of the plant and its size; `""` and 0 where nothing is planted.
    duty, side
        Of the bursts.
    turn
        Which of several like it.
    """

    kind: str
    plant: str = ""
    level: float = 0.0
    duty: float = 0.0
    side: str = ""
    turn: int = 0

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return "|".join(map(str, self))


def list_tasks(*, equal: int = 60, planted: int = 3, bursts: int = 12, truth: bool = True) -> list[Task]:
    """Return all tasks: equal commits and plants take turns, the truth of plants comes last.

    Parameters
    ----------
    equal
        Runs of equal commits.
    planted
        Runs of each plant at each level.
    bursts
        Runs of equal commits and of a planted 30 %, each, for each side of the bursts.
    truth
        Whether the truth of plants is measured.
    """
    plants = [
        Task("planted", each.name, level, turn=turn) for turn in range(planted) for level in LEVELS for each in PLANTS
    ]
    noisy = [
        Task("burst", name, level, duty, side, turn)
        for turn in range(bursts)
        for side, duty in (("head", 0.3), ("", 0.3))
        for name, level in (("", 0.0), ("clean/extra_pass", 0.30))
    ]
    same = [Task("equal", turn=turn) for turn in range(equal)]
    last = [Task("truth", each.name, level) for level in LEVELS for each in PLANTS] if truth else []
    return [*_mix([same, plants, noisy]), *last]


def list_quick_tasks() -> list[Task]:
    """Return one of each kind: what fits into ten minutes, environments and calibration included."""
    return [
        Task("planted", "clean/extra_pass", 0.30),
        Task("equal"),
        Task("burst", "clean/extra_pass", 0.30, 0.3, "head"),
    ]


def _mix(groups: Sequence[Sequence[Task]]) -> Iterator[Task]:
    """Yield from all groups evenly, so that an end at any time leaves each as far done as the others."""
    placed = [
        ((at + 0.5) / len(group), number, task) for number, group in enumerate(groups) for at, task in enumerate(group)
    ]
    yield from (task for _, _, task in sorted(placed, key=lambda each: each[:2]))


class Records:
    """What is done, a line each in a file: a run that ends early is taken up where it ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def read(self) -> list[dict[str, Any]]:
        """Return all records; a last line that was cut is no record."""
        if not self._path.exists():
            return []
        records = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                continue
        return records

    def add(self, record: dict[str, Any]) -> None:
        """Write one more."""
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(("" if not text or text.endswith("\n") else "\n") + json.dumps(record) + "\n")
