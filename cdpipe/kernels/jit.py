"""The one place that says how kernels are compiled."""

from collections.abc import Callable
from typing import TypeVar

import numba

F = TypeVar("F", bound=Callable[..., object])


def jit(function: F) -> F:
    """Compile `function` for arrays: no GIL, cached on disk, IEEE arithmetic in source order.

    `fastmath` stays off: the same bits on every run matter more than the last tenth of speed, and
    reassociation would make them depend on the compiler's mood. Division follows NumPy (inf, nan), not Python.

    Returns
    -------
    F
        The compiled function; the plain one is its `py_func`, which the tests run as well.
    """
    compiled: F = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    return compiled
