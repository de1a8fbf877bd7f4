"""Where messages come from: files found, cut into blocks of whole lines or row groups, and read one block at a time."""

import glob
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

import fsspec
import pyarrow.parquet as pq

from cdpipe.columns import BY_NAME, DERIVED, SOURCE, find_doubled, resolve
from cdpipe.engine.rowgroups import read_groups
from cdpipe.engine.streams import (
    count_lines_of,
    find_line_end,
    find_record_end,
    open_stream,
    read_bytes,
    real_path,
)
from cdpipe.stages.csvlines import Header, gather_csv, read_header
from cdpipe.stages.gather import Gathered, gather_json

Format = Literal["csv", "json", "parquet"]
_FORMATS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_VALUE_BYTES: Final = 8
_LONGEST_HEADER: Final = 1 << 20
_NO_HEADER: Final = (
    f"line 1 is longer than {_LONGEST_HEADER:,} bytes, too long to be a header; lines must end with a line feed"
)
_MADE: Final = frozenset(column.name for column in DERIVED)


class SourceError(ValueError):
    """A source cannot be read; the message names it and what to do."""


class SourceFile(NamedTuple):
    """One file of messages.

    Attributes
    ----------
    path
        Local path or fsspec URL.
    format
        `csv`, `json` (ODE JSON lines) or `parquet`.
    size
        Bytes.
    columns
        The columns it has, in the vocabulary's spelling (JSON lines: all that ODE records may have).
    header
        A CSV file's first line.
    group_rows
        A Parquet file's rows by row group.
    doubled
        The indices of two columns that have one name, by that name: it cannot be read.
    """

    path: str
    format: Format
    size: int
    columns: tuple[str, ...]
    header: Header | None = None
    group_rows: tuple[int, ...] = ()
    doubled: Mapping[str, tuple[int, int]] | None = None


class Block(NamedTuple):
    """A piece of a file that one task reads: bytes from `start` to `stop`, or row groups, for Parquet."""

    file: SourceFile
    start: int
    stop: int
    rows: int | None = None

    @property
    def size(self) -> int:
        """Bytes on disk, for Parquet its share of the file's."""
        if self.file.format != "parquet":
            return self.stop - self.start
        return self.file.size * (self.rows or 0) // max(1, sum(self.file.group_rows))

    def unpacked_bytes(self, columns: int) -> int:
        """Bytes of so many columns as plain text or numbers: Parquet packs what repeats a hundredfold."""
        return max(self.size, (self.rows or 0) * columns * _VALUE_BYTES)


def find_sources(paths: Sequence[str], *, format_: Format | None = None) -> list[SourceFile]:
    """Find the files that paths, globs, Parquet folders and URLs name, and look at their first bytes.

    Parameters
    ----------
    paths
        Local paths, globs, or fsspec URLs; a glob's files are taken in the order of their names.
    format_
        Format of all of them; by default each file's suffix says it.

    Raises
    ------
    SourceError
        If nothing is found, a file is named twice, or one cannot be read as what it claims to be.
    """
    return [_inspect(path, format_ or _format_of(path)) for path in expand_paths(paths)]


def expand_paths(paths: Sequence[str]) -> list[str]:
    """Return the files that paths, globs, Parquet folders and URLs name, in order.

    Raises
    ------
    SourceError
        If nothing is found, a path is empty, or a file is named twice, whatever its spelling.
    """
    named: dict[str, tuple[str, str]] = {}
    for number, given in enumerate(paths, 1):
        if not given.strip():
            raise SourceError(f"input.paths: path {number} is empty; name a file, a glob, a Parquet folder or a URL")
        for path in _expand(given):
            real = real_path(path)
            if real in named:
                raise SourceError(f"{path}: is named twice, by {named[real][1]!r} and {given!r}; name each file once")
            named[real] = path, given
    return [path for path, _ in named.values()]


def cut(file: SourceFile, *, block_bytes: int) -> list[Block]:
    """Cut a file into blocks of about `block_bytes`, each of whole lines or row groups; no CSV record is parted."""
    if file.format == "parquet":
        return list(_cut_groups(file, block_bytes))
    start = file.header.bytes if file.header else 0
    blocks = []
    with open_stream(file.path) as stream:
        while start < file.size:
            stop = min(start + block_bytes, file.size)
            if stop < file.size and file.header:
                stop = find_record_end(stream, stop - 1, file.header.bytes, file.size)
            elif stop < file.size:
                stop = find_line_end(stream, stop - 1, file.size)
            blocks.append(Block(file, start, stop))
            start = stop
    return blocks or [Block(file, start, start)]


def count_rows(block: Block) -> int:
    """Count the row numbers that a block takes: its lines, or its rows.

    Raises
    ------
    SourceError
        If the file cannot be read any more.
    """
    if block.rows is not None:
        return block.rows
    try:
        return count_lines_of(block.file.path, block.start, block.stop)
    except OSError as error:
        raise SourceError(f"{block.file.path}: {error}") from error


