"""A uniform sample of rows that can be merged: those with the k smallest (key, row number).

The k smallest of a whole are the k smallest of those of its parts, however it was cut. A key is 32 random bits, and
one Philox block has four: that of row number r is word r % 4 of the block of r // 4. Neighbours so share the price of
a block; otherwise three quarters of it are thrown away. Equal keys go by row number: of n rows about n / 2**32
have the key of the last one taken, so no row's chance is off k / n by more than 2**-32.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cdpipe.kernels.buffers.allocation import allot
from cdpipe.kernels.buffers.cells import Int
from cdpipe.kernels.buffers.inputs import as_input, as_words
from cdpipe.kernels.compiling.jit import jit, jit_borrowing, jit_inlined
from cdpipe.kernels.draws.keyed import integers_below, multiply_high, split_seed
from cdpipe.kernels.draws.philox import BLOCK_ROWS, mix_rows, philox_words

Words = NDArray[np.uint64]
Keys = NDArray[np.uint32]
Places = NDArray[np.int64]
Floats = NDArray[np.float64]

_WORD_BITS: Final = np.uint64(2)
_LAST_WORD: Final = np.uint64(3)
_ONE: Final = np.uint64(1)
_WINDOW: Final = np.uint64(4 * BLOCK_ROWS)
_LAST_WINDOW: Final = np.uint64(2**62 - BLOCK_ROWS)
"""No block beyond this one has all of its window before the numbers wrap to 0."""
_SIGMAS: Final = 6.0
_KEYS: Final = 2**32


@jit_borrowing
def _lay_out(state: Keys, window: Keys) -> None:
    """Lay the words of mixed blocks next to each other."""
    w0, w1, w2, w3 = state[0], state[1], state[2], state[3]
    for j in range(BLOCK_ROWS):
        window[4 * j], window[4 * j + 1], window[4 * j + 2], window[4 * j + 3] = w0[j], w1[j], w2[j], w3[j]


@jit_borrowing
def _keep_near(
    rows: Words, start: Int, window: Keys, last_key: np.uint32, places: Places, keys: Keys, found: Int
) -> tuple[np.int64, np.int64]:
    """Keep rows from `start` on, as long as their keys are in the window; return where that ends, and how many."""
    base, at, kept = rows[start] & ~_LAST_WORD, np.uint64(start), np.uint64(found)
    while at < np.uint64(rows.size):
        offset = rows[at] - base
        if offset >= _WINDOW:
            break
        # Without a branch, which nobody could foresee: the next one takes the entry unless this one counts.
        places[kept], keys[kept] = np.int64(at), window[offset]
        kept += np.uint64(window[offset] <= last_key)
        at += _ONE
    return np.int64(at), np.int64(kept)


@jit_borrowing
def _keep_far(
    rows: Words, start: Int, count: Int, state: Keys, last_key: np.uint32, places: Places, keys: Keys, found: Int
) -> np.int64:
    """Keep rows that have a block each; return how many."""
    for j in range(count):
        key = state[rows[start + j] & _LAST_WORD, j]
        places[found], keys[found] = start + j, key
        found += np.int64(key <= last_key)
    return np.int64(found)


@jit_inlined
def _draw_again(row: np.uint64, own: Int, size: Int, drawn_by: tuple[np.uint64, np.uint64, np.uint64]) -> Int:
    """Draw among a pool without one of it, by the second word of the row's block; that one if there is no other."""
    others = np.uint64(size - 1)
    if others == np.uint64(0):
        return own
    purpose, k0, k1 = drawn_by
    _first, second = philox_words(row, purpose, k0, k1)
    other = np.int64(multiply_high(second, others))
    return other + np.int64(other >= own)


@jit_borrowing
def _take_others(
    drawn: Places,
    rows: Words,
    pool_rows: Words,
    pool: tuple[Floats, Floats],
    drawn_by: tuple[np.uint64, np.uint64, np.uint64],
    out: tuple[Floats, Floats],
) -> None:
    (pool_x, pool_y), (x, y) = pool, out
    for i in range(drawn.size):
        at = drawn[i]
        if pool_rows[at] == rows[i]:
            at = _draw_again(rows[i], at, pool_rows.size, drawn_by)
        x[i], y[i] = pool_x[at], pool_y[at]


@jit
def _find_small(
    rows: Words, purpose: np.uint64, k0: np.uint64, k1: np.uint64, last_key: np.uint32, places: Places, keys: Keys
) -> np.int64:
    """Find the rows with a key of at most `last_key`; return how many they are."""
    state, window = np.empty((4, BLOCK_ROWS), np.uint32), np.empty(4 * BLOCK_ROWS, np.uint32)
    counters = np.empty(BLOCK_ROWS, np.uint64)
    start = found = np.int64(0)
    while start < rows.size:
        count, first = np.int64(min(BLOCK_ROWS, int(rows.size - start))), rows[start] >> _WORD_BITS
        # Rows are nearly always close: then blocks next to each other have the keys of many more of them.
        if (rows[start + count - 1] >> _WORD_BITS) - first < np.uint64(BLOCK_ROWS) and first <= _LAST_WINDOW:
            for j in range(BLOCK_ROWS):
                counters[j] = first + np.uint64(j)
            mix_rows(counters, purpose, k0, k1, state)
            _lay_out(state, window)
            start, found = _keep_near(rows, start, window, last_key, places, keys, found)
        else:
            for j in range(count):
                counters[j] = rows[start + j] >> _WORD_BITS
            mix_rows(counters[:count], purpose, k0, k1, state)
            found = _keep_far(rows, start, count, state, last_key, places, keys, found)
            start += count
    return found


