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


def jit_borrowing(function: F) -> F:
    """Compile as `jit` does, but without counting references to arrays.

    Numba counts a reference, atomically, whenever an array is passed to a function with more than one way out:
    about 20 ns a cell, as much as reading a number takes. A function compiled here only borrows its arrays for the
    call. It cannot allocate or return one: that is an error when it is compiled.

    Returns
    -------
    F
        The compiled function; the plain one is its `py_func`.
    """
    compiled: F = numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)(function)
    return compiled


def jit_inlined(function: F) -> F:
    """Compile as `jit_borrowing` does, and put the function into its callers whatever LLVM thinks of its size.

    For small functions and those with one caller, once a cell: handing an array over costs as much as two digits.
    """
    compiled: F = numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False, forceinline=True)(function)
    return compiled
