"""ODE JSON lines -> columns, and the lines that are no Basic Safety Message, each with its reason.

A line is a record, as the US DOT's Operational Data Environment writes them. A file that is one JSON array is not
lines: on one line it is a single reject ("not an object"), spread over many nearly every line is one ("not JSON").
What a record says twice counts as said last.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from cdpipe.columns import SOURCE, Column, Kind

_COLUMNS: Final = {column.name: column for column in SOURCE}
_CORE: Final = "payload.data.coreData"
_KEPT: Final = ("metadata", _CORE)
_METADATA_PLACE, _CORE_PLACE = 1, 4
_BATCH: Final = 32
"""Records held at once as Python objects: more of them leave the processor's cache and are twice as slow to read."""
_OLDER_KEYS: Final = {"odeReceivedAt": "receivedAt", "recordGeneratedAt": "generatedAt"}
"""What schemas before 4 call a key."""

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_EXACT_FLOAT: Final = 2**53
_INT64: Final = 2**63
_SHOWN: Final = 60
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

Record = dict[str, Any]


class BadLine(NamedTuple):
    r"""A line that gives no row.

    Attributes
    ----------
    line_number
        Its number in the file, from 1.
    code
        Why, in a few words that are the same for all lines of this fault: for counting.
    reason
        Why, naming the field and its value, 250 characters at most.
    text
        The line, without its end; bytes that are not UTF-8 as `\xNN`.
    """

    line_number: int
    code: str
    reason: str
    text: str


class ParsedLines(NamedTuple):
    """Rows of shape (n, columns), the file's line number of each, shape (n,), and the lines that gave none."""

    frame: pd.DataFrame
    line_numbers: NDArray[np.int64]
    rejects: list[BadLine]


class _UnreadableError(Exception):
    """A line or value that cannot be read: (code, detail)."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class _Step(NamedTuple):
    """An object of a record that columns, or objects below it, are read from.

    `parent` is the place of the object that holds it under `key`; place 0 is the record, place i the i-th step's
    object. For each column, `fields` has key, older key, and the values taken so far.
    """

    parent: int
    key: str
    path: str
    fields: list[tuple[str, str, list[Any]]]


def parse_json_lines(data: bytes, *, first_line: int, columns: Sequence[str]) -> ParsedLines:
    """Read a block of whole ODE JSON lines.

    Parameters
    ----------
    data
        The lines, UTF-8. Blank ones are passed over; every other line is a row or a reject.
    first_line
        Number of the first line in its file, from 1.
    columns
        Columns to read, of `cdpipe.columns.SOURCE`, in the vocabulary's spelling.

    Returns
    -------
    ParsedLines
        Values are as recorded: "unavailable" codes stay, and times stay text (whole numbers, epoch milliseconds, as
        their digits). Numbers may stand in quotes. What a record lacks, JSON null, and blank text are null.

    Raises
    ------
    ValueError
        If a column is not of the vocabulary's source columns.
    """
    unknown = [name for name in columns if name not in _COLUMNS]
    if unknown:
        raise ValueError(f"ODE JSON has no column {unknown[0]!r}; choose among {', '.join(_COLUMNS)}")
    source = data.split(b"\n")
    values: dict[str, list[Any]] = {name: [] for name in columns}
    numbers, rejects = _take_records(source, first_line, _lay_steps(values))
    faults: dict[int, _UnreadableError] = {}
    typed = {name: _type_values(_COLUMNS[name], taken, len(numbers), faults) for name, taken in values.items()}
    frame, line_numbers = pd.DataFrame(typed, index=range(len(numbers))), np.array(numbers, np.int64)
    if faults:
        rejects += [_bad_line(numbers[i], source[numbers[i] - first_line], fault) for i, fault in faults.items()]
        rejects.sort()
        good = np.ones(len(numbers), np.bool_)
        good[list(faults)] = False
        frame, line_numbers = frame[good].reset_index(drop=True), line_numbers[good]
    return ParsedLines(frame, line_numbers, rejects)


def _lay_steps(values: Mapping[str, list[Any]]) -> list[_Step]:
    """Lay out the walk through a record: each object once, after the one that holds it; first those of _KEPT."""
    places = {"": 0}
    steps: list[_Step] = []
    paths = {name: _COLUMNS[name].ode_path.rpartition(".") for name in values}
    for path in (*_KEPT, *(parent for parent, _, _ in paths.values())):
        keys = path.split(".") if path else []
        for depth, key in enumerate(keys):
            above, here = ".".join(keys[:depth]), ".".join(keys[: depth + 1])
            if here not in places:
                steps.append(_Step(places[above], key, here, []))
                places[here] = len(steps)
    for name, (parent, _, key) in paths.items():
        if key:
            steps[places[parent] - 1].fields.append((key, _OLDER_KEYS.get(key, key), values[name]))
    return steps


def _take_records(source: Sequence[bytes], first_line: int, steps: Sequence[_Step]) -> tuple[list[int], list[BadLine]]:
    """Take the values of each good record into the steps' fields; return its line numbers, and the bad lines."""
    numbers: list[int] = []
    rejects: list[BadLine] = []
    found: list[list[Record]] = []
    for number, raw in enumerate(source, first_line):
        line = (raw.removeprefix(_BYTE_ORDER_MARK) if number == 1 else raw).strip()
        if not line:
            continue
        try:
            found.append(_walk(_load_record(line), steps))
            numbers.append(number)
        except _UnreadableError as fault:
            rejects.append(_bad_line(number, raw, fault))
        if len(found) == _BATCH:
            _take_values(found, steps)
            found.clear()
    _take_values(found, steps)
    return numbers, rejects


