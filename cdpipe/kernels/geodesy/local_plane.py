"""Metres east and north of a centre: the azimuthal equidistant projection of the ellipsoid.

A point lies at its geodesic distance from the centre, in its azimuth there. Both coordinates are analytic
functions of the differences in latitude and longitude (they are Riemann's normal coordinates), so near the
centre a polynomial stands for the geodesic. It is made once a call, of the exact solutions at 32 points
around the centre (`_fit_patch`), depends on the centre alone, and is off by less than 0.5 micrometre
(measured) within the patch: 2.5 degrees of latitude, and as many of arc along the parallel, each way. Every
other row takes the geodesic itself.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cdpipe.kernels.buffers.inputs import as_points
from cdpipe.kernels.compiling.jit import jit
from cdpipe.kernels.geodesy.ellipsoid import RADIANS, check_centre, difference_degrees
from cdpipe.kernels.geodesy.inverse_geodesic import inverse

Floats = NDArray[np.float64]

_LATITUDES = 8
_LONGITUDES = 4
_HALF_HEIGHT_DEG = 2.5
_GREATEST_LATITUDE_DEG = 80.0

# Columns of the scratch block: one array, so that LLVM need not prove that they do not overlap.
_BLOCK_ROWS = 512
_X, _STEP, _Y = 0, _BLOCK_ROWS, 2 * _BLOCK_ROWS
_EAST, _NORTH = 3 * _BLOCK_ROWS, 4 * _BLOCK_ROWS
_COLUMNS = 5


class Patch(NamedTuple):
    """Polynomials around a centre, in x = latitude difference / height and y = (longitude difference / width)**2."""

    height_deg: float
    width_deg: float
    meridian: Floats
    """North on the centre's meridian is x times the polynomial in x with these coefficients."""
    north: Floats
    """What y adds to north is y times the polynomial with coefficients [power of y, power of x]."""
    east: Floats
    """East is the longitude difference / width times the polynomial with coefficients [power of y, power of x]."""


def _chebyshev_nodes(count: int) -> Floats:
    return np.cos((2 * np.arange(count) + 1) * (math.pi / (2 * count)))


def _lagrange_coefficients(nodes: Floats) -> Floats:
    """Coefficients [power, node] of the polynomials that are 1 at one node and 0 at the others."""
    table = np.empty((nodes.size, nodes.size))
    for j, node in enumerate(nodes):
        others = np.delete(nodes, j)
        table[:, j] = np.poly(others)[::-1] / np.prod(node - others)
    return table


def _fit_patch(lat0: float) -> Patch:
    height_deg = _HALF_HEIGHT_DEG
    width_deg = _HALF_HEIGHT_DEG / math.cos(lat0 * RADIANS)
    x, y = _chebyshev_nodes(_LATITUDES), 0.5 + 0.5 * _chebyshev_nodes(_LONGITUDES)
    lat, step = np.meshgrid(lat0 + x * height_deg, np.sqrt(y))
    distance_m, azimuth_deg = inverse(0.0, lat0, (step * width_deg).ravel(), lat.ravel())
    east = (distance_m * np.sin(azimuth_deg * RADIANS)).reshape(lat.shape) / step
    north = (distance_m * np.cos(azimuth_deg * RADIANS)).reshape(lat.shape)
    along_m, _ = inverse(0.0, lat0, np.zeros(x.size), lat0 + x * height_deg)
    along_m *= np.sign(x)
    of_x, of_y = _lagrange_coefficients(x), _lagrange_coefficients(y)
    # einsum without BLAS adds in one fixed order on every machine
    return Patch(
        height_deg=height_deg,
        width_deg=width_deg,
        meridian=np.einsum("pj,j->p", of_x, along_m / x),
        north=np.einsum("qk,pj,kj->qp", of_y, of_x, (north - along_m) / y[:, None]),
        east=np.einsum("qk,pj,kj->qp", of_y, of_x, east),
    )


