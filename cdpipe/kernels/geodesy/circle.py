"""Geodesic circles: the points within a radius of a centre, exactly, at the price of a bounding box.

The squared chord c**2 through the ellipsoid decides nearly every row. Let s be the length of the geodesic
X(s) from the centre X0 and w = c**2 / 2. Then w'' = 1 - k h, with k the normal curvature along the geodesic
and h the height of X0 below the tangent plane at X. Curvatures of the ellipsoid lie in 1/R .. 1/r (R =
a**2/b, r = b**2/a), so by Blaschke's rolling theorem it rolls inside a sphere of radius R and a sphere of
radius r inside it: w/R <= h <= w/r. Hence 1 - w/r**2 <= w'' <= 1 - w/R**2, w(0) = w'(0) = 0, and by Sturm's
comparison

    2 r sin(s / 2r) <= c <= 2 R sin(s / 2R)          (s <= pi r on the left).

So c <= 2 r sin(radius / 2r) proves a point inside and c > 2 R sin(radius / 2R) outside. The gap between,
radius**3 * 2e-17, is 0.2 micrometre at 2 km, 0.2 mm at 20 km and 0.2 m at 200 km: only the points in it need
the geodesic itself.

c**2 itself takes multiplications only where the circle is small beside the globe (`_fit_chord`), else sines.
"""

import math
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cdpipe.kernels.buffers.inputs import as_points
from cdpipe.kernels.compiling.jit import jit
from cdpipe.kernels.geodesy.chord import (
    INSIDE,
    OUTSIDE,
    UNDECIDED,
    Chord,
    Floats,
    Marks,
    mark_by_polynomial,
    mark_by_sines,
)
from cdpipe.kernels.geodesy.ellipsoid import (
    ECCENTRICITY_2,
    EQUATORIAL_M,
    GREATEST_RADIUS_M,
    LEAST_RADIUS_M,
    RADIANS,
    check_centre,
)
from cdpipe.kernels.geodesy.inverse_geodesic import inverse, measure

FARTHEST_M: Final = 20003931.4586254
"""Half a meridian, which no geodesic distance exceeds."""

_KNOWN_CIRCLES = 64
_DEGREE = 4
# A point farther than pi r has a chord of at least 2r - (FARTHEST - pi r) = 12570 km, more than this radius proves.
_PROVABLE_M = 18.0e6
# Rounding: coordinates of up to 360 degrees, sines, and the sums below are good to 1e-8 m and to 1e-13 of c**2.
_SLACK_M = 1e-7
_SLACK = 1e-12
_GREATEST_BAND_RAD, _GREATEST_TURN_RAD, _GREATEST_EDGE_DEG = 0.1, 0.5, 89.0


def _multiply(a: list[float], b: list[float]) -> list[float]:
    """Product of two power series, as long as they are."""
    return [math.fsum(a[j] * b[k - j] for j in range(k + 1)) for k in range(len(a))]


def _expand_profile(lat0: float) -> tuple[list[float], list[float]]:
    """Power series in the difference in latitude: distance from the axis, height above the equator."""
    s, c = math.sin(lat0 * RADIANS), math.cos(lat0 * RADIANS)
    turns = [(s, c), (c, -s), (-s, -c), (-c, s)]
    sines = [turns[k % 4][0] / math.factorial(k) for k in range(_DEGREE + 2)]
    cosines = [turns[k % 4][1] / math.factorial(k) for k in range(_DEGREE + 2)]
    w = [-ECCENTRICITY_2 * term for term in _multiply(sines, sines)]
    w[0] += 1.0
    # w ** -1/2 by J. C. P. Miller's recurrence for the power of a series
    normal = [EQUATORIAL_M / math.sqrt(w[0])]
    for k in range(1, len(w)):
        terms = ((0.5 * j - k) * w[j] * normal[k - j] for j in range(1, k + 1))
        normal.append(math.fsum(terms) / (k * w[0]))
    axis, height = _multiply(normal, cosines), _multiply(normal, sines)
    return axis, [(1 - ECCENTRICITY_2) * term for term in height]


