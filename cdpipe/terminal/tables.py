"""Tables printed whole at any width: columns without room go into a table below, which names the rows again."""

import sys
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cdpipe.plain import break_lines, show_plain

_GAP: Final = 2
"""Signs between two columns."""


_WIDTH_OF_FILES: Final = 100
"""Signs in a line of what goes to a file or another program."""


class Column(NamedTuple):
    """A column of a table.

    Attributes
    ----------
    heading
        Its name.
    cells
        A text for each row.
    is_text
        Whether it is aligned to the left, as words are, or to the right, as numbers.
    folds
        Whether its cells may be broken into lines; at most the last column.
    """

    heading: str
    cells: Sequence[str]
    is_text: bool = False
    folds: bool = False

    @property
    def width(self) -> int:
        """Signs that its widest cell takes."""
        return max(cell_len(show_plain(each)) for each in (self.heading, *self.cells))


def open_console(*, stderr: bool = False) -> Console:
    """Return the terminal, or a file of `_WIDTH_OF_FILES` columns; brackets and colons are printed as they are."""
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(
        stderr=stderr, width=None if is_terminal else _WIDTH_OF_FILES, markup=False, emoji=False, highlight=False
    )


def print_line(console: Console, text: str) -> None:
    """Print a sentence: a line of a file, and on a terminal lines that break between words.

    Nothing colours it, and names in it cannot write to the terminal. What is longer than a line alone stays whole, so
    that a path can be copied.
    """
    plain = show_plain(text)
    console.print(Text(break_lines(plain, console.width) if console.is_terminal else plain), soft_wrap=True)


def print_table(console: Console, title: str, columns: Sequence[Column]) -> None:
    """Print a table whose cells are all whole.

    Where the console is too narrow, the first column is printed again with those that had no room, and so on.

    Parameters
    ----------
    console
        Where to.
    title
        Printed above, folded where it is too long.
    columns
        The first names the rows.

    Examples
    --------
    >>> console = Console(width=16)
    >>> print_table(console, "scores", [Column("who", ["tree"], is_text=True), Column("f1", ["0.9"])])
    scores
    who    f1
    ──────────
    tree  0.9
    <BLANKLINE>
    """
    console.print(Text(show_plain(title)))
    for group in _group(columns, console.width):
        table = Table(box=SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), show_edge=False, pad_edge=True)
        for column in group:
            table.add_column(
                column.heading,
                justify="left" if column.is_text else "right",
                no_wrap=not column.folds,
                overflow="fold",
            )
        for cells in zip(*(column.cells for column in group), strict=True):
            table.add_row(*(Text(show_plain(cell)) for cell in cells))
        console.print(table)
    console.print()


def _group(columns: Sequence[Column], width: int) -> Iterator[list[Column]]:
    """Part columns into groups that fit, each with the first column in front."""
    first, *others = columns
    group, taken = [first], first.width + _GAP
    for column in others:
        needed = (len(column.heading) if column.folds else column.width) + _GAP
        if len(group) > 1 and taken + needed > width:
            yield group
            group, taken = [first], first.width + _GAP
        group.append(column)
        taken += needed
    yield group
