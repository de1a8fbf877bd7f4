"""Geodesy against pyproj.Geod, pyproj's aeqd, geographiclib and published vectors."""

import math

import numba
import numpy as np
import pytest
from geodesics import GEOD, gap_m
from geographiclib.geodesic import Geodesic
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Proj
from texts import load_plain

from cdpipe.kernels.geodesy import direct, ellipsoid, inverse, to_local

COMPILED = not numba.config.DISABLE_JIT
ROWS = 50_000 if COMPILED else 300
CENTRES = [(0, 0), (-105, 41), (179.99, 60), (-180, -33), (10, 79.9), (10, 85), (10, 89.9999), (0, 90), (77, -90)]
LONGITUDES = st.one_of(st.floats(-540, 540), st.sampled_from([0.0, -0.0, 90.0, 180.0, -180.0, 179.9999999, 360.0]))
LATITUDES = st.one_of(st.floats(-90, 90), st.sampled_from([0.0, 90.0, -90.0, 89.9999999999, 1e-12]))
BEARINGS = st.one_of(st.floats(-720, 720), st.sampled_from([0.0, 90.0, 180.0, 270.0, 359.99999]))


def repeat(centre, rows):
    return np.full(rows, float(centre[0])), np.full(rows, float(centre[1]))


def globe(rows, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(-180, 180, rows), np.degrees(np.arcsin(rng.uniform(-1, 1, rows))), rng


@pytest.mark.parametrize("greatest_m", [0.001, 20, 1_000, 10_000, 50_000, 2e6, 2e7])
def test_direct_is_within_a_hundredth_of_a_millimetre(greatest_m):
    lon, _, rng = globe(ROWS, int(greatest_m))
    lat = rng.uniform(-90, 90, ROWS)
    bearing_deg, distance_m = rng.uniform(-360, 720, ROWS), rng.uniform(0, greatest_m, ROWS)
    lon2, lat2 = direct(lon, lat, bearing_deg, distance_m)
    lon_expected, lat_expected, _ = GEOD.fwd(lon, lat, bearing_deg, distance_m)
    assert gap_m(lon2, lat2, lon_expected, lat_expected).max() < 1e-5
    assert ((lon2 >= -180) & (lon2 < 180)).all()


@pytest.mark.parametrize("lat", [0, 30, 45, 60, 75, 80, 85, 88, 89.9])
def test_direct_where_the_short_series_ends(lat):
    """Distances on both sides of the limit of the series, where its error is greatest."""
    rng = np.random.default_rng(min(89, lat))
    limit_m = 0.01 * 6399594 / (1 + math.tan(math.radians(lat)))
    distance_m = limit_m * rng.uniform(0.9, 1.02, ROWS)
    bearing_deg, (lons, lats) = rng.uniform(0, 360, ROWS), repeat((12, lat), ROWS)
    lon_expected, lat_expected, _ = GEOD.fwd(lons, lats, bearing_deg, distance_m)
    assert gap_m(*direct(lons, lats, bearing_deg, distance_m), lon_expected, lat_expected).max() < (
        2e-7 if lat >= 45 else 1e-6
    )


@given(LONGITUDES, LATITUDES, BEARINGS, st.one_of(st.floats(0, 2e7), st.floats(0, 100), st.just(0.0)))
def test_direct_anywhere(lon, lat, bearing_deg, distance_m):
    lon2, lat2 = direct([lon], [lat], [bearing_deg], [distance_m])
    expected = Geodesic.WGS84.Direct(lat, lon, bearing_deg, distance_m)
    assert gap_m(lon2, lat2, expected["lon2"], expected["lat2"])[0] < 1e-5
    assert -180 <= lon2[0] < 180


@given(LONGITUDES, LATITUDES, BEARINGS, st.floats(1, 2e7))
def test_negative_distances_go_backwards(lon, lat, bearing_deg, distance_m):
    backwards = direct([lon], [lat], [bearing_deg], [-distance_m])
    expected = Geodesic.WGS84.Direct(lat, lon, bearing_deg, -distance_m)
    assert gap_m(*backwards, expected["lon2"], expected["lat2"])[0] < 1e-5


def test_no_distance_moves_nothing():
    lon, lat, rng = globe(1_000, 1)
    lon2, lat2 = direct(lon, lat, rng.uniform(0, 360, 1_000), np.zeros(1_000))
    assert np.array_equal(lon2, lon)
    assert np.array_equal(lat2, lat)


def test_crossing_the_antimeridian_and_the_pole():
    lon2, lat2 = direct([179.9999, -179.9999, 20, 180], [10, 10, 89.9999, 0], [90, 270, 0, 0], [1e3, 1e3, 1e3, 1])
    lon_expected, lat_expected, _ = GEOD.fwd(
        [179.9999, -179.9999, 20, 180], [10, 10, 89.9999, 0], [90, 270, 0, 0], [1e3, 1e3, 1e3, 1]
    )
    assert gap_m(lon2, lat2, lon_expected, lat_expected).max() < 1e-5
    assert lon2[0] < 0 < lon2[1]
    assert lon2[2] == pytest.approx(-160, abs=1e-6)
    assert lon2[3] == -180


@given(LATITUDES, LONGITUDES)
def test_inverse_of_direct(lat0, lon0):
    rng = np.random.default_rng(3)
    bearing_deg, distance_m = rng.uniform(-180, 180, 20), rng.uniform(0, 1.9e7, 20)
    lon, lat = direct(np.full(20, lon0), np.full(20, lat0), bearing_deg, distance_m)
    back_m, azimuth_deg = inverse(lon0, lat0, lon, lat)
    assert np.abs(back_m - distance_m).max() < 1e-4
    turn_deg = (azimuth_deg - bearing_deg + 180) % 360 - 180
    assert (np.abs(np.radians(turn_deg)) * 6.4e6 * np.sin(distance_m / 6.4e6)).max() < 1e-4


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("spread_deg", [1e-7, 1e-3, 0.3, 180])
def test_inverse_is_within_a_tenth_of_a_micrometre(centre, spread_deg):
    rows = 5_000 if COMPILED else 100
    lon, lat, rng = globe(rows, 5)
    if spread_deg < 180:
        lon = centre[0] + rng.uniform(-spread_deg, spread_deg, rows)
        lat = np.clip(centre[1] + rng.uniform(-spread_deg, spread_deg, rows), -90, 90)
    distance_m, azimuth_deg = inverse(*centre, lon, lat)
    azimuth_expected, _, distance_expected = GEOD.inv(*repeat(centre, rows), lon, lat)
    assert np.abs(distance_m - distance_expected).max() < 1e-7
    turn = np.radians((azimuth_deg - azimuth_expected + 180) % 360 - 180)
    assert (np.abs(turn) * 6.4e6 * np.abs(np.sin(distance_m / 6.4e6)))[distance_m > 1e-6].max(initial=0) < 1e-6


@pytest.mark.parametrize("lat0", [0.0, 0.3, -35.0, 89.0, 90.0])
def test_inverse_towards_the_antipode(lat0):
    rng = np.random.default_rng(8)
    lon = np.concatenate([180 + rng.uniform(-4, 4, 150), 180 + rng.uniform(-0.01, 0.01, 100), [180, 179.7, 179.4]])
    lat = np.clip(np.concatenate([-lat0 + rng.uniform(-4, 4, 150), np.full(103, -lat0)]), -90, 90)
    _, _, expected = GEOD.inv(*repeat((0, lat0), lon.size), lon, lat)
    assert np.abs(inverse(0, lat0, lon, lat)[0] - expected).max() < 1e-4


@given(LONGITUDES, LATITUDES, LONGITUDES, LATITUDES)
def test_inverse_anywhere(lon0, lat0, lon, lat):
    expected = Geodesic.WGS84.Inverse(lat0, lon0, lat, lon)["s12"]
    assert inverse(lon0, lat0, [lon], [lat])[0][0] == pytest.approx(expected, abs=1e-6)


def test_no_distance_has_azimuth_0_whatever_the_turn():
    distance_m, azimuth_deg = inverse(-180, 12, [180, -180, 540, -180.0], [12, 12, 12, 12])
    assert distance_m.tolist() == azimuth_deg.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("greatest_m", [1, 2_000, 20_000, 300_000, 15e6])
def test_local_is_distance_and_azimuth_at_the_centre(centre, greatest_m):
    rng = np.random.default_rng(4)
    rows = ROWS // 5
    azimuth, distance_m = rng.uniform(0, 2 * np.pi, rows), rng.uniform(0, greatest_m, rows)
    lon, lat, _ = GEOD.fwd(*repeat(centre, rows), np.degrees(azimuth), distance_m)
    east_m, north_m = to_local(lon, lat, lon0=centre[0], lat0=centre[1])
    assert np.hypot(east_m - distance_m * np.sin(azimuth), north_m - distance_m * np.cos(azimuth)).max() < 1e-6


def test_local_agrees_with_the_projection_library():
    lon, lat = globe(2_000, 6)[:2]
    projection = Proj(proj="aeqd", lon_0=-105, lat_0=41, ellps="WGS84")
    near = inverse(-105, 41, lon, lat)[0] < 1.9e7
    east_expected, north_expected = projection(lon[near], lat[near])
    east_m, north_m = to_local(lon[near], lat[near], lon0=-105, lat0=41)
    # PROJ's own aeqd is good to about a micrometre
    assert np.hypot(east_m - east_expected, north_m - north_expected).max() < 1e-5


def test_local_on_the_edge_of_the_patch_is_continuous():
    step = np.linspace(2.5 - 1e-9, 2.5 + 1e-9, 41)
    for lon, lat in ((-105 + 0 * step, 41 + step), (-105 + step / math.cos(math.radians(41)), 41 + 0 * step)):
        east_m, north_m = to_local(lon, lat, lon0=-105, lat0=41)
        assert np.abs(np.diff(np.hypot(east_m, north_m))).max() < 1e-4


def test_local_axes_are_east_and_north_with_their_signs():
    """PRIOR_FAULTS 3: 1,000 m north became (0, 277); east and west were the same point."""
    lon, lat = direct([-105] * 4, [41] * 4, [0, 90, 180, 270], [1000] * 4)
    east_m, north_m = to_local(lon, lat, lon0=-105, lat0=41)
    assert east_m == pytest.approx([0, 1000, 0, -1000], abs=1e-6)
    assert north_m == pytest.approx([1000, 0, -1000, 0], abs=1e-6)
    assert [axis.tolist() for axis in to_local([-105], [41], lon0=-105, lat0=41)] == [[0], [0]]


def test_bearings_are_clockwise_from_north_in_degrees():
    """PRIOR_FAULTS 4 and 10: radians where degrees belong made 1,000 m 23 m; one mode counted from east."""
    lon, lat = direct([0, 0], [0, 0], [0, 90], [1000, 1000])
    assert lat[0] == pytest.approx(1000 / 110574.3, abs=1e-6)
    assert lon[1] == pytest.approx(1000 / 111319.5, abs=1e-6)
    assert lon[0] == pytest.approx(0, abs=1e-12)
    assert lat[1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nulls_stay_null_and_harm_no_neighbour(bad):
    for column in range(4):
        columns = np.array([[10.0, 10.0, 10.0], [20.0] * 3, [30.0] * 3, [40.0] * 3])
        columns[column, 1] = bad
        lon2, lat2 = direct(*columns)
        assert np.isnan([lon2[1], lat2[1]]).all()
        assert lon2[0] == lon2[2] == direct([10], [20], [30], [40])[0][0]
    for lon, lat in (([10, bad, 11], [20, 20, 21]), ([10, 10, 11], [20, bad, 21])):
        for pair in (inverse(0, 0, lon, lat), to_local(lon, lat, lon0=10, lat0=20)):
            assert [np.isnan(column).tolist() for column in pair] == [[False, True, False]] * 2


def test_latitudes_beyond_the_poles_are_null():
    assert np.isnan(direct([0, 0], [90.0000001, -91], [0, 0], [1, 1])).all()
    assert np.isnan(inverse(0, 0, [0, 0], [90.0000001, -91])).all()
    assert np.isnan(to_local([0, 0], [90.0000001, -91], lon0=0, lat0=0)).all()
    assert np.isnan(inverse(0, 91, [0], [0])).all()


def test_nothing_in_nothing_out():
    none = np.empty(0)
    for pair in (direct(none, none, none, none), inverse(0, 0, none, none), to_local(none, none, lon0=0, lat0=0)):
        assert [column.size for column in pair] == [0, 0]


@pytest.mark.parametrize("rows", [1, 2, 3, 511, 512, 513, 1_030])
def test_a_row_moves_the_same_in_any_partition(rows):
    lon, lat, rng = globe(rows, rows)
    bearing_deg, distance_m = rng.uniform(0, 360, rows), 10 ** rng.uniform(0, 6, rows)
    whole = np.array([*direct(lon, lat, bearing_deg, distance_m), *to_local(lon, lat, lon0=lon[0], lat0=lat[0])])
    for i in {0, rows // 2, rows - 1}:
        one = slice(i, i + 1)
        alone = direct(lon[one], lat[one], bearing_deg[one], distance_m[one])
        alone = np.array([*alone, *to_local(lon[one], lat[one], lon0=lon[0], lat0=lat[0])])
        assert np.array_equal(whole[:, one], alone)


@pytest.mark.parametrize("name", ["direct", "inverse", "to_local"])
def test_the_plain_source_gives_the_same(name):
    plain = load_plain("geodesy")
    lon, lat, rng = globe(60, 2)
    lon[:3], lat[:3] = [0, 180, 0], [90, -90, np.nan]
    call = {
        "direct": lambda module: module.direct(lon, lat, rng.uniform(0, 360, 60) * 0 + 33, np.geomspace(1, 1e7, 60)),
        "inverse": lambda module: module.inverse(20, 30, lon, lat),
        "to_local": lambda module: module.to_local(20 + lon / 50, 30 + lat / 40, lon0=20, lat0=30),
    }[name]
    from cdpipe.kernels import geodesy

    for got, expected in zip(call(plain), call(geodesy), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-9)


def test_trigonometry_in_degrees():
    angles = np.concatenate([np.random.default_rng(1).uniform(-1000, 1000, ROWS // 5), np.arange(-720, 721, 15.0)])
    pairs = np.array([ellipsoid.sincos_degrees(angle) for angle in angles])
    exact = np.radians(np.fmod(angles, 360.0).astype(np.longdouble))
    assert np.abs(pairs[:, 0] - np.sin(exact)).max() < 3e-16
    assert np.abs(pairs[:, 1] - np.cos(exact)).max() < 3e-16
    quarters = [ellipsoid.sincos_degrees(90.0 * quarter) for quarter in range(-5, 6)]
    assert quarters == [(round(math.sin(q * math.pi / 2)), round(math.cos(q * math.pi / 2))) for q in range(-5, 6)]


@pytest.mark.parametrize(
    ("angle_deg", "wrapped_deg"),
    [(180, -180), (-180, -180), (179.99, 179.99), (360, 0), (540, -180), (-541, 179), (-0.1, -0.1), (1e9, -80)],
)
def test_wrapping(angle_deg, wrapped_deg):
    assert ellipsoid.wrap_degrees(float(angle_deg)) == wrapped_deg


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: direct([1, 2], [1], [1], [1]), r"\[2, 1, 1, 1\] rows"),
        (lambda: inverse(0, 0, [1, 2], [1]), "lon has 2 rows, lat 1"),
        (lambda: to_local([1, 2], [1], lon0=0, lat0=0), "lon has 2 rows, lat 1"),
        (lambda: to_local([1], [1], lon0=0, lat0=-105), "lat -105 is not on the globe.*exchanged"),
        (lambda: to_local([1], [1], lon0=math.inf, lat0=0), "lon inf"),
        (lambda: to_local([1], [1], lon0=0, lat0=math.nan), "lat nan"),
    ],
)
def test_errors_name_the_value_and_the_way_out(call, words):
    with pytest.raises(ValueError, match=words):
        call()
