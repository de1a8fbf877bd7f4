"""Gather: messages as files hold them -> a typed frame with stable row numbers, and the records it could not read."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from cdpipe.columns import BY_NAME, ROW_NUMBER, Column, canonical
from cdpipe.stages.arrays import name_canonically
from cdpipe.stages.cells import Typed, type_series
from cdpipe.stages.jsonlines import parse_json_lines
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.params import Params
from cdpipe.stages.tables import make_frame

NAME: Final = "gather"
VERSION: Final = 2
KEPT_TEXT: Final = 2_000
KEPT_VALUE: Final = 80


class GatherParams(Params):
    """How source files are read."""

    columns: tuple[str, ...] | None = Field(
        None, description="columns to read; by default just those that the later stages use"
    )
    block_mb: float = Field(
        32.0, gt=0.0001, le=1024, description="megabytes of the source in a partition; memory grows with it"
    )

    def wanted(self, needed: Sequence[str]) -> tuple[str, ...]:
        """Return the columns to read, given those that later stages need, in the vocabulary's spelling."""
        asked = needed if self.columns is None else (*self.columns, *needed)
        return tuple(dict.fromkeys(canonical(name) for name in asked))


class Reject(NamedTuple):
    """A record that could not be read.

    Attributes
    ----------
    file, line
        Where it stands; lines count from 1, in Parquet files rows do.
    code
        What is wrong, in words that many records share: they are counted by it.
    reason
        The same with the value at fault.
    text
        The record, or its beginning.
    """

    file: str
    line: int
    code: str
    reason: str
    text: str


class Gathered(NamedTuple):
    """One partition of the input: its typed rows, their account, and the rejected records."""

    frame: pd.DataFrame
    ledger: Ledger
    rejects: list[Reject]


def column_of(name: str) -> Column:
    """Return the vocabulary's entry for a column, or a text column for a name outside it."""
    return BY_NAME.get(name, Column(name, "text", "", "a column outside the vocabulary"))


def assemble(typed: Mapping[str, Typed], *, row_numbers: NDArray[np.int64]) -> tuple[pd.DataFrame, dict[int, str]]:
    """Put typed columns together, without the rows that have a cell which could not be read.

    Parameters
    ----------
    typed
        The columns, shape (n,).
    row_numbers
        Shape (n,).

    Returns
    -------
    frame
        The good rows, `row_number` first.
    faults
        By place of each bad row among the n, ascending: why it is bad, by its first bad column.
    """
    faults: dict[int, str] = {}
    for name, column in typed.items():
        if column.problem:
            for place in np.flatnonzero(column.bad):
                faults.setdefault(int(place), f"{name}: {column.problem}")
    data = {name: column.data for name, column in typed.items()}
    frame = make_frame({ROW_NUMBER: row_numbers, **data}, row_numbers.size)
    if faults:
        frame = frame.drop(index=list(faults)).reset_index(drop=True)
    return frame, dict(sorted(faults.items()))


def bad_cell(file: str, line: int, code: str, row: "Mapping[str, object] | pd.Series[Any]", text: str) -> Reject:
    """Make the reject of a row one of whose cells could not be read: `code` begins with the cell's column."""
    column, _, problem = code.partition(": ")
    return Reject(file, line, code, f"{column}: {str(row[column])[:KEPT_VALUE]!r} is {problem}", text)


def account(rows_in: int, frame: pd.DataFrame, rejects: Sequence[Reject]) -> Ledger:
    """Balance the rows of a partition against the records rejected from it."""
    return Ledger(NAME, rows_in, len(frame), Counter(reject.code for reject in rejects))


def gather_json(data: bytes, *, file: str, columns: Sequence[str], first_row: int, first_line: int) -> Gathered:
    """Read a block of whole ODE JSON lines.

    Parameters
    ----------
    data
        The block's bytes.
    file
        Name of the file, for rejects.
    columns
        Columns to read, in the vocabulary's spelling; one that the records lack is null throughout.
    first_row, first_line
        Row number and line number (from 1) of the block's first line.

    Returns
    -------
    Gathered
        Rows keep their line's place as row number, so a rejected line takes one too.
    """
    raw, lines, refused = parse_json_lines(data, first_line=first_line, columns=columns)
    row_numbers = lines - first_line + first_row
    typed = {name: type_series(column_of(name), raw[name]) for name in columns}
    frame, faults = assemble(typed, row_numbers=row_numbers)
    rejects = [Reject(file, line, code, reason, text[:KEPT_TEXT]) for line, code, reason, text in refused]
    if faults:
        source = data.split(b"\n")
        rejects += [
            bad_cell(file, int(lines[i]), code, raw.iloc[i], _line_text(source[lines[i] - first_line]))
            for i, code in faults.items()
        ]
    rejects.sort(key=lambda reject: reject.line)
    return Gathered(frame, account(len(lines) + len(refused), frame, rejects), rejects)


def gather_table(
    table: pd.DataFrame, *, file: str, columns: Sequence[str], first_row: int, first_line: int
) -> Gathered:
    """Bring a frame of any spelling and types (a Parquet file's) to the vocabulary.

    Parameters
    ----------
    table
        Rows as the file holds them, shape (n, …); column names match without regard to letter case.
    file
        Name of the file, for rejects.
    columns
        Columns to read, in the vocabulary's spelling.
    first_row, first_line
        Row number of the first row, and its place in the file, from 1.

    Raises
    ------
    TypeError
        If a column's type cannot mean what the vocabulary says.
    """
    table = name_canonically(table)
    typed = {name: type_series(column_of(name), table[name]) for name in columns}
    return gather_typed(
        typed, len(table), file=file, first_row=first_row, first_line=first_line, show=lambda places: table.iloc[places]
    )


def gather_typed(
    typed: Mapping[str, Typed],
    rows: int,
    *,
    file: str,
    first_row: int,
    first_line: int,
    show: Callable[[list[int]], pd.DataFrame],
) -> Gathered:
    """Put the typed columns of a table together, and account for its rows.

    Parameters
    ----------
    typed
        The columns, shape (rows,).
    rows
        How many rows there are.
    file, first_row, first_line
        As for `gather_table`.
    show
        (places of rows) -> those rows, as the file holds them; called if a row is rejected.
    """
    frame, faults = assemble(typed, row_numbers=np.arange(first_row, first_row + rows, dtype=np.int64))
    rejects = []
    if faults:
        rows_at_fault = show(list(faults))
        # pandas writes no NaN of 32 bits as JSON.
        narrow = [name for name, dtype in rows_at_fault.dtypes.items() if dtype in (np.float16, np.float32)]
        wide = rows_at_fault.astype(dict.fromkeys(narrow, "float64"))
        for at, (place, code) in enumerate(faults.items()):
            text = wide.iloc[at].to_json()[:KEPT_TEXT]
            rejects.append(bad_cell(file, first_line + place, code, rows_at_fault.iloc[at], text))
    return Gathered(frame, account(rows, frame, rejects), rejects)


def _line_text(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "replace")[:KEPT_TEXT]