def draw_smallest(row_numbers: ArrayLike, *, seed: int, purpose: int, k: int) -> tuple[NDArray[np.int64], Keys]:
    """Draw keys of rows, and find those with the k smallest (key, row number).

    Parameters
    ----------
    row_numbers
        Integers, shape (n,), negative ones as their two's complement; equal ones are taken in the order they come.
    seed, purpose
        As for `cdpipe.kernels.draws.keyed.keys`.
    k
        How many, >= 1; all when k >= n.

    Returns
    -------
    places
        int64, shape (min(k, n),): indices in `row_numbers`, ascending.
    keys
        uint32, of the same shape: their keys.

    Raises
    ------
    TypeError
        If the row numbers are not integers.
    ValueError
        If k is less than 1, or seed or purpose are out of range.
    """
    if k < 1:
        raise ValueError(f"{k} rows cannot be chosen; the least is 1")
    words, drawn_by = as_words(row_numbers, name="row numbers"), split_seed(seed=seed, purpose=purpose)
    places, keys = allot(words.size, np.int64), allot(words.size, np.uint32)
    # Keys are uniform, so k of them very likely are below this; if not, all are looked at.
    likely = min((k + _SIGMAS * math.sqrt(k)) / max(words.size, 1), 1.0)
    found = _find_small(words, *drawn_by, np.uint32(likely * (_KEYS - 1)), places, keys)
    if found < min(k, words.size):
        found = _find_small(words, *drawn_by, np.uint32(_KEYS - 1), places, keys)
    places, keys = places[:found], keys[:found]
    stay = _mark(keys, lambda equal: words[places[equal]], k=k)
    return places[stay], keys[stay]


def mark_smallest(keys: Keys, row_numbers: ArrayLike, *, k: int) -> NDArray[np.bool_]:
    """Mark the k smallest (key, row number).

    Parameters
    ----------
    keys
        uint32, shape (n,).
    row_numbers
        Of the same shape, see `draw_smallest`.
    k
        How many, >= 1; all when k >= n.

    Returns
    -------
    numpy.ndarray
        bool, shape (n,).

    Raises
    ------
    ValueError
        If k is less than 1.
    """
    if k < 1:
        raise ValueError(f"{k} rows cannot be chosen; the least is 1")
    return _mark(keys, lambda equal: as_words(row_numbers, name="row numbers")[equal], k=k)


def _mark(keys: Keys, find_rows: Callable[[Places], Words], *, k: int) -> NDArray[np.bool_]:
    """Mark the k smallest; row numbers are asked for at the indices of equal keys alone."""
    if keys.size <= k:
        return np.ones(keys.size, np.bool_)
    last = np.partition(keys, k - 1)[k - 1]
    marks: NDArray[np.bool_] = keys <= last
    beyond = int(np.count_nonzero(marks)) - k
    if beyond:
        equal = np.flatnonzero(keys == last)
        order = np.argsort(find_rows(equal), kind="stable")
        marks[equal[order[order.size - beyond :]]] = False
    return marks


def take_others(
    row_numbers: ArrayLike, *, seed: int, purpose: int, pool_rows: ArrayLike, pool_x: Floats, pool_y: Floats
) -> tuple[Floats, Floats]:
    """Take for each row a position from a pool, never its own, each of the others with the same probability.

    A row draws among all n of the pool. If it draws itself, it draws again, among the n - 1 others. Each of them so
    has the probability 1/n + 1/n x 1/(n - 1) = 1/(n - 1).

    Parameters
    ----------
    row_numbers
        Of those who draw, integers, shape (n,).
    seed, purpose
        As for `cdpipe.kernels.draws.keyed.keys`.
    pool_rows, pool_x, pool_y
        Row numbers (integers) and positions (float64) of the pool, shape (k,) each, k >= 1.

    Returns
    -------
    x, y
        float64, shape (n,) each: its own only for a row that is alone in the pool.

    Raises
    ------
    TypeError
        If row numbers are not integers.
    ValueError
        If the pool is empty, or seed or purpose are out of range.
    """
    rows, pool = as_words(row_numbers, name="row numbers"), as_words(pool_rows, name="row numbers of the pool")
    drawn = as_input(integers_below(rows, seed=seed, purpose=purpose, bound=pool.size), np.int64)
    x, y = allot(rows.size, np.float64), allot(rows.size, np.float64)
    positions = as_input(pool_x, np.float64), as_input(pool_y, np.float64)
    _take_others(drawn, rows, pool, positions, split_seed(seed=seed, purpose=purpose), (x, y))
    return x, y
