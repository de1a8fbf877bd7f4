"""Frames made of arrays, at the least price that pandas has."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import pandas as pd

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
    # Names as such become an Arrow array, and each new one is hashed again when a column is first asked for.
    frame = pd.DataFrame(dict(enumerate(columns.values())), index=pd.RangeIndex(rows), copy=False)
    frame.columns = _name_columns(tuple(columns)).view()
    return frame


@lru_cache(maxsize=_KNOWN_HEADS)
def _name_columns(names: tuple[str, ...]) -> pd.Index:
    """Return the index of these names, hashed; views of it share that, and no name given to one of them."""
    index = pd.Index(names, dtype="str")
    index.get_indexer_for(index[:1])
    return index
