"""Verdicts on positions against NumPy's comparisons."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import load_plain

from cdpipe.kernels.geodesy import positions
from cdpipe.kernels.geodesy.positions import NOWHERE, OFF_GLOBE, ON_GLOBE, judge_positions

PLAIN = load_plain("geodesy.positions")
BOTH = pytest.mark.parametrize("module", [positions, PLAIN], ids=["compiled", "plain"])
EDGES = [0.0, -0.0, 90.0, -90.0, 90.0000001, -90.0000001, 180.0, -180.0, 180.0000001, -180.0000001]
EDGES += [np.nextafter(90.0, 91), np.nextafter(180.0, 181), np.nan, np.inf, -np.inf, 1e300, 5e-324, 900000001.0]


def judge_by_numpy(lon, lat):
    lon, lat = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
    off = (np.abs(lon) > 180) | (np.abs(lat) > 90)
    return np.where(np.isnan(lon) | np.isnan(lat), NOWHERE, np.where(off, OFF_GLOBE, ON_GLOBE))


def check(lon, lat, module):
    found, expected = module.judge_positions(lon, lat), judge_by_numpy(lon, lat)
    if not expected.any():
        assert found is None
    else:
        assert found.dtype == np.uint8
        assert found.tolist() == expected.tolist()


@BOTH
@pytest.mark.parametrize("lon", EDGES)
def test_every_edge_with_every_other(module, lon):
    check([lon] * len(EDGES), EDGES, module)
    for lat in EDGES:
        check([0.0, lon, 0.0], [0.0, lat, 0.0], module)


@BOTH
@given(pairs=st.lists(st.tuples(*[st.floats() | st.floats(-181, 181) | st.floats(-91, 91)] * 2), max_size=30))
def test_any_numbers(module, pairs):
    check([lon for lon, _ in pairs], [lat for _, lat in pairs], module)


def test_one_fault_among_many_is_found_wherever_it_is():
    for place in (0, 1, 4_999, 9_999):
        for value, verdict in ((np.nan, NOWHERE), (91.0, OFF_GLOBE)):
            lat = np.full(10_000, 41.0)
            lat[place] = value
            found = judge_positions(np.full(10_000, -106.0), lat)
            assert np.flatnonzero(found).tolist() == [place]
            assert found[place] == verdict


@BOTH
def test_nothing_read_only_strided_and_other_types(module):
    assert module.judge_positions([], []) is None
    both = np.array([[200.0, 41.0], [0.0, 0.0], [np.nan, 0.0]])
    both.flags.writeable = False
    assert module.judge_positions(both[:, 0], both[:, 1]).tolist() == [OFF_GLOBE, ON_GLOBE, NOWHERE]
    assert module.judge_positions(np.array([181], np.int16), np.array([0], np.float32)).tolist() == [OFF_GLOBE]


def test_the_input_is_not_changed():
    lon, lat = np.array([200.0, np.nan, -0.0]), np.array([1.0, 2.0, -0.0])
    before = lon.tobytes(), lat.tobytes()
    judge_positions(lon, lat)
    assert (lon.tobytes(), lat.tobytes()) == before


@BOTH
def test_columns_of_different_lengths_are_refused(module):
    with pytest.raises(ValueError, match="lon has 1 rows, lat 2"):
        module.judge_positions([1.0], [1.0, 2.0])
