"""Philox4x32-10, the counter-based random number generator everything random in cdpipe comes from.

J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11,
section 3.3. A block is a pure function of (counter, key): there is no state to share, split or lose with a
worker.

Words of 32 bits travel in uint64, so that no product or sum here can overflow. Rows go through `mix_rows` in
blocks that stay in the first-level cache, their state in uint32 arrays: a product of two widened 32-bit loads
is what LLVM turns into vector multiplications (measured 3.5 times the speed of one row after the other).
"""

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.compiling.jit import jit

ROUNDS = 10
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)

BLOCK_ROWS = 512
"""Rows mixed together: four words each fill 8 KB."""

Block = tuple[np.uint64, np.uint64, np.uint64, np.uint64]


@jit
def _round(c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64) -> Block:
    left = _MULTIPLIER_0 * c0
    right = _MULTIPLIER_1 * c2
    return (right >> _HALF) ^ c1 ^ k0, right & _LOW, (left >> _HALF) ^ c3 ^ k1, left & _LOW


@jit
def philox_block(c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64) -> Block:
    """Turn a counter of four words into four random words under a key of two.

    Parameters
    ----------
    c0, c1, c2, c3
        Counter, each word < 2**32.
    k0, k1
        Key, each word < 2**32.

    Returns
    -------
    tuple of numpy.uint64
        Four words < 2**32.
    """
    for _ in range(ROUNDS):
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


@jit
def philox_words(counter: np.uint64, purpose: np.uint64, k0: np.uint64, k1: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Two random 64-bit words for (counter, purpose) under the key: the block of (low, high, purpose, 0)."""
    w0, w1, w2, w3 = philox_block(counter & _LOW, counter >> _HALF, purpose, np.uint64(0), k0, k1)
    return (w0 << _HALF) | w1, (w2 << _HALF) | w3


@jit
def mix_rows(
    counters: NDArray[np.uint64], purpose: np.uint64, k0: np.uint64, k1: np.uint64, state: NDArray[np.uint32]
) -> None:
    """Do what `philox_words` does for up to `BLOCK_ROWS` counters.

    Parameters
    ----------
    counters
        Shape (m,), m <= BLOCK_ROWS.
    purpose, k0, k1
        Words < 2**32.
    state
        Shape (4, BLOCK_ROWS): column i < m receives the four words of row i.
    """
    c0, c1, c2, c3 = state[0], state[1], state[2], state[3]
    for i in range(counters.size):
        c0[i] = np.uint32(counters[i] & _LOW)
        c1[i] = np.uint32(counters[i] >> _HALF)
        c2[i] = np.uint32(purpose)
        c3[i] = np.uint32(0)
    for _ in range(ROUNDS // 2):
        next_k0, next_k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
        for i in range(counters.size):
            w0, w1, w2, w3 = np.uint64(c0[i]), np.uint64(c1[i]), np.uint64(c2[i]), np.uint64(c3[i])
            w0, w1, w2, w3 = _round(w0, w1, w2, w3, k0, k1)
            w0, w1, w2, w3 = _round(w0, w1, w2, w3, next_k0, next_k1)
            c0[i], c1[i], c2[i], c3[i] = np.uint32(w0), np.uint32(w1), np.uint32(w2), np.uint32(w3)
        k0, k1 = (next_k0 + _WEYL_0) & _LOW, (next_k1 + _WEYL_1) & _LOW


@jit
def first_word(state: NDArray[np.uint32], i: int) -> np.uint64:
    """First 64-bit word of column i of a mixed state."""
    return (np.uint64(state[0, i]) << _HALF) | np.uint64(state[1, i])


@jit
def second_word(state: NDArray[np.uint32], i: int) -> np.uint64:
    """Second 64-bit word of column i of a mixed state."""
    return (np.uint64(state[2, i]) << _HALF) | np.uint64(state[3, i])
