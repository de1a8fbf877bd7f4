"""New arrays that take few page faults.

A page that is first written to costs the system a fault: of 4 KiB pages, as much as half of copying a column. From
4 MiB on NumPy asks for pages of 2 MiB (`madvise`), but an array has whole ones of them only, and a small one has none.
So large arrays begin here where such a page does, and small ones may share memory. Of its last page an array may waste
a part, so only those that it is little of are large.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

_PAGE_BYTES: Final = 1 << 21
_SMALL_BYTES: Final = 1 << 22
_SHARED_BYTES: Final = 1 << 23
_LARGE_BYTES: Final = 1 << 24
_LINE_BYTES: Final = 64


def allot(rows: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return a new array, shape (rows,), with no value set."""
    kind = np.dtype(dtype)
    size = rows * kind.itemsize
    return np.empty(rows, kind) if size < _LARGE_BYTES else _begin_at_page(size).view(kind)


def _begin_at_page(size: int) -> NDArray[np.uint8]:
    memory = np.empty(size + _PAGE_BYTES, np.uint8)
    start = -memory.__array_interface__["data"][0] % _PAGE_BYTES
    return memory[start : start + size]


def allot_columns(rows: int, dtypes: Sequence[np.dtype[Any]], *, widest: int) -> list[NDArray[Any]]:
    """Return new arrays, shape (rows,), one of each type, with no value set.

    Small ones of types of at most `widest` bytes share memory, 8 MiB at most: while one of them lives, all are held.
    """
    sizes = [-(-rows * dtype.itemsize // _LINE_BYTES) * _LINE_BYTES for dtype in dtypes]
    sharing = [size < _SMALL_BYTES and dtype.itemsize <= widest for size, dtype in zip(sizes, dtypes, strict=True)]
    left = sum(size for size, shares in zip(sizes, sharing, strict=True) if shares)
    found, memory = [], np.empty(0, np.uint8)
    for dtype, size, shares in zip(dtypes, sizes, sharing, strict=True):
        if not shares:
            found.append(allot(rows, dtype))
            continue
        if memory.size < size:
            needed = min(left, _SHARED_BYTES)
            memory = np.empty(needed, np.uint8) if needed < _SMALL_BYTES else _begin_at_page(needed)
        found.append(memory[: rows * dtype.itemsize].view(dtype))
        memory, left = memory[size:], left - size
    return found
