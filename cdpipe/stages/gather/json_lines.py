"""ODE JSON -> columns, and the records that are no Basic Safety Message, each with its reason.

Records are those of the US DOT's Operational Data Environment. What one says twice counts as said last.
"""

import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import SOURCE
from cdpipe.stages.gather.json_layouts import LINES, Layout, Pieces, is_inside, split_pieces, trim_piece
from cdpipe.stages.gather.json_records import Record, UnreadableError, load_record, show
from cdpipe.stages.gather.json_values import name_problem, type_values
from cdpipe.stages.gather.message_frames import unframe

_COLUMNS: Final = {column.name: column for column in SOURCE}
_CORE: Final = "payload.data.coreData"
_KEPT: Final = ("metadata", _CORE)
_METADATA_INDEX, _CORE_INDEX = 1, 4
_BATCH: Final = 32
"""Records held at once as Python objects: more of them leave the processor's cache and are twice as slow to read."""
_OLDER_KEYS: Final = {"odeReceivedAt": "receivedAt", "recordGeneratedAt": "generatedAt"}
"""What schemas before 4 call a key."""
_INSIDE: Final = "lines inside records over several lines"


class BadLine(NamedTuple):
    r"""A record that gives no row.

    Attributes
    ----------
    line_number
        Number of its first line in the file, from 1.
    code
        Why, in a few words that are the same for all lines of this fault: for counting.
    reason
        Why, naming the field and its value, 250 characters at most.
    text
        The record, without its line's end; bytes that are not UTF-8 as `\xNN`.
    """

    line_number: int
    code: str
    reason: str
    text: str


class ParsedLines(NamedTuple):
    """Rows, and what gave none.

    Attributes
    ----------
    frame
        Shape (n, columns).
    line_numbers
        Shape (n,): number of each row's first line in the file, from 1.
    rows
        Shape (n,): row number of each, from 0 in the block.
    rejects
        Records that give no row, in the order in which they stand; no more than were asked for.
    dropped
        How many records give no row, by code.
    notes
        Counts of cells read as null because they could not be read, and of lines passed over, by what they are.
    """

    frame: pd.DataFrame
    line_numbers: NDArray[np.int64]
    rows: NDArray[np.int64]
    rejects: list[BadLine]
    dropped: Counter[str]
    notes: dict[str, int]


class _Step(NamedTuple):
    """An object of a record that columns, or objects below it, are read from.

    `parent` is the index of the object that holds it under `key`; index 0 is the record, index i the i-th step's
    object. For each column, `fields` has key, older key, and the values taken so far. `columns` are all those in or
    below it; if a required one is among them a record without the object is not read.
    """

    parent: int
    key: str
    path: str
    fields: list[tuple[str, str, list[Any]]]
    columns: tuple[str, ...]
    is_required: bool


class _Taken(NamedTuple):
    """What was taken of a block.

    Attributes
    ----------
    indexes
        Index of each piece that gave values.
    faults
        By index of each other piece, as many as are kept: what is wrong with it.
    dropped, notes
        Counts of all of them, and of what was passed over.
    """

    indexes: list[int]
    faults: dict[int, UnreadableError]
    dropped: Counter[str]
    notes: Counter[str]


def parse_json_lines(
    data: bytes,
    *,
    first_line: int,
    columns: Sequence[str],
    required: Collection[str],
    layout: Layout = LINES,
    kept: int = sys.maxsize,
) -> ParsedLines:
    """Read a block of whole lines of ODE JSON.

    Parameters
    ----------
    data
        The lines, UTF-8. Blank ones are passed over, and so are those inside a record over several lines, unless the
        layout says that there are such; they are counted. Every other piece is a row or a reject.
    first_line
        Number of the first line in its file, from 1.
    columns
        Columns to read, of `cdpipe.columns.SOURCE`, in the vocabulary's spelling.
    required
        Columns where an unreadable cell rejects the record; in the others it is null, and counted.
    layout
        How the file's records are laid out.
    kept
        How many records that give no row to return, the first ones.

    Returns
    -------
    ParsedLines
        Values are as recorded: "unavailable" codes stay, and times stay text (numbers, epoch milliseconds, as their
        digits). Numbers may stand in quotes. What a record lacks, JSON null, and blank text are null.

    Raises
    ------
    ValueError
        If a column is not of the vocabulary's source columns.
    """
    unknown = [name for name in columns if name not in _COLUMNS]
    if unknown:
        raise ValueError(f"ODE JSON has no column {unknown[0]!r}; choose among {', '.join(_COLUMNS)}")
    pieces = split_pieces(data, layout)
    values: dict[str, list[Any]] = {name: [] for name in columns}
    taken, faults, dropped, notes = _take_records(pieces, _lay_steps(values, required), layout, kept)
    bad_rows = np.zeros(len(taken), np.bool_)
    unread: dict[str, list[int]] = {}
    typed = {}
    for name, cells in values.items():
        typed[name], bad = type_values(_COLUMNS[name], cells, len(taken))
        if name in required:
            problem = f"{name}: {name_problem(_COLUMNS[name])}"
            fresh = [index for index in bad if not bad_rows[index]]
            faults |= {taken[index]: UnreadableError(problem, show(bad[index])) for index in fresh[:kept]}
            dropped[problem] += len(fresh)
            bad_rows[fresh] = True
        elif bad:
            unread[name] = list(bad)
    frame, indexes = pd.DataFrame(typed, index=range(len(taken))), np.array(taken, np.int64)
    if bad_rows.any():
        frame, indexes = frame[~bad_rows].reset_index(drop=True), indexes[~bad_rows]
    for name, where in unread.items():
        notes[_note_unread(name)] += int(np.count_nonzero(~bad_rows[where]))
    rejects = [_reject(pieces, index, first_line, faults[index]) for index in sorted(faults)[:kept]]
    lines, rows = pieces.lines[indexes] + first_line, pieces.rows[indexes]
    return ParsedLines(frame, lines, rows, rejects, +dropped, dict(+notes))


