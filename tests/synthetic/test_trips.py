import math

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.synthetic.generator import SynthParams, synthesize_frame
from cdpipe.synthetic.trips import NOISE_M, draw_words, metres_per_degree, sine_deg

GEOD = pyproj.Geod(ellps="WGS84")
DT_S = 0.1
LAT, LON = "coreData_position_lat", "coreData_position_long"
SPEED, HEADING, YAW = "coreData_speed", "coreData_heading", "coreData_accelset_accelYaw"


@pytest.fixture(scope="module")
def clean():
    """Clean messages of 40 vehicles, several trips each."""
    return synthesize_frame(SynthParams(rows=30_000, vehicles=40, dirty_share=0))


@pytest.fixture(scope="module")
def steps(clean):
    """Each message beside the next one of its vehicle's same trip."""
    order = clean.sort_values(["coreData_id", "row_number"])
    following = order.shift(-1)
    same = (order["coreData_id"] == following["coreData_id"]) & (
        order["metadata_serialId_bundleId"] == following["metadata_serialId_bundleId"]
    )
    return order[same], following[same]


def test_messages_are_in_order_of_time_ten_a_second_and_interleaved(clean, steps):
    second = clean["metadata_generatedAt"].to_numpy().astype("datetime64[s]").astype(np.int64)
    mark = clean["coreData_secMark"].to_numpy(dtype=np.int64)
    assert (mark // 1000 == second % 60).all()
    at_ms = second * 1000 + mark % 1000
    assert (np.diff(at_ms) >= 0).all()
    here, there = (at_ms[side.index.to_numpy()] for side in steps)
    assert set(at_ms[steps[1]["row_number"].to_numpy(dtype=np.int64)] - here) == {100}
    assert there.size == here.size
    assert clean.groupby("metadata_generatedAt")["coreData_id"].nunique().median() >= 5


def test_message_counter_rolls_over(steps):
    here, there = (side["coreData_msgCnt"].to_numpy(dtype=np.int64) for side in steps)
    assert ((here + 1) % 128 == there).all()
    assert (here.min(), here.max()) == (0, 127)


def test_displacement_is_speed_along_heading_within_gps_noise(steps):
    here, there = steps
    azimuth_deg, _, distance_m = GEOD.inv(here[LON], here[LAT], there[LON], there[LAT])
    moved = distance_m * np.exp(1j * np.radians(azimuth_deg))
    before, after = (
        side[SPEED].to_numpy(dtype=float) * np.exp(1j * np.radians(side[HEADING].to_numpy(dtype=float)))
        for side in steps
    )
    error = moved - (before + after) / 2 * DT_S
    bound_m = 2 * NOISE_M + 0.02
    assert np.abs(error.real).max() <= bound_m
    assert np.abs(error.imag).max() <= bound_m
    assert np.std(error.real) > NOISE_M / 4
    assert distance_m.max() > 2.0
    gain = (after - before) * DT_S
    slope = (error * gain.conjugate()).real.sum() / (np.abs(gain) ** 2).sum()
    assert abs(slope) < 0.1, "speed and heading do not hold at the moment of the message"


def test_motion_is_smooth_and_the_yaw_rate_is_the_turn(steps):
    here, there = steps
    acceleration = (there[SPEED].to_numpy(dtype=float) - here[SPEED].to_numpy()) / DT_S
    assert np.abs(acceleration).max() <= 3.5 + 0.7 + 0.2
    turn = (there[HEADING].to_numpy(dtype=float) - here[HEADING].to_numpy() + 180) % 360 - 180
    mean_yaw = (here[YAW].to_numpy() + there[YAW].to_numpy(dtype=float)) / 2
    assert np.abs(turn / DT_S - mean_yaw).max() <= 0.0125 / DT_S + 0.25
    assert np.abs(mean_yaw).max() > 2
    assert np.corrcoef(turn, mean_yaw)[0, 1] > 0.98
    sideways = np.radians(np.abs(here[YAW])) * here[SPEED]
    assert sideways.max() < 5
    climb_m = there["coreData_elevation"].to_numpy(dtype=float) - here["coreData_elevation"].to_numpy()
    assert np.abs(climb_m).max() <= 0.07 * 3.1 + 0.1 + 1e-9
    assert np.ptp(here["coreData_elevation"]) > 20


def test_trips_start_stop_and_drive(clean):
    trips = clean.groupby(["coreData_id", "metadata_serialId_bundleId"], sort=False)
    assert 0.2 < (trips[SPEED].first() == 0).mean() < 0.7
    assert 0.2 < (trips[SPEED].last() == 0).mean() < 0.7
    assert clean[SPEED].quantile(0.9) > 15
    assert clean[SPEED].max() < 32
    lengths = trips.size()
    assert lengths.nunique() > 20
    assert lengths.mean() == pytest.approx(250)


def test_values_lie_on_the_grid_of_j2735(clean):
    assert ((clean[HEADING] / 0.0125).round(6) % 1 == 0).all()
    assert ((clean[SPEED] / 0.02).round(6) % 1 == 0).all()
    assert clean[HEADING].between(0, 359.9875).all()
    assert (clean["coreData_accuracy_semiMinor"] <= clean["coreData_accuracy_semiMajor"]).all()


def test_homes_lie_within_the_spread(clean):
    _, _, distance_m = GEOD.inv(
        np.full(len(clean), -106.0831353), np.full(len(clean), 41.5430216), clean[LON], clean[LAT]
    )
    assert 5_000 < distance_m.max() <= 20_000 + 1_000 + 1_500


@given(st.floats(-1e4, 1e4))
def test_sine_is_libms_within_rounding(angle_deg):
    got = sine_deg(np.array([angle_deg]))[0]
    assert got == pytest.approx(math.sin(math.radians(math.remainder(angle_deg, 360))), abs=5e-16)


@given(st.floats(-85, 85))
def test_length_of_a_degree_is_geodesys(lat_deg):
    lon_m, lat_m = (float(side[0]) for side in metres_per_degree(np.array([lat_deg])))
    _, _, north_m = GEOD.inv(0, lat_deg - 5e-4, 0, lat_deg + 5e-4)
    _, _, east_m = GEOD.inv(-5e-4, lat_deg, 5e-4, lat_deg)
    assert lat_m == pytest.approx(north_m * 1000, rel=1e-7)
    assert lon_m == pytest.approx(east_m * 1000, rel=1e-7)


@given(st.integers(0, 2**64 - 1), st.integers(0, 10**9), st.integers(1, 40), st.data())
def test_random_words_are_addressed_by_number(seed, first, count, data):
    words = draw_words(seed, 3, first=first, count=count, width=8)
    place = data.draw(st.integers(0, count - 1))
    assert (draw_words(seed, 3, first=first + place, count=1, width=8)[0] == words[place]).all()
    assert (draw_words(seed, 2, first=first, count=count, width=8) != words).any()
