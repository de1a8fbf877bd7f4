"""Cells scattered over a buffer, packed into one run of bytes with offsets (the layout of Arrow text)."""

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.jit import jit


@jit
def _fill_offsets(starts: NDArray[np.int64], stops: NDArray[np.int64], offsets: NDArray[np.int64]) -> None:
    total = np.int64(0)
    for i in range(starts.size):
        offsets[i] = total
        total += stops[i] - starts[i]
    offsets[starts.size] = total


@jit
def _copy_cells(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    offsets: NDArray[np.int64],
    packed: NDArray[np.uint8],
) -> int:
    every = np.uint8(0)
    for i in range(starts.size):
        at = offsets[i] - starts[i]
        for j in range(starts[i], stops[i]):
            byte = data[j]
            every |= byte
            packed[at + j] = byte
    return int(every)


def pack_cells(
    data: NDArray[np.uint8], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64], bool]:
    """Copy cells next to each other.

    Parameters
    ----------
    data
        Bytes, shape (bytes,).
    starts, stops
        Bounds of each cell in `data`, shape (n,).

    Returns
    -------
    packed
        The cells' bytes one after the other.
    offsets
        Shape (n + 1,): cell i is `packed[offsets[i]:offsets[i + 1]]`.
    ascii
        Whether every byte is ASCII (so that nothing need be checked as UTF-8).
    """
    starts, stops = np.ascontiguousarray(starts), np.ascontiguousarray(stops)
    offsets = np.empty(starts.size + 1, np.int64)
    _fill_offsets(starts, stops, offsets)
    packed = np.empty(int(offsets[-1]), np.uint8)
    every = _copy_cells(data, starts, stops, offsets, packed)
    return packed, offsets, every < 0x80
