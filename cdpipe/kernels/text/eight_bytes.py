"""Cells of text compared, and loaded, eight bytes at a time."""

from typing import Final

import numpy as np

from cdpipe.kernels.buffers.cells import Bytes, Int, load_word
from cdpipe.kernels.compiling.jit import jit_inlined

WORD: Final = 8
"""Bytes of a word."""

_U0: Final = np.uint64(0)
_ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)


@jit_inlined
def _load_short(data: Bytes, at: Int, length: Int) -> np.uint64:
    """Return the 1 to 8 bytes from `at` as a number, the first one lowest."""
    word = _U0
    for i in range(length):
        word |= np.uint64(data[np.uint64(at + i)]) << np.uint64(8 * i)
    return word


@jit_inlined
def load_three(data: Bytes, start: Int, length: Int) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Return three words that cover a cell of 1 to 24 bytes, and the ends of a longer one.

    Without a branch on the length: where texts of two lengths come in no order, each would go wrong half the time.
    """
    short, far = min(length, WORD), max(length - WORD, 0)
    near = min(far, WORD)
    if start + max(length, WORD) > data.size:  # the last cell of all, and a short one
        word = _load_short(data, start, short)
        return word, word, word
    wanted = _ALL >> np.uint64(8 * (WORD - short))
    first, second, third = load_word(data, start), load_word(data, start + near), load_word(data, start + far)
    return first & wanted, second & wanted, third & wanted


@jit_inlined
def is_same(data: Bytes, one: Int, other: Int, length: Int) -> bool:
    """Say whether two cells of this length, at least 1, hold the same bytes."""
    (a, b, c), (x, y, z) = load_three(data, one, length), load_three(data, other, length)
    differing = (a ^ x) | (b ^ y) | (c ^ z)
    for at in range(2 * WORD, length - WORD, WORD):
        differing |= load_word(data, one + at) ^ load_word(data, other + at)
    return bool(differing == _U0)
