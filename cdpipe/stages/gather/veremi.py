"""VeReMi traces -> typed messages with labels, and the records that are no message, each with its reason.

Sources
-------
VeReMi (van der Heijden, Lukaseder, Kargl, SecureComm 2018), VeReMi Extension (Kamel et al., ICC 2020; F2MD's
`VeReMiPrintable`) and, *unverified* as no sample was at hand, VeReMi NextGen (its `attackGenerator.py`).
"""

import math
import re
from array import array
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from cdpipe.columns import Column
from cdpipe.stages.frames.conversion import Origin, Typed
from cdpipe.stages.frames.frame_columns import type_series
from cdpipe.stages.gather.conventions import Convention
from cdpipe.stages.gather.gather import (
    KEPT_REJECTS,
    KEPT_TEXT,
    Gathered,
    Reject,
    account,
    assemble,
    bad_cell,
    keep_first,
)
from cdpipe.stages.gather.json_layouts import Layout, Pieces, is_inside, split_pieces, trim_piece
from cdpipe.stages.gather.json_records import UnreadableError, load_record
from cdpipe.stages.gather.veremi_records import FIELDS, USUAL, Field, Message, MessageKind, PassedOver, open_record
from cdpipe.stages.gather.veremi_truth import Truth, load_truth

_NAME: Final = re.compile(r"(traceJSON|JSONlog)-(\d+)-(\d+)-A(\d+)(?:[-.].*)?", re.ASCII | re.IGNORECASE)
_TRUTH: Final = re.compile(r"(?:trace)?GroundTruthJSON.*", re.ASCII | re.IGNORECASE)
_NULLS: Final[dict[str, Any]] = {"float": math.nan, "time": np.iinfo(np.int64).min, "integer": 0}
_INSIDE: Final = "lines inside records over several lines"
COLUMNS: Final = tuple(FIELDS)
"""Columns that a trace may have."""


class TraceName(NamedTuple):
    """What a trace's name says: the vehicle that received what is in it, and its kind of attack, 0 for none."""

    vehicle: int
    kind: int


class Trace(NamedTuple):
    """What is known of a trace besides its records.

    Attributes
    ----------
    vehicle
        The receiver, -1 where the name does not say.
    run
        Begins the ids of its vehicles, where there are traces of several runs; else "".
    takes
        Which records are messages.
    truth
        Where `write_truth` put what is known of the senders and their messages; "" for nothing.
    digest
        Of what is there.
    """

    vehicle: int = -1
    run: str = ""
    takes: tuple[MessageKind, ...] = USUAL
    truth: str = ""
    digest: str = ""


def read_name(name: str) -> TraceName | None:
    """Return what the name of a file says, None if it is no trace's.

    In `traceJSON-<vehicle>-<module>-A<kind>-…` (Extension) the first number is the one that senders have in messages,
    in `JSONlog-<vehicle>-<module>-A<kind>` (2018) the second.

    Examples
    --------
    >>> read_name("traceJSON-11091-11089-A13-28800-8.json")
    TraceName(vehicle=11091, kind=13)
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return TraceName(int(found[2 if found[1].casefold() == "tracejson" else 3]), int(found[4]))


def is_truth(name: str) -> bool:
    """Return True for the name of a ground-truth file."""
    return _TRUTH.fullmatch(name) is not None


class _Sink(NamedTuple):
    """A column that values of messages go to one by one: as numbers or text, never as the records they are of.

    `null` has 1 for each null, `unread` the index of each value that could not be read.
    """

    field: Field
    column: Column
    values: Any
    null: bytearray
    unread: list[int]

    def take(self, message: Message, trace: Trace, truth: Truth, texts: dict[str, str]) -> None:
        """Read the column of a message; equal texts are held once."""
        try:
            value = self.field.read(message, trace, truth)
        except ValueError:
            value = None
            self.unread.append(len(self.null))
        self.null.append(value is None)
        if type(value) is str:
            value = texts.setdefault(value, value)
        self.values.append(_NULLS.get(self.column.kind) if value is None else value)

    def typed(self) -> Typed:
        """Return the column; what could not be read is null, and marked bad."""
        bad = np.zeros(len(self.null), np.bool_)
        bad[self.unread] = True
        return Typed(self._fill(), bad, self.field.problem, origins=(Origin(self.field.name, bad, self.field.problem),))

    def _fill(self) -> Any:  # noqa: ANN401 - an array of any kind
        if self.column.kind == "float":
            return np.array(self.values, np.float64)
        if self.column.kind == "time":
            return np.array(self.values, np.int64).view("M8[us]")
        if self.column.kind == "integer":
            null = np.frombuffer(bytes(self.null), np.bool_).copy()
            return pd.arrays.IntegerArray(np.array(self.values, np.int64), null)
        return type_series(self.column, pd.Series(self.values, dtype="str")).data


class _Taken(NamedTuple):
    """What was taken of a block: the index of each message's piece, its columns, faults by index, counts of both."""

    indexes: list[int]
    sinks: dict[str, _Sink]
    faults: dict[int, UnreadableError]
    dropped: Counter[str]
    notes: Counter[str]


