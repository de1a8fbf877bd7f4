"""A block of CSV lines -> a typed frame: only the wanted columns are ever converted."""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import Column, find_doubled, resolve
from cdpipe.kernels.buffers.cells import Memory, view_bytes
from cdpipe.kernels.csv.bounds import BAD_QUOTE, LINE_OK, TOO_FEW_FIELDS, TOO_MANY_FIELDS, count_lines, find_cells
from cdpipe.kernels.csv.bounds import Cells as Bounds
from cdpipe.kernels.csv.records import Records, read_records, want
from cdpipe.stages.frames.conversion import Typed, note_impossible, to_units, type_cells
from cdpipe.stages.frames.interop import Cells
from cdpipe.stages.gather.conventions import FIRST_RECORDS, USUAL, Convention
from cdpipe.stages.gather.gather import (
    KEPT_REJECTS,
    KEPT_TEXT,
    MUST,
    Gathered,
    Reject,
    account,
    assemble,
    bad_cell,
    keep_first,
)
from cdpipe.stages.gather.line_breaks import find_broken_lines, is_record, strike_out
from cdpipe.stages.gather.mapped_values import make_columns, own_names

_LINE_REASONS: Final = {
    TOO_FEW_FIELDS: "too few fields",
    TOO_MANY_FIELDS: "too many fields",
    BAD_QUOTE: "quote not closed",
}
_BROKEN: Final = "line end within quotes"
_BACKSLASHED: Final = re.compile(rb'\\(["\\])')


_RFC_4180: Final[dict[str, Any]] = {}
_BACKSLASHES: Final[dict[str, Any]] = {"doublequote": False, "escapechar": "\\"}


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
    doubled
        The indices of two fields that have one name, by that name.
    """

    places: dict[str, int]
    fields: int
    bytes: int
    doubled: dict[str, tuple[int, int]]


def read_header(head: bytes) -> Header:
    """Read the header from the beginning of a CSV file.

    Parameters
    ----------
    head
        The file's first bytes, at least its first line.

    Raises
    ------
    ValueError
        If the text is not UTF-8 or there is no whole header; the caller adds the file's name.
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
    names = _split_names(text.rstrip("\r"))
    if not any(name.strip() for name in names):
        raise ValueError("line 1 is empty; a CSV file begins with the names of its columns")
    return Header(resolve(names), len(names), min(len(line) + 1, len(head)), find_doubled(names))


def _split_names(line: str) -> list[str]:
    """Split the header as records are: by RFC 4180, or else with backslashes before quotes.

    Raises
    ------
    ValueError
        If it is right by neither.
    """
    if is_record(line.encode()):
        try:
            try:
                return next(csv.reader([line], strict=True), [])
            except csv.Error:
                return next(csv.reader([line], strict=True, escapechar="\\", doublequote=False), [])
        except csv.Error as error:
            raise ValueError(f"line 1 does not name columns ({error}); lines must end with a line feed") from None
    raise ValueError(
        "line 1 does not name columns: a quote is open or misplaced; the first line must be the header, "
        'without a line end in a name, and with "" for each quote in a quoted name'
    )


def first_cells(head: bytes, header: Header, names: Collection[str]) -> dict[str, list[str]]:
    """Return cells of a CSV file's first records, by column, for deciding how the file writes its values.

    Parameters
    ----------
    head
        The file's first bytes; a record cut at the end is left out.
    header
        The file's header.
    names
        Columns to look at; those that the file lacks are left out.
    """
    lines = head[header.bytes :].split(b"\n", FIRST_RECORDS)[:FIRST_RECORDS]
    if len(lines) > 1 and not head.endswith(b"\n"):
        lines.pop()
    places = {name: header.places[name] for name in names if name in header.places}
    records = [cells for line in lines if (cells := _split_line(line, header.fields))]
    return {name: [cells[place] for cells in records] for name, place in places.items()}


def _split_line(line: bytes, fields: int) -> list[str]:
    """Return the cells of a line, with backslashes before quotes if need be; none if their number is another.

    By Python's own reader: a thousand lines take less time than the kernels take to load.
    """
    text = _decode(line.rstrip(b"\r"))
    for form in (_RFC_4180, _BACKSLASHES):
        try:
            cells = next(csv.reader([text], **form), [])
        except csv.Error:
            continue
        if len(cells) == fields:
            return cells
    return []


