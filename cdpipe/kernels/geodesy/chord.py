"""Chords: which points have a squared chord through the ellipsoid that puts them in a circle (`circle`).

Marks are `OUTSIDE`, `INSIDE`, or `UNDECIDED` where the chord alone does not tell. Bounds are squares of it, m**2:
up to the first a point is inside, beyond the second outside.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cdpipe.kernels.buffers.simd import WIDTH, lowest_bit, match_bytes
from cdpipe.kernels.compiling.jit import jit, jit_inlined
from cdpipe.kernels.geodesy.ellipsoid import (
    ECCENTRICITY_2,
    EQUATORIAL_M,
    RADIANS,
    difference_degrees,
    sincos_degrees,
)
from cdpipe.kernels.geodesy.positions import ANTIMERIDIAN_DEG, POLE_DEG

Floats = NDArray[np.float64]
Marks = NDArray[np.uint8]

OUTSIDE, INSIDE, UNDECIDED = 0, 1, 2
_BLOCK: Final = WIDTH
_FEW: Final = 8
"""More rows of a block than these are worked out with all of it in vectors: that takes 220 ns, a row by itself 25."""

_NONE: Final = np.uint64(0)
_ONE: Final = np.uint64(1)
# 4 sin(turn / 2)**2 = turn**2 (1 - turn**2 / 12 + turn**4 / 360 - turn**6 / 20160 ...), for degrees squared; the terms
# alternate and fall, so that leaving out all from the last one here on costs less than that one
VERSINE_2, VERSINE_4 = RADIANS**2 / 12, RADIANS**4 / 360


class Chord(NamedTuple):
    """c**2 = x**2 E(x) + 4 sin(turn / 2)**2 P(x), x the difference in latitude.

    The coefficients are for degrees (of E and P: `along` and `across`); beyond band and turn no point is
    inside.
    """

    along: Floats
    across: Floats
    band_deg: float
    turn_deg: float
    relative_error: float


@jit_inlined
def _mark_row(
    lon: Floats,
    lat: Floats,
    i: np.uint64,
    centre: tuple[float, float],
    chord: Chord,
    bounds_m2: tuple[float, float],
    marks: Marks,
) -> np.int64:
    """Mark a row, and return whether it is undecided."""
    e, p = chord.along, chord.across
    (lon0, lat0), (near_m2, far_m2) = centre, bounds_m2
    x = lat[i] - lat0
    turn = difference_degrees(lon[i], lon0)
    w = turn * turn
    along = e[0] + x * (e[1] + x * (e[2] + x * (e[3] + x * e[4])))
    across = p[0] + x * (p[1] + x * (p[2] + x * (p[3] + x * p[4])))
    versine = w * (1.0 - w * (VERSINE_2 - w * VERSINE_4))
    chord_m2 = x * x * along + versine * across
    possible = (abs(x) <= chord.band_deg) & (w <= chord.turn_deg * chord.turn_deg) & (chord_m2 <= far_m2)
    certain = possible & (chord_m2 <= near_m2)
    marks[i] = np.uint8(possible) + np.uint8(possible) - np.uint8(certain)
    return np.int64(possible) - np.int64(certain)


@jit
def mark_by_polynomial(
    lon: Floats,
    lat: Floats,
    centre: tuple[float, float],
    chord: Chord,
    bounds_m2: tuple[float, float],
    marks: Marks,
) -> tuple[np.int64, np.int64]:
    """Mark rows by the polynomials of a chord: (rows undecided, rows off the globe).

    Block by block: of a small circle few blocks hold a row in the box around it, and only those are worked out, row by
    row where there are few, else all together in vectors.
    """
    lon0, lat0 = centre
    band, turn2 = chord.band_deg, chord.turn_deg * chord.turn_deg
    undecided, off_globe = np.int64(0), np.int64(0)
    for block in range(-(-lon.size // _BLOCK)):
        first = np.uint64(block) * np.uint64(_BLOCK)
        rows = min(np.uint64(_BLOCK), np.uint64(lon.size) - first)
        near = np.int64(0)
        for j in range(rows):
            i = first + np.uint64(j)
            turn = difference_degrees(lon[i], lon0)
            inside = (abs(lat[i] - lat0) <= band) & (turn * turn <= turn2)
            marks[i] = inside
            near += np.int64(inside)
            off_globe += np.int64(not ((abs(lon[i]) <= ANTIMERIDIAN_DEG) & (abs(lat[i]) <= POLE_DEG)))
        if near > _FEW or (near and rows < _BLOCK):
            for j in range(rows):
                undecided += _mark_row(lon, lat, first + np.uint64(j), centre, chord, bounds_m2, marks)
        elif near:
            word = match_bytes(marks, np.int64(first), INSIDE)
            while word != _NONE:
                i = first + np.uint64(lowest_bit(word))
                undecided += _mark_row(lon, lat, i, centre, chord, bounds_m2, marks)
                word &= word - _ONE
    return undecided, off_globe


@jit
def mark_by_sines(
    lon: Floats, lat: Floats, centre: tuple[float, float], bounds_m2: tuple[float, float], marks: Marks
) -> tuple[np.int64, np.int64]:
    """Mark rows by the sines of their latitudes and longitudes: (rows undecided, rows off the globe)."""
    (lon0, lat0), (near_m2, far_m2) = centre, bounds_m2
    sin0, cos0 = sincos_degrees(lat0)
    normal0 = EQUATORIAL_M / math.sqrt(1 - ECCENTRICITY_2 * sin0 * sin0)
    axis0, height0 = normal0 * cos0, normal0 * (1 - ECCENTRICITY_2) * sin0
    undecided, off_globe = np.int64(0), np.int64(0)
    for i in range(lon.size):
        sine, cosine = sincos_degrees(lat[i])
        half, _ = sincos_degrees(0.5 * difference_degrees(lon[i], lon0))
        normal = EQUATORIAL_M / math.sqrt(1 - ECCENTRICITY_2 * sine * sine)
        axis = normal * cosine
        out, up = axis - axis0, normal * (1 - ECCENTRICITY_2) * sine - height0
        chord_m2 = out * out + up * up + 4 * axis * axis0 * half * half
        possible = (abs(lat[i]) <= POLE_DEG) & (chord_m2 <= far_m2)
        certain = possible & (chord_m2 <= near_m2)
        marks[i] = np.uint8(possible) + np.uint8(possible) - np.uint8(certain)
        undecided += np.int64(possible) - np.int64(certain)
        off_globe += np.int64(not ((abs(lon[i]) <= ANTIMERIDIAN_DEG) & (abs(lat[i]) <= POLE_DEG)))
    return undecided, off_globe
