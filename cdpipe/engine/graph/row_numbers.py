"""Starts of blocks, as tasks: row numbers that do not depend on how files were cut."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from threading import BoundedSemaphore
from typing import Any, Final, NamedTuple
from weakref import finalize

import numpy as np
from dask.task_spec import TaskRef
from numpy.typing import NDArray

from cdpipe.engine.files.sources import Block, RowCount, count_rows, read_and_count
from cdpipe.engine.graph.layers import Layer
from cdpipe.limits import count_processors

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


class Counted:
    """How many row numbers blocks take; and while there is room, their text, for the task that reads them next.

    To copy text twice from the page cache takes a twentieth of a whole job's processor time. One for each processor
    is kept: a task that counts is followed by the one that reads. Elsewhere there is no text.

    Attributes
    ----------
    counts
        Of each block.
    """

    def __init__(self, counts: Sequence[RowCount], texts: Mapping[int, NDArray[np.uint8]] | None = None) -> None:
        self.counts = counts
        self._texts = dict(texts or {})
        self._leave = finalize(self, _ROOM.release) if self._texts else None

    def take(self, place: int) -> NDArray[np.uint8] | None:
        """Return the text of a block, once; None where it is not kept."""
        text = self._texts.pop(place, None)
        if not self._texts and self._leave is not None:
            self._leave()
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process without the text."""
        return Counted, (self.counts,)


_ROOM: Final = BoundedSemaphore(count_processors())

FIRST: Final = (Start(), Start())
"""Of a partition alone: where it begins, and where what follows would."""


def add_starts(layer: Layer, blocks: Sequence[Block], *, keep_text: bool = False) -> list[tuple[Any, int, Any]]:
    """Return for each block a sequence of starts, which of them is the block's, and `Counted` or None.

    The first and the last may be the task that makes it. The start behind the block's is where it ends. `keep_text` is
    for tasks of this process that read each block once.

    Lines of files that do not tell how many rows they have are counted by tasks, a few small blocks by one, for each
    task has its price. Every task depends on one short sequence, that of the blocks before.
    """
    found: list[tuple[Any, int, Any]] = []
    before: Any = FIRST
    opened = iter([True, *(block.file is not previous.file for previous, block in pairwise(blocks))])
    for place, group in enumerate(_group(blocks)):
        opens = list(islice(opened, len(group)))
        known = [RowCount(block.rows) for block in group if block.rows is not None]
        if isinstance(before, TaskRef) or len(known) < len(group):
            counted = layer.add("lines", place, count_each, group, keep_text=keep_text)
            before = layer.add("rows-before", place, go_on, before, counted, opens)
            found += [(before, index, counted if keep_text else None) for index in range(len(group))]
        else:
            before = go_on(before, Counted(known), opens)
            found += [(pair, 0, None) for pair in pairwise(before)]
    return found


def count_each(blocks: Sequence[Block], *, keep_text: bool = False) -> Counted:
    """Count the row numbers that each block takes; errors as of `count_rows`."""
    if not (keep_text and _ROOM.acquire(blocking=False)):
        return Counted([count_rows(block) for block in blocks])
    try:
        read = [read_and_count(block) for block in blocks]
    except BaseException:
        _ROOM.release()
        raise
    texts = {place: text for place, (_, text) in enumerate(read) if text is not None}
    if not texts:
        _ROOM.release()
    return Counted([count for count, _ in read], texts)


def go_on(before: Sequence[Start], counted: Counted, opens: Sequence[bool]) -> list[Start]:
    """Return the starts of further blocks, and of the one behind them.

    Parameters
    ----------
    before
        Starts, the last that of the first of these blocks if it goes on in the same file.
    counted, opens
        Of each block, how many row numbers it takes, and whether a file begins with it.
    """
    start = before[-1]
    starts = []
    for count, opened in zip(counted.counts, opens, strict=True):
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
