"""XXH64 of text cells: a vehicle's identity as 64 bits, the same in every partition and process.

Y. Collet, "xxHash fast digest algorithm", specification 0.2.0, XXH64 with seed 0. Two different ids share a
hash with probability n**2 / 2**65 among n ids: 3e-8 for a million vehicles.
"""

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.buffers.cells import Bytes, Integers, Memory, load_word, view_cells
from cdpipe.kernels.compiling.jit import jit

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_P1_PLUS_P2 = np.uint64(0x60EA27EEADC0B5D6)
_MINUS_P1 = np.uint64(0x61C8864E7A143579)
_WORD_BITS = np.uint64(64)
_STRIPE = 32


@jit
def _rotate(word: np.uint64, bits: np.uint64) -> np.uint64:
    return (word << bits) | (word >> (_WORD_BITS - bits))


@jit
def _load_half(data: Bytes, at: np.int64) -> np.uint64:
    # unsigned indices, as in load_word: LLVM makes one load of it
    word = np.uint64(0)
    for j in range(4):
        word |= np.uint64(data[np.uint64(at) + np.uint64(j)]) << np.uint64(8 * j)
    return word


@jit
def _round(lane: np.uint64, word: np.uint64) -> np.uint64:
    return _rotate(lane + word * _P2, np.uint64(31)) * _P1


@jit
def _merge(word: np.uint64, lane: np.uint64) -> np.uint64:
    return (word ^ _round(np.uint64(0), lane)) * _P1 + _P4


@jit
def _hash_stripes(data: Bytes, at: np.int64, stripes: np.int64) -> np.uint64:
    v1, v2, v3, v4 = _P1_PLUS_P2, _P2, np.uint64(0), _MINUS_P1
    for _ in range(stripes):
        v1 = _round(v1, load_word(data, at))
        v2 = _round(v2, load_word(data, at + np.int64(8)))
        v3 = _round(v3, load_word(data, at + np.int64(16)))
        v4 = _round(v4, load_word(data, at + np.int64(24)))
        at += np.int64(_STRIPE)
    word = _rotate(v1, np.uint64(1)) + _rotate(v2, np.uint64(7))
    word += _rotate(v3, np.uint64(12)) + _rotate(v4, np.uint64(18))
    return _merge(_merge(_merge(_merge(word, v1), v2), v3), v4)


@jit
def _absorb8(word: np.uint64, data: Bytes, at: np.int64) -> np.uint64:
    return _rotate(word ^ _round(np.uint64(0), load_word(data, at)), np.uint64(27)) * _P1 + _P4


@jit
def _finish(word: np.uint64) -> np.uint64:
    word = (word ^ (word >> np.uint64(33))) * _P2
    word = (word ^ (word >> np.uint64(29))) * _P3
    return word ^ (word >> np.uint64(32))


@jit
def hash_cell(data: Bytes, start: np.int64, stop: np.int64) -> np.uint64:
    """XXH64 (seed 0) of `data[start:stop]`."""
    length = stop - start if stop > start else np.int64(0)
    at = start
    word = _P5
    if length >= _STRIPE:
        stripes = length // np.int64(_STRIPE)
        word = _hash_stripes(data, at, stripes)
        at += stripes * np.int64(_STRIPE)
    word += np.uint64(length)
    left = length % _STRIPE
    for _ in range(left // 8):
        word = _absorb8(word, data, at)
        at += np.int64(8)
    if left & 4:
        word = _rotate(word ^ (_load_half(data, at) * _P1), np.uint64(23)) * _P2 + _P3
        at += np.int64(4)
    for _ in range(left & 3):
        word = _rotate(word ^ (np.uint64(data[np.uint64(at)]) * _P5), np.uint64(11)) * _P1
        at += np.int64(1)
    return _finish(word)


@jit
def _hash_cells(data: Bytes, starts: Integers, stops: Integers, out: NDArray[np.uint64]) -> None:
    for i in range(starts.size):
        if stops[i] - starts[i] == 8:  # a vehicle id of the data sets cdpipe is made for: no loops
            out[i] = _finish(_absorb8(_P5 + np.uint64(8), data, starts[i]))
        else:
            out[i] = hash_cell(data, starts[i], stops[i])


def hash_text(data: Memory, starts: Memory, stops: Memory) -> NDArray[np.uint64]:
    """Hash each cell's bytes.

    Parameters
    ----------
    data
        Bytes, uint8, shape (bytes,).
    starts, stops
        Bounds of each cell in `data`, int64, shape (n,). An empty cell (null) has the hash of no bytes,
        0xEF46DB3751D8E999.

    Returns
    -------
    numpy.ndarray
        uint64, shape (n,).

    Raises
    ------
    TypeError
        If an array is of another type.
    ValueError
        If there are not as many starts as stops, or a bound lies outside `data`.
    """
    buffer, first, last = view_cells(data, starts, stops)
    out = np.empty(first.size, np.uint64)
    with np.errstate(over="ignore"):  # only without the compiler: the arithmetic is modulo 2**64 by definition
        _hash_cells(buffer, first, last, out)
    return out