def gather_csv(
    data: Memory,
    *,
    file: str,
    header: Header,
    columns: Sequence[str],
    first_row: int,
    first_line: int,
    required: Collection[str] = MUST,
    convention: Convention = USUAL,
) -> Gathered:
    """Read a block of whole CSV lines, the header not among them.

    Parameters
    ----------
    data
        The block's bytes, any bytes-like or uint8[n]; it is not copied.
    file
        Name of the file, for rejects.
    header
        The file's header.
    columns
        Columns to read, in the vocabulary's spelling; one that the file lacks is null throughout.
    first_row, first_line
        Row number and line number (from 1) of the block's first line.
    required
        Columns in which an unreadable cell rejects the record.
    convention
        How the file writes its values.

    Returns
    -------
    Gathered
        Rows keep their line's number as row number, so a blank or rejected line takes one too.
    """
    block = view_bytes(data)
    raw = convention.raw_columns(columns)
    kinds = {key: column for each in raw.values() for key, column in each.items()}
    places = {key: header.places[key] for key in kinds if key in header.places}
    typed, records = _type_columns(block, places, kinds, header.fields)
    broken = find_broken_lines(block, records.rejected, is_backslashed=bool(records.backslashed.any()))
    rejects, parted = _broken_rejects(block, broken, file, first_line)
    if parted:
        block = strike_out(block, broken)
        typed, records = _type_columns(block, places, kinds, header.fields)
    for key, column in kinds.items():
        if key not in places:
            typed[key] = type_cells(column, _no_cells(records.line_index.size))
    frame, faults, dropped, notes = assemble(
        make_columns(raw, typed, convention.mapped),
        row_numbers=records.line_index + first_row,
        required=required,
        convention=convention,
    )
    rows_in = records.line_index.size + records.rejected.shape[1] + parted
    dropped += Counter({_BROKEN: parted}) + _count_lines(records.rejected)
    rejects += _line_rejects(block, records.rejected, file, first_line)
    if faults:
        bad = list(faults)
        rows = _rows(block, records.line_starts[bad], places, header.fields, own_names(convention.mapped))
        rejects += [
            bad_cell(file, int(index) + first_line, code, row, text)
            for index, code, (row, text) in zip(records.line_index[bad], faults.values(), rows, strict=True)
        ]
    return Gathered(frame, account(rows_in, len(frame), dropped, notes), keep_first(rejects))


def _type_columns(
    block: NDArray[np.uint8], places: dict[str, int], columns: Mapping[str, Column], fields: int
) -> tuple[dict[str, Typed], Records]:
    """Read the columns at these positions: numbers and times in one pass, whatever is unusual in them by itself."""
    kinds: dict[str, list[str]] = {"float": [], "integer": [], "time": [], "": []}
    for name in places:
        kinds[kind if (kind := columns[name].kind) in kinds else ""].append(name)
    floats, integers, times, texts = kinds.values()
    records = read_records(
        block,
        want(
            floats=[places[name] for name in floats],
            integers=[places[name] for name in integers],
            times=[places[name] for name in times],
            texts=[places[name] for name in texts],
            float_nulls=[columns[name].unavailable for name in floats],
            integer_nulls=[[int(code) for code in columns[name].unavailable] for name in integers],
            float_limits=[columns[name].limits for name in floats],
            integer_spans=[columns[name].span for name in integers],
            naive_is_utc=all(columns[name].time_zone == "UTC" for name in times),
        ),
        fields=fields,
    )
    fault = dict(zip(chain(floats, integers, times, texts), records.faults, strict=True))
    none = np.zeros(records.line_index.size, np.bool_)
    numbers: dict[str, Any] = {
        **{name: to_units(values, columns[name]) for name, values in zip(floats, records.floats, strict=True)},
        **{
            name: pd.arrays.IntegerArray(*both)
            for name, *both in zip(integers, records.integers, records.null, strict=True)
        },
        **{name: values.view("M8[us]") for name, values in zip(times, records.times, strict=True)},
    }
    notes = {
        name: note_impossible(columns[name], int(count))
        for name, count in zip(chain(floats, integers), records.impossible, strict=True)
    }
    typed = {name: Typed(values, none, "", notes.get(name, {})) for name, values in numbers.items() if not fault[name]}
    for name, packed, offsets in zip(texts, records.packed, records.offsets, strict=True):
        if not fault[name]:
            typed[name] = type_cells(columns[name], Cells(packed, offsets[:-1], offsets[1:]))
    unusual = {name: places[name] for name in places if fault[name]}
    return typed | _type_unusual(block, unusual, columns, fields), records


