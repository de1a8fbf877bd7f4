"""Messages as scaled integers -> CSV, Parquet and ODE JSON lines, and the frame that gathering them gives."""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import IO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cdpipe.columns import BY_NAME, LATITUDE, LONGITUDE, POINT, SOURCE
from cdpipe.oserrors import naming

RECEIVED_AT: Final = "metadata_receivedAt"
COLUMNS: Final = tuple(
    column.name
    for column in SOURCE
    if column.name not in {f"coreData_accelset_accel{a}" for a in ("Lat", "Long", "Vert")}
)
"""Columns of a file: those that the published Wyoming files have, in the vocabulary's order."""

DECIMALS: Final = {
    LATITUDE: 7,
    LONGITUDE: 7,
    "coreData_accuracy_semiMajor": 2,
    "coreData_accuracy_semiMinor": 2,
    "coreData_elevation": 1,
    "coreData_accelset_accelYaw": 2,
    "coreData_speed": 2,
    "coreData_heading": 4,
}
"""Decimals of the columns that have some; the others are whole numbers, times or text."""

EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 (the vocabulary's times are naive UTC)
_US_PER_S: Final = 1_000_000
_DOT_TIME: Final = "%m/%d/%Y %I:%M:SS HALF"
_ISO_TIME: Final = "%Y-%m-%dT%H:%M:SSZ"
_PAYLOAD: Final = "us.dot.its.jpo.ode.model.OdeBsmPayload"
_DATA_TYPE: Final = "us.dot.its.jpo.ode.plugin.j2735.J2735Bsm"
_PLAIN_FROM: Final = {7: 10}
"""By decimals: scaled numbers smaller than this would be written 9E-7 by Arrow."""
_SMALL: Final = 65_536
_MARK: Final = "\x7f"


@dataclass(frozen=True, slots=True)
class Messages:
    """Some messages, each array of shape (n,).

    Attributes
    ----------
    numbers
        Whole numbers, and decimal ones times 10**DECIMALS.
    seconds
        Times, seconds since 1970.
    texts
        Arrow `string` arrays, without `coreData_position`: that is made of the coordinates.
    missing
        Which cells are empty, for the columns that have any.
    """

    numbers: dict[str, NDArray[np.int64]]
    seconds: dict[str, NDArray[np.int64]]
    texts: dict[str, pa.Array]
    missing: dict[str, NDArray[np.bool_]]


def typed_table(messages: Messages, names: Sequence[str], *, gathered: bool) -> pa.Table:
    """Return columns of the vocabulary's types; if `gathered`, "unavailable" codes are null as empty cells are."""
    return pa.table({name: _typed(messages, name, gathered=gathered) for name in names})


def _typed(messages: Messages, name: str, *, gathered: bool) -> pa.Array:
    missing = messages.missing.get(name)
    if name in messages.seconds:
        return pa.array(messages.seconds[name] * _US_PER_S, pa.int64(), mask=missing).cast(pa.timestamp("us"))
    if name not in messages.numbers:
        return _texts(messages, [name], _ISO_TIME)[0]
    numbers = messages.numbers[name]
    values = numbers / 10 ** DECIMALS[name] if name in DECIMALS else numbers
    codes = BY_NAME[name].unavailable if gathered else ()
    if codes:
        coded = np.isin(values, codes)
        missing = coded if missing is None else missing | coded
    return pa.array(values, mask=missing)


def _texts(messages: Messages, names: Sequence[str], time_form: str) -> list[pa.Array]:
    """Text of columns' cells; empty ones are null. The point is made of the coordinates' text, empty or not."""
    texts = dict(messages.texts)
    needed = (*names, LONGITUDE, LATITUDE) if POINT in names else names
    for name in needed:
        if name in messages.seconds:
            texts[name] = _time_text(messages.seconds[name], time_form)
        elif name in messages.numbers and name not in texts:
            texts[name] = _decimal_text(messages.numbers[name], DECIMALS.get(name, 0))
    if POINT in names:
        texts[POINT] = pc.binary_join_element_wise("POINT (", texts[LONGITUDE], " ", texts[LATITUDE], ")", "")
    return [_emptied(texts[name], messages.missing.get(name)) for name in names]


def _emptied(text: pa.Array, missing: NDArray[np.bool_] | None) -> pa.Array:
    return text if missing is None else pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), text)


def _decimal_text(values: NDArray[np.int64], decimals: int) -> pa.Array:
    """Format numbers; small ones are looked up, which is faster."""
    if values.min() >= 0 and values.max() < _SMALL:
        return _small_texts(decimals).take(pa.array(values))
    return _format_decimals(values, decimals)


@cache
def _small_texts(decimals: int) -> pa.Array:
    return _format_decimals(np.arange(_SMALL), decimals)


