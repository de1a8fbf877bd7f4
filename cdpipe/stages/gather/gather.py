"""Gather: messages as files hold them -> a typed frame with stable row numbers, and the records it could not read."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from cdpipe.columns import (
    COARSE,
    GENERATED_AT,
    LATITUDE,
    LONGITUDE,
    POINT,
    POSITION_X,
    POSITION_Y,
    RECEIVED_AT,
    REQUIRED,
    ROW_NUMBER,
    canonical,
)
from cdpipe.kernels.text.calendar import mark_whole_seconds
from cdpipe.stages.frames.assembly import make_frame
from cdpipe.stages.frames.conversion import NOTHING, Origin, Typed
from cdpipe.stages.frames.frame_columns import type_series
from cdpipe.stages.frames.interop import name_canonically
from cdpipe.stages.gather.conventions import USUAL, Convention
from cdpipe.stages.gather.json_layouts import LARGEST_BLOCK_MB, LINES, Layout, split_pieces
from cdpipe.stages.gather.json_lines import parse_json_lines
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.params import Params

NAME: Final = "gather"
VERSION: Final = 3
KEPT_REJECTS: Final = 10_000
"""Rejected records of a run that are kept, the first ones; further ones are only counted, by reason."""

KEPT_TEXT: Final = 2_000
KEPT_VALUE: Final = 80

POSITIONS: Final = (LATITUDE, LONGITUDE, POINT, POSITION_X, POSITION_Y)
MUST: Final = (*REQUIRED, *POSITIONS)
"""Columns in which an unreadable cell rejects the record, where the caller names no others."""

_FINER: Final = "times finer than a second in a file of whole seconds, kept as recorded"


class GatherParams(Params):
    """How source files are read."""

    columns: tuple[str, ...] | None = Field(
        default=None, description="columns to read; by default just those that the later stages use"
    )
    required: tuple[str, ...] | None = Field(
        default=None,
        description="a record whose cell here cannot be read is rejected, elsewhere the cell becomes null; by default "
        "clean.required and the position",
    )
    block_mb: float = Field(
        default=32.0,
        gt=0.0001,
        le=LARGEST_BLOCK_MB,
        description="megabytes of the source in a partition; memory grows with it",
    )

    missing_time: Literal["null", "received"] = Field(
        default="null",
        description="time of a message without metadata_generatedAt: none, or that of metadata_receivedAt",
    )

    def wanted(self, needed: Sequence[str]) -> tuple[str, ...]:
        """Return the columns to read, given those that later stages need, in the vocabulary's spelling."""
        asked = needed if self.columns is None else (*self.columns, *needed)
        return tuple(dict.fromkeys(canonical(name) for name in asked))

    @property
    def must(self) -> tuple[str, ...]:
        """The columns in which an unreadable cell rejects the record, in the vocabulary's spelling."""
        return MUST if self.required is None else tuple(map(canonical, self.required))


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
    """One partition of the input: its typed rows, their account, and its first `KEPT_REJECTS` rejected records."""

    frame: pd.DataFrame
    ledger: Ledger
    rejects: list[Reject]


class Assembled(NamedTuple):
    """A partition's good rows, and what was wrong with cells.

    Attributes
    ----------
    frame
        The rows whose required cells could all be read, `row_number` first.
    faults
        By index of each other row, ascending, the first `KEPT_REJECTS` of them: why it is bad, by its first bad column.
    dropped
        How many other rows there are, by why.
    notes
        Counts of what was made of other cells, by what it was.
    """

    frame: pd.DataFrame
    faults: dict[int, str]
    dropped: Counter[str]
    notes: dict[str, int]