@jit
def _multiply_add(block: Floats, column: int, rows: int, factor: int, c: Floats) -> None:
    # column = column x factor + the polynomial of degree 7 in x
    c0, c1, c2, c3, c4, c5, c6, c7 = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
    for i in range(rows):
        x = block[_X + i]
        powers = c0 + x * (c1 + x * (c2 + x * (c3 + x * (c4 + x * (c5 + x * (c6 + x * c7))))))
        block[column + i] = block[column + i] * block[factor + i] + powers


@jit
def _place_block(block: Floats, rows: int, meridian: Floats, north: Floats, east: Floats) -> None:
    for i in range(rows):
        block[_Y + i] = block[_STEP + i] * block[_STEP + i]
        block[_EAST + i] = 0.0
        block[_NORTH + i] = 0.0
    for power in range(_LONGITUDES - 1, -1, -1):
        _multiply_add(block, _EAST, rows, _Y, east[power])
        _multiply_add(block, _NORTH, rows, _Y, north[power])
    for i in range(rows):
        block[_EAST + i] *= block[_STEP + i]
        block[_NORTH + i] *= block[_Y + i]
    # y is spent: it takes the meridian's part
    for i in range(rows):
        block[_Y + i] = 0.0
    _multiply_add(block, _Y, rows, _Y, meridian)
    for i in range(rows):
        block[_NORTH + i] += block[_X + i] * block[_Y + i]


@jit
def _place_rows(
    longitude0_deg: float,
    latitude0_deg: float,
    longitude_deg: Floats,
    latitude_deg: Floats,
    patch: Patch,
    out: Floats,
    outside: NDArray[np.bool_],
) -> np.int64:
    block = np.empty(_COLUMNS * _BLOCK_ROWS)
    per_height, per_width = 1.0 / patch.height_deg, 1.0 / patch.width_deg
    total = np.int64(0)
    for start in range(0, longitude_deg.size, _BLOCK_ROWS):
        rows = min(_BLOCK_ROWS, longitude_deg.size - start)
        for i in range(rows):
            turn_deg = difference_degrees(longitude_deg[start + i], longitude0_deg)
            block[_STEP + i] = turn_deg * per_width
        for i in range(rows):
            block[_X + i] = (latitude_deg[start + i] - latitude0_deg) * per_height
        _place_block(block, rows, patch.meridian, patch.north, patch.east)
        for i in range(rows):
            out[0, start + i] = block[_EAST + i]
            out[1, start + i] = block[_NORTH + i]
            inside = (abs(block[_X + i]) <= 1.0) & (abs(block[_STEP + i]) <= 1.0)
            outside[start + i] = not inside
            total += np.int64(0) if inside else np.int64(1)
    return total


def to_local(lon: ArrayLike, lat: ArrayLike, *, lon0: float, lat0: float) -> tuple[Floats, Floats]:
    """Convert geographic coordinates to metres east and north of a centre, signed.

    Parameters
    ----------
    lon, lat
        Degrees, shape (n,) each. Longitudes may be of any turn.
    lon0, lat0
        Centre, degrees.

    Returns
    -------
    east_m, north_m
        Float64, shape (n,) each: geodesic distance times sine and cosine of the azimuth at the centre, within
        0.001 mm. Both are NaN where a coordinate is NaN or infinite, or a latitude beyond 90 degrees.

    Raises
    ------
    ValueError
        If lon and lat differ in length, or the centre is not on the globe.
    """
    check_centre(lon0=lon0, lat0=lat0)
    longitudes, latitudes = as_points(lon, lat)
    out = np.empty((2, longitudes.size))
    outside = np.ones(longitudes.size, np.bool_)
    if abs(lat0) <= _GREATEST_LATITUDE_DEG:
        centre = math.fmod(lon0, 360.0), float(lat0)
        with np.errstate(all="ignore"):  # only without the compiler: polynomials of far rows may overflow
            far = _place_rows(*centre, longitudes, latitudes, _fit_patch(lat0), out, outside)
        if not far:
            return out[0], out[1]
    distance_m, azimuth_deg = inverse(lon0, lat0, longitudes[outside], latitudes[outside])
    out[0, outside] = distance_m * np.sin(azimuth_deg * RADIANS)
    out[1, outside] = distance_m * np.cos(azimuth_deg * RADIANS)
    return out[0], out[1]
