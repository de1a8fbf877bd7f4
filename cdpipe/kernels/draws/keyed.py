"""Random draws keyed by (seed, purpose, counter): the same number for the same row wherever it is computed.

The counter is a row number or the hash of a vehicle id, the key is the seed. `purpose` keeps draws for
different ends independent although they share seed and counter. Every draw costs one Philox block.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cdpipe.kernels.buffers.inputs import as_words
from cdpipe.kernels.compiling.jit import jit
from cdpipe.kernels.draws.philox import BLOCK_ROWS, first_word, mix_rows, second_word

ATTACKER: Final = 1
"""Which vehicles or rows attack."""
OFFSET: Final = 2
"""Bearing and distance of an offset."""
POOL: Final = 3
"""Which positions enter the pool that swaps draw from."""
SWAP: Final = 4
"""Which position of the pool a row takes."""
OVERRIDE: Final = 5
"""Bearing and distance of an overriding position."""
SPLIT: Final = 6
"""Which side of the train/test split."""
SAMPLE: Final = 7
"""Which rows a sample keeps."""
EPISODE: Final = 8
"""In which episodes a vehicle attacks."""
IDENTITY: Final = 9
"""Ids that an attacker makes up."""
CLAIM: Final = 10
"""What a sequence attack claims of a vehicle or a message."""
KIND: Final = 11
"""Which attack of a mix a vehicle makes."""
RESAMPLE: Final = 12
"""Which vehicles are in a resample."""
FOLD: Final = 13
"""Order in which vehicles or rows are dealt to folds."""
PERMUTE: Final = 14
"""Order in which a feature's values are given to other messages."""
HEARD: Final = 15
"""Which messages attackers hear."""

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_DROPPED_BITS = np.uint64(11)
_UNIT = 2.0**-53


def split_seed(*, seed: int, purpose: int) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Return the purpose and the two key words a seed stands for, as the kernels take them.

    Raises
    ------
    ValueError
        If the seed does not fit 64 bits or the purpose 32.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed {seed} is outside 0 .. 2**64 - 1; choose a non-negative seed of at most 64 bits")
    if not 0 <= purpose < 2**32:
        raise ValueError(f"purpose {purpose} is outside 0 .. 2**32 - 1; use a constant of cdpipe.kernels.draws.keyed")
    return np.uint64(purpose), np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)


@jit
def to_unit(word: np.uint64) -> float:
    """Map 64 random bits to [0, 1): their upper 53 as a binary fraction, every one exact."""
    # signed, because AVX2 converts only signed 64-bit integers without a detour; 53 bits fit either way
    return np.int64(word >> _DROPPED_BITS) * _UNIT


@jit
def multiply_high(a: np.uint64, b: np.uint64) -> np.uint64:
    """Upper 64 bits of a 64 x 64 bit product, by halves; no step overflows."""
    a_low, a_high = a & _LOW, a >> _HALF
    b_low, b_high = b & _LOW, b >> _HALF
    middle = a_high * b_low + ((a_low * b_low) >> _HALF)
    other = a_low * b_high + (middle & _LOW)
    return a_high * b_high + (middle >> _HALF) + (other >> _HALF)


@jit
def _fill_keys(counters: Words, purpose: np.uint64, k0: np.uint64, k1: np.uint64, out: Words) -> None:
    state = np.empty((4, BLOCK_ROWS), np.uint32)
    for start in range(0, counters.size, BLOCK_ROWS):
        block = counters[start : start + BLOCK_ROWS]
        mix_rows(block, purpose, k0, k1, state)
        for i in range(block.size):
            out[start + i] = first_word(state, i)


@jit
def _fill_pairs(counters: Words, purpose: np.uint64, k0: np.uint64, k1: np.uint64, u: Floats, v: Floats) -> None:
    state = np.empty((4, BLOCK_ROWS), np.uint32)
    for start in range(0, counters.size, BLOCK_ROWS):
        block = counters[start : start + BLOCK_ROWS]
        mix_rows(block, purpose, k0, k1, state)
        for i in range(block.size):
            u[start + i] = to_unit(first_word(state, i))
            v[start + i] = to_unit(second_word(state, i))


