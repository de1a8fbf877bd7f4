"""Choosing vehicles and rows at random, exactly as many as asked, without a set to look them up in.

Each candidate has a random 64-bit key. The k chosen are those with the k smallest (key, identity): whoever
knows the k-th pair, the threshold, can tell from a row alone whether it is chosen, in any partition and any
order.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cdpipe.kernels.buffers.inputs import as_words
from cdpipe.kernels.compiling.jit import jit
from cdpipe.kernels.draws.keyed import keys, split_seed
from cdpipe.kernels.draws.philox import BLOCK_ROWS, first_word, mix_rows

Words = NDArray[np.uint64]

NOBODY: Final = (-1, 0)
"""Threshold below every (key, hash)."""
EVERYBODY: Final = (2**64 - 1, 2**64 - 1)
"""Threshold not below any (key, hash)."""


@jit
def _mark_chosen(
    hashes: Words,
    purpose: np.uint64,
    k0: np.uint64,
    k1: np.uint64,
    threshold_key: np.uint64,
    threshold_hash: np.uint64,
    out: NDArray[np.bool_],
) -> None:
    state = np.empty((4, BLOCK_ROWS), np.uint32)
    for start in range(0, hashes.size, BLOCK_ROWS):
        block = hashes[start : start + BLOCK_ROWS]
        mix_rows(block, purpose, k0, k1, state)
        for i in range(block.size):
            key = first_word(state, i)
            out[start + i] = (key < threshold_key) | ((key == threshold_key) & (block[i] <= threshold_hash))


def distinct(words: Words) -> Words:
    """Return the different ones of some words, shape (n,), ascending.

    Sorting takes a tenth of the time of `numpy.unique`, which puts them into a hash table.
    """
    return _drop_repeated(np.sort(words))


def unite(first: Words, second: Words) -> Words:
    """Return the different ones of two ascending sequences, shape (n,), ascending.

    NumPy's stable sort sees that there are two runs and merges them: 0.5 ms for twice 91,000 words; any other sorts
    them anew, in 8 ms.
    """
    return _drop_repeated(np.sort(np.concatenate((first, second)), kind="stable"))


def _drop_repeated(ordered: Words) -> Words:
    different = np.ones(ordered.size, np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=different[1:])
    return ordered[different]


def bottom_k(counters: ArrayLike, *, seed: int, purpose: int, k: int) -> NDArray[np.int64]:
    """Find the k counters with the smallest (key, counter): a sample without replacement that can be merged.

    The bottom k of a whole are the bottom k of the bottom k of its parts, however it was cut.

    Parameters
    ----------
    counters
        Row numbers or hashes, integers, shape (n,); negative ones count as their two's complement. Equal
        counters have equal keys and are taken in the order they come.
    seed, purpose
        As for `cdpipe.kernels.draws.keyed.keys`.
    k
        How many, >= 0; all when k >= n.

    Returns
    -------
    numpy.ndarray
        int64, shape (min(k, n),): indices in `counters`, ordered by (key, counter).

    Raises
    ------
    TypeError
        If the counters are not integers.
    ValueError
        If k is negative, or seed or purpose are out of range.
    """
    if k < 0:
        raise ValueError(f"{k} cannot be chosen; the least is 0, which chooses nothing")
    words = as_words(counters, name="counters")
    drawn = keys(words, seed=seed, purpose=purpose)
    return _order(drawn, words)[:k].astype(np.int64, copy=False)


def _order(drawn: Words, words: Words) -> NDArray[np.int64]:
    """Return the order of (key, counter), equal ones as they come; sorting by both at once takes ten times as long."""
    order = np.argsort(drawn)
    ordered = drawn[order]
    return np.lexsort((words, drawn)) if (ordered[1:] == ordered[:-1]).any() else order


def choose_threshold(hashes: ArrayLike, *, seed: int, purpose: int, count: int) -> tuple[int, int]:
    """Find the (key, hash) that separates exactly `count` of the distinct hashes from the others.

    Parameters
    ----------
    hashes
        Identities, integers, shape (n,), in any order, repeated at will.
    seed, purpose
        As for `cdpipe.kernels.draws.keyed.keys`.
    count
        How many of the distinct hashes to choose, >= 0.

    Returns
    -------
    threshold_key, threshold_hash
        For `is_chosen`. `NOBODY` when `count` is 0, `EVERYBODY` when it is not less than the distinct hashes.

    Raises
    ------
    TypeError
        If the hashes are not integers.
    ValueError
        If `count` is negative, or seed or purpose are out of range.
    """
    candidates = distinct(as_words(hashes, name="hashes"))
    if count == 0:
        return NOBODY
    chosen = bottom_k(candidates, seed=seed, purpose=purpose, k=count)
    if count >= candidates.size:
        return EVERYBODY
    last = candidates[chosen[-1:]]
    return int(keys(last, seed=seed, purpose=purpose)[0]), int(last[0])


def is_chosen(
    hashes: ArrayLike, *, seed: int, purpose: int, threshold_key: int, threshold_hash: int
) -> NDArray[np.bool_]:
    """Tell for each hash whether its (key, hash) is at or below the threshold.

    Parameters
    ----------
    hashes
        Identities, integers, shape (n,).
    seed, purpose
        Those given to `choose_threshold`.
    threshold_key, threshold_hash
        What `choose_threshold` returned.

    Returns
    -------
    numpy.ndarray
        bool, shape (n,).

    Raises
    ------
    TypeError
        If the hashes are not integers.
    ValueError
        If seed or purpose are out of range.
    """
    words = as_words(hashes, name="hashes")
    out = np.zeros(words.size, np.bool_)
    if threshold_key >= 0:
        words_of_seed = split_seed(seed=seed, purpose=purpose)
        _mark_chosen(words, *words_of_seed, np.uint64(threshold_key), np.uint64(threshold_hash), out)
    return out


def choose_rows(row_numbers: ArrayLike, *, seed: int, purpose: int, ratio: float) -> NDArray[np.bool_]:
    """Choose each row by itself with probability `ratio`: its key is below ratio x 2**64.

    Parameters
    ----------
    row_numbers
        Integers, shape (n,).
    seed, purpose
        As for `cdpipe.kernels.draws.keyed.keys`.
    ratio
        0 (none) .. 1 (all). With the same seed, the rows of a smaller ratio are among those of a larger one.

    Returns
    -------
    numpy.ndarray
        bool, shape (n,).

    Raises
    ------
    TypeError
        If the row numbers are not integers.
    ValueError
        If the ratio is not within 0 .. 1, or seed or purpose are out of range.
    """
    if not 0.0 <= ratio <= 1.0:
        raise ValueError(f"ratio {ratio} is outside 0 .. 1; 0.3 chooses about three rows in ten")
    # the product is exact, so truncation only drops a fraction of the 64th bit
    last_key = int(ratio * 2.0**64) - 1
    return is_chosen(row_numbers, seed=seed, purpose=purpose, threshold_key=last_key, threshold_hash=2**64 - 1)