def _least_axis(lat0: float, band_rad: float) -> float:
    """Least distance from the axis, metres, within a band of latitudes around `lat0`; 0 near the poles."""
    edge_rad = abs(lat0) * RADIANS + band_rad
    if edge_rad > _GREATEST_EDGE_DEG * RADIANS:
        return 0.0
    return EQUATORIAL_M * math.cos(edge_rad) / math.sqrt(1 - ECCENTRICITY_2 * math.sin(edge_rad) ** 2)


@lru_cache(maxsize=_KNOWN_CIRCLES)
def _fit_chord(lat0: float, radius_m: float) -> Chord | None:
    """Expand c**2 for a circle that is small and away from the poles; None for any other.

    A geodesic no longer than the radius stays in the band |x| <= radius / r, for every metre north is at most
    1/r of latitude, and turns by at most radius / p in longitude, p being the least distance from the axis in
    the band. Truncation: for complex |x| <= 1, |sin| and |cos| of the latitude are below cosh(1), 1 - (e
    sin)**2 is above 0.984, so |E| < 4.94 a**2 and |P| < 1.56 a p0; by Cauchy's estimate the terms from x**5
    on are below those times x**5 / (1 - x), while E > 0.97 a**2 and P >= p p0.
    """
    band_rad = radius_m / LEAST_RADIUS_M
    least_axis_m = _least_axis(lat0, band_rad)
    if band_rad > _GREATEST_BAND_RAD or radius_m >= _GREATEST_TURN_RAD * least_axis_m:
        return None
    turn_rad = radius_m / least_axis_m
    axis, height = _expand_profile(lat0)
    squares = zip(_multiply(axis[1:], axis[1:]), _multiply(height[1:], height[1:]), strict=True)
    tail = band_rad ** (_DEGREE + 1) / (1 - band_rad)
    in_degrees = RADIANS ** np.arange(2, _DEGREE + 3)
    band_deg, turn_deg = _widen(band_rad, turn_rad, least_axis_m)
    return Chord(
        along=np.array([outward + upward for outward, upward in squares]) * in_degrees,
        across=np.array(axis[: _DEGREE + 1]) * axis[0] * in_degrees,
        band_deg=band_deg,
        turn_deg=turn_deg,
        relative_error=max(5.1, 1.56 * EQUATORIAL_M / least_axis_m) * tail + turn_rad**6 / 2e4,
    )


def _widen(band_rad: float, turn_rad: float, least_axis_m: float) -> tuple[float, float]:
    """Return band and turn in degrees, a little wider than rounding could matter."""
    band_deg = (band_rad * (1 + _SLACK) + _SLACK_M / LEAST_RADIUS_M) / RADIANS
    return band_deg, (turn_rad * (1 + _SLACK) + _SLACK_M / least_axis_m) / RADIANS


def bound_circle(*, lon0: float, lat0: float, radius_m: float) -> tuple[float, float, float, float]:
    """Return a box that surely holds every point within a geodesic distance of a centre.

    Parameters
    ----------
    lon0, lat0
        Centre, degrees.
    radius_m
        Metres.

    Returns
    -------
    south, north, west, east
        Degrees. The longitudes are all of them, -180 and 180, where a pole is near; else within a turn of the
        centre's, so that west may lie below -180 and east above 180.
    """
    band_rad = radius_m / LEAST_RADIUS_M
    least_axis_m = _least_axis(lat0, band_rad)
    if least_axis_m * math.pi <= radius_m:
        band_deg = (band_rad * (1 + _SLACK) + _SLACK_M / LEAST_RADIUS_M) / RADIANS
        return max(lat0 - band_deg, -90.0), min(lat0 + band_deg, 90.0), -180.0, 180.0
    band_deg, turn_deg = _widen(band_rad, radius_m / least_axis_m, least_axis_m)
    return lat0 - band_deg, lat0 + band_deg, lon0 - turn_deg, lon0 + turn_deg


