"""Numbers as a file holds them, without those that say "not available", are infinite, or cannot be."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cdpipe.kernels.buffers.inputs import as_input
from cdpipe.kernels.compiling.jit import jit_borrowing

_AT_ONCE: Final = 2
_ANY: Final = (-np.inf, np.inf)


class Unfit(NamedTuple):
    """How many numbers are infinite, and how many finite ones are impossible."""

    infinite: int
    impossible: int


@jit_borrowing
def _settle_floats(
    values: NDArray[np.float64], codes: tuple[float, float], limits: tuple[float, float], out: NDArray[np.float64]
) -> tuple[int, int]:
    first, second = codes
    lower, upper = limits
    infinite, impossible = np.int64(0), np.int64(0)
    for i in range(values.size):
        value = values[i]
        endless = np.abs(value) == np.inf
        coded = (value == first) | (value == second)
        beyond = ((value <= lower) | (value >= upper)) & ~(endless | coded)
        out[i] = np.nan if endless | coded | beyond else value
        infinite += endless
        impossible += beyond
    return int(infinite), int(impossible)


@jit_borrowing
def _count_unfit(values: NDArray[np.float64], codes: tuple[float, float], limits: tuple[float, float]) -> int:
    first, second = codes
    lower, upper = limits
    unfit = np.int64(0)
    for i in range(values.size):
        value = values[i]
        beyond = (value <= lower) | (value >= upper)
        unfit += (np.abs(value) == np.inf) | (value == first) | (value == second) | beyond
    return int(unfit)


def is_settled(values: ArrayLike, *, unavailable: Sequence[float], limits: tuple[float, float] = _ANY) -> bool:
    """Return True if `settle_floats` would change nothing in a column of numbers, shape (n,)."""
    given = as_input(values, np.float64)
    return not _count_unfit(given, _pair(unavailable), limits)


def settle_floats(
    values: ArrayLike,
    *,
    unavailable: Sequence[float],
    limits: tuple[float, float] = _ANY,
    out: NDArray[np.float64],
) -> Unfit:
    """Copy a column of numbers, without infinite ones, codes, and impossible ones.

    Parameters
    ----------
    values
        Numbers, shape (n,); nan is null.
    unavailable
        Values that say "not available", two at most.
    limits
        A number on or beyond one of the two is impossible, unless it is a code.
    out
        Where the numbers go, shape (n,); nan where null, infinite, a code or impossible.

    Returns
    -------
    Unfit
        How many are infinite and impossible; codes are not counted.

    Raises
    ------
    ValueError
        If `out` has not as many rows, or there are more than two codes.
    """
    given = as_input(values, np.float64)
    if given.size != out.size:
        raise ValueError(f"{given.size} numbers cannot be put in {out.size} rows; allot as many")
    return Unfit(*_settle_floats(given, _pair(unavailable), limits, out))


def _pair(unavailable: Sequence[float]) -> tuple[float, float]:
    """Return two codes; nan, which is equal to nothing, for each that there is not."""
    if len(unavailable) > _AT_ONCE:
        raise ValueError(f"{len(unavailable)} codes {tuple(unavailable)}; a column has at most {_AT_ONCE}")
    first, second = *map(float, unavailable), *[np.nan] * (_AT_ONCE - len(unavailable))
    return first, second
