"""First records: what the beginning of a file shows of how it writes its values."""

from collections.abc import Mapping, Sequence
from typing import Final

from cdpipe.columns import BY_NAME
from cdpipe.engine.files.byte_ranges import open_stream
from cdpipe.engine.files.paths import SourceError
from cdpipe.engine.files.row_groups import first_values
from cdpipe.engine.files.sources import SourceFile
from cdpipe.oserrors import give_reason
from cdpipe.stages.gather.column_map import Mapped, name_columns
from cdpipe.stages.gather.conventions import FIRST_RECORDS, SAMPLED, Convention, ConventionParams, decide
from cdpipe.stages.gather.csv_block import first_cells
from cdpipe.stages.gather.json_lines import parse_json_lines
from cdpipe.stages.gather.mapped_values import settle_time, to_milliseconds

_LOOKED_AT: Final = 1 << 18
"""Bytes at the beginning of a file of text that its convention is decided from."""


def settle_convention(file: SourceFile, params: ConventionParams, *, read: Sequence[str]) -> SourceFile:
    """Return the file with how it writes its values, as its first records show it.

    Parameters
    ----------
    file
        A file of `find_sources`.
    params
        What the caller says of that.
    read
        Columns that will be read.

    Raises
    ------
    SourceError
        If the file cannot be read any more, or a column cannot be what it is called.
    """
    if file.format == "veremi":
        return file._replace(convention=Convention(whole_seconds=False, format=file.format))
    try:
        maps = file.convention.mapped
        first = dict(_first_values(file))
        maps = tuple(_settle(each, first) for each in maps)
        convention = decide(first, params, read=read, format_=file.format)
        return file._replace(convention=convention._replace(mapped=maps))
    except (OSError, ValueError) as error:
        raise SourceError(f"{file.path}: {give_reason(error)}") from error


def map_columns(file: SourceFile, maps: Sequence[Mapped]) -> SourceFile:
    """Return the file with its columns as the caller names them.

    Raises
    ------
    SourceError
        If it has none of such a name, or is of a format that names its own.
    """
    if not maps:
        return file
    if file.format not in ("csv", "parquet"):
        raise SourceError(
            f"{file.path}: input.columns and labels are for CSV and Parquet files, not for {file.format}; take them out"
        )
    try:
        doubled = file.doubled or {}
        header = file.header
        if header is not None:
            header = header._replace(places=name_columns(header.places, maps, doubled=doubled))
        named = name_columns({name: name for name in file.columns}, maps, doubled=doubled)
        targets = [each.target for each in maps]
        columns = (*(name for name in named.values() if named.get(name) == name), *targets)
        return file._replace(
            columns=tuple(dict.fromkeys(columns)),
            header=header,
            convention=file.convention._replace(mapped=tuple(maps)),
        )
    except ValueError as error:
        raise SourceError(f"{file.path}: {error}") from error


def _settle(mapped: Mapped, first: dict[str, Sequence[object]]) -> Mapped:
    """Settle the unit of a mapped time; what has a unit of its own tells nothing of the file's conventions."""
    if BY_NAME[mapped.target].kind == "time" and not mapped.unit:
        mapped = settle_time(first.get(mapped.target, ()), mapped)
    if mapped.is_renamed_only or mapped.target not in first:
        return mapped
    values = first.pop(mapped.target)
    if BY_NAME[mapped.target].kind == "time":
        first[mapped.target] = to_milliseconds(values, mapped)
    return mapped


def _first_values(file: SourceFile) -> Mapping[str, Sequence[object]]:
    if file.format == "parquet":
        return first_values(file.stored, SAMPLED, rows=FIRST_RECORDS, keys=dict(file.keys), maps=file.convention.mapped)
    with open_stream(file.stored) as stream:
        head = stream.read((file.header.bytes if file.header else 0) + _LOOKED_AT)
    if file.header is not None:
        return first_cells(head, file.header, SAMPLED)
    lines = head.split(b"\n", FIRST_RECORDS)[:FIRST_RECORDS]
    whole = b"\n".join(lines[:-1] if len(lines) > 1 and len(head) < file.size else lines)
    frame = parse_json_lines(whole, first_line=1, columns=SAMPLED, required=(), layout=file.layout).frame
    return {name: frame[name].dropna().tolist() for name in SAMPLED}
