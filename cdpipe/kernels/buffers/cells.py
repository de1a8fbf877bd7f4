"""Text in memory, as every text kernel takes it: views that copy nothing, checked bounds, a cell's status.

Numba compiles one machine function for each array *type*, and a read-only array (an Arrow buffer, `bytes`) is
another type than a writable one. Every array can be made read-only without a copy, so all inputs are.
"""

from mmap import mmap
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from cdpipe.kernels.buffers.inputs import as_input
from cdpipe.kernels.compiling.jit import jit_borrowing, jit_inlined

Memory: TypeAlias = bytes | bytearray | memoryview | mmap | npt.NDArray[Any]
Int: TypeAlias = int | np.int64
Bytes: TypeAlias = npt.NDArray[np.uint8]
Integers: TypeAlias = npt.NDArray[np.int64]
Statuses: TypeAlias = npt.NDArray[np.uint8]

OK: Final = 0
NULL: Final = 1
MALFORMED: Final = 2
UNDECIDED: Final = 3
"""A kernel's word to its own wrapper: well-formed, but to be worked out in Python. Callers never see it."""

_FIRST_NOT_ASCII: Final = 0x80
_NO_BREAK_SPACE: Final = 0xC2A0
_MARKS: Final = (0xE2808B, 0xEFBBBF)
"""Zero-width space and byte order mark; as the no-break space above, their UTF-8 bytes as a number."""


def _view(memory: Memory, dtype: type[np.generic]) -> npt.NDArray[Any]:
    array = memory if isinstance(memory, np.ndarray) else np.frombuffer(memory, dtype=dtype)
    if array.dtype != dtype or array.ndim != 1:
        raise TypeError(
            f"expected one dimension of {np.dtype(dtype).name}, got {array.ndim} of {array.dtype.name}; "
            "convert with .astype, or cast Arrow strings to large_string"
        )
    return as_input(np.require(array, requirements=["ALIGNED"]), dtype)


def view_bytes(memory: Memory) -> Bytes:
    """View memory as bytes, without copying.

    Parameters
    ----------
    memory
        Anything with the buffer protocol (`bytes`, `mmap`, `pyarrow.Buffer`, `memoryview`), or a uint8 array.

    Returns
    -------
    uint8[n]
        Read-only, under the one array type the kernels are compiled for. It keeps `memory` alive. Only a strided
        or misaligned array is copied.

    Raises
    ------
    TypeError
        If an array is of another dtype or not one-dimensional.
    """
    return _view(memory, np.uint8)


def view_int64(memory: Memory) -> Integers:
    """View memory as 64-bit integers, e.g. the offsets of an Arrow `large_string`; see `view_bytes`.

    Raises
    ------
    TypeError
        If an array is of another dtype (offsets of a `string` are int32: cast it to `large_string`) or not
        one-dimensional.
    """
    return _view(memory, np.int64)


def view_cells(data: Memory, starts: Memory, stops: Memory) -> tuple[Bytes, Integers, Integers]:
    """View the three arrays of a text column for a kernel and check every bound, so that none reads outside.

    Parameters
    ----------
    data
        Text, as for `view_bytes`.
    starts, stops
        int64[n]: cell i is `data[starts[i]:stops[i]]`; a stop at or before its start is an empty cell.

    Returns
    -------
    (uint8[m], int64[n], int64[n])

    Raises
    ------
    TypeError
        If an array is of another dtype or not one-dimensional.
    ValueError
        If there are not as many starts as stops, or a bound lies outside `data`.
    """
    text, begins, ends = view_bytes(data), view_int64(starts), view_int64(stops)
    if begins.size != ends.size:
        raise ValueError(f"{begins.size} starts but {ends.size} stops; every cell needs one of each")
    if begins.size and (begins.min() < 0 or ends.max() > text.size):
        raise ValueError(
            f"cells reach from byte {begins.min()} to {ends.max()}, the text only from 0 to {text.size}; "
            "starts and stops must be offsets into this very buffer"
        )
    return text, begins, ends


@jit_inlined
def load_word(data: Bytes, at: Int) -> np.uint64:
    """Return the 8 bytes from `at`, the first one lowest; all 8 must exist.

    Written out with unsigned indexes, LLVM makes one unaligned load of it on little-endian machines.
    """
    i = np.uint64(at)
    low = (
        np.uint64(data[i])
        | (np.uint64(data[i + np.uint64(1)]) << np.uint64(8))
        | (np.uint64(data[i + np.uint64(2)]) << np.uint64(16))
        | (np.uint64(data[i + np.uint64(3)]) << np.uint64(24))
    )
    return (
        low
        | (np.uint64(data[i + np.uint64(4)]) << np.uint64(32))
        | (np.uint64(data[i + np.uint64(5)]) << np.uint64(40))
        | (np.uint64(data[i + np.uint64(6)]) << np.uint64(48))
        | (np.uint64(data[i + np.uint64(7)]) << np.uint64(56))
    )


@jit_inlined
def is_blank(byte: Int) -> bool | np.bool_:
    """Say whether a byte is ASCII white space (what `bytes.strip` strips)."""
    return byte == 32 or 9 <= byte <= 13


@jit_borrowing
def _blank_size(data: Bytes, start: Int, stop: Int) -> Int:
    """Return how many bytes the blank at the beginning of a cell has, 0 where there is none."""
    if start < stop and is_blank(data[start]):
        return 1
    word: Int = 0
    for i in range(start, min(start + 3, stop)):
        word = word * 256 + np.int64(data[i])
        if word == _NO_BREAK_SPACE:
            return 2
    return 3 if word in _MARKS else 0


@jit_borrowing
def _strip_marks(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    """Strip white space and the marks of three bytes, in any order."""
    size = _blank_size(data, start, stop)
    while size > 0:
        start += size
        size = _blank_size(data, start, stop)
    size = 1
    while size <= min(stop - start, 3):
        if _blank_size(data, stop - size, stop) == size:
            stop -= size
            size = 0
        size += 1
    return start, stop


@jit_inlined
def strip(data: Bytes, start: Int, stop: Int) -> tuple[Int, Int]:
    """Return the bounds of a cell without what cannot be seen around it; `start >= stop` if nothing is left.

    That is ASCII white space, the no-break space (U+00A0), the zero-width space (U+200B) and the byte order mark
    (U+FEFF), which stands in the middle of a file that was joined from several.
    """
    while start < stop and is_blank(data[start]):
        start += 1
    while start < stop and is_blank(data[stop - 1]):
        stop -= 1
    if start < stop and (data[start] | data[stop - 1]) >= _FIRST_NOT_ASCII:
        return _strip_marks(data, start, stop)
    return start, stop
