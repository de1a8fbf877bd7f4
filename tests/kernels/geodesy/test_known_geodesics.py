"""Distances that are known without a program for geodesics, and how far great circles are from them."""

import math

import numpy as np
import pytest
from geodesics import gap_m

from cdpipe.kernels.geodesy import direct, inverse

EQUATOR_M = 6378137.0
FLATTENING = 1 / 298.257223563
SPHERE_M = 6371008.8
TOWNS = {
    "along a parallel": ((41.14, -104.82), (41.31, -105.59)),
    "along a meridian": ((41.14, -104.82), (39.74, -104.99)),
    "far apart": ((41.14, -104.82), (27.95, -82.46)),
    "across the Atlantic": ((40.71, -74.01), (48.86, 2.35)),
    "across the antimeridian": ((-36.85, 174.76), (21.31, -157.86)),
}


def meridian_m(lat_deg):
    """Length of a meridian from the equator, by its integral over 20 points."""
    eccentricity2 = FLATTENING * (2 - FLATTENING)
    points, weights = np.polynomial.legendre.leggauss(20)
    half = math.radians(lat_deg) / 2
    radius_m = EQUATOR_M * (1 - eccentricity2) / (1 - eccentricity2 * np.sin(half * (1 + points)) ** 2) ** 1.5
    return float(half * (weights @ radius_m))


def test_a_quarter_of_a_meridian_is_the_metre_s_old_ten_million():
    assert meridian_m(90) == pytest.approx(10_001_965.729, abs=1e-3)


@pytest.mark.parametrize("lon", [-179.0, 0.0, 33.3])
@pytest.mark.parametrize("lat", [0.001, 1, 30, 45, 60, 89.9, 90])
def test_along_a_meridian(lon, lat):
    distance_m, azimuth_deg = inverse(lon, 0.0, [lon], [lat])
    assert distance_m[0] == pytest.approx(meridian_m(lat), abs=1e-7)
    assert azimuth_deg[0] == pytest.approx(0, abs=1e-9)
    lon2, lat2 = direct([lon], [0.0], [0.0], [meridian_m(lat)])
    assert gap_m(lon2, lat2, lon, lat)[0] < 1e-5


@pytest.mark.parametrize("lon", [0.001, 1, 45, 90, 179])
def test_along_the_equator(lon):
    """Further round, the shortest way leaves the equator for a pole."""
    distance_m, azimuth_deg = inverse(0.0, 0.0, [lon], [0.0])
    assert distance_m[0] == pytest.approx(EQUATOR_M * math.radians(lon), abs=1e-7)
    assert azimuth_deg[0] == pytest.approx(90)
    lon2, lat2 = direct([0.0], [0.0], [90.0], [EQUATOR_M * math.radians(lon)])
    assert gap_m(lon2, lat2, lon, 0.0)[0] < 1e-5


@pytest.mark.parametrize("pair", TOWNS.values(), ids=TOWNS)
def test_the_geodesic_is_not_the_sphere(pair):
    """PRIOR_FAULTS 5: haversine was 2-5 m off at 2 km."""
    (lat1, lon1), (lat2, lon2) = pair
    one, two, across = math.radians(lat1), math.radians(lat2), math.radians(lon2 - lon1)
    chord = math.sin((two - one) / 2) ** 2 + math.cos(one) * math.cos(two) * math.sin(across / 2) ** 2
    distance_m = inverse(lon1, lat1, [lon2], [lat2])[0][0]
    assert 10 < abs(distance_m - 2 * SPHERE_M * math.asin(math.sqrt(chord))) < 0.006 * distance_m