def _lay_steps(values: Mapping[str, list[Any]], required: Collection[str]) -> list[_Step]:
    """Lay out the walk through a record: each object once, after the one that holds it; first those of _KEPT."""
    indexes = {"": 0}
    steps: list[_Step] = []
    paths = {name: _COLUMNS[name].ode_path for name in values}
    for path in (*_KEPT, *(path.rpartition(".")[0] for path in paths.values())):
        keys = path.split(".") if path else []
        for depth, key in enumerate(keys):
            above, here = ".".join(keys[:depth]), ".".join(keys[: depth + 1])
            if here not in indexes:
                below = tuple(name for name, path in paths.items() if path.startswith(f"{here}."))
                must = f"{_CORE}.".startswith(f"{here}.") or any(name in required for name in below)
                steps.append(_Step(indexes[above], key, here, [], below, must))
                indexes[here] = len(steps)
    for name, path in paths.items():
        parent, _, key = path.rpartition(".")
        if key:
            steps[indexes[parent] - 1].fields.append((key, _OLDER_KEYS.get(key, key), values[name]))
    return steps


def _take_records(pieces: Pieces, steps: Sequence[_Step], layout: Layout, kept: int) -> _Taken:
    """Take the values of each good record into the steps' fields."""
    taken = _Taken([], {}, Counter(), Counter())
    found: list[list[Record]] = []
    for index, text in enumerate(pieces.texts):
        line = trim_piece(text) if layout.has_commas else text.strip()
        if not line:
            continue
        try:
            record = load_record(line)
            if record is not None:
                found.append(_walk(record, steps, taken.notes))
                taken.indexes.append(index)
        except UnreadableError as fault:
            if is_inside(text) and not layout.spread_line:
                taken.notes[_INSIDE] += 1
                continue
            taken.dropped[fault.code] += 1
            if len(taken.faults) < kept:
                taken.faults[index] = UnreadableError(fault.code, fault.detail)  # itself it holds the record
        if len(found) == _BATCH:
            _take_values(found, steps)
            found.clear()
    _take_values(found, steps)
    return taken


def _walk(record: Record, steps: Sequence[_Step], notes: Counter[str]) -> list[Record]:
    """Return the record and the object of each step; an absent object is empty, and one of optional columns may be."""
    objects = [record]
    unread: tuple[str, ...] = ()
    for parent, key, path, _, columns, is_required in steps:
        found = objects[parent].get(key)
        if type(found) is not dict:
            if found is not None:
                if is_required:
                    raise UnreadableError(f"{path}: not an object", show(found))
                unread += columns
            found = {}
        objects.append(found)
    if not objects[_CORE_INDEX]:
        plain = unframe(record)
        if plain is None:
            kind = show(objects[_METADATA_INDEX].get("payloadType"))
            raise UnreadableError("not a BSM", f"no {_CORE} (payloadType {kind})")
        return _walk(plain, steps, notes)
    if unread:
        notes.update(_note_unread(name) for name in unread)
    return objects


def _note_unread(name: str) -> str:
    return f"{name} not readable, read as null"


def _take_values(found: Sequence[Sequence[Record]], steps: Sequence[_Step]) -> None:
    """Append the values of some records, column by column."""
    for index, step in enumerate(steps, 1):
        objects = [record[index] for record in found]
        for key, older, taken in step.fields:
            if key == older:
                taken += [fields.get(key) for fields in objects]
            else:
                taken += [fields.get(older) if fields.get(key) is None else fields[key] for fields in objects]


def _reject(pieces: Pieces, index: int, first_line: int, fault: UnreadableError) -> BadLine:
    text = pieces.texts[index].rstrip(b"\r").decode("utf-8", "backslashreplace")
    return BadLine(int(pieces.lines[index]) + first_line, fault.code, f"{fault.code}: {fault.detail}", text)
