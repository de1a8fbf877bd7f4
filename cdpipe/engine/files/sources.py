"""Sources of messages: files, cut into blocks of whole lines or row groups, and read one block at a time."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cdpipe.columns import BY_NAME, DERIVED, SOURCE, find_doubled, resolve
from cdpipe.engine.files.byte_ranges import (
    count_lines_of,
    find_line_end,
    find_record_end,
    open_stream,
    read_bytes,
    read_lines,
)
from cdpipe.engine.files.column_weights import weigh_groups
from cdpipe.engine.files.long_lines import LONGEST_LINE, LongLine, add_rejects, find_long_line, strike_long_lines
from cdpipe.engine.files.packed import SUFFIXES, is_packed, plain_name, temporary_folder, unpack
from cdpipe.engine.files.partitions import find_keys
from cdpipe.engine.files.paths import SourceError, expand_paths
from cdpipe.engine.files.row_groups import read_groups
from cdpipe.kernels.csv.windows import NEWLINE
from cdpipe.oserrors import give_reason
from cdpipe.spelling import suggest
from cdpipe.stages.gather.conventions import USUAL, Convention
from cdpipe.stages.gather.csv_block import Header, gather_csv, read_header
from cdpipe.stages.gather.gather import KEPT_TEXT, MUST, Gathered, gather_json
from cdpipe.stages.gather.json_layouts import LINES, Layout, count_numbers, explain_spread, find_layout
from cdpipe.stages.gather.veremi import COLUMNS as VEREMI_COLUMNS
from cdpipe.stages.gather.veremi import Trace, gather_veremi

Format = Literal["csv", "json", "parquet", "veremi"]
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
_LOOKS: Final = 8
_LOOK_BYTES: Final = 1 << 12
_SHORT_LINE: Final = 40
"""Bytes of a line; a block of shorter ones is smaller. Lines of real files have 200 and more."""

_NO_HEADER: Final = (
    f"line 1 is longer than {_LONGEST_HEADER:,} bytes, too long to be a header; lines must end with a line feed"
)
_GATHER: Final[dict[Format, Callable[..., Gathered]]] = {
    "csv": gather_csv,
    "json": gather_json,
    "parquet": read_groups,
    "veremi": gather_veremi,
}
_JSON: Final = ("json", "veremi")
_MADE: Final = frozenset(column.name for column in DERIVED)


class SourceFile(NamedTuple):
    """One file of messages.

    Attributes
    ----------
    path
        Local path or fsspec URL.
    format
        `csv`, `json` (ODE JSON lines), `parquet` or `veremi` (traces).
    size
        Bytes.
    columns
        The columns it has, in the vocabulary's spelling (JSON lines: all that ODE records may have).
    header
        A CSV file's first line.
    group_rows
        A Parquet file's rows by row group.
    group_bytes
        What the columns read of each of them become; without it, 8 bytes for each value.
    convention
        How it writes its values.
    layout
        How a JSON file's records are laid out.
    doubled
        The indices of two columns that have one name, by that name: it cannot be read.
    unpacked
        What a compressed file, or a member of an archive, was unpacked to.
    keys
        Values of all its rows that the names of a Parquet file's folders tell, by column that it lacks.
    trace
        What is known of a VeReMi trace besides its records.
    """

    path: str
    format: Format
    size: int
    columns: tuple[str, ...]
    header: Header | None = None
    group_rows: tuple[int, ...] = ()
    group_bytes: tuple[int, ...] = ()
    convention: Convention = USUAL
    layout: Layout = LINES
    doubled: Mapping[str, tuple[int, int]] | None = None
    unpacked: str = ""
    keys: tuple[tuple[str, str | None], ...] = ()
    trace: Trace = Trace()

    @property
    def stored(self) -> str:
        """Local path or fsspec URL of its bytes."""
        return self.unpacked or self.path


class Block(NamedTuple):
    """A piece of a file that one task reads: bytes from `start` to `stop`, or row groups, for Parquet.

    Of one that `is_long`, a line that is too long, only the beginning is read. `weight` is how many bytes of lines of
    usual length make as many rows.
    """

    file: SourceFile
    start: int
    stop: int
    rows: int | None = None
    is_long: bool = False
    weight: int = 0

    @property
    def size(self) -> int:
        """Bytes on disk, for Parquet its share of the file's."""
        if self.file.format != "parquet":
            return self.stop - self.start
        return self.file.size * (self.rows or 0) // max(1, sum(self.file.group_rows))

    def unpacked_bytes(self, columns: int) -> int:
        """Bytes of this many columns as plain text or numbers: Parquet packs what repeats a hundredfold."""
        if self.file.group_bytes:
            return sum(self.file.group_bytes[self.start : self.stop])
        return 0 if self.is_long else max(self.size, self.weight, (self.rows or 0) * columns * _VALUE_BYTES)


