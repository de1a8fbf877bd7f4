"""Points moved in the plane, by a distance along a bearing."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cdpipe.kernels.buffers.inputs import as_input, as_points
from cdpipe.kernels.compiling.jit import jit
from cdpipe.kernels.geodesy.ellipsoid import sincos_degrees

Floats = NDArray[np.float64]


@jit
def _move(x: Floats, y: Floats, bearing_deg: Floats, distance_m: Floats, to_x: Floats, to_y: Floats) -> None:
    for i in range(x.size):
        sine, cosine = sincos_degrees(bearing_deg[i])
        to_x[i] = x[i] + distance_m[i] * sine
        to_y[i] = y[i] + distance_m[i] * cosine


def move(x: ArrayLike, y: ArrayLike, bearing_deg: ArrayLike, distance_m: ArrayLike) -> tuple[Floats, Floats]:
    """Return where points come to.

    Parameters
    ----------
    x, y
        Metres east and north, shape (n,) each.
    bearing_deg
        Degrees clockwise from north, shape (n,).
    distance_m
        Metres, shape (n,).

    Returns
    -------
    x, y
        Metres east and north, shape (n,) each; NaN where an argument is NaN.

    Raises
    ------
    ValueError
        If the arrays differ in length.
    """
    points = as_points(x, y)
    bearings, distances = as_input(bearing_deg, np.float64), as_input(distance_m, np.float64)
    if not points[0].size == bearings.size == distances.size:
        raise ValueError(
            f"there are {points[0].size} points, {bearings.size} bearings and {distances.size} distances; "
            "each point needs one of each"
        )
    moved = np.empty(bearings.size), np.empty(bearings.size)
    _move(*points, bearings, distances, *moved)
    return moved