def _format_decimals(values: NDArray[np.int64], decimals: int) -> pa.Array:
    if not decimals:
        return pc.cast(pa.array(values), pa.string())
    memory = pa.py_buffer(np.ascontiguousarray(values))
    text = pc.cast(pa.Array.from_buffers(pa.decimal64(18, decimals), len(values), [None, memory]), pa.string())
    scientific = np.abs(values) < _PLAIN_FROM.get(decimals, 0)
    if scientific.any():
        plain = [f"{value / 10**decimals:.{decimals}f}" for value in values[scientific]]
        text = pc.replace_with_mask(text, pa.array(scientific), pa.array(plain, pa.string()))
    return text


def _time_text(seconds: NDArray[np.int64], form: str) -> pa.Array:
    """Format times, each different one once: ten or more messages share a second, hundreds a minute."""
    encoded = pa.array(seconds).dictionary_encode()
    texts, known, before, after = [], None, "", ""
    for second in encoded.dictionary.to_pylist():
        minute, rest = divmod(second, 60)
        if minute != known:
            known, moment = minute, EPOCH + timedelta(minutes=minute)
            half = ("AM", "PM")[moment.hour // 12]
            before, after = f"{moment:{form}}".split("SS")
            after = after.replace("HALF", half)
        texts.append(f"{before}{rest:02d}{after}")
    return pa.array(texts, pa.string()).take(encoded.indices)


def _join_lines(literals: Sequence[str], cells: Sequence[pa.Array], *, null: str) -> pa.Buffer:
    """Interleave literals and cells, row after row: the bytes of the lines."""
    pieces: list[str | pa.Array] = [literals[0]]
    for cell, literal in zip(cells, literals[1:], strict=True):
        pieces += [cell, literal]
    return _memory(pc.binary_join_element_wise(*pieces, "", null_handling="replace", null_replacement=null))


def _memory(lines: pa.Array) -> pa.Buffer:
    """Return the bytes of all lines: Arrow keeps them one after the other."""
    _, offsets, text = lines.buffers()
    return text.slice(0, int(np.frombuffer(offsets, np.int32)[len(lines)]))


def _csv_lines(messages: Messages) -> pa.Buffer:
    cells = _texts(messages, COLUMNS, _DOT_TIME)
    cells[-1] = pc.binary_join_element_wise(cells[-1], "\n", "", null_handling="replace")
    return _memory(pc.binary_join_element_wise(*cells, ",", null_handling="replace"))


def _json_template() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lay the columns out as an ODE record, by their `ode_path`: the names in order, and the text around them."""
    record: dict[str, object] = {
        "metadata": {"payloadType": _PAYLOAD, "schemaVersion": 6},
        "payload": {"dataType": _DATA_TYPE},
    }
    for name in COLUMNS:
        *parents, key = BY_NAME[name].ode_path.split(".")
        place = record
        for parent in parents:
            place = place.setdefault(parent, {})  # type: ignore[assignment]
        if key:
            place[key] = _MARK + name + _MARK
    pieces = re.split(f'"{_MARK}|{_MARK}"', json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n")
    return tuple(pieces[1::2]), tuple(pieces[0::2])


_JSON_NAMES, _JSON_LITERALS = _json_template()


def _json_lines(messages: Messages) -> pa.Buffer:
    cells = _texts(messages, _JSON_NAMES, _ISO_TIME)
    quoted = [
        cell if name in messages.numbers else pc.binary_join_element_wise('"', cell, '"', "")
        for name, cell in zip(_JSON_NAMES, cells, strict=True)
    ]
    return _join_lines(_JSON_LITERALS, quoted, null="null")


def _write_csv(file: IO[bytes], chunks: Iterable[Messages]) -> None:
    file.write((",".join(COLUMNS) + "\n").encode())
    for messages in chunks:
        file.write(_csv_lines(messages))


def _write_json_lines(file: IO[bytes], chunks: Iterable[Messages]) -> None:
    for messages in chunks:
        file.write(_json_lines(messages))


def _write_parquet(file: IO[bytes], chunks: Iterable[Messages]) -> None:
    tables = (typed_table(messages, COLUMNS, gathered=False) for messages in chunks)
    first = next(tables)
    with pq.ParquetWriter(file, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


Writer = Callable[[IO[bytes], Iterable[Messages]], None]
WRITERS: Final[dict[str, Writer]] = {".csv": _write_csv, ".parquet": _write_parquet, ".jsonl": _write_json_lines}
"""How a file is written, by its suffix."""


@contextmanager
def replacing(out: Path) -> Iterator[IO[bytes]]:
    """Open a file beside `out` that takes its place, whole and on disk, when the block ends without an error.

    Raises
    ------
    OSError
        If there can be no file there.
    """
    if out.is_dir():
        raise IsADirectoryError(f"cannot write {str(out)!r}: it is a folder; name a file in it")
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        file = beside.open("wb")
    except OSError as error:
        why = f"cannot write {str(out)!r}: {error.strerror}; make its folder writable or choose another"
        raise OSError(error.errno, why) from error
    try:
        with naming(out), file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
