"""The WGS84 ellipsoid: its constants, trigonometry in degrees, and the series of its geodesics.

Series from C. F. F. Karney, "Algorithms for geodesics", J. Geodesy 87 (2013) 43-55,
doi:10.1007/s00190-012-0578-z, equations 15-25. On this ellipsoid the expansion parameter eps is below 0.0017;
what is left out here (eps**5 in the distance, flattening x eps**4 in the longitude) is below 20 nanometres.

Everything is written in sums and products alone where a loop may be vectorised, and gives the same bits in a
vector as in a scalar loop.
"""

import math
from typing import Final

from cdpipe.kernels.compiling.jit import jit

EQUATORIAL_M: Final = 6378137.0
FLATTENING: Final = 1 / 298.257223563
POLAR_M: Final = EQUATORIAL_M * (1 - FLATTENING)
ECCENTRICITY_2: Final = FLATTENING * (2 - FLATTENING)
SECOND_ECCENTRICITY_2: Final = ECCENTRICITY_2 / (1 - ECCENTRICITY_2)
LEAST_RADIUS_M: Final = POLAR_M**2 / EQUATORIAL_M
"""Least radius of curvature: along the meridian, at the equator."""
GREATEST_RADIUS_M: Final = EQUATORIAL_M**2 / POLAR_M
"""Greatest radius of curvature: in all directions, at the poles."""
RADIANS: Final = math.pi / 180
DEGREES: Final = 180 / math.pi

_THIRD = FLATTENING / (2 - FLATTENING)
_A3_1 = -(1 - _THIRD) / 2
_A3_2 = -(2 + _THIRD * (1 - 3 * _THIRD)) / 8
_A3_3 = -(1 + _THIRD * (3 + _THIRD)) / 16
_C31_1 = (1 - _THIRD) / 4
_C31_2 = (1 - _THIRD * _THIRD) / 8
_C31_3 = (3 + _THIRD * (3 - _THIRD)) / 64
_C32_2 = (2 + _THIRD * (_THIRD - 3)) / 32
_C32_3 = (3 - _THIRD * (2 + 3 * _THIRD)) / 64
_C33_3 = (5 + _THIRD * (5 * _THIRD - 9)) / 192

# Adding and taking away 1.5 x 2**52 rounds to the nearest integer, in any loop and on any processor.
_ROUNDER = 6755399441055744.0


def check_centre(*, lon0: float, lat0: float) -> None:
    """Refuse a centre that is not on the globe.

    Raises
    ------
    ValueError
        If a coordinate is NaN or infinite, or the latitude beyond 90 degrees.
    """
    if not (abs(lat0) <= 90.0 and math.isfinite(lon0)):
        raise ValueError(
            f"centre lon {lon0}, lat {lat0} is not on the globe; give finite degrees, latitude in -90 .. 90 "
            "(and check that the two are not exchanged)"
        )


@jit
def round_nearest(x: float) -> float:
    """Nearest integer of |x| < 2**51, ties to even; NaN stays NaN."""
    return (x + _ROUNDER) - _ROUNDER


@jit
def wrap_degrees(angle_deg: float) -> float:
    """Bring an angle to [-180, 180); one already there keeps its bits."""
    wrapped = angle_deg - 360.0 * round_nearest(angle_deg * (1 / 360))
    return wrapped - 360.0 if wrapped >= 180.0 else wrapped


@jit
def difference_degrees(end_deg: float, start_deg: float) -> float:
    """Shortest turn from one longitude to another, [-180, 180]."""
    turn = end_deg - start_deg
    return turn - 360.0 * round_nearest(turn * (1 / 360))