def _type_unusual(
    block: NDArray[np.uint8], places: dict[str, int], columns: Mapping[str, Column], fields: int
) -> dict[str, Typed]:
    """Read columns with malformed cells, local times, doubled quotes, or numbers that only Python can tell."""
    if not places:
        return {}
    bounds = find_cells(block, list(places.values()), fields)
    rows = np.flatnonzero(bounds.status == LINE_OK)
    return {name: type_cells(columns[name], _unescape(block, bounds, index, rows)) for index, name in enumerate(places)}


def _broken_rejects(
    block: NDArray[np.uint8], broken: NDArray[np.int64], file: str, first_line: int
) -> tuple[list[Reject], int]:
    """Return the first lines of records of several lines, and how many there are that are not blank."""
    kept: list[Reject] = []
    line, at, found = first_line, 0, 0
    for start, stop in broken:
        line, at = line + count_lines(block[at:start]), stop
        for raw in block[start:stop].tobytes().removesuffix(b"\n").split(b"\n"):
            text = raw.rstrip(b"\r")
            if text.strip(b" "):
                found += 1
                if found <= KEPT_REJECTS:
                    kept.append(Reject(file, line, _BROKEN, _BROKEN, _decode(text[:KEPT_TEXT])))
            line += 1
    return kept, found


def _count_lines(rejected: NDArray[np.int64]) -> Counter[str]:
    """Count lines that are no records by what is wrong with them."""
    statuses, counts = np.unique(rejected[3], return_counts=True)
    return Counter(
        {_LINE_REASONS[status]: count for status, count in zip(statuses.tolist(), counts.tolist(), strict=True)}
    )


def _line_rejects(block: NDArray[np.uint8], lines: NDArray[np.int64], file: str, first_line: int) -> Iterator[Reject]:
    for index, start, stop, status in lines.T[:KEPT_REJECTS]:
        code = _LINE_REASONS[int(status)]
        text = block[start : min(stop, start + KEPT_TEXT)].tobytes()
        yield Reject(file, int(index) + first_line, code, code, _decode(text))


def _rows(
    block: NDArray[np.uint8],
    line_starts: NDArray[np.int64],
    places: dict[str, int],
    fields: int,
    own: Mapping[str, str],
) -> Iterator[tuple[dict[str, str], str]]:
    """Give, for each of some records, its cells by column, as the file names it (`own`), and its line's text."""
    text = b"\n".join(_find_line(block, start) for start in line_starts)
    bounds = find_cells(text, list(places.values()), fields)
    for i, (start, stop) in enumerate(zip(bounds.line_starts, bounds.line_stops, strict=True)):
        cells = zip(bounds.starts[:, i], bounds.stops[:, i], strict=True)
        row = {own.get(name, name): _decode(text[a:b]) for name, (a, b) in zip(places, cells, strict=True)}
        yield row, _decode(text[start : min(stop, start + KEPT_TEXT)])


def _find_line(block: NDArray[np.uint8], start: np.int64) -> bytes:
    """Return the line that begins at `start`, without its line feed."""
    length = KEPT_TEXT
    while b"\n" not in (piece := block[start : start + length].tobytes()) and start + length < block.size:
        length *= 8
    return piece.partition(b"\n")[0]


def _no_cells(rows: int) -> Cells:
    nowhere = np.zeros(rows, np.int64)
    return Cells(np.empty(0, np.uint8), nowhere, nowhere)


def _unescape(block: NDArray[np.uint8], bounds: Bounds, place: int, rows: NDArray[np.int64]) -> Cells:
    """Return one column's cells; where any holds escapes, of a copy of the text without them."""
    starts, stops = bounds.starts[place][rows], bounds.stops[place][rows]
    escaped = bounds.escaped[place][rows]
    if not escaped.any():
        return Cells(block, starts, stops)
    backslashed = bounds.backslashed[rows]
    texts = []
    for a, b, is_escaped, by_backslash in zip(starts, stops, escaped, backslashed, strict=True):
        text = bytes(block[a:b])
        if is_escaped:
            text = _BACKSLASHED.sub(rb"\1", text) if by_backslash else text.replace(b'""', b'"')
        texts.append(text)
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return Cells(view_bytes(b"".join(texts)), offsets[:-1], offsets[1:])


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")