def _load_record(line: bytes) -> Record:
    if line.startswith(b"#"):
        raise _UnreadableError("comment", "a line that begins with #")
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _UnreadableError("not JSON", str(error)) from None
    if not isinstance(record, dict):
        raise _UnreadableError("not an object", f"{_show(record)}; a line must hold one record")
    return record


def _walk(record: Record, steps: Sequence[_Step]) -> list[Record]:
    """Return the record and the object of each step; an absent object is empty."""
    objects = [record]
    for parent, key, path, _ in steps:
        found = objects[parent].get(key)
        if type(found) is not dict:
            if found is not None:
                raise _UnreadableError(f"{path}: not an object", _show(found))
            found = {}
        objects.append(found)
    if not objects[_CORE_PLACE]:
        kind = _show(objects[_METADATA_PLACE].get("payloadType"))
        raise _UnreadableError("not a BSM", f"no {_CORE} (payloadType {kind})")
    return objects


def _take_values(found: Sequence[Sequence[Record]], steps: Sequence[_Step]) -> None:
    """Append the values of some records, column by column."""
    for place, step in enumerate(steps, 1):
        objects = [record[place] for record in found]
        for key, older, taken in step.fields:
            if key == older:
                taken += [fields.get(key) for fields in objects]
            else:
                taken += [fields.get(older) if fields.get(key) is None else fields[key] for fields in objects]


def _type_values(column: Column, taken: list[Any], rows: int, faults: dict[int, _UnreadableError]) -> "pd.Series[Any]":
    """Type the values of a column; note the first fault of each row, whose value becomes null."""
    dtype = "str" if column.kind in ("time", "label") else column.dtype
    if not column.ode_path:
        return pd.Series([None] * rows, dtype=dtype)
    plain, convert, problem = _READERS[column.kind]
    if not plain.issuperset(map(type, taken)) or _needs_a_look(column.kind, taken):
        for place, value in enumerate(taken):
            if value is not None:
                try:
                    taken[place] = convert(value)
                except ValueError:
                    taken[place] = None
                    faults.setdefault(place, _UnreadableError(f"{column.name}: {problem}", _show(value)))
    if column.kind == "float":
        return pd.Series(np.array(taken, np.float64), copy=False)
    return pd.Series(taken, dtype=dtype)


def _needs_a_look(kind: Kind, taken: Sequence[Any]) -> bool:
    """Say whether values of a column's plain types may still be unfit: integers too large, text that is blank."""
    if kind == "float":
        return False
    if kind == "integer":
        return max((value for value in taken if value is not None), default=0) >= _INT64
    return any(value is not None and (not value or value.isspace()) for value in taken)


def _to_float(value: object) -> float | None:
    if isinstance(value, str):
        if not value.strip():
            return None
        if not _NUMBER.fullmatch(value.strip()) or not np.isfinite(float(value)):
            raise ValueError
        return float(value)
    if isinstance(value, bool) or not isinstance(value, float | int):
        raise ValueError  # noqa: TRY004 (the caller turns it into a reject)
    return float(value)


def _to_integer(value: object) -> int | None:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value)
    elif not isinstance(value, int) or isinstance(value, bool):
        number = _to_float(value)
        if number is None:
            return None
        if not number.is_integer() or abs(number) > _EXACT_FLOAT:
            raise ValueError
        value = int(number)
    if not -_INT64 <= value < _INT64:
        raise ValueError
    return value


def _to_text(value: object) -> str | None:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 (the caller turns it into a reject)
    return None if not value or value.isspace() else value


def _to_time(value: object) -> str | None:
    """Keep a time as text; whole numbers are epoch milliseconds, which a later step reads."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _to_text(value)


_Reader = tuple[frozenset[type], Callable[[object], object], str]
_READERS: Final[dict[Kind, _Reader]] = {
    "float": (frozenset((float, int, NoneType)), _to_float, "not a number"),
    "integer": (frozenset((int, NoneType)), _to_integer, "not an integer"),
    "text": (frozenset((str, NoneType)), _to_text, "not text"),
    "label": (frozenset((str, NoneType)), _to_text, "not text"),
    "time": (frozenset((str, NoneType)), _to_time, "not a time"),
}


def _show(value: object) -> str:
    """Spell a value as JSON, cut to _SHOWN characters."""
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _bad_line(number: int, raw: bytes, fault: _UnreadableError) -> BadLine:
    reason = f"{fault.code}: {fault.detail}"
    return BadLine(number, fault.code, reason, raw.rstrip(b"\r").decode("utf-8", "backslashreplace"))
