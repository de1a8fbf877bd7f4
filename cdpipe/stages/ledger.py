"""Ledger: what became of every row, handed back by each stage with its frame."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ledger:
    """Rows in, rows out, and rows dropped and added by reason, for one stage; it always balances.

    Attributes
    ----------
    stage
        Name of the stage.
    rows_in, rows_out
        Rows before and after.
    dropped
        Rows dropped, by reason. A row that several reasons would drop counts under the first.
    notes
        Counts of what happened to rows that were kept (e.g. cells read as null), by name.
    added
        Rows that the stage made, by reason: messages that an attacker sent beside those there were.

    Raises
    ------
    ValueError
        If rows in and added differ from rows out and dropped together.
    """

    stage: str
    rows_in: int
    rows_out: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    added: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an account that does not balance."""
        lost = self.rows_in + sum(self.added.values()) - self.rows_out - sum(self.dropped.values())
        if lost:
            added = f"{dict(self.added)} added, " if self.added else ""
            raise ValueError(
                f"stage {self.stage!r} does not balance: {self.rows_in} rows in, {added}{self.rows_out} out, "
                f"{dict(self.dropped)} dropped, {lost} unaccounted for"
            )

    def as_dict(self) -> dict[str, object]:
        """Return the account as plain JSON-able values; `added` only where there is any."""
        return {
            "stage": self.stage,
            "rows_in": self.rows_in,
            "rows_out": self.rows_out,
            "dropped": dict(self.dropped),
            "notes": dict(self.notes),
            **({"added": dict(self.added)} if self.added else {}),
        }


def add_ledgers(ledgers: Iterable[Ledger]) -> Ledger:
    """Add the accounts of one stage's partitions.

    Raises
    ------
    ValueError
        If there are none, or if they are of different stages.
    """
    parts = list(ledgers)
    names = {part.stage for part in parts}
    if len(names) != 1:
        raise ValueError(f"accounts of one stage are needed, got {sorted(names) or 'none'}")
    return Ledger(
        stage=parts[0].stage,
        rows_in=sum(part.rows_in for part in parts),
        rows_out=sum(part.rows_out for part in parts),
        dropped=_add(part.dropped for part in parts),
        notes=_add(part.notes for part in parts),
        added=_add(part.added for part in parts),
    )


def chain_ledgers(stage: str, first: Ledger, second: Ledger) -> Ledger:
    """Return the account of two steps, one after the other, as that of one stage."""
    return Ledger(
        stage,
        first.rows_in,
        second.rows_out,
        _add((first.dropped, second.dropped)),
        _add((first.notes, second.notes)),
        _add((first.added, second.added)),
    )


def _add(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for name, number in count.items():
            total[name] = total.get(name, 0) + number
    return total