def assemble(
    typed: Mapping[str, Typed], *, row_numbers: NDArray[np.int64], required: Collection[str], convention: Convention
) -> Assembled:
    """Put typed columns together, without the rows that have an unreadable cell in a required column.

    Elsewhere such a cell is null and counted.

    Parameters
    ----------
    typed
        The columns, shape (n,).
    row_numbers
        Shape (n,).
    required
        Names of the required columns.
    convention
        How the file writes its values.
    """
    bad = np.zeros(row_numbers.size, np.bool_)
    faults: dict[int, str] = {}
    dropped: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    for name, column in typed.items():
        notes.update(column.notes)
        for origin, unfit, problem in column.origins or (Origin(name, column.bad, column.problem),):
            if not (unread := int(np.count_nonzero(unfit))):
                continue
            if name in required:
                code, fresh = f"{origin}: {problem}", np.flatnonzero(unfit & ~bad)
                faults |= dict.fromkeys(fresh[:KEPT_REJECTS].tolist(), code)
                dropped += Counter({code: fresh.size})
                bad |= unfit
            else:
                notes[f"{origin} not readable, read as null"] += unread
    data = {name: column.data for name, column in typed.items()}
    if GENERATED_AT in typed:
        data[COARSE], finer = _find_coarse(typed[GENERATED_AT], convention)
        notes.update({_FINER: finer} if finer else {})
    frame = make_frame({ROW_NUMBER: row_numbers, **data}, row_numbers.size)
    if faults:
        frame = frame[~bad].reset_index(drop=True)
    return Assembled(frame, dict(sorted(faults.items())[:KEPT_REJECTS]), dropped, dict(notes))


def _find_coarse(times: Typed, convention: Convention) -> tuple[NDArray[np.int8], int]:
    """Return which times, shape (n,), are known to the second only, and how many contradict such a file."""
    time_us = np.asarray(times.data).view(np.int64)
    if not convention.whole_seconds:
        return np.zeros(time_us.size, np.int8), 0
    return mark_whole_seconds(time_us)


def fill_times(gathered: Gathered, *, convention: Convention, keep_received: bool) -> Gathered:
    """Give messages without a time the one at which they were received, and count them.

    Parameters
    ----------
    gathered
        Messages with both times.
    convention
        How the file writes its values.
    keep_received
        Whether the second one stays in the frame.
    """
    frame, ledger, rejects = gathered
    received = frame[RECEIVED_AT]
    filled = frame[GENERATED_AT].isna() & received.notna()
    if filled.any():
        coarse = mark_whole_seconds(received.to_numpy().view(np.int64))[0] * np.int8(convention.whole_seconds)
        changed: dict[str, Any] = {
            GENERATED_AT: frame[GENERATED_AT].where(~filled, received),
            COARSE: np.where(filled, coarse, frame[COARSE]),
        }
        frame = frame.assign(**changed)
        notes = {**ledger.notes, f"{GENERATED_AT} taken from {RECEIVED_AT}": int(filled.sum())}
        ledger = replace(ledger, notes=notes)
    return Gathered(frame if keep_received else frame.drop(columns=RECEIVED_AT), ledger, rejects)


def bad_cell(file: str, line: int, code: str, row: "Mapping[str, object] | pd.Series[Any]", text: str) -> Reject:
    """Make the reject of a row one of whose cells could not be read: `code` begins with the cell's column."""
    column, _, problem = code.partition(": ")
    return Reject(file, line, code, f"{column}: {str(row[column])[:KEPT_VALUE]!r} is {problem}", text)


def account(rows_in: int, rows_out: int, dropped: Mapping[str, int], notes: Mapping[str, int] = NOTHING) -> Ledger:
    """Balance the rows of a partition against the records rejected from it, counted by code."""
    return Ledger(NAME, rows_in, rows_out, dict(dropped), dict(notes))


def keep_first(rejects: list[Reject]) -> list[Reject]:
    """Return the rejects that are kept of a partition, in the order of their lines.

    Which ones a run keeps does not depend on its partitions: its first ones are among the first ones of each.
    """
    return sorted(rejects, key=lambda reject: reject.line)[:KEPT_REJECTS]


