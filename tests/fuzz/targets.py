"""Targets: what a reader makes of some bytes, as a digest; anything but that or an error of ours is a fault.

Files are read twice, in one block and in three: the answer must be the same.
"""

import hashlib
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cdpipe.columns import GENERATED_AT, SOURCE
from cdpipe.config.model import ConfigError, load_config
from cdpipe.engine.api.reading import plan_sources
from cdpipe.engine.files.parts import to_arrow
from cdpipe.engine.files.paths import SourceError
from cdpipe.engine.graph.partition import read_raw
from cdpipe.engine.graph.row_numbers import FIRST, count_each, go_on
from cdpipe.stages.frames.interop import Cells
from cdpipe.stages.frames.time_cells import read_times
from cdpipe.stages.gather.conventions import ConventionParams
from cdpipe.stages.gather.gather import GatherParams

ZONES: Final = ("UTC", "America/Denver")
_WHOLE_MB: Final = 64.0
_LEAST_MB: Final = 1.01e-4
_PIECES: Final = 3
_TWICE: Final = 3
"""One of so many inputs is read twice."""

_SPREAD: Final = "lines"
"""In the sentence of a file whose records go over several lines: it can be read in one block only."""

_OF_RECORDS: Final = (
    *("metadata_generatedAt", "metadata_recordType", "coreData_id", "coreData_msgCnt", "coreData_secMark"),
    *("coreData_position_lat", "coreData_position_long", "coreData_speed", "coreData_heading"),
)
"""Columns of each sort, read of JSON: every file has all there are, and one more costs 2 ms an input."""

_MAP: Final = {
    "time": "t",
    "id": "id",
    "x": "x",
    "y": {"column": "y", "unit": "km"},
    "speed": ["vx", "vy"],
    "heading": ["hx", "hy"],
    "attacker": "label",
    "false": {"column": "lie", "honest": ["ok"]},
}
"""A column map of each sort."""

_PACKED: Final = {
    b"\x1f\x8b": ".csv.gz",
    b"BZh": ".csv.bz2",
    b"\xfd7zXZ": ".csv.xz",
    b"\x28\xb5\x2f\xfd": ".csv.zst",
    b"PK": ".zip",
}
_RECIPE: Final = b"R"
"""Begins what is not a Parquet file but says how one is made."""


class Fault(AssertionError):  # noqa: N818 - what is found
    """A reader broke a promise; the message says which."""


def read_csv(data: bytes) -> str:
    """Read bytes as a CSV file."""
    return _read_twice(data, ".csv")


def read_json(data: bytes) -> str:
    """Read bytes as ODE JSON lines."""
    return _read_twice(data, ".jsonl")


def read_trace(data: bytes) -> str:
    """Read bytes as a trace of VeReMi."""
    return _read_twice(data, ".trace.json")


def read_table(data: bytes) -> str:
    """Read bytes as a CSV file whose columns are mapped."""
    return _read_twice(data, ".mapped.csv")


def read_parquet(data: bytes) -> str:
    """Read bytes as a Parquet file, or as a recipe of one."""
    return _read_twice(make_parquet(data[1:]) if data.startswith(_RECIPE) else data, ".parquet")


def read_packed(data: bytes) -> str:
    """Read bytes as a compressed file or an archive, whichever they begin like."""
    return _read_twice(data, next((suffix for start, suffix in _PACKED.items() if data.startswith(start)), ".tar"))


def read_moments(data: bytes) -> str:
    """Read lines as times, each a cell, in two zones."""
    lines = data.split(b"\n")
    stops = np.cumsum([len(line) for line in lines], dtype=np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), stops[:-1]])
    buffer = np.frombuffer(b"".join(lines) or b"\0", np.uint8)
    found = [read_times(Cells(buffer, starts, stops.copy()), time_zone=zone) for zone in ZONES]
    return _digest([each.tobytes() for times in found for each in times])


