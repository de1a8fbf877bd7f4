"""Private parts of pandas, each in one function; `tests/stages/frames/test_pandas_compat.py` says which of them broke.

The public ways to the same cost a copy or a Series for each column, as much as all the rest of a stage.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.internals import create_dataframe_from_blocks  # type: ignore[import-not-found]

_KNOWN_WIDTHS: Final = 64


def iterate_arrays(frame: pd.DataFrame) -> Iterator[Any]:
    """Yield the array of each column, shape (n,), without a Series around it."""
    yield from frame._iter_column_arrays()  # type: ignore[operator]


def join_arrays(arrays: Iterable[Any], index: pd.Index, names: pd.Index) -> pd.DataFrame:
    """Make a frame of columns without a copy.

    Parameters
    ----------
    arrays
        NumPy arrays, shape (1, n), or arrays of pandas, shape (n,).
    index, names
        Of the rows and of the columns.
    """
    blocks = list(zip(arrays, _count_up(len(names)), strict=True))
    frame: pd.DataFrame = create_dataframe_from_blocks(blocks, index, names)
    return frame


@lru_cache(maxsize=_KNOWN_WIDTHS)
def _count_up(columns: int) -> list[NDArray[np.intp]]:
    """Return the number of each column, shape (1,)."""
    return [np.array([number], np.intp) for number in range(columns)]


def take_masked_apart(array: pd.arrays.IntegerArray) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the values and the nulls of a masked array, shape (n,) each, without a copy."""
    return array._data, array._mask  # type: ignore[attr-defined]
