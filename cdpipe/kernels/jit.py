"""The one place that says how kernels are compiled, and how machine code is kept between processes."""

import hashlib
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
from numba.core.runtime import rtsys

from cdpipe.kernels.compiler import KernelCompiler, PartCompiler

F = TypeVar("F", bound=Callable[..., object])

_SOURCES: Final = hashlib.sha256(
    b"\0".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()[:16]


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
    cache: _CacheOnDemand | None = getattr(kernel, "_cache", None)
    return cache is None or cache.is_filled()


def _compile(function: F, **options: Any) -> F:  # noqa: ANN401 - whatever Numba takes
    options |= {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    kernel: Any = numba.njit(pipeline_class=KernelCompiler, **options)(function)
    if not numba.config.DISABLE_JIT:
        kernel._cache = _CacheOnDemand(function)  # noqa: SLF001, RUF100 - what njit(cache=True) does, with our own cache

        @cache
        def part() -> Any:  # noqa: ANN401 - made when it is first needed, which in most processes is never
            return numba.njit(pipeline_class=PartCompiler, no_cpython_wrapper=True, **options)(function)

        # What Numba asks of a function that another one calls.
        kernel.get_call_template = lambda args, kws: part().get_call_template(args, kws)
        kernel.get_overload = lambda signature: part().get_overload(signature)
    compiled: F = kernel
    return compiled


class _KernelParts(CompileResultCacheImpl):  # type: ignore[misc] # numba has no types
    """What is kept of a compiled kernel."""

    def reduce(self, compiled: object) -> tuple[object, ...]:
        """Return what to keep: all but the empty environments of Numba's own functions that were compiled into it.

        An environment holds the Python objects that code reads. One without any is read by nobody, but to make it
        anew its module is imported: for `np.empty` or `x in (a, b)` a good part of the compiler, 0.1 s.
        """
        *parts, environments = super().reduce(compiled)
        return *parts, tuple(each for each in environments if each.consts or not _is_numbas(each))


def _is_numbas(environment: Any) -> bool:  # noqa: ANN401 - numba has no types
    return str(environment.globals["__name__"]).startswith("numba.")


class _KernelCache(FunctionCache):  # type: ignore[misc] # numba has no types
    """Numba's cache on disk, made safe for kernels that call each other and for many workers at once.

    Numba's own is stamped with the file of the outermost function only, so that after a change to a kernel in another
    file old machine code goes on running; here the stamp, and the name of each file, covers all kernels.
    """

    _impl_class = _KernelParts

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)
        self._cache_file = _KernelFile(
            cache_path=self._cache_path,
            filename_base=f"{self._impl.filename_base}-{_SOURCES}",
            source_stamp=_SOURCES,
        )

    def load_overload(self, signature: object, target: object) -> object:
        """Load machine code, None if there is none, without making a compiler first.

        Numba's own first registers all that it can compile, which imports 115 modules and takes 0.2 s in every process.
        Kept code needs of it only the helpers that count references; a compilation registers the rest by itself.
        """
        rtsys.initialize(target)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(signature, target)


class _CacheOnDemand:
    """The cache of a kernel, opened when the kernel is first called.

    To open one, Numba looks for a folder and tries to write there; at start-up it would be all kernels, used or not.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    @cached_property
    def _opened(self) -> _KernelCache:
        return _KernelCache(self._function)

    def is_filled(self) -> bool:
        """Say whether there is anything in it."""
        return bool(self._opened._cache_file._load_index())  # noqa: SLF001, RUF100

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever Numba asks of a cache
        return getattr(self._opened, name)


class _KernelFile(IndexDataCacheFile):  # type: ignore[misc]
    """Index and data files of one kernel, for any number of processes that write them at the same time.

    Numba numbers data files and writes the index first: two processes can give one number to different code, and a
    third can read an index whose data is not there yet. Here a data file is named by what it holds and comes first.
    """

    def save(self, key: object, data: object) -> None:
        """Save machine code; an index entry lost to another process costs one compilation, nothing else."""
        name = self._data_name_pattern.format(number=int(hashlib.sha256(repr(key).encode()).hexdigest()[:12], 16))
        self._save_data(name, data)
        self._save_index({**self._load_index(), key: name})
