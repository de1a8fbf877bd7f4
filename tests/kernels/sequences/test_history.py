import numpy as np
import pandas as pd
import pytest
from history_oracle import history
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from cdpipe.kernels.sequences.history import NAMES, Track, make_states, tell_history

SETTINGS = {"window": 4, "gap_s": 30.0, "is_geographic": False}
STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from([0, 1_000, 100_000, 100_000, 1_000_000, 29_999_000, 30_000_000, 30_001_000, -500_000]),
        st.sampled_from([0.0, 0.0, 1.0, -2.5, 30.0, 1e5]),
        st.sampled_from([0.0, 0.0, 1.0, 4.25, -30.0, 1e4]),
        st.sampled_from([0.0, 10.0, 33.3, np.nan]),
        st.sampled_from([0.0, 45.0, 180.0, 359.9, np.nan]),
    ),
    min_size=1,
    max_size=60,
)


def frame_of(steps, scale=1.0):
    frame = pd.DataFrame(steps, columns=["group", "time_us", "x", "y", "speed", "heading"])
    frame = frame.sort_values("group", kind="stable", ignore_index=True)
    for name in ("time_us", "x", "y"):
        frame[name] = frame.groupby("group")[name].cumsum()
    return frame.assign(x=frame["x"] * scale, y=frame["y"] * scale).astype(
        {"time_us": np.int64, "x": float, "y": float}
    )


def track_of(frame):
    group = frame["group"].to_numpy()
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    columns = (frame[name].to_numpy(float) for name in ("x", "y", "speed", "heading"))
    return Track(np.append(starts, len(frame)), frame["time_us"].to_numpy(), *columns)


def assert_told(frame, **given_):
    told = pd.DataFrame(tell_history(track_of(frame), **given_).T, columns=list(NAMES))
    expected = history(frame, **given_).reset_index(drop=True)
    for name in NAMES:
        np.testing.assert_allclose(told[name], expected[name].astype(float), rtol=3e-6, atol=2e-3, err_msg=name)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(1, 6))
def test_each_column_is_as_it_is_defined_in_metres(steps, window):
    assert_told(frame_of(steps), **{**SETTINGS, "window": window})


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_each_column_is_as_it_is_defined_in_degrees(steps):
    frame = frame_of(steps, 1e-5)
    frame = frame.assign(x=frame["x"] + 179.9999, y=frame["y"] + 41.5)
    frame = frame.assign(x=(frame["x"] + 180) % 360 - 180)
    assert_told(frame, **{**SETTINGS, "is_geographic": True})


def walk(rows=400, groups=3, seed=1):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "group": np.sort(rng.integers(0, groups, rows)),
            "time_us": np.arange(rows) * 100_000,
            "x": -106.1 + rng.normal(0, 1e-4, rows).cumsum(),
            "y": 41.5 + rng.normal(0, 1e-4, rows).cumsum(),
            "speed": rng.uniform(0, 30, rows),
            "heading": rng.uniform(0, 360, rows),
        }
    )


def test_displacements_are_those_of_the_ellipsoid():
    frame = walk(groups=1)
    told = tell_history(track_of(frame), window=10, gap_s=60, is_geographic=True)
    lon, lat = frame["x"].to_numpy(), frame["y"].to_numpy()
    *_, metres = Geod(ellps="WGS84").inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
    np.testing.assert_allclose(told[NAMES.index("history_displacement_m"), 1:], metres, rtol=1e-5)


@pytest.mark.parametrize("cuts", [(1,), (7, 8, 9), (3, 10, 11, 40, 41, 77, 399)])
@pytest.mark.parametrize("window", [1, 5, 10])
def test_in_pieces_it_is_the_same_to_the_last_bit(cuts, window):
    frame, given_ = walk(groups=1), {"window": window, "gap_s": 60.0, "is_geographic": True}
    whole = tell_history(track_of(frame), **given_)
    states, told = make_states(1, window=window), []
    for start, stop in zip((0, *cuts), (*cuts, len(frame)), strict=True):
        piece = track_of(frame.iloc[start:stop])
        told.append(tell_history(piece, states=states, place=np.zeros(1, np.int64), **given_))
    np.testing.assert_array_equal(np.concatenate(told, axis=1), whole)


def test_one_vehicle_is_nothing_to_another():
    frame = walk()
    whole = tell_history(track_of(frame), **SETTINGS)
    apart = [tell_history(track_of(part), **SETTINGS) for _, part in frame.groupby("group")]
    np.testing.assert_array_equal(np.concatenate(apart, axis=1), whole)


def test_one_huge_value_is_forgotten():
    frame = walk(groups=1)
    huge = frame.assign(x=frame["x"].where(frame.index != 50, 1e300))
    given_ = {**SETTINGS, "window": 5}
    told, other = (tell_history(track_of(each), **given_) for each in (frame, huge))
    np.testing.assert_allclose(told[1:, 62:], other[1:, 62:], rtol=1e-5)


def test_no_message_is_no_history():
    empty = walk(0)
    assert tell_history(track_of(empty), **SETTINGS).shape == (len(NAMES), 0)
