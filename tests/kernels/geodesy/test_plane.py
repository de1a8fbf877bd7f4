"""Moves in the plane against the mathematics of Python's `math`."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import bits, load_plain

from cdpipe.kernels.geodesy import plane
from cdpipe.kernels.geodesy.plane import move

PLAIN = load_plain("geodesy.plane")
BOTH = pytest.mark.parametrize("module", [plane, PLAIN], ids=["compiled", "plain"])
METRES = st.floats(-2e7, 2e7)
UNIT = {0: (0.0, 1.0), 90: (1.0, 0.0), 180: (0.0, -1.0), 270: (-1.0, 0.0)}


@BOTH
@given(st.lists(st.tuples(METRES, METRES, st.floats(-720, 720), st.floats(0, 2e7)), min_size=1, max_size=20))
def test_points_go_where_sine_and_cosine_say(module, points):
    x, y, bearing, distance = (list(column) for column in zip(*points, strict=True))
    to_x, to_y = module.move(x, y, bearing, distance)
    for i, (x0, y0, degrees, metres) in enumerate(points):
        # the last rounding of the sum, and two units of the sine's 16th digit on the way; radians add their own
        room = 4 * math.ulp(max(abs(x0), abs(y0), metres, 1.0)) + metres * 1e-15 * max(1.0, abs(degrees) / 90)
        assert abs(to_x[i] - (x0 + metres * math.sin(math.radians(degrees)))) <= room
        assert abs(to_y[i] - (y0 + metres * math.cos(math.radians(degrees)))) <= room


@BOTH
@pytest.mark.parametrize("bearing", range(-720, 721, 90))
@pytest.mark.parametrize("metres", [0.0, 1.0, 150.0, 0.1, 1e7])
def test_quarter_turns_are_exact(module, bearing, metres):
    east, north = UNIT[bearing % 360]
    x, y = module.move([3.25], [-7.5], [float(bearing)], [metres])
    assert (x[0], y[0]) == (3.25 + metres * east, -7.5 + metres * north)


@BOTH
def test_no_distance_leaves_every_point_where_it_is(module):
    bearings = np.linspace(0, 360, 97)
    x, y = module.move(np.full(97, -1234.567), np.full(97, 0.1), bearings, np.zeros(97))
    assert (set(x), set(y)) == ({-1234.567}, {0.1})


@BOTH
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_gives_none_and_touches_no_neighbour(module, place, value):
    given_ = [np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]), np.array([10.0, 20.0, 30.0]), np.ones(3)]
    expected = module.move(*given_)
    given_[place][1] = value
    with np.errstate(invalid="ignore"):  # as plain Python, NumPy says so
        found = module.move(*given_)
    touched = found if place > 1 else (found[place],)
    assert all(not np.isfinite(column[1]) for column in touched)
    if np.isnan(value) or place == 2:
        assert all(np.isnan(column[1]) for column in touched)
    for column, same in zip(found, expected, strict=True):
        assert bits(column[::2]) == bits(same[::2])


@given(st.lists(st.tuples(st.floats(), st.floats(), st.floats(), st.floats()), max_size=12))
def test_hostile_numbers_give_the_same_bits_compiled_and_plain(points):
    columns = [np.array(column, np.float64) for column in zip(*points, strict=True)] or [np.empty(0)] * 4
    with np.errstate(all="ignore"):
        plain = PLAIN.move(*columns)
    for found, same in zip(move(*columns), plain, strict=True):
        assert bits(found) == bits(same)


def test_a_point_alone_moves_as_it_does_among_others():
    """A vector loop must give the same bits as a scalar one: partitions may be of any size."""
    rng = np.random.default_rng(1)
    columns = [rng.normal(0, 5_000, 203), rng.normal(0, 5_000, 203), rng.uniform(0, 360, 203), rng.uniform(0, 250, 203)]
    whole = move(*columns)
    for i in range(203):
        alone = move(*(column[i : i + 1] for column in columns))
        assert [bits(one) for one in alone] == [bits(column[i : i + 1]) for column in whole]


def test_nothing_strided_and_read_only_arrays_and_unchanged_inputs():
    assert [column.size for column in move([], [], [], [])] == [0, 0]
    both = np.array([[0.0, 1.0, 90.0, 5.0], [2.0, 3.0, 0.0, 5.0]])
    both.flags.writeable = False
    x, y = move(*both.T)
    assert (x.tolist(), y.tolist()) == ([5.0, 2.0], [1.0, 8.0])
    x[0] = 7.0
    assert both[0].tolist() == [0.0, 1.0, 90.0, 5.0]


@BOTH
@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ((2, 2, 1, 2), "2 points, 1 bearings and 2 distances"),
        ((2, 2, 2, 3), "2 points, 2 bearings and 3 distances"),
        ((2, 1, 2, 2), "lon has 2 rows, lat 1"),
    ],
)
def test_columns_of_different_lengths_are_refused(module, lengths, message):
    with pytest.raises(ValueError, match=message):
        module.move(*(np.zeros(length) for length in lengths))
