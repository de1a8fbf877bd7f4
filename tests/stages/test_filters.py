import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pyproj import Geod

from cdpipe.columns import GENERATED_AT, LATITUDE, LONGITUDE
from cdpipe.stages.filters import FILTERS, BoundingBox, Dates, Messages, Within

GEOD = Geod(ellps="WGS84")
NONE = np.empty(0)


def at(lon, lat, times=()):
    stamps = pd.DatetimeIndex(list(times)).as_unit("us").to_numpy().view(np.int64)
    return Messages(np.asarray(lon, np.float64), np.asarray(lat, np.float64), stamps)


def test_every_filter_has_a_name_and_a_reason_of_its_own():
    assert len({kind.name for kind in FILTERS}) == len({kind.reason for kind in FILTERS}) == len(FILTERS)


@given(lon0=st.floats(-180, 180), lat0=st.floats(-90, 90), radius=st.floats(1, 1e6), seed=st.integers(0, 2**32 - 1))
def test_a_radius_keeps_what_pyproj_finds_within_it_to_a_millimetre(lon0, lat0, radius, seed):
    rng = np.random.default_rng(seed)
    azimuth, offset = rng.uniform(0, 360, 60), rng.choice([-1.0, -1e-2, -1e-3, 1e-3, 1e-2, 1.0], 60)
    lon, lat, _ = GEOD.fwd(np.full(60, lon0), np.full(60, lat0), azimuth, np.maximum(radius + offset, 0))
    _, _, distance = GEOD.inv(np.full(60, lon0), np.full(60, lat0), lon, lat)
    clear = np.abs(distance - radius) > 5e-4
    kept = Within(latitude=lat0, longitude=lon0, radius_m=radius).keeps(at(lon, lat))
    np.testing.assert_array_equal(kept[clear], (distance <= radius)[clear])


def test_a_verdict_is_what_is_kept_and_only_a_circle_says_that_all_are_on_the_globe():
    messages = at([-106, -105, 0], [41, 41, 41], ["2020-01-01", "2020-01-02", "2020-01-03"])
    circle = Within(latitude=41, longitude=-106, radius_m=100_000)
    days = Dates(first=dt.date(2020, 1, 1), last=dt.date(2020, 1, 2))
    box = BoundingBox(south=40, north=42, west=-107, east=-104)
    for each, seen in ((circle, True), (box, False), (days, False)):
        verdict = each.judge(messages)
        assert verdict.stay.tolist() == each.keeps(messages).tolist() == [True, True, False]
        assert verdict.on_globe is seen
    assert circle.judge(at([-106, 200], [41, 41])).on_globe is False


def test_the_centre_is_within_a_radius_of_nothing():
    assert Within(latitude=41, longitude=-106, radius_m=0).keeps(at([-106, -106.1], [41, 41])).tolist() == [True, False]


@pytest.mark.parametrize("lat", [0.0, 60.0, 70.0, 89.9999, -89.9999, 90.0])
def test_a_circle_crosses_the_antimeridian_and_the_pole_at_any_latitude(lat):
    azimuth = np.linspace(0, 360, 72, endpoint=False)
    for metres, inside in ((4_999.99, True), (5_000.01, False)):
        lon, rim, _ = GEOD.fwd(np.full(72, 179.99), np.full(72, lat), azimuth, np.full(72, metres))
        assert set(Within(latitude=lat, longitude=179.99, radius_m=5_000).keeps(at(lon, rim))) == {inside}


def test_a_box_includes_its_bounds():
    box = BoundingBox(south=41, north=42, west=-107, east=-105)
    edges = [(-107, 41), (-105, 42), (-106, 41.5), (-107.0000001, 41), (-105, 42.0000001), (106, 41.5)]
    assert box.keeps(at(*zip(*edges, strict=True))).tolist() == [True, True, True, False, False, False]


@given(seed=st.integers(0, 2**32 - 1), west=st.floats(-180, 180), width=st.floats(0, 359))
def test_a_box_is_the_eastward_way_from_west_to_east(seed, west, width):
    east = west + width if west + width <= 180 else west + width - 360
    lon = np.random.default_rng(seed).uniform(-180, 180, 50)
    eastward = (lon - west) % 360
    clear = (np.abs(eastward - width) > 1e-9) & (eastward < 360 - 1e-9) & (eastward > 1e-9)
    kept = BoundingBox(south=-90, north=90, west=west, east=east).keeps(at(lon, np.zeros(50)))
    np.testing.assert_array_equal(kept[clear], (eastward <= width)[clear])