def read_config(data: bytes) -> str:
    """Read bytes as a configuration, in JSON if they begin like it."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / f"run.{'json' if data.lstrip()[:1] in (b'{', b'[') else 'toml'}"
        path.write_bytes(data)
        try:
            return _digest([load_config(path).model_dump_json().encode()])
        except ConfigError as error:
            return _explain(error, path)


TARGETS: Final[dict[str, Callable[[bytes], str]]] = {
    "csv": read_csv,
    "json": read_json,
    "trace": read_trace,
    "table": read_table,
    "parquet": read_parquet,
    "packed": read_packed,
    "times": read_moments,
    "config": read_config,
}


def make_parquet(recipe: bytes) -> bytes:
    """Make a Parquet file as bytes say: of each column its name, its type and its values."""
    columns: dict[str, pa.Array] = {}
    for piece in recipe.split(b"\n")[:20]:
        if len(piece) < 3:
            continue
        name = SOURCE[piece[0] % len(SOURCE)].name
        kind, cells = _KINDS[piece[1] % len(_KINDS)], piece[2:].split(b"|")
        columns[name] = _make_column(kind, cells)
    rows = max((len(column) for column in columns.values()), default=0)
    table = pa.table(
        {
            name: pa.concat_arrays([column, pa.nulls(rows - len(column), column.type)])
            for name, column in columns.items()
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=max(1, rows // 2), use_dictionary=bool(recipe[:1] < b"\x80"))
    return bytes(sink.getvalue())


_KINDS: Final = (
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.float64(),
    pa.float32(),
    pa.int64(),
    pa.uint64(),
    pa.int8(),
    pa.bool_(),
    pa.timestamp("ns"),
    pa.timestamp("s", "America/Denver"),
    pa.timestamp("us", "UTC"),
    pa.date32(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.list_(pa.float64()),
    pa.struct([("latitude", pa.float64())]),
    pa.null(),
)


def _make_column(kind: pa.DataType, cells: list[bytes]) -> pa.Array:
    """Make a column of a type: texts as they are, numbers of a cell's bytes, nothing of an empty one."""
    given: list[Any]
    if kind == pa.binary():
        given = [cell or None for cell in cells]
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        given = [cell.decode("utf-8", "replace") or None for cell in cells]
    else:
        raw = np.frombuffer(b"".join(cell.ljust(8, b"\0")[:8] for cell in cells), np.int64)
        if pa.types.is_floating(kind):
            return pa.array(raw.view(np.float64).astype(kind.to_pandas_dtype()), kind)
        if pa.types.is_list(kind):
            return pa.array([[float(value)] for value in raw], kind)
        if pa.types.is_struct(kind):
            return pa.array([{"latitude": float(value)} for value in raw], kind)
        if pa.types.is_null(kind):
            return pa.nulls(len(cells))
        if pa.types.is_boolean(kind):
            return pa.array((raw & 1).astype(bool), kind)
        if pa.types.is_timestamp(kind):
            ticks = raw // 1000 if kind.unit == "s" else raw  # Parquet has milliseconds at the coarsest
            return pa.array(ticks, pa.int64()).cast(kind)
        width = kind.bit_width
        signed = raw.astype(np.int64) >> (64 - width)
        if pa.types.is_date(kind):
            return pa.array(signed.astype(np.int32), pa.int32()).cast(kind)
        return pa.array(signed.astype(kind.to_pandas_dtype()), kind)
    return pa.array(given, kind if not pa.types.is_dictionary(kind) else pa.string()).cast(kind)


def _read_twice(data: bytes, suffix: str) -> str:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(data)
        whole = _read(path, Path(folder), _WHOLE_MB)
        if zlib.crc32(data) % _TWICE:
            return whole
        cut = _read(path, Path(folder), max(_LEAST_MB, len(data) / _PIECES / 1e6))
    if whole != cut and _SPREAD not in cut:
        raise Fault(f"read in one block: {whole[:200]}; in several: {cut[:200]}")
    return whole


def _read(path: Path, folder: Path, block_mb: float) -> str:
    try:
        return read_file(path, folder, block_mb)
    except SourceError as error:
        return _explain(error, path)


def read_file(path: Path, folder: Path, block_mb: float) -> str:
    """Read a file in blocks of a size, and return a digest of its messages, accounts and rejects.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    columns = _OF_RECORDS if path.suffix == ".jsonl" else None
    of_ode = ".trace" not in path.suffixes and ".mapped" not in path.suffixes
    params = GatherParams(block_mb=block_mb, missing_time="received" if of_ode else "null", columns=columns)
    format_ = "veremi" if ".trace" in path.suffixes else None
    how = ConventionParams(columns=_MAP if ".mapped" in path.suffixes else {})
    sources, _absent = plan_sources([str(path)], params, folder=lambda: folder, format_=format_, conventions=how)
    blocks = [source.block for source in sources]
    starts = go_on(FIRST, count_each(blocks), [place == 0 for place in range(len(blocks))])
    said: list[bytes] = []
    rows = {"in": 0, "out": 0}
    columns: dict[str, list[object]] = {}
    rejects, dropped = [], {}
    for source, start in zip(sources, starts, strict=False):
        gathered = read_raw(source, start)
        ledger = gathered.ledger
        rows["in"] += ledger.rows_in
        rows["out"] += ledger.rows_out
        if ledger.rows_in != ledger.rows_out + sum(ledger.dropped.values()):
            raise Fault(f"the ledger does not balance: {ledger}")
        if ledger.rows_out != len(gathered.frame):
            raise Fault(f"{len(gathered.frame)} messages, and the ledger says {ledger.rows_out}")
        for reason, number in ledger.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + number
        table = to_arrow(gathered.frame)
        for name in table.column_names:
            columns.setdefault(name, []).extend(map(repr, _values(table[name])))
        rejects += [repr(each).replace(str(folder), "") for each in gathered.rejects]
    said += [repr(rows).encode(), repr(sorted(dropped.items())).encode(), repr(sorted(columns)).encode()]
    said += [repr(columns[name]).encode() for name in sorted(columns)]
    said += [each.encode("utf-8", "surrogatepass") for each in rejects]
    if GENERATED_AT in columns and len(columns[GENERATED_AT]) != rows["out"]:
        raise Fault("columns are not all of one length")
    return f"{rows['in']} rows, {rows['out']} messages, {_digest(said)}"


def _values(column: pa.ChunkedArray) -> list[object]:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_dictionary(column.type):
        column = column.cast(kind)
    return list((column.cast(pa.int64()) if pa.types.is_timestamp(kind) else column).to_pylist())


def _explain(error: Exception, path: Path) -> str:
    """Return an error of ours as text; it must name the file, and be of one line a problem."""
    if str(path) not in str(error):
        raise Fault(f"the error names no file: {error!r}")
    return f"{type(error).__name__}: {str(error).replace(str(path.parent), '')}"


def _digest(pieces: list[bytes]) -> str:
    return hashlib.sha256(b"\0".join(pieces)).hexdigest()[:16]
