"""Private parts of Dask's frames; `tests/engine/graph/test_dask_compat.py` says which of them broke.

The public `from_graph` looks at every type and index of an empty frame for a name that no other frame has; `FromGraph`
takes a name that is given.
"""

from dask.dataframe.dask_expr import new_collection
from dask.dataframe.dask_expr.io.io import FromGraph
from dask.dataframe.utils import UNKNOWN_CATEGORIES

__all__ = ["UNKNOWN_CATEGORIES", "FromGraph", "new_collection"]
