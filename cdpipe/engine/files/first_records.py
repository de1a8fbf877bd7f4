"""First records: what the beginning of a file shows of how it writes its values."""

from collections.abc import Mapping, Sequence
from typing import Final

from cdpipe.engine.files.byte_ranges import open_stream
from cdpipe.engine.files.paths import SourceError
from cdpipe.engine.files.row_groups import first_values
from cdpipe.engine.files.sources import SourceFile
from cdpipe.oserrors import give_reason
from cdpipe.stages.gather.conventions import FIRST_RECORDS, SAMPLED, ConventionParams, decide
from cdpipe.stages.gather.csv_block import first_cells
from cdpipe.stages.gather.json_lines import parse_json_lines

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
    try:
        return file._replace(convention=decide(_first_values(file), params, read=read, format_=file.format))
    except (OSError, ValueError) as error:
        raise SourceError(f"{file.path}: {give_reason(error)}") from error


def _first_values(file: SourceFile) -> Mapping[str, Sequence[object]]:
    if file.format == "parquet":
        return first_values(file.stored, SAMPLED, rows=FIRST_RECORDS, keys=dict(file.keys))
    with open_stream(file.stored) as stream:
        head = stream.read((file.header.bytes if file.header else 0) + _LOOKED_AT)
    if file.header is not None:
        return first_cells(head, file.header, SAMPLED)
    lines = head.split(b"\n", FIRST_RECORDS)[:FIRST_RECORDS]
    whole = b"\n".join(lines[:-1] if len(lines) > 1 and len(head) < file.size else lines)
    frame = parse_json_lines(whole, first_line=1, columns=SAMPLED, required=(), layout=file.layout).frame
    return {name: frame[name].dropna().tolist() for name in SAMPLED}
