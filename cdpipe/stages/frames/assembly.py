"""Frames made of arrays, at the least price that pandas has."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from cdpipe.columns import ROW_NUMBER
from cdpipe.stages.frames.pandas_compat import join_arrays

_KNOWN_HEADS: Final = 64


def make_frame(columns: Mapping[str, Any], rows: int) -> pd.DataFrame:
    """Make a frame of columns, rows numbered from 0, without a copy.

    Parameters
    ----------
    columns
        Arrays of NumPy or pandas, or Series, shape (rows,), by name.
    rows
        How many rows there are.
    """
    names, index = _name_columns(tuple(columns)).view(), pd.RangeIndex(rows)
    if any(isinstance(values, pd.Series) for values in columns.values()):
        # Of what is shared with a caller's frame only this keeps account; it takes three times as long.
        frame = pd.DataFrame(dict(enumerate(columns.values())), index=index, copy=False)
        frame.columns = names
        return frame
    arrays = (values[np.newaxis] if isinstance(values, np.ndarray) else values for values in columns.values())
    return join_arrays(arrays, index, names)


@lru_cache(maxsize=_KNOWN_HEADS)
def _name_columns(names: tuple[str, ...]) -> pd.Index:
    """Return the index of these names, hashed; views of it share that, and no name given to one of them."""
    index = pd.Index(names, dtype="str")
    index.get_indexer_for(index[:1])
    return index


def number_rows(frame: pd.DataFrame, first_row: int) -> pd.DataFrame:
    """Return the frame with `row_number` from `first_row` on."""
    return frame.assign(**{ROW_NUMBER: np.arange(first_row, first_row + len(frame), dtype=np.int64)})


def join_rows(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of frames of the same columns, rows numbered from 0; labels are those of all."""
    filled = [frame for frame in frames if len(frame)] or [frames[0]]
    if len(filled) == 1:
        return filled[0].reset_index(drop=True)
    columns: dict[str, Any] = {}
    for name in map(str, filled[0].columns):
        arrays = [frame[name].array for frame in filled]
        if isinstance(arrays[0], pd.Categorical):
            columns[name] = union_categoricals(arrays)
        else:
            columns[name] = pd.concat([pd.Series(array, copy=False) for array in arrays], ignore_index=True)
    return make_frame(columns, sum(map(len, filled)))