@jit
def sincos_degrees(angle_deg: float) -> tuple[float, float]:
    """Sine and cosine, exact at multiples of 90 degrees, else within two units of the 16th digit.

    The reduction to [-45, 45] is exact in degrees (up to 2**40 of them); there the Taylor polynomials of
    degree 17 and 16 leave out less than 3e-18.
    """
    quarter = round_nearest(angle_deg * (1 / 90))
    y = (angle_deg - 90.0 * quarter) * RADIANS
    z = y * y
    s = z * (1 / 6227020800 - z * (1 / 1307674368000 - z * (1 / 355687428096000)))
    s = y - y * z * (1 / 6 - z * (1 / 120 - z * (1 / 5040 - z * (1 / 362880 - z * (1 / 39916800 - s)))))
    c = z * (1 / 479001600 - z * (1 / 87178291200 - z * (1 / 20922789888000)))
    c = 1.0 - z * (1 / 2 - z * (1 / 24 - z * (1 / 720 - z * (1 / 40320 - z * (1 / 3628800 - c)))))
    turn = quarter - 4.0 * round_nearest(quarter * 0.25)
    odd = abs(turn) == 1.0
    opposite = abs(turn) == 2.0
    sine = (c if odd else s) * (-1.0 if (turn == -1.0) | opposite else 1.0)
    cosine = (s if odd else c) * (-1.0 if (turn == 1.0) | opposite else 1.0)
    return sine + 0.0, cosine + 0.0  # -0 + 0 is 0: the poles have no sign


@jit
def reduced_latitude(latitude_deg: float) -> tuple[float, float]:
    """Sine and cosine of the reduced latitude beta, tan(beta) = (1 - f) tan(latitude)."""
    s, c = sincos_degrees(latitude_deg)
    s *= 1 - FLATTENING
    norm = math.sqrt(s * s + c * c)
    return s / norm, c / norm


@jit
def expansion(cos_alpha0: float) -> float:
    """Karney's eps (eq. 16) of the geodesic whose azimuth at the equator has this cosine."""
    k2 = SECOND_ECCENTRICITY_2 * cos_alpha0 * cos_alpha0
    return k2 / (2 * (1 + math.sqrt(1 + k2)) + k2)


@jit
def distance_scale(eps: float) -> float:
    """Karney's A1 (eq. 17)."""
    e2 = eps * eps
    return (1 + e2 * (1 / 4 + e2 / 64)) / (1 - eps)


@jit
def _sum_sines(c1: float, c2: float, c3: float, c4: float, sine: float, cosine: float) -> float:
    # Clenshaw's sum of c_l sin(2 l sigma)
    twice = 2 * (cosine - sine) * (cosine + sine)
    b3 = twice * c4 + c3
    b2 = twice * b3 - c4 + c2
    return 2 * sine * cosine * (twice * b2 - b3 + c1)


@jit
def distance_waves(eps: float, sine: float, cosine: float) -> float:
    """Karney's B1 = sum of C1l sin(2 l sigma) (eq. 18)."""
    e2 = eps * eps
    c1 = eps * (-1 / 2 + e2 * 3 / 16)
    c2 = e2 * (-1 / 16 + e2 / 32)
    return _sum_sines(c1, c2, -e2 * eps / 48, -e2 * e2 * 5 / 512, sine, cosine)


@jit
def inverse_distance_waves(eps: float, sine: float, cosine: float) -> float:
    """Sum of C1'l sin(2 l tau) (Karney eq. 21), from the scaled distance tau to the arc sigma."""
    e2 = eps * eps
    c1 = eps * (1 / 2 - e2 * 9 / 32)
    c2 = e2 * (5 / 16 - e2 * 37 / 96)
    return _sum_sines(c1, c2, e2 * eps * 29 / 96, e2 * e2 * 539 / 1536, sine, cosine)


@jit
def longitude_scale(eps: float) -> float:
    """Karney's A3 (eq. 24)."""
    return 1 + eps * (_A3_1 + eps * (_A3_2 + eps * _A3_3))


@jit
def longitude_waves(eps: float, sine: float, cosine: float) -> float:
    """Karney's B3 = sum of C3l sin(2 l sigma) (eq. 25)."""
    c1 = eps * (_C31_1 + eps * (_C31_2 + eps * _C31_3))
    c2 = eps * eps * (_C32_2 + eps * _C32_3)
    return _sum_sines(c1, c2, eps * eps * eps * _C33_3, 0.0, sine, cosine)