@given(
    first=st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)),
    days=st.integers(0, 800),
    offsets_us=st.lists(st.integers(-(10**14), 10**14), min_size=1, max_size=20),
)
def test_dates_include_both_days_whole_across_months_and_years(first, days, offsets_us):
    last = first + dt.timedelta(days=days)
    edges = [pd.Timestamp(first), pd.Timestamp(last) + pd.Timedelta(days=1)]
    times = [edge + pd.Timedelta(us, "us") for edge in edges for us in (*offsets_us, -1, 0, 1)]
    kept = Dates(first=first, last=last).keeps(at(NONE, NONE, times))
    assert kept.tolist() == [first <= time.date() <= last for time in times]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Within(latitude=91, longitude=0, radius_m=1), "90"),
        (lambda: Within(latitude=0, longitude=0, radius_m=-1), "0"),
        (lambda: Within(latitude=0, longitude=0, radius_m=float("nan")), "finite"),
        (lambda: BoundingBox(south=2, north=1, west=0, east=1), r"south 2\.0 is greater than north 1\.0; swap them"),
        (lambda: Dates(first="2019-08-01", last="2019-07-31"), "first 2019-08-01 is after last 2019-07-31; swap them"),
        (lambda: Dates(first="31/07/2019", last="2019-08-31"), "date"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValidationError, match=message):
        make()


def find_inside(region, messages):
    columns = {LONGITUDE: messages.longitude_deg, LATITUDE: messages.latitude_deg, GENERATED_AT: messages.time_us}
    inside = np.ones(messages.longitude_deg.size, np.bool_)
    for name, spans in region.spans.items():
        inside &= np.logical_or.reduce([(columns[name] >= least) & (columns[name] <= most) for least, most in spans])
    return inside


@given(
    lon0=st.floats(-180, 180),
    lat0=st.floats(-90, 90),
    radius=st.sampled_from([0.0, 1e-3, 10.0, 2e4, 2e5, 3e6, 1.2e7, 2.1e7]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_region_of_a_circle_holds_every_message_that_stays(lon0, lat0, radius, seed):
    rng = np.random.default_rng(seed)
    distance = radius * np.concatenate([[0.999999] * 20, rng.random(40)])
    azimuth = np.concatenate([np.arange(0, 360, 18), rng.uniform(0, 360, 40)])
    lon, lat, _ = GEOD.fwd(np.full(60, lon0), np.full(60, lat0), azimuth, distance)
    messages = at(lon, lat)._replace(time_us=np.zeros(60, np.int64))
    circle = Within(latitude=lat0, longitude=lon0, radius_m=radius)
    assert find_inside(circle.region(), messages)[circle.keeps(messages)].all()
    assert not circle.region().exact


@given(
    south=st.floats(-90, 90), north=st.floats(-90, 90), west=st.floats(-180, 180), east=st.floats(-180, 180),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_the_region_of_a_box_is_what_it_keeps(south, north, west, east, seed):
    rng = np.random.default_rng(seed)
    lon = np.concatenate([[west, east, -180, 180], rng.uniform(-180, 180, 50)])
    lat = np.concatenate([[south, north, -90, 90], rng.uniform(-90, 90, 50)])
    messages = at(lon, lat)._replace(time_us=np.zeros(54, np.int64))
    box = BoundingBox(south=min(south, north), north=max(south, north), west=west, east=east)
    assert box.region().exact
    np.testing.assert_array_equal(find_inside(box.region(), messages), box.keeps(messages))


def test_the_region_of_dates_is_what_they_keep():
    dates = Dates(first=dt.date(2021, 3, 31), last=dt.date(2021, 4, 1))
    stamps = ["2021-03-30T23:59:59.999999", "2021-03-31", "2021-04-01T23:59:59.999999", "2021-04-02"]
    messages = at(np.zeros(4), np.zeros(4), stamps)
    assert dates.region().exact
    assert (
        find_inside(dates.region(), messages).tolist() == dates.keeps(messages).tolist() == [False, True, True, False]
    )
