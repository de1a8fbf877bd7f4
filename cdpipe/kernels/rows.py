"""Rows of columns: those that a mask keeps, those at given places, and values looked up by a row's number.

Values are moved as words of their width, so one compiled function serves every type of that width.
"""

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.arrays import as_input
from cdpipe.kernels.jit import jit_borrowing

Scalar = TypeVar("Scalar", bound=np.generic)
Marks = NDArray[np.bool_]
Places = NDArray[np.int64]

_WORDS: Final[dict[int, type[np.unsignedinteger]]] = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_NONE: Final = np.uint64(0)
_ALL: Final = np.uint64(0x0101010101010101)
_SPARSE: Final = 8
"""Where fewer than one row in so many stays, going to each is cheaper than going past all others."""


@jit_borrowing
def _count_marks(marks: NDArray[np.uint8]) -> int:
    count = np.int64(0)
    for i in range(marks.size):
        count += np.int64(marks[i])
    return int(count)


@jit_borrowing
def _find_marks(marks: NDArray[np.uint8], eights: NDArray[np.uint64], places: Places) -> None:
    at = 0
    for i in range(eights.size):
        if eights[i] != _NONE:
            for j in range(8 * i, 8 * i + 8):
                if marks[j]:
                    places[at] = j
                    at += 1
    for j in range(8 * eights.size, marks.size):
        if marks[j]:
            places[at] = j
            at += 1


@jit_borrowing
def _keep_words(
    values: NDArray[np.uint64], marks: NDArray[np.uint8], eights: NDArray[np.uint64], out: NDArray[np.uint64]
) -> None:
    at = 0
    for i in range(eights.size):
        if eights[i] == _ALL:
            for j in range(8):
                out[at + j] = values[8 * i + j]
            at += 8
        elif eights[i] != _NONE:
            for j in range(8 * i, 8 * i + 8):
                if marks[j]:
                    out[at] = values[j]
                    at += 1
    for j in range(8 * eights.size, marks.size):
        if marks[j]:
            out[at] = values[j]
            at += 1


@jit_borrowing
def _take_words(values: NDArray[np.uint64], places: Places, out: NDArray[np.uint64]) -> None:
    for i in range(places.size):
        out[i] = values[places[i]]


@jit_borrowing
def _look_up_words(table: NDArray[np.uint64], codes: NDArray[np.int32], out: NDArray[np.uint64]) -> None:
    last = table.size - 1
    for i in range(codes.size):
        code = codes[i]
        out[i] = table[code if code >= 0 else last]


@jit_borrowing
def _mark_used(codes: NDArray[np.int32], used: NDArray[np.bool_]) -> None:
    for i in range(codes.size):
        if codes[i] >= 0:
            used[codes[i]] = True


@jit_borrowing
def _put_words(values: NDArray[np.uint64], places: Places, into: NDArray[np.uint64]) -> None:
    for i in range(places.size):
        into[places[i]] = values[i]


class Kept:
    """Which rows of a column stay.

    Parameters
    ----------
    marks
        Shape (n,), True where a row stays.

    Attributes
    ----------
    count
        How many stay.
    """

    def __init__(self, marks: Marks) -> None:
        self._marks = as_input(marks.view(np.uint8), np.uint8)
        self._eights = as_input(np.frombuffer(self._marks, np.uint64, marks.size // 8), np.uint64)
        self.count = int(_count_marks(self._marks))
        self._places: Places | None = None

    @property
    def every(self) -> bool:
        """Whether all rows stay."""
        return self.count == self._marks.size

    @property
    def places(self) -> Places:
        """Places of the rows that stay, int64, ascending, shape (count,)."""
        if self._places is None:
            self._places = np.empty(self.count, np.int64)
            _find_marks(self._marks, self._eights, self._places)
        return self._places

    def of(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return a column's values in the rows that stay, shape (count,), always a new array."""
        if self.count * _SPARSE < self._marks.size:
            return take(values, self.places)
        out = np.empty(self.count, values.dtype)
        _keep_words(_as_words(values), self._marks, self._eights, out.view(_WORDS[values.dtype.itemsize]))
        return out


def take(values: NDArray[Scalar], places: Places) -> NDArray[Scalar]:
    """Return a column's values at some places (int64, each within the column), as a new array."""
    out = np.empty(places.size, values.dtype)
    _take_words(_as_words(values), as_input(places, np.int64), out.view(_WORDS[values.dtype.itemsize]))
    return out


def put(values: NDArray[Scalar], places: Places, into: NDArray[Scalar]) -> None:
    """Write values, shape (k,), to places (int64, each within `into`) of a writable column of the same type."""
    if values.dtype != into.dtype:
        raise TypeError(f"{values.dtype} cannot be put among {into.dtype}; convert it with .astype first")
    _put_words(_as_words(values), as_input(places, np.int64), into.view(_WORDS[into.dtype.itemsize]))


def look_up(table: NDArray[Scalar], codes: NDArray[np.signedinteger]) -> NDArray[Scalar]:
    """Return for each row the value of its code.

    Parameters
    ----------
    table
        A value for each code, and last that of a negative code; shape (k + 1,).
    codes
        Signed integers below k, shape (n,).

    Returns
    -------
    numpy.ndarray
        Shape (n,), of the table's type.
    """
    out = np.empty(codes.size, table.dtype)
    _look_up_words(_as_words(table), as_input(codes, np.int32), out.view(_WORDS[table.dtype.itemsize]))
    return out


def mark_used(codes: NDArray[np.signedinteger], count: int) -> Marks:
    """Say which of the codes 0 to `count` - 1 occur, shape (count,)."""
    used = np.zeros(count, np.bool_)
    _mark_used(as_input(codes, np.int32), used)
    return used


def _as_words(values: NDArray[np.generic]) -> NDArray[np.uint64]:
    word = _WORDS[values.dtype.itemsize]
    return as_input(np.ascontiguousarray(values).view(word), word)
