"""A block of CSV lines -> a typed frame: only the wanted columns are ever converted."""

import csv
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.columns import resolve
from cdpipe.kernels.csv import BAD_QUOTE, LINE_OK, TOO_FEW_FIELDS, TOO_MANY_FIELDS, find_cells
from cdpipe.kernels.csv import Cells as Bounds
from cdpipe.kernels.memory import view_bytes
from cdpipe.stages.arrays import Cells
from cdpipe.stages.cells import type_cells
from cdpipe.stages.gather import KEPT_TEXT, Gathered, Reject, account, assemble, bad_cell, column_of

_LINE_REASONS: Final = {
    TOO_FEW_FIELDS: "too few fields",
    TOO_MANY_FIELDS: "too many fields",
    BAD_QUOTE: "quote not closed",
}


class Header(NamedTuple):
    """The first line of a CSV file.

    Attributes
    ----------
    places
        Field of each column, by its name in the vocabulary's spelling.
    fields
        How many fields a record has.
    bytes
        Length of the line with its line end (and the byte order mark before it).
    """

    places: dict[str, int]
    fields: int
    bytes: int


def read_header(head: bytes) -> Header:
    """Read the header from the beginning of a CSV file.

    Parameters
    ----------
    head
        The file's first bytes, at least its first line.

    Raises
    ------
    ValueError
        If the text is not UTF-8, there is no header, or two columns have one name; the caller adds the file's name.
    """
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in head[:1000]:
        raise ValueError("is not UTF-8 text (it looks like UTF-16 or binary); convert it to UTF-8")
    line = head.split(b"\n", 1)[0]
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = line[error.start]
        raise ValueError(
            f"line 1, byte {error.start + 1}: 0x{byte:02x} is not UTF-8; convert the file to UTF-8"
        ) from None
    try:
        names = next(csv.reader([text.rstrip("\r")]), [])
    except csv.Error as error:
        raise ValueError(
            f"line 1 does not name columns ({error}); lines must end with a line feed, and the first be the header"
        ) from None
    if not any(name.strip() for name in names):
        raise ValueError("line 1 is empty; a CSV file begins with the names of its columns")
    return Header(resolve(names), len(names), min(len(line) + 1, len(head)))


def gather_csv(
    data: bytes, *, file: str, header: Header, columns: Sequence[str], first_row: int, first_line: int
) -> Gathered:
    """Read a block of whole CSV lines, the header not among them.

    Parameters
    ----------
    data
        The block's bytes.
    file
        Name of the file, for rejects.
    header
        The file's header.
    columns
        Columns to read, in the vocabulary's spelling; one that the file lacks is null throughout.
    first_row, first_line
        Row number and line number (from 1) of the block's first line.

    Returns
    -------
    Gathered
        Rows keep their line's place as row number, so a blank or rejected line takes one too.
    """
    found = [name for name in columns if name in header.places]
    block = view_bytes(data)
    bounds = find_cells(block, [header.places[name] for name in found], header.fields)
    whole = bounds.status == LINE_OK
    lines = bounds.line_index + first_line
    rejects = [
        Reject(file, int(lines[i]), code, code, _text(data, bounds, i))
        for i in np.flatnonzero(~whole)
        for code in (_LINE_REASONS[int(bounds.status[i])],)
    ]
    rows = slice(None) if whole.all() else np.flatnonzero(whole)
    typed = {
        name: type_cells(column_of(name), _unescape(block, bounds, found.index(name), rows))
        if name in header.places
        else type_cells(column_of(name), _no_cells(int(whole.sum())))
        for name in columns
    }
    frame, good, reasons = assemble(typed, row_numbers=bounds.line_index[rows] + first_row)
    if not good.all():
        places = np.flatnonzero(whole)
        rejects += [
            bad_cell(file, int(lines[at]), reasons[i], _row(data, bounds, found, at), _text(data, bounds, at))
            for i in np.flatnonzero(~good)
            for at in (places[i],)
        ]
        frame = frame[good].reset_index(drop=True)
    rejects.sort(key=lambda reject: reject.line)
    return Gathered(frame, account(whole.size, frame, rejects), rejects)


def _no_cells(rows: int) -> Cells:
    nowhere = np.zeros(rows, np.int64)
    return Cells(np.empty(0, np.uint8), nowhere, nowhere)


def _unescape(block: NDArray[np.uint8], bounds: Bounds, place: int, rows: slice | NDArray[np.int64]) -> Cells:
    """Return one column's cells; where any holds doubled quotes, of a copy of the text in which they are single."""
    starts, stops = bounds.starts[place][rows], bounds.stops[place][rows]
    escaped = bounds.escaped[place][rows]
    if not escaped.any():
        return Cells(block, starts, stops)
    texts = [
        bytes(block[a:b]).replace(b'""', b'"') if quoted else bytes(block[a:b])
        for a, b, quoted in zip(starts, stops, escaped, strict=True)
    ]
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return Cells(view_bytes(b"".join(texts)), offsets[:-1], offsets[1:])


def _row(data: bytes, bounds: Bounds, found: Sequence[str], line: np.integer[Any]) -> dict[str, str]:
    return {
        name: data[bounds.starts[place, line] : bounds.stops[place, line]].decode("utf-8", "replace")
        for place, name in enumerate(found)
    }


def _text(data: bytes, bounds: Bounds, line: np.integer[Any]) -> str:
    return data[bounds.line_starts[line] : bounds.line_stops[line]][:KEPT_TEXT].decode("utf-8", "replace")