def gather_veremi(
    data: bytes,
    *,
    file: str,
    columns: Sequence[str],
    first_row: int,
    first_line: int,
    required: Collection[str],
    convention: Convention,
    layout: Layout,
    trace: Trace,
) -> Gathered:
    """Read a block of whole lines of a trace.

    Parameters
    ----------
    data, file, columns, first_row, first_line, required, convention, layout
        As for `gather_json`.
    trace
        What else is known of the trace: its receiver, the senders' labels.

    Returns
    -------
    Gathered
        The messages that `trace.takes`: received (type 3), sent (type 4), the receiver's own positions (type 2). Other
        records of these types, and those of a ground truth, are passed over and counted. `given_isAttacker` is the
        sender's kind of attack, null where nothing says. `given_isFalse` is the same, but 0 where a ground truth says
        that the position is the true one.
    """
    pieces = split_pieces(data, layout)
    taken = _take_messages(pieces, layout, trace, {name: _open_sink(convention.column_of(name)) for name in columns})
    typed = {name: sink.typed() for name, sink in taken.sinks.items()}
    indexes = np.array(taken.indexes, np.int64)
    frame, faults, dropped, notes = assemble(
        typed, row_numbers=pieces.rows[indexes] + first_row, required=required, convention=convention
    )
    rejects = [
        Reject(file, int(pieces.lines[i]) + first_line, fault.code, f"{fault.code}: {fault.detail}", _text(pieces, i))
        for i, fault in taken.faults.items()
    ]
    for row, code in faults.items():
        index = taken.indexes[row]
        shown = _open_piece(pieces.texts[index], layout, trace)
        line, said = int(pieces.lines[index]) + first_line, {} if shown is None else shown.shown()
        rejects.append(bad_cell(file, line, code, said, _text(pieces, index)))
    rows_in = len(taken.indexes) + taken.dropped.total()
    ledger = account(rows_in, len(frame), dropped + taken.dropped, taken.notes + Counter(notes))
    return Gathered(frame, ledger, keep_first(rejects))


def _open_sink(column: Column) -> _Sink:
    code = {"float": "d", "time": "q", "integer": "q"}.get(column.kind)
    values: Any = [] if code is None else array(code)
    return _Sink(FIELDS[column.name], column, values, bytearray(), [])


def _open_piece(text: bytes, layout: Layout, trace: Trace) -> Message | None:
    """Open a piece of a block as a message, None if there is nothing; errors as of `load_record` and `open_record`."""
    line = trim_piece(text) if layout.has_commas else text.strip()
    record = load_record(line) if line else None
    return None if record is None else open_record(record, takes=trace.takes)


def _take_messages(pieces: Pieces, layout: Layout, trace: Trace, sinks: dict[str, _Sink]) -> _Taken:
    taken, truth = _Taken([], sinks, {}, Counter(), Counter()), load_truth(trace.truth)
    texts: dict[str, str] = {}
    for index, text in enumerate(pieces.texts):
        try:
            message = _open_piece(text, layout, trace)
        except PassedOver as passed:
            taken.notes[str(passed)] += 1
            continue
        except UnreadableError as fault:
            if is_inside(text) and not layout.spread_line:
                taken.notes[_INSIDE] += 1
                continue
            taken.dropped[fault.code] += 1
            if len(taken.faults) < KEPT_REJECTS:
                taken.faults[index] = UnreadableError(fault.code, fault.detail)
            continue
        if message is not None:
            taken.indexes.append(index)
            for sink in sinks.values():
                sink.take(message, trace, truth, texts)
    return taken


def _text(pieces: Pieces, index: int) -> str:
    return pieces.texts[index].rstrip(b"\r").decode("utf-8", "replace")[:KEPT_TEXT]
