"""The circle: every verdict against pyproj's geodesic, a millimetre from the edge and at every awkward place."""

import math

import numba
import numpy as np
import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import assume, given
from hypothesis import strategies as st
from pyproj import Geod
from texts import load_plain

from cdpipe.kernels.geodesy import chord as chords
from cdpipe.kernels.geodesy import circle
from cdpipe.kernels.geodesy.circle import FARTHEST_M, within_radius
from cdpipe.kernels.geodesy.ellipsoid import EQUATORIAL_M, GREATEST_RADIUS_M, LEAST_RADIUS_M, POLAR_M

COMPILED = not numba.config.DISABLE_JIT
GEOD = Geod(ellps="WGS84")
RADII_M = [0.002, 2, 2_000, 20_000, 200_000, 600_000, 2e6, 9e6, 1.79e7, 1.95e7]
LATITUDES = [0, 30, 41.3, -45, 60, 70, -80, 85, 88.9, 89.99, 90, -90]
LONGITUDES = [0, -105.2, 180, -180, 179.999]


def repeat(lon0, lat0, rows):
    return np.full(rows, float(lon0)), np.full(rows, float(lat0))


@pytest.mark.parametrize("lon0", LONGITUDES)
@pytest.mark.parametrize("lat0", LATITUDES)
def test_a_millimetre_decides_in_every_direction(lon0, lat0):
    rng = np.random.default_rng(abs(int(lat0 * 10)))
    rows = 72 if COMPILED else 8
    bearing_deg = np.concatenate([np.arange(0, 360, 30)[:rows], rng.uniform(0, 360, max(rows - 12, 0))])[:rows]
    checked = 0
    for radius_m in RADII_M:
        for offset_m in (-0.001, 0.001):
            centres = repeat(lon0, lat0, rows)
            lon, lat, _ = GEOD.fwd(*centres, bearing_deg, np.full(rows, radius_m + offset_m))
            # towards the antipode the line walked need not be the shortest: those points prove nothing
            shortest = np.abs(GEOD.inv(*centres, lon, lat)[2] - radius_m - offset_m) < 1e-5
            turned = np.asarray(lon) + 360 * rng.integers(-2, 3, rows)
            got = within_radius(turned, lat, lon0=lon0, lat0=lat0, radius_m=radius_m)
            assert (got[shortest] == (offset_m < 0)).all(), (radius_m, offset_m)
            checked += shortest.sum()
    assert checked > 0.8 * rows * 2 * len(RADII_M)


@pytest.mark.parametrize("radius_m", [2_000, 20_000, 200_000, 3e6])
@pytest.mark.parametrize("centre", [(-105, 41), (25, 60), (25, 70), (180, 0), (0, 89.5), (-20, -33)])
def test_nothing_is_lost_or_gained_around_a_centre(centre, radius_m):
    """PRIOR_FAULTS 5: a bounding box lost a quarter of the points at 60 N and half at 70 N."""
    rows = 20_000 if COMPILED else 500
    rng = np.random.default_rng(9)
    lon, lat, _ = GEOD.fwd(*repeat(*centre, rows), rng.uniform(0, 360, rows), 2 * radius_m * rng.random(rows))
    expected = GEOD.inv(*repeat(*centre, rows), lon, lat)[2] <= radius_m
    assert 0.4 < expected.mean() < 0.6
    got = within_radius(lon, lat, lon0=centre[0], lat0=centre[1], radius_m=radius_m)
    assert np.array_equal(got, expected)


@given(
    st.floats(-400, 400),
    st.floats(-90, 90),
    st.floats(-400, 400),
    st.floats(-90, 90),
    st.one_of(st.floats(0, 2.01e7), st.floats(0, 1e5)),
)
def test_any_point_and_centre(lon0, lat0, lon, lat, radius_m):
    distance_m = Geodesic.WGS84.Inverse(lat0, lon0, lat, lon)["s12"]
    assume(abs(distance_m - radius_m) > 1e-5)
    assert within_radius([lon], [lat], lon0=lon0, lat0=lat0, radius_m=radius_m)[0] == (distance_m < radius_m)