def find_sources(
    paths: Sequence[str], *, format_: Format | None = None, folder: Callable[[], Path] = temporary_folder
) -> list[SourceFile]:
    """Find the files that paths, globs, Parquet folders and URLs name, and look at their first bytes.

    Parameters
    ----------
    paths
        Local paths, globs, or fsspec URLs; a glob's files are taken in the order of their names.
    format_
        Format of all of them; by default each file's suffix says it.
    folder
        Returns the folder that packed files are unpacked to; called if there is one.

    Raises
    ------
    SourceError
        If nothing is found, a file is named twice, or one cannot be read as what it claims to be.
    """
    return [_inspect(path, _choose_format(path, format_), folder) for path in expand_paths(paths)]


def weigh_columns(file: SourceFile, columns: Sequence[str]) -> SourceFile:
    """Return a Parquet file with what the columns read of each row group become in memory; any other as it is.

    Raises
    ------
    SourceError
        If the file cannot be read any more.
    """
    if file.format != "parquet":
        return file
    try:
        maps = file.convention.mapped
        names = [source for each in maps if each.target in columns for source in each.sources]
        names += [name for name in columns if name not in {each.target for each in maps}]
        return file._replace(group_bytes=weigh_groups(file.stored, names))
    except (OSError, ValueError) as error:
        raise SourceError(f"{file.path}: {error}") from error


def cut(file: SourceFile, *, block_bytes: int) -> list[Block]:
    """Cut a file into blocks of about `block_bytes`, each of whole lines or row groups; no CSV record is parted.

    Raises
    ------
    SourceError
        If a file is larger than that, and its records go over several lines.
    """
    if file.format == "parquet":
        return list(_cut_groups(file, block_bytes))
    if file.layout.spread_line:
        if file.size > block_bytes:
            raise SourceError(f"{file.path}: {explain_spread(file.layout, file.size)}")
        return [Block(file, 0, file.size)]
    first = file.header.bytes if file.header else 0
    return list(_cut_lines(file, first, block_bytes)) or [Block(file, first, first)]


