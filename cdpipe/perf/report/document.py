"""Documents: a report before it is written in any format: sections of lines, a table and lists."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.settings.remedies import Remedy

NONE: Final = "-"
"""What was not measured."""

BESIDE: Final = "~"
"""Stands before a time that was measured while other work had the cores."""

SHOWN: Final = 6
"""How many names a line lists before it counts the rest."""


@dataclass(frozen=True, slots=True)
class Item:
    """The text in a table's cell, the class that colours it, and the benchmark it links to."""

    text: str
    bound: Bound | None = None
    benchmark: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Column titles, which columns hold numbers, and rows as long as the titles."""

    titles: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Item, ...], ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A class, a line about it, and what there is to say and to do."""

    bound: Bound
    line: str
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report: a title, then whichever of lines, a table, lists and notes below them it has."""

    title: str
    lines: tuple[str, ...] = ()
    table: Table | None = None
    listings: tuple[Listing, ...] = ()
    notes: tuple[str, ...] = ()


def tabulate(columns: Iterable[tuple[str, bool]], rows: Iterable[tuple[Item, ...]]) -> Table:
    """Make a table of columns, each a title and whether it holds numbers, and rows."""
    titles, numeric = zip(*columns, strict=True)
    return Table(titles, numeric, tuple(rows))


def trim_section(section: Section) -> Section | None:
    """Take out a table's columns that hold nothing but `-`; None for a section that then has only names to show."""
    table = section.table
    if table is None or not table.rows:
        return section
    kept = [0, *(at for at in range(1, len(table.titles)) if any(row[at].text != NONE for row in table.rows))]
    if len(kept) == len(table.titles):
        return section
    if len(kept) == 1:
        return replace(section, table=None, notes=()) if section.lines or section.listings else None
    titles, numeric = tuple(table.titles[at] for at in kept), tuple(table.numeric[at] for at in kept)
    rows = tuple(tuple(row[at] for at in kept) for row in table.rows)
    return replace(section, table=Table(titles, numeric, rows))


def name_more(count: int, shown: int = SHOWN) -> str:
    """Say how many of a list are left after the first ones, `""` if none."""
    return f" and {count - shown} more" if count > shown else ""


def name_sizes(title: str, sizes: Iterable[str]) -> str:
    """Name a stage with its sizes: `gather at 1M, 5M`; the stage alone where it has none."""
    known = [size for size in sizes if size]
    return f"{title} at {', '.join(known)}" if known else title


def name_remedy(remedy: Remedy) -> str:
    """Write a remedy with the keys to change: `make partitions smaller: [gather] block_mb`."""
    tables: dict[str, list[str]] = {}
    for key in remedy.keys:
        table, _, name = key.rpartition(".")
        tables.setdefault(table, []).append(name)
    named = ", ".join(f"[{table}] {', '.join(names)}" if table else ", ".join(names) for table, names in tables.items())
    return f"{remedy.text}: {named}" if named else remedy.text