def read_block(block: Block, *, columns: Sequence[str], first_row: int, rows_before_file: int) -> Gathered:
    """Read a block into a typed frame.

    Parameters
    ----------
    block
        What to read.
    columns
        Columns to read, in the vocabulary's spelling; those that the file lacks become null.
    first_row
        How many row numbers the blocks before it take, in all files.
    rows_before_file
        How many the files before its own take.

    Raises
    ------
    SourceError
        If the file cannot be read any more, or a Parquet column cannot mean what the vocabulary says.
    """
    file = block.file
    try:
        if file.format == "parquet":
            line = sum(file.group_rows[: block.start]) + 1
            groups = range(block.start, block.stop)
            return read_groups(file.path, groups, columns=columns, first_row=first_row, first_line=line)
        data = read_bytes(file.path, block.start, block.stop)
    except (OSError, TypeError, ValueError) as error:
        raise SourceError(f"{file.path}: {error}") from error
    line = first_row - rows_before_file + 1
    if file.header is None:
        text = data.tobytes()
        del data
        return gather_json(text, file=file.path, columns=columns, first_row=first_row, first_line=line)
    return gather_csv(
        data, file=file.path, header=file.header, columns=columns, first_row=first_row, first_line=line + 1
    )


def available_columns(files: Sequence[SourceFile]) -> tuple[str, ...]:
    """Return the columns that every one of the files has."""
    shared = set(files[0].columns).intersection(*(file.columns for file in files))
    return tuple(name for name in files[0].columns if name in shared)


def absent_columns(files: Sequence[SourceFile], wanted: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return, by column, the files that lack a wanted column of the vocabulary: it will be null there.

    Raises
    ------
    SourceError
        If a wanted column is one that stages make, if two columns of a file have its name, or if it is not of the
        vocabulary and a file lacks it: then its name is a mistake.
    """
    absent: dict[str, tuple[str, ...]] = {}
    for name in wanted:
        if name in _MADE:
            raise SourceError(f"{files[0].path}: {name!r} is made by cdpipe, not read; do not ask for it in columns")
        for file in files:
            if file.doubled and name in file.doubled:
                a, b = (index + 1 for index in file.doubled[name])
                raise SourceError(f"{file.path}: columns {a} and {b} are both {name!r}; rename or remove one")
        lacking = tuple(file.path for file in files if name not in file.columns)
        if lacking and name not in BY_NAME:
            has = next(file.columns for file in files if file.path == lacking[0])
            raise SourceError(f"{lacking[0]}: has no column {name!r}; it has {', '.join(has)}")
        if lacking:
            absent[name] = lacking
    return absent


def _expand(given: str) -> list[str]:
    if "://" in given:
        try:
            filesystem, path = fsspec.core.url_to_fs(given)
        except (ImportError, ValueError) as error:
            raise SourceError(f"{given}: {error}") from None
        if not glob.has_magic(path):
            return [given]
        found = [filesystem.unstrip_protocol(name) for name in sorted(filesystem.glob(path))]
    elif glob.has_magic(given) and not Path(given).exists():
        found = sorted(glob.glob(given, recursive=True))  # noqa: PTH207 - absolute and relative patterns alike
    elif Path(given).is_dir():
        found = [str(path) for path in sorted(Path(given).rglob("*.parquet")) if not _is_hidden(path, below=given)]
        if not found:
            raise SourceError(f"{given}: is a folder without Parquet files; name its files, e.g. {given}/*.csv")
    else:
        return [given]
    if not found:
        raise SourceError(f"{given}: no file matches; check the pattern and the folder")
    return found


def _is_hidden(path: Path, *, below: str) -> bool:
    """Say whether a file, or a folder that it is in, is what programs leave for themselves: `_temporary`."""
    return any(part.startswith((".", "_")) for part in path.relative_to(below).parts)


def _format_of(path: str) -> Format:
    suffix = Path(path).suffix.lower()
    if suffix in _FORMATS:
        return _FORMATS[suffix]
    raise SourceError(f"{path}: the suffix {suffix!r} tells no format; use {', '.join(_FORMATS)}, or set input.format")


def _inspect(path: str, format_: Format) -> SourceFile:
    try:
        if format_ == "parquet":
            return _inspect_parquet(path)
        with open_stream(path) as stream:
            size = stream.seek(0, 2)
            stream.seek(0)
            head = stream.read(_LONGEST_HEADER)
        if not head.strip():
            raise ValueError("is empty; it holds no messages")  # noqa: TRY301 - gets the file's name below
        if format_ == "json":
            return SourceFile(path, format_, size, tuple(column.name for column in SOURCE if column.ode_path))
        if b"\n" not in head and size > len(head):
            raise ValueError(_NO_HEADER)  # noqa: TRY301
        header = read_header(head)
        return SourceFile(path, format_, size, tuple(header.places), header, doubled=header.doubled)
    except FileNotFoundError:
        raise SourceError(f"{path}: there is no such file; check input.paths") from None
    except IsADirectoryError:
        raise SourceError(f"{path}: is a folder, not a file; name its files, e.g. {path}/*.csv") from None
    except PermissionError:
        raise SourceError(f"{path}: may not be read; check its permissions") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: {error}") from error


def _inspect_parquet(path: str) -> SourceFile:
    with open_stream(path) as stream:
        size = stream.seek(0, 2)
        file = pq.ParquetFile(stream)
        rows = tuple(file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups))
        names = file.schema_arrow.names
        return SourceFile(path, "parquet", size, tuple(resolve(names)), None, rows, find_doubled(names))


def _cut_groups(file: SourceFile, block_bytes: int) -> Iterator[Block]:
    """Put as many row groups together as `block_bytes` hold when they are unpacked, one at least."""
    start = 0
    if not file.group_rows:
        yield Block(file, 0, 0, 0)
    for stop in range(1, len(file.group_rows) + 1):
        block = Block(file, start, stop, sum(file.group_rows[start:stop]))
        longer = Block(file, start, stop + 1, sum(file.group_rows[start : stop + 1]))
        if stop == len(file.group_rows) or longer.unpacked_bytes(len(file.columns)) > block_bytes:
            yield block
            start = stop
