"""The one module that says how kernels are compiled."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

from cdpipe.kernels.compiling.callees import KernelCompiler, PartCompiler
from cdpipe.kernels.compiling.disk_cache import DiskCache, find_place

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
    return _compile(function)


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
    return _compile(function, _nrt=False)


def jit_inlined(function: F) -> F:
    """Compile as `jit_borrowing` does, and put the function into its callers whatever LLVM thinks of its size.

    For small functions and those with one caller, once a cell: handing an array over costs as much as two digits.
    """
    return _compile(function, _nrt=False, forceinline=True)


def is_kept(kernel: Callable[..., object]) -> bool:
    """Say whether machine code of a kernel is on disk, or none is needed: compiling is switched off."""
    cache: DiskCache | None = getattr(kernel, "_cache", None)
    return cache is None or cache.is_filled()


def why_unkept() -> str | None:
    """Say why no machine code of this process will be there for the next one; None if it will."""
    return None if numba.config.DISABLE_JIT else find_place(Path(__file__).parent).reason or None


def _compile(function: F, **options: Any) -> F:  # noqa: ANN401 - whatever Numba takes
    options |= {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    kernel: Any = numba.njit(pipeline_class=KernelCompiler, **options)(function)
    if not numba.config.DISABLE_JIT:
        kernel._cache = DiskCache(function)  # noqa: SLF001, RUF100 - what njit(cache=True) does, with our own cache

        @cache
        def part() -> Any:  # noqa: ANN401 - made when it is first needed, which in most processes is never
            return numba.njit(pipeline_class=PartCompiler, no_cpython_wrapper=True, **options)(function)

        # What Numba asks of a function that another one calls.
        kernel.get_call_template = lambda args, kws: part().get_call_template(args, kws)
        kernel.get_overload = lambda signature: part().get_overload(signature)
    compiled: F = kernel
    return compiled
