"""Numbers as a file holds them, without those that say "not available", and which of them are infinite."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cdpipe.kernels.arrays import as_input
from cdpipe.kernels.jit import jit_borrowing

_AT_ONCE: Final = 2


@jit_borrowing
def _settle_floats(values: NDArray[np.float64], first: float, second: float, out: NDArray[np.float64]) -> int:
    infinite = np.int64(0)
    for i in range(values.size):
        value = values[i]
        unfit = np.abs(value) == np.inf
        out[i] = np.nan if unfit | (value == first) | (value == second) else value
        infinite += unfit
    return int(infinite)


@jit_borrowing
def _count_unfit(values: NDArray[np.float64], first: float, second: float) -> int:
    unfit = np.int64(0)
    for i in range(values.size):
        value = values[i]
        unfit += (np.abs(value) == np.inf) | (value == first) | (value == second)
    return int(unfit)


def is_settled(values: ArrayLike, *, unavailable: Sequence[float]) -> bool:
    """Say whether a column of numbers, shape (n,), has no infinite one and none of the codes; see `settle_floats`."""
    given = as_input(values, np.float64)
    codes = [*unavailable, *[np.nan] * _AT_ONCE]  # nan is equal to nothing
    return not (_count_unfit(given, codes[0], codes[1]) or np.isin(given, unavailable[_AT_ONCE:]).any())


def settle_floats(values: ArrayLike, *, unavailable: Sequence[float], out: NDArray[np.float64]) -> bool:
    """Copy a column of numbers, without infinite ones and without codes.

    Parameters
    ----------
    values
        Numbers, shape (n,); nan is null.
    unavailable
        Values that say "not available".
    out
        Where the numbers go, shape (n,); nan where null, infinite or a code.

    Returns
    -------
    bool
        Whether any is infinite.

    Raises
    ------
    ValueError
        If `out` has not as many rows.
    """
    given = as_input(values, np.float64)
    if given.size != out.size:
        raise ValueError(f"{given.size} numbers cannot be put in {out.size} rows; allot as many")
    codes = [*unavailable, *[np.nan] * _AT_ONCE]  # nan is equal to nothing
    infinite = _settle_floats(given, codes[0], codes[1], out)
    for code in unavailable[_AT_ONCE:]:
        out[out == code] = np.nan
    return bool(infinite)
