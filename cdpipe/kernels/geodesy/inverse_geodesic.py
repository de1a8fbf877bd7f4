"""Length and bearing of the geodesic between two points.

Vincenty's iteration (Survey Review 23, 1975, 88-93: guess the longitude difference on the auxiliary sphere,
solve the spherical triangle, correct the guess) with Karney's series instead of Vincenty's shorter ones, so
that where it converges it is good to 20 nanometres. It does not converge towards the antipode; within some 3
degrees of it, geographiclib (Karney 2013) answers, in Python and about a hundred times slower.
"""

import math

import numpy as np
from geographiclib.geodesic import Geodesic
from numpy.typing import ArrayLike, NDArray

from cdpipe.kernels.buffers.inputs import as_points
from cdpipe.kernels.compiling.jit import jit
from cdpipe.kernels.geodesy.ellipsoid import (
    DEGREES,
    FLATTENING,
    POLAR_M,
    RADIANS,
    difference_degrees,
    distance_scale,
    distance_waves,
    expansion,
    longitude_scale,
    longitude_waves,
    reduced_latitude,
)

Floats = NDArray[np.float64]

# An iteration shrinks the error by the flattening, at this distance from the antipode at least to a tenth.
_ITERATIONS = 30
# Twice the rounding of an angle near pi: 13 nanometres.
_CONVERGED = 2e-15
_ANTIPODAL_COSINE = -0.9986
_UNDECIDED = -1.0


@jit
def _solve_triangle(
    sin_b1: float, cos_b1: float, sin_b2: float, cos_b2: float, omega: float
) -> tuple[float, float, float, float]:
    # east and north legs at the start, sine and cosine of the arc; the north leg in a form that keeps short ones exact
    sin_half = math.sin(0.5 * omega)
    versine = 2 * sin_half * sin_half
    east = cos_b2 * math.sin(omega)
    north = (sin_b2 * cos_b1 - cos_b2 * sin_b1) + sin_b1 * cos_b2 * versine
    cosine = (sin_b1 * sin_b2 + cos_b1 * cos_b2) - cos_b1 * cos_b2 * versine
    return east, north, math.hypot(east, north), cosine


@jit
def measure(
    longitude0_deg: float, latitude0_deg: float, longitude_deg: float, latitude_deg: float
) -> tuple[float, float]:
    """Distance in metres and azimuth at the first point in degrees; distance -1 where another method must answer.

    NaN where a coordinate is NaN or infinite or a latitude beyond 90 degrees. The azimuth of no distance is
    0.
    """
    turn_deg = difference_degrees(np.fmod(longitude_deg, 360.0), np.fmod(longitude0_deg, 360.0))
    if not (abs(latitude0_deg) <= 90.0 and abs(latitude_deg) <= 90.0 and math.isfinite(turn_deg)):
        return math.nan, math.nan
    sin_b1, cos_b1 = reduced_latitude(latitude0_deg)
    sin_b2, cos_b2 = reduced_latitude(latitude_deg)
    start = turn_deg * RADIANS
    omega = start
    for _ in range(_ITERATIONS):
        east, north, sine, cosine = _solve_triangle(sin_b1, cos_b1, sin_b2, cos_b2, omega)
        if cosine < _ANTIPODAL_COSINE:
            return _UNDECIDED, math.nan
        if sine == 0.0:
            return 0.0, 0.0
        sin_a0 = cos_b1 * east / sine
        sin_a1, cos_a1 = east / sine, north / sine
        cos_a0 = math.hypot(cos_a1, sin_a1 * sin_b1)
        eps = expansion(cos_a0)
        norm = math.hypot(sin_b1, cos_a1 * cos_b1)
        sin_s1, cos_s1 = (sin_b1 / norm, cos_a1 * cos_b1 / norm) if norm > 0.0 else (0.0, 1.0)
        sin_s2, cos_s2 = sin_s1 * cosine + cos_s1 * sine, cos_s1 * cosine - sin_s1 * sine
        arc = math.atan2(sine, cosine)
        waves = longitude_waves(eps, sin_s2, cos_s2) - longitude_waves(eps, sin_s1, cos_s1)
        change = start + FLATTENING * sin_a0 * longitude_scale(eps) * (arc + waves) - omega
        omega += change
        if abs(change) <= _CONVERGED:
            arc += distance_waves(eps, sin_s2, cos_s2) - distance_waves(eps, sin_s1, cos_s1)
            return POLAR_M * distance_scale(eps) * arc, math.atan2(east, north) * DEGREES
    return _UNDECIDED, math.nan


@jit
def _measure_rows(
    longitude0_deg: float, latitude0_deg: float, longitude_deg: Floats, latitude_deg: Floats, out: Floats
) -> int:
    undecided = 0
    for i in range(longitude_deg.size):
        out[0, i], out[1, i] = measure(longitude0_deg, latitude0_deg, longitude_deg[i], latitude_deg[i])
        undecided += out[0, i] == _UNDECIDED
    return undecided


def inverse(lon0: float, lat0: float, lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """Measure the WGS84 geodesics from one point to many.

    Parameters
    ----------
    lon0, lat0
        The one point, degrees.
    lon, lat
        The others, degrees, shape (n,) each. Longitudes may be of any turn.

    Returns
    -------
    distance_m
        Metres, float64, shape (n,), within 0.0001 mm.
    azimuth_deg
        Bearing at (lon0, lat0), degrees clockwise from north, (-180, 180]; 0 where the distance is 0.
        Both are NaN where a coordinate is NaN or infinite, or a latitude beyond 90 degrees.

    Raises
    ------
    ValueError
        If lon and lat differ in length.
    """
    longitudes, latitudes = as_points(lon, lat)
    out = np.empty((2, longitudes.size))
    with np.errstate(all="ignore"):  # only without the compiler, which takes remainders of infinity in silence
        undecided = _measure_rows(float(lon0), float(lat0), longitudes, latitudes, out)
    if undecided:
        for i in np.flatnonzero(out[0] == _UNDECIDED):
            line = Geodesic.WGS84.Inverse(lat0, lon0, latitudes[i], longitudes[i])
            out[0, i], out[1, i] = line["s12"], line["azi1"]
    return out[0], out[1]