@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(0, 360), st.floats(-6, 7), st.sampled_from([-1, 1]))
def test_any_point_just_inside_or_outside(lon0, lat0, bearing_deg, magnitude, side):
    radius_m = 10**magnitude
    end = Geodesic.WGS84.Direct(lat0, lon0, bearing_deg, radius_m + side * 1e-6)
    distance_m = Geodesic.WGS84.Inverse(lat0, lon0, end["lat2"], end["lon2"])["s12"]
    assume(abs(distance_m - radius_m) > 1e-7)
    got = within_radius([end["lon2"]], [end["lat2"]], lon0=lon0, lat0=lat0, radius_m=radius_m)
    assert got[0] == (distance_m < radius_m)


def test_radius_0_holds_the_centre_alone():
    assert within_radius([10, 370, 10], [20, 20, 20.0000001], lon0=10, lat0=20, radius_m=0).tolist() == [
        True,
        True,
        False,
    ]
    assert within_radius([180, -180], [5, 5], lon0=-180, lat0=5, radius_m=0).all()
    assert within_radius([0, 77, -180], [90, 90, 90], lon0=5, lat0=90, radius_m=0).all()


def test_the_whole_globe_and_almost_the_whole():
    lon = np.array([0, 180, 90, 0, 180, 180.0])
    lat = np.array([0, 0, 0, 90, -41, 0.5])
    for radius_m in (FARTHEST_M + 1e-3, 20_004_000, 20_100_000, 1e300):
        assert within_radius(lon, lat, lon0=0, lat0=0, radius_m=radius_m).all()
        assert within_radius([0], [-90], lon0=0, lat0=90, radius_m=radius_m).all()
    assert not within_radius([0], [-90], lon0=0, lat0=90, radius_m=FARTHEST_M - 1e-3).any()
    expected = GEOD.inv(*repeat(0, 0, 6), lon, lat)[2]
    for radius_m in expected:
        got = within_radius(lon, lat, lon0=0, lat0=0, radius_m=radius_m + 1e-3)
        assert np.array_equal(got, expected <= radius_m + 1e-3)


@pytest.mark.parametrize("centre", [(0, 0), (-105, 41), (180, 10), (7, 90)])
@pytest.mark.parametrize("radius_m", [0, 2_000, 2e6, 1.95e7, 2.01e7])
def test_nulls_and_impossible_latitudes_are_outside(centre, radius_m):
    bad = [
        (np.nan, 0),
        (0, np.nan),
        (np.inf, 0),
        (0, np.inf),
        (0, -np.inf),
        (0, 90.0000001),
        (180.0000001, -91),
        (0, 1e300),
    ]
    lon, lat = np.array(bad).T
    assert not within_radius(lon, lat, lon0=centre[0], lat0=centre[1], radius_m=radius_m).any()