def _bound_chord(radius_m: float, relative_error: float) -> tuple[float, float]:
    """Squares of the chord up to which a point is surely inside, and beyond which it is surely outside."""
    slack = relative_error + _SLACK
    near_m = 2 * LEAST_RADIUS_M * math.sin(min(radius_m, _PROVABLE_M) / (2 * LEAST_RADIUS_M))
    far_m = 2 * GREATEST_RADIUS_M * math.sin(min(radius_m / (2 * GREATEST_RADIUS_M), math.pi / 2))
    near_m = max(near_m * (1 - slack) - _SLACK_M, 0.0)
    far_m = far_m * (1 + slack) + _SLACK_M
    return (math.inf if radius_m >= FARTHEST_M else near_m * near_m), far_m * far_m


@jit
def _settle(lon: Floats, lat: Floats, lon0: float, lat0: float, radius_m: float, marks: Marks) -> int:
    # the undecided by their geodesic; returns how many are still open because they are nearly antipodal
    still_open = 0
    for i in range(lon.size):
        if marks[i] == UNDECIDED:
            distance_m, _ = measure(lon0, lat0, lon[i], lat[i])
            if distance_m >= 0.0:
                marks[i] = INSIDE if distance_m <= radius_m else OUTSIDE
            else:
                still_open += 1
    return still_open


class Circled(NamedTuple):
    """Which points are in a circle.

    Attributes
    ----------
    within
        Shape (n,).
    on_globe
        Whether every point is a position on the globe, see `cdpipe.kernels.geodesy.positions.judge_positions`.
    """

    within: NDArray[np.bool_]
    on_globe: bool


def encircle(lon: ArrayLike, lat: ArrayLike, *, lon0: float, lat0: float, radius_m: float) -> Circled:
    """Tell which points are in a circle as `within_radius` does, and in the same pass whether all are on the globe."""
    check_centre(lon0=lon0, lat0=lat0)
    if not 0.0 <= radius_m < math.inf:
        raise ValueError(
            f"radius {radius_m} m is no radius; give finite metres >= 0 (20,003,932 m hold the whole globe)"
        )
    longitudes, latitudes = as_points(lon, lat)
    radius_m, centre = float(radius_m), (math.fmod(lon0, 360.0), float(lat0))
    marks = np.empty(longitudes.size, np.uint8)
    chord = _fit_chord(centre[1], radius_m)
    bounds_m2 = _bound_chord(radius_m, chord.relative_error if chord else 0.0)
    with np.errstate(all="ignore"):  # only without the compiler: chords of far or absurd rows may overflow
        if chord:
            undecided, off_globe = mark_by_polynomial(longitudes, latitudes, centre, chord, bounds_m2, marks)
        else:
            undecided, off_globe = mark_by_sines(longitudes, latitudes, centre, bounds_m2, marks)
        if undecided and _settle(longitudes, latitudes, *centre, radius_m, marks):
            rows = np.flatnonzero(marks == UNDECIDED)
            distance_m, _ = inverse(*centre, longitudes[rows], latitudes[rows])
            marks[rows] = distance_m <= radius_m
    return Circled(marks.view(np.bool_), on_globe=bool(off_globe == 0))


def within_radius(lon: ArrayLike, lat: ArrayLike, *, lon0: float, lat0: float, radius_m: float) -> NDArray[np.bool_]:
    """Tell which points are at a WGS84 geodesic distance of at most `radius_m` from a centre.

    Parameters
    ----------
    lon, lat
        Degrees, shape (n,) each. Longitudes may be of any turn.
    lon0, lat0
        Centre, degrees; poles and antimeridian are points like others.
    radius_m
        Metres, >= 0. From half a meridian (20,003,932 m) on, every point of the globe is within.

    Returns
    -------
    numpy.ndarray
        bool, shape (n,), right wherever the distance is not within a micrometre of the radius. False where a
        coordinate is NaN or infinite, or a latitude beyond 90 degrees.

    Raises
    ------
    ValueError
        If lon and lat differ in length, the centre is not on the globe, or the radius is negative or not
        finite.
    """
    return encircle(lon, lat, lon0=lon0, lat0=lat0, radius_m=radius_m).within
