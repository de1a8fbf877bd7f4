"""Tallies: what a kind of torture has tried, and what came of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

COUNTS: Final = ("wrong", "unnoticed", "leftovers", "touched", "twice")
HEADS: Final = ("kind", "tries", "wrong", "published unnoticed", "leftovers", "user files touched", "failed twice")
_SHOWN: Final = 5


@dataclass
class Tally:
    """Tries of one kind, and how many of them went wrong, by what went wrong.

    Attributes
    ----------
    tries
        Kills, flips or faults.
    wrong
        A run that failed where it should not, did not where it should, or left old and new results mixed.
    unnoticed
        A run that ended well, and what it published is not what a run without disturbance publishes.
    leftovers
        Scratch of a dead run that is there after the next run, or a process of one that lives on.
    touched
        User's own files that a run changed or removed.
    twice
        A run that fails again after the one that should have mended everything.
    said
        A sentence for each, in order.
    """

    kind: str
    tries: int = 0
    wrong: int = 0
    unnoticed: int = 0
    leftovers: int = 0
    touched: int = 0
    twice: int = 0
    skipped: str = ""
    said: list[str] = field(default_factory=list)

    def note(self, what: str, sentences: Iterable[str], where: str) -> None:
        """Count a try as gone wrong in one way, if there is anything to say of it."""
        found = list(sentences)
        if found:
            setattr(self, what, getattr(self, what) + 1)
            self.said.append(f"{self.kind}, {where}: {what}: {'; '.join(found[:_SHOWN])}")

    @property
    def is_clean(self) -> bool:
        """Whether nothing went wrong."""
        return not any(getattr(self, name) for name in COUNTS)

    @property
    def row(self) -> tuple[str, ...]:
        """The cells of its line in the table."""
        return (self.kind, str(self.tries), *(str(getattr(self, name)) for name in COUNTS))


def write_table(tallies: Sequence[Tally]) -> str:
    """Return the table as text, a line a kind."""
    rows = [HEADS, *(each.row for each in tallies)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADS))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    skipped = [f"{each.kind}: {each.skipped}" for each in tallies if each.skipped]
    return "\n".join([*lines, *skipped])