@pytest.mark.parametrize("module", [circle, load_plain("geodesy.circle")], ids=["compiled", "plain"])
@pytest.mark.parametrize("radius_m", [2_000, 3e6, 2.01e7])
@pytest.mark.parametrize("rows", [0, 1, 63, 64, 65, 200])
def test_a_circle_sees_whether_all_are_on_the_globe(module, radius_m, rows):
    """As `judge_positions` does, wherever the one that is not stands; and it changes no verdict on the others."""
    lon, lat = np.linspace(-180, 180, rows), np.linspace(-90, 90, rows)
    options = {"lon0": -105, "lat0": 41, "radius_m": radius_m}
    good = module.encircle(lon, lat, **options)
    assert (good.within.dtype, good.on_globe) == (np.bool_, True)
    for place in {0, rows // 2, rows - 1} if rows else ():
        for x, y in [(np.nan, 0), (0, np.nan), (180.0000001, 0), (0, -90.0000001), (np.inf, 0), (255, 41), (-1e300, 0)]:
            strayed, high = lon.copy(), lat.copy()
            strayed[place], high[place] = x, y
            found = module.encircle(strayed, high, **options)
            assert found.on_globe is False
            assert np.array_equal(np.delete(found.within, place), np.delete(good.within, place))
            assert np.array_equal(found.within, module.within_radius(strayed, high, **options))


@pytest.mark.parametrize("radius_m", [0.5, 2_000, 20_000, 200_000])
def test_rows_near_and_far_in_any_order_and_number_are_judged_one_by_one(radius_m):
    """Blocks without a row near the circle are passed over: none that has one may be."""
    rng = np.random.default_rng(7)
    rows = 20_000 if COMPILED else 300
    near = rng.random(rows) < 0.01
    reach = np.where(near, 2 * radius_m, 40 * radius_m) * rng.random(rows)
    lon, lat, _ = GEOD.fwd(*repeat(-105, 41, rows), rng.uniform(0, 360, rows), reach)
    distance = np.asarray(GEOD.inv(*repeat(-105, 41, rows), lon, lat)[2])
    got = within_radius(lon + 360, lat, lon0=-105, lat0=41, radius_m=radius_m)
    clear = np.abs(distance - radius_m) > 1e-3
    assert np.array_equal(got[clear], (distance <= radius_m)[clear])


def test_a_null_harms_no_neighbour():
    lon, lat = np.full(50, -105.0), np.full(50, 41.0)
    lon[::7] = np.nan
    assert np.array_equal(within_radius(lon, lat, lon0=-105, lat0=41, radius_m=5), ~np.isnan(lon))


def test_every_latitude_works():
    """PRIOR_FAULTS 5: the bounding box divided by zero at one latitude."""
    for lat0 in np.linspace(-90, 90, 181 if COMPILED else 19):
        lon, lat, _ = GEOD.fwd(*repeat(33, lat0, 8), np.arange(0, 360, 45), [1_999.999, 2_000.001] * 4)
        got = within_radius(lon, lat, lon0=33, lat0=lat0, radius_m=2_000)
        assert got.tolist() == [True, False] * 4


@pytest.mark.parametrize("centre", [(0, 0), (10, 45), (0, 90), (0, 80)])
@pytest.mark.parametrize("length_m", [1e3, 3e5, 5e6, 1.5e7, 1.98e7])
def test_the_bounds_on_the_chord_hold(centre, length_m):
    """The inequality the module rests on, by coordinates in space."""
    rows = 200
    lon, lat, _ = GEOD.fwd(*repeat(*centre, rows), np.linspace(0, 360, rows), np.full(rows, length_m))
    length = np.asarray(GEOD.inv(*repeat(*centre, rows), lon, lat)[2])

    def in_space(lon, lat):
        b, a = np.radians(lat), np.radians(lon)
        normal = EQUATORIAL_M**2 / np.hypot(EQUATORIAL_M * np.cos(b), POLAR_M * np.sin(b))
        across = normal * np.cos(b)
        return np.array([across * np.cos(a), across * np.sin(a), normal * (POLAR_M / EQUATORIAL_M) ** 2 * np.sin(b)])

    chord = np.linalg.norm(in_space(np.array(lon), np.array(lat)) - in_space(*repeat(*centre, rows)), axis=0)
    least = 2 * LEAST_RADIUS_M * np.sin(length / (2 * LEAST_RADIUS_M))
    greatest = 2 * GREATEST_RADIUS_M * np.sin(length / (2 * GREATEST_RADIUS_M))
    assert (chord >= least - 1e-6).all()
    assert (chord <= greatest + 1e-6).all()


@pytest.mark.parametrize("lat0", [0, 41, -70, 85, 88])
@pytest.mark.parametrize("radius_m", [1, 2_000, 200_000, 600_000])
def test_the_polynomial_keeps_its_promised_error(lat0, radius_m):
    chord = circle._fit_chord(float(lat0), radius_m)
    if chord is None:
        assert abs(lat0) + math.degrees(radius_m / 6.33e6) > 80
        return
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, 2_000) * chord.band_deg
    turn_deg = rng.uniform(-1, 1, 2_000) * chord.turn_deg
    turn = np.radians(turn_deg.astype(np.longdouble))
    lat = np.radians(np.longdouble(lat0) + x)
    start = np.radians(np.longdouble(lat0))

    def profile(b):
        e2 = np.longdouble(circle.ECCENTRICITY_2)
        normal = EQUATORIAL_M / np.sqrt(1 - e2 * np.sin(b) ** 2)
        return normal * np.cos(b), normal * (1 - e2) * np.sin(b)

    (axis, height), (axis0, height0) = profile(lat), profile(start)
    exact = (axis - axis0) ** 2 + (height - height0) ** 2 + 4 * axis * axis0 * np.sin(turn / 2) ** 2
    w = turn_deg**2
    versine = w * (1 - w * (chords.VERSINE_2 - w * chords.VERSINE_4))
    powers = x[:, None] ** np.arange(5)
    got = x * x * (powers @ chord.along) + versine * (powers @ chord.across)
    allowed = (chord.relative_error + circle._SLACK) * exact + 1e-10 * np.sqrt(exact)
    assert (np.abs(got - exact) <= allowed).all()


