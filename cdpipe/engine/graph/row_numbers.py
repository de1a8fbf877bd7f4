"""Starts of blocks, as tasks: row numbers that do not depend on how files were cut."""

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, Final, NamedTuple

from dask.task_spec import TaskRef

from cdpipe.engine.files.sources import Block, RowCount, count_rows
from cdpipe.engine.graph.layers import Layer

_COUNTED_BLOCKS: Final = 16
_COUNTED_BYTES: Final = 1 << 25


class Start(NamedTuple):
    """How many row numbers the blocks before one take.

    Attributes
    ----------
    row
        Those of all files.
    rows_before_file
        Those of the files before its own.
    further
        Those of further records of lines in its own file.
    """

    row: int = 0
    rows_before_file: int = 0
    further: int = 0


FIRST: Final = (Start(), Start())
"""Of a partition alone: where it begins, and where what follows would."""


def add_starts(layer: Layer, blocks: Sequence[Block]) -> list[tuple[Any, int]]:
    """Return for each block a sequence of starts, or the task that makes it, and which of them is the block's.

    The one behind that is where the block ends.

    Lines of files that do not tell how many rows they have are counted by tasks, a few small blocks by one, for each
    task has its price. Every task depends on one short sequence, that of the blocks before.
    """
    found: list[tuple[Any, int]] = []
    before: Any = FIRST
    opened = iter([True, *(block.file is not previous.file for previous, block in pairwise(blocks))])
    for place, group in enumerate(_group(blocks)):
        opens = list(islice(opened, len(group)))
        known = [RowCount(block.rows) for block in group if block.rows is not None]
        if isinstance(before, TaskRef) or len(known) < len(group):
            counts = layer.add("lines", place, count_each, group)
            before = layer.add("rows-before", place, go_on, before, counts, opens)
            found += [(before, index) for index in range(len(group))]
        else:
            before = go_on(before, known, opens)
            found += [(pair, 0) for pair in pairwise(before)]
    return found


def count_each(blocks: Sequence[Block]) -> list[RowCount]:
    """Count the row numbers that each block takes; errors as of `count_rows`."""
    return [count_rows(block) for block in blocks]


def go_on(before: Sequence[Start], counts: Sequence[RowCount], opens: Sequence[bool]) -> list[Start]:
    """Return the starts of further blocks, and of the one behind them.

    Parameters
    ----------
    before
        Starts, the last that of the first of these blocks if it goes on in the same file.
    counts, opens
        Of each block, how many row numbers it takes, and whether a file begins with it.
    """
    start = before[-1]
    starts = []
    for count, opened in zip(counts, opens, strict=True):
        starts.append(Start(start.row, start.row) if opened else start)
        row, rows_before_file, further = starts[-1]
        start = Start(row + count.rows, rows_before_file, further + count.further)
    return [*starts, start]


def _group(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    group: list[Block] = []
    size = 0
    for block in blocks:
        if group and (len(group) == _COUNTED_BLOCKS or size + block.size > _COUNTED_BYTES):
            yield group
            group, size = [], 0
        group.append(block)
        size += block.size
    if group:
        yield group
