"""Inputs of kernels: arguments brought into the one type each kernel is compiled for."""

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


def as_input(values: ArrayLike, dtype: type[Scalar]) -> NDArray[Scalar]:
    """View `values` as a contiguous, aligned, read-only array, copied only if its type or layout is another.

    To Numba a read-only array (an Arrow buffer) is another type than a writable one: were both passed on as
    they come, each kernel would be compiled, and cached, twice. Everything can be made read-only without a
    copy, so all inputs are.

    Parameters
    ----------
    values
        Numbers, shape (n,).
    dtype
        Wanted NumPy scalar type.

    Returns
    -------
    numpy.ndarray
        Shape (n,), C-contiguous, not writable; the memory of `values` where that is possible.

    Raises
    ------
    ValueError
        If `values` has another number of dimensions than one.
    """
    if isinstance(values, np.ndarray) and values.dtype == dtype and values.flags.c_contiguous and values.flags.aligned:
        array = values
    else:
        array = np.require(values, dtype, ["C_CONTIGUOUS", "ALIGNED"])  # alignment is part of Numba's type as well
    if array.ndim != 1:
        raise ValueError(f"an array of {array.ndim} dimensions was given; kernels take one column: pass values.ravel()")
    view: NDArray[Scalar] = array.view()
    view.setflags(write=False)
    return view


def as_words(values: ArrayLike, *, name: str) -> NDArray[np.uint64]:
    """View integers as 64-bit words (two's complement), under the rules of `as_input`.

    Raises
    ------
    TypeError
        If `values` are not integers: a row number or hash that went through a float has lost bits.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {array.dtype}; convert them with .astype('int64') or 'uint64'")
    if array.dtype != np.uint64:
        array = array.astype(np.int64, copy=False).view(np.uint64)
    return as_input(array, np.uint64)


def as_points(lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """View two columns of coordinates under the rules of `as_input`.

    Raises
    ------
    ValueError
        If they differ in length.
    """
    longitudes, latitudes = as_input(lon, np.float64), as_input(lat, np.float64)
    if longitudes.size != latitudes.size:
        raise ValueError(f"lon has {longitudes.size} rows, lat {latitudes.size}; each point needs both")
    return longitudes, latitudes