def gather_json(
    data: bytes,
    *,
    file: str,
    columns: Sequence[str],
    first_row: int,
    first_line: int,
    required: Collection[str] = MUST,
    convention: Convention = USUAL,
    layout: Layout = LINES,
) -> Gathered:
    """Read a block of whole lines of ODE JSON.

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
    required
        Columns where an unreadable cell rejects the record. In others it is null, and counted.
    convention
        How the file writes its values.
    layout
        How the file's records are laid out.

    Returns
    -------
    Gathered
        A row number counts lines, blank and rejected ones too, and records beyond the first on a line.
    """
    raw, lines, rows, refused, unread, notes = parse_json_lines(
        data, first_line=first_line, columns=columns, required=required, layout=layout, kept=KEPT_REJECTS
    )
    typed = {name: type_series(convention.column_of(name), raw[name]) for name in columns}
    frame, faults, dropped, more = assemble(
        typed, row_numbers=rows + first_row, required=required, convention=convention
    )
    rejects = [Reject(file, line, code, reason, text[:KEPT_TEXT]) for line, code, reason, text in refused]
    if faults:
        pieces = split_pieces(data, layout)
        rejects += [
            bad_cell(
                file, int(lines[i]), code, raw.iloc[i], _line_text(pieces.texts[pieces.rows.searchsorted(rows[i])])
            )
            for i, code in faults.items()
        ]
    whole, rows_in = Counter(notes) + Counter(more), len(lines) + sum(unread.values())
    return Gathered(frame, account(rows_in, len(frame), dropped + unread, whole), keep_first(rejects))


def gather_table(
    table: pd.DataFrame,
    *,
    file: str,
    columns: Sequence[str],
    first_row: int,
    first_line: int,
    required: Collection[str] = MUST,
    convention: Convention = USUAL,
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
        Row number of the first row, and its number in the file, from 1.
    required, convention
        As for `gather_json`.

    Raises
    ------
    TypeError
        If a column's type cannot mean what the vocabulary says.
    """
    table = name_canonically(table)
    typed = {name: type_series(convention.column_of(name), table[name]) for name in columns}
    return gather_typed(
        typed,
        len(table),
        file=file,
        first_row=first_row,
        first_line=first_line,
        show=lambda places: table.iloc[places],
        required=required,
        convention=convention,
    )


def gather_typed(
    typed: Mapping[str, Typed],
    rows: int,
    *,
    file: str,
    first_row: int,
    first_line: int,
    show: Callable[[list[int]], pd.DataFrame],
    required: Collection[str] = MUST,
    convention: Convention = USUAL,
) -> Gathered:
    """Put the typed columns of a table together, and account for its rows.

    Parameters
    ----------
    typed
        The columns, shape (rows,).
    rows
        How many rows there are.
    file, first_row, first_line, required, convention
        As for `gather_table`.
    show
        (indices of rows) -> those rows, as the file holds them; called if a row is rejected.
    """
    row_numbers = np.arange(first_row, first_row + rows, dtype=np.int64)
    frame, faults, dropped, notes = assemble(typed, row_numbers=row_numbers, required=required, convention=convention)
    rejects = []
    if faults:
        shown = show(list(faults))
        kinds = shown.dtypes.to_dict().items()
        times: dict[str, Any] = {
            str(name): _spell_times(shown[name]) for name, dtype in kinds if pd.api.types.is_datetime64_any_dtype(dtype)
        }
        shown = shown.assign(**times)
        # pandas writes no NaN of 32 bits as JSON.
        wide = shown.astype({name: "float64" for name, dtype in kinds if dtype in (np.float16, np.float32)})
        for at, (place, code) in enumerate(faults.items()):
            text = wide.iloc[at].to_json()[:KEPT_TEXT]
            rejects.append(bad_cell(file, first_line + place, code, shown.iloc[at], text))
    return Gathered(frame, account(rows, len(frame), dropped, notes), rejects)


def _spell_times(series: "pd.Series[Any]") -> list[str | None]:
    """Return times as text, those too beyond the calendar, for which neither Python nor pandas has words."""
    is_aware = isinstance(series.dtype, pd.DatetimeTZDtype)
    ticks = (series.dt.tz_convert("UTC").dt.tz_localize(None) if is_aware else series).to_numpy()
    texts = np.datetime_as_string(ticks, timezone="UTC" if is_aware else "naive")
    return [None if null else text for text, null in zip(texts.tolist(), np.isnat(ticks), strict=True)]


def _line_text(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "replace")[:KEPT_TEXT]