def test_few_rows_need_the_geodesic(monkeypatch):
    asked = []
    monkeypatch.setattr(circle, "_settle", lambda lon, lat, lon0, lat0, r, marks: asked.append((marks == 2).sum()) or 0)
    rng = np.random.default_rng(3)
    rows = 200_000 if COMPILED else 1_000
    for radius_m in (2_000, 20_000, 200_000):
        lon, lat, _ = GEOD.fwd(*repeat(-105, 41, rows), rng.uniform(0, 360, rows), 2 * radius_m * rng.random(rows))
        within_radius(lon, lat, lon0=-105, lat0=41, radius_m=radius_m)
    assert sum(asked) <= 5


@pytest.mark.parametrize("cuts", [[], [0, 1], [511, 512, 513], [3, 3, 999]])
def test_a_row_is_judged_the_same_in_any_partition(cuts):
    rng = np.random.default_rng(5)
    lon, lat = -105 + rng.normal(0, 0.03, 1_000), 41 + rng.normal(0, 0.02, 1_000)
    options = {"lon0": -105, "lat0": 41, "radius_m": 2_000}
    parts = zip(np.split(lon, cuts), np.split(lat, cuts), strict=True)
    again = np.concatenate([within_radius(*part, **options) for part in parts])
    assert np.array_equal(again, within_radius(lon, lat, **options))


@pytest.mark.parametrize("radius_m", [2_000, 3e6, 1.97e7])
def test_the_plain_source_gives_the_same(radius_m):
    rng = np.random.default_rng(6)
    lon, lat, _ = GEOD.fwd(
        *repeat(20, 50, 60), rng.uniform(0, 360, 60), radius_m + rng.uniform(-1, 1, 60) * 0.01 * radius_m
    )
    lon[0] = np.nan
    options = {"lon0": 20, "lat0": 50, "radius_m": radius_m}
    assert np.array_equal(
        load_plain("geodesy.circle").within_radius(lon, lat, **options), within_radius(lon, lat, **options)
    )


def test_inputs_stay_as_they_are_and_may_be_read_only():
    lon, lat = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    frozen = np.frombuffer(lon.tobytes())
    assert within_radius(frozen, lat, lon0=1, lat0=3, radius_m=10).tolist() == [True, False]
    assert lon.tolist() == [1, 2]
    assert lon.flags.writeable
    assert within_radius(np.empty(0), np.empty(0), lon0=1, lat0=3, radius_m=10).size == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"radius_m": -1}, "radius -1 m .* give finite metres >= 0"),
        ({"radius_m": math.nan}, "radius nan"),
        ({"radius_m": math.inf}, "radius inf"),
        ({"lat0": -105, "lon0": 41}, "lat -105 is not on the globe.*exchanged"),
        ({"lon0": math.nan}, "lon nan"),
    ],
)
def test_errors_name_the_value_and_the_way_out(options, words):
    with pytest.raises(ValueError, match=words):
        within_radius([0], [0], **{"lon0": 0, "lat0": 0, "radius_m": 1, **options})


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="lon has 2 rows, lat 1"):
        within_radius([0, 1], [0], lon0=0, lat0=0, radius_m=1)
