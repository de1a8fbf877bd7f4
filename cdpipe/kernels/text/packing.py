"""Cells scattered over a buffer, packed into one run of bytes with offsets (the layout of Arrow text)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.buffers.cells import Bytes, Int, Integers, Memory, view_bytes, view_cells
from cdpipe.kernels.buffers.simd import COPIED, copy_bytes
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined

_FIRST_NOT_ASCII: Final = 0x80
_BLANK: Final = 32
_CELLS_AT_ONCE: Final = 512
"""This many are still in the processor's cache when their bytes are looked at a second time."""


@jit_borrowing
def _fill_offsets(starts: Integers, stops: Integers, offsets: NDArray[np.int64]) -> None:
    total = np.int64(0)
    for i in range(starts.size):
        offsets[i] = total
        total += max(stops[i] - starts[i], 0)
    offsets[starts.size] = total


@jit_inlined
def copy_cell(data: Bytes, start: Int, stop: Int, packed: NDArray[np.uint8], to: Int) -> Int:
    """Copy a cell in whole vectors, the last one beyond its end, to be written over; return the index behind it."""
    while start < stop and start + COPIED <= data.size and to + COPIED <= packed.size:
        length = min(stop - start, COPIED)
        copy_bytes(data, start, packed, to)
        start, to = start + length, to + length
    while start < stop:
        packed[to] = data[start]
        start, to = start + 1, to + 1
    return to


@jit_borrowing
def _copy_cells(data: Bytes, starts: Integers, stops: Integers, packed: NDArray[np.uint8]) -> None:
    to: Int = np.int64(0)
    for i in range(starts.size):
        to = copy_cell(data, starts[i], stops[i], packed, to)


@jit_borrowing
def _unite(packed: Bytes) -> int:
    every = np.uint8(0)
    for i in range(packed.size):
        every |= packed[i]
    return int(every)


def pack_cells(data: Memory, starts: Memory, stops: Memory) -> tuple[NDArray[np.uint8], NDArray[np.int64], bool]:
    """Put cells next to each other.

    Parameters
    ----------
    data
        Bytes, shape (bytes,).
    starts, stops
        Bounds of each cell in `data`, shape (n,); a stop at or before its start is an empty cell.

    Returns
    -------
    packed
        The cells' bytes one after the other; not a copy, and not writable, if that is how they are.
    offsets
        Shape (n + 1,): cell i is `packed[offsets[i]:offsets[i + 1]]`.
    ascii
        Whether every byte is ASCII (so that nothing need be checked as UTF-8).
    """
    text, begins, ends = view_cells(data, starts, stops)
    offsets = np.empty(begins.size + 1, np.int64)
    _fill_offsets(begins, ends, offsets)
    if begins.size and np.array_equal(begins[1:], ends[:-1]) and np.array_equal(begins + np.diff(offsets), ends):
        packed = text[begins[0] : ends[-1]]
    else:
        packed = np.empty(int(offsets[-1]), np.uint8)
        _copy_cells(text, begins, ends, packed)
    return packed, offsets, _unite(view_bytes(packed)) < _FIRST_NOT_ASCII


@jit_borrowing
def _is_plain(data: Bytes, starts: Integers, stops: Integers) -> bool:
    for first in range(0, starts.size, _CELLS_AT_ONCE):
        last = min(first + _CELLS_AT_ONCE, starts.size)
        dull = np.int64(0)
        for i in range(first, last):
            dull += stops[i] <= starts[i] or data[starts[i]] <= _BLANK
        if dull or _unite(data[starts[first] : stops[last - 1]]) >= _FIRST_NOT_ASCII:
            return False
    return True


def is_plain(data: Memory, starts: Memory, stops: Memory) -> bool:
    """Say whether every cell begins with a character that is to be seen, and all bytes between them are ASCII.

    Parameters
    ----------
    data, starts, stops
        Cells, see `pack_cells`, in the order of their bytes.
    """
    return bool(_is_plain(*view_cells(data, starts, stops)))