@jit
def _fill_integers(
    counters: Words, purpose: np.uint64, k0: np.uint64, k1: np.uint64, bound: np.uint64, out: NDArray[np.int64]
) -> None:
    state = np.empty((4, BLOCK_ROWS), np.uint32)
    for start in range(0, counters.size, BLOCK_ROWS):
        block = counters[start : start + BLOCK_ROWS]
        mix_rows(block, purpose, k0, k1, state)
        for i in range(block.size):
            out[start + i] = np.int64(multiply_high(first_word(state, i), bound))


@jit
def _scale_pairs(bearing_deg: Floats, distance_m: Floats, min_m: float, max_m: float) -> None:
    span_m = max_m - min_m
    for i in range(bearing_deg.size):
        bearing_deg[i] *= 360.0
        # the sum may round above max_m by one unit in the last place
        distance_m[i] = min(min_m + span_m * distance_m[i], max_m)


def keys(counters: ArrayLike, *, seed: int, purpose: int) -> Words:
    """Draw 64 random bits for each counter.

    Parameters
    ----------
    counters
        Row numbers or hashes, integers, shape (n,).
    seed
        0 .. 2**64 - 1.
    purpose
        A constant of this module.

    Returns
    -------
    numpy.ndarray
        uint64, shape (n,).

    Raises
    ------
    TypeError
        If the counters are not integers.
    ValueError
        If seed or purpose are out of range.
    """
    words = as_words(counters, name="counters")
    out = np.empty(words.size, np.uint64)
    _fill_keys(words, *split_seed(seed=seed, purpose=purpose), out)
    return out


def uniform_pairs(counters: ArrayLike, *, seed: int, purpose: int) -> tuple[Floats, Floats]:
    """Draw two independent uniform numbers in [0, 1), 53 bits each, for each counter.

    Parameters and errors are those of `keys`.

    Returns
    -------
    u, v
        float64, shape (n,) each.
    """
    words = as_words(counters, name="counters")
    u, v = np.empty(words.size), np.empty(words.size)
    _fill_pairs(words, *split_seed(seed=seed, purpose=purpose), u, v)
    return u, v


def integers_below(counters: ArrayLike, *, seed: int, purpose: int, bound: int) -> NDArray[np.int64]:
    """Draw an integer in 0 .. bound - 1 for each counter.

    By the upper half of (64 random bits) x bound (D. Lemire, "Fast random integer generation in an interval",
    2019), without rejection: no value's probability is off 1/bound by more than 2**-64, a bias no sample of
    fewer than 2**64 / bound draws can show.

    Parameters
    ----------
    counters, seed, purpose
        As for `keys`.
    bound
        1 .. 2**63 - 1.

    Raises
    ------
    TypeError
        If the counters are not integers.
    ValueError
        If bound, seed or purpose are out of range.
    """
    if not 1 <= bound < 2**63:
        raise ValueError(f"bound {bound} is outside 1 .. 2**63 - 1; there must be at least one value to draw from")
    words = as_words(counters, name="counters")
    out = np.empty(words.size, np.int64)
    _fill_integers(words, *split_seed(seed=seed, purpose=purpose), np.uint64(bound), out)
    return out


def bearings_and_distances(
    counters: ArrayLike, *, seed: int, purpose: int, min_m: float, max_m: float
) -> tuple[Floats, Floats]:
    """Draw a bearing and a distance for each counter, both uniform (so denser near the start than a disc's area is).

    Parameters
    ----------
    counters, seed, purpose
        As for `keys`.
    min_m, max_m
        Bounds of the distance, metres, 0 <= min_m <= max_m.

    Returns
    -------
    bearing_deg
        float64 in [0, 360), degrees clockwise from north, shape (n,).
    distance_m
        float64 in [min_m, max_m], shape (n,).

    Raises
    ------
    TypeError
        If the counters are not integers.
    ValueError
        If the distances are not finite, negative or in the wrong order, or seed or purpose are out of range.
    """
    if not 0.0 <= min_m <= max_m < np.inf:
        raise ValueError(f"distances {min_m} .. {max_m} m are no range; give finite 0 <= min_m <= max_m")
    bearing_deg, distance_m = uniform_pairs(counters, seed=seed, purpose=purpose)
    _scale_pairs(bearing_deg, distance_m, float(min_m), float(max_m))
    return bearing_deg, distance_m