def _cut_lines(file: SourceFile, start: int, block_bytes: int) -> Iterator[Block]:
    """Cut a file from a line's beginning on; a line that is too long for a block is one by itself."""
    first, longest = start, LONGEST_LINE[file.format]
    with open_stream(file.stored) as stream:
        while start < file.size:
            thin = _thin(stream, start, block_bytes)
            wanted = stop = min(start + thin, file.size)
            if stop < file.size and file.header:
                stop = find_record_end(stream, stop - 1, first, file.size)
            elif stop < file.size:
                stop = find_line_end(stream, stop - 1, file.size)
            bounds = find_long_line(stream, start, wanted - 1, stop, longest) if stop - wanted > longest else None
            if bounds is None:
                yield Block(file, start, stop, weight=(stop - start) * block_bytes // thin)
            else:
                if bounds[0] > start:
                    yield Block(file, start, bounds[0], weight=(bounds[0] - start) * block_bytes // thin)
                yield Block(file, *bounds, is_long=True)
                stop = bounds[1]
            start = stop


def _thin(stream: Any, start: int, block_bytes: int) -> int:  # noqa: ANN401 - an open file
    """Return the bytes of a block that begins there: fewer where lines are so short that their rows would outweigh it.

    A row takes some 100 bytes, however short its line is. Some parts of the block are looked at, in a local file only:
    each look at another one is a request.
    """
    if not isinstance(stream, BufferedReader) or block_bytes < _LOOKS * _LOOK_BYTES:
        return block_bytes
    densest = 0
    for place in range(start, start + block_bytes, block_bytes // _LOOKS):
        stream.seek(place)
        densest = max(densest, stream.read(_LOOK_BYTES).count(b"\n"))
    return min(block_bytes, max(_LOOKS * _LOOK_BYTES, block_bytes * _LOOK_BYTES // (_SHORT_LINE * max(1, densest))))


class RowCount(NamedTuple):
    """How many row numbers a block takes, and how many of them go to further records of a line of JSON."""

    rows: int
    further: int = 0


def count_rows(block: Block) -> RowCount:
    """Count the row numbers that a block takes: its lines and further records on them, or its rows.

    Raises
    ------
    SourceError
        If the file cannot be read any more.
    """
    if block.rows is not None:
        return RowCount(block.rows)
    if block.is_long:
        return RowCount(1)
    path, start, stop = block.file.stored, block.start, block.stop
    try:
        if block.file.format in _JSON:
            data, _ = strike_long_lines(read_bytes(path, start, stop), LONGEST_LINE[block.file.format])
            return RowCount(*count_numbers(data, block.file.layout))
        return RowCount(count_lines_of(path, start, stop))
    except OSError as error:
        raise SourceError(f"{block.file.path}: {give_reason(error)}") from error


def read_and_count(block: Block) -> tuple[RowCount, NDArray[np.uint8] | None]:
    """Count as `count_rows` does, and return the text that was read for it (None: of no use to `read_block`)."""
    if block.rows is not None or block.is_long or block.file.format in _JSON:
        return count_rows(block), None
    try:
        text, lines = read_lines(block.file.stored, block.start, block.stop)
    except OSError as error:
        raise SourceError(f"{block.file.path}: {give_reason(error)}") from error
    return RowCount(lines), text


def read_block(
    block: Block,
    *,
    columns: Sequence[str],
    first_row: int,
    rows_before_file: int,
    further: int = 0,
    required: Collection[str] = MUST,
    text: NDArray[np.uint8] | None = None,
) -> Gathered:
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
    further
        How many go to further records of lines in the blocks of its own file before it.
    required
        Columns in which an unreadable cell rejects the record.
    text
        What `read_and_count` read of it (None: it is read now).

    Raises
    ------
    SourceError
        If the file cannot be read any more, or a Parquet column cannot mean what the vocabulary says.
    """
    file = block.file
    gather = partial(
        _GATHER[file.format], columns=columns, first_row=first_row, required=required, convention=file.convention
    )
    try:
        if file.format == "parquet":
            line = sum(file.group_rows[: block.start]) + 1
            groups = range(block.start, block.stop)
            return gather(file.stored, groups, file=file.path, first_line=line, keys=dict(file.keys))
        data, long_lines = _read_lines(block, text)
    except (OSError, TypeError, ValueError) as error:
        raise SourceError(f"{file.path}: {give_reason(error)}") from error
    line = first_row - rows_before_file - further + (1 if file.header is None else 2)
    if file.header is None:
        letters = data.tobytes()
        del data
        known = {"trace": file.trace} if file.format == "veremi" else {}
        gathered = gather(letters, file=file.path, first_line=line, layout=file.layout, **known)
    else:
        gathered = gather(data, file=file.path, header=file.header, first_line=line)
    return add_rejects(gathered, long_lines, file=file.path, first_line=line, kind=file.format)


def _read_lines(block: Block, text: NDArray[np.uint8] | None) -> tuple[NDArray[np.uint8], list[LongLine]]:
    """Read a block of lines, without those that are too long; errors as of `read_bytes`."""
    path, start, stop = block.file.stored, block.start, block.stop
    if not block.is_long:
        whole = read_bytes(path, start, stop) if text is None else text
        return strike_long_lines(whole, LONGEST_LINE[block.file.format])
    begin, end = read_bytes(path, start, min(stop, start + KEPT_TEXT)), read_bytes(path, stop - 1, stop)
    ended = int(end[0] == NEWLINE)
    return np.empty(0, np.uint8), [LongLine(0, stop - start - ended, begin.tobytes())]


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
            near = suggest(name, [*has, *BY_NAME])
            remedy = "" if near is None else f"did you mean {near!r}? "
            raise SourceError(f"{lacking[0]}: has no column {name!r}; {remedy}it has {', '.join(has)}")
        if lacking:
            absent[name] = lacking
    return absent


def _choose_format(path: str, given: Format | None) -> Format:
    """Return the format of a file; VeReMi's tables, CSV or Parquet, are what their suffix says."""
    by_suffix = _FORMATS.get(Path(plain_name(path)).suffix.lower())
    if given == "veremi" and by_suffix in ("csv", "parquet"):
        return by_suffix
    return given or _format_of(path)


def _format_of(path: str) -> Format:
    suffix = Path(plain_name(path)).suffix.lower()
    if suffix in _FORMATS:
        return _FORMATS[suffix]
    raise SourceError(
        f"{path}: the suffix {suffix!r} tells no format; use {', '.join(_FORMATS)}, or set input.format; "
        f"packed files end in {SUFFIXES}"
    )


def _inspect(path: str, format_: Format, folder: Callable[[], Path]) -> SourceFile:
    into = folder() if is_packed(path) else None  # what is wrong with that is not the input's fault
    try:
        unpacked = "" if into is None else unpack(path, into)
        if format_ == "parquet":
            return _add_keys(_inspect_parquet(unpacked or path)._replace(path=path, unpacked=unpacked))
        with open_stream(unpacked or path) as stream:
            size = stream.seek(0, 2)
            stream.seek(0)
            head = stream.read(_LONGEST_HEADER)
        if not head.strip():
            raise ValueError("is empty; it holds no messages")  # noqa: TRY301 - gets the file's name below
        if format_ in _JSON:
            of_ode = tuple(column.name for column in SOURCE if column.ode_path)
            columns = of_ode if format_ == "json" else VEREMI_COLUMNS
            return SourceFile(path, format_, size, columns, layout=find_layout(head), unpacked=unpacked)
        if b"\n" not in head and size > len(head):
            raise ValueError(_NO_HEADER)  # noqa: TRY301
        header = read_header(head)
        return SourceFile(path, format_, size, tuple(header.places), header, doubled=header.doubled, unpacked=unpacked)
    except FileNotFoundError:
        raise SourceError(f"{path}: there is no such file; check input.paths") from None
    except IsADirectoryError:
        raise SourceError(f"{path}: is a folder, not a file; name its files, e.g. {path}/*.csv") from None
    except PermissionError:
        raise SourceError(f"{path}: may not be read; check its permissions") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: {give_reason(error)}") from error


def _inspect_parquet(path: str) -> SourceFile:
    with open_stream(path) as stream:
        size = stream.seek(0, 2)
        file = pq.ParquetFile(stream)
        rows = tuple(file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups))
        names = file.schema_arrow.names
        return SourceFile(path, "parquet", size, tuple(resolve(names)), None, rows, doubled=find_doubled(names))


def _add_keys(file: SourceFile) -> SourceFile:
    """Add the columns that the names of a file's folders tell, where it has none of that name itself."""
    keys = {name: value for name, value in find_keys(file.path).items() if name not in file.columns}
    return file._replace(columns=(*file.columns, *keys), keys=tuple(keys.items()))


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
