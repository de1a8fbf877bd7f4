"""Mapped columns: units, vectors and labels, against plain arithmetic."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.columns import BY_NAME
from cdpipe.stages.frames.conversion import Typed
from cdpipe.stages.gather.column_map import ROLES, UNITS, make_map, name_columns, read_map
from cdpipe.stages.gather.mapped_values import make_column

numbers = st.floats(-1e6, 1e6)


def typed(values):
    series = pd.Series(values, dtype="category" if isinstance(values[0], str | None) else "float64")
    return Typed(series, np.zeros(len(values), np.bool_), "")


def made(role, *columns, **entry):
    names = [f"c{index}" for index in range(len(columns))]
    (mapped,) = make_map(read_map({role: {"column": names, **entry}}))
    return make_column(mapped, [typed(values) for values in columns])


@pytest.mark.parametrize(
    ("role", "unit", "value", "expected"),
    [
        ("speed", "km/h", 36.0, 10.0),
        ("speed", "mph", 100.0, 44.704),
        ("speed", "kn", 3600.0, 1852.0),
        ("x", "ft", 1000.0, 304.8),
        ("y", "mi", 1.0, 1609.344),
        ("elevation", "cm", 250.0, 2.5),
        ("latitude", "rad", np.pi / 4, 45.0),
        ("heading", "rad", -np.pi / 2, 270.0),
        ("heading", "deg_ccw_east", 0.0, 90.0),
        ("heading", "deg_ccw_east", 180.0, 270.0),
        ("heading", "deg", 725.0, 5.0),
        ("heading", "deg", -1e-20, 0.0),
        ("acceleration", "G", 1.0, 9.80665),
        ("yaw_rate", "rad/s", np.pi, 180.0),
    ],
)
def test_units_are_those_of_the_books(role, unit, value, expected):
    assert made(role, [value], unit=unit).data[0] == pytest.approx(expected, rel=1e-15)


@given(east=numbers, north=numbers)
def test_a_vector_has_a_length_and_a_direction(east, north):
    speed, heading = made("speed", [east], [north]).data[0], made("heading", [east], [north]).data[0]
    assert speed == pytest.approx(np.sqrt(east**2 + north**2), rel=1e-12)
    if east == north == 0:
        assert np.isnan(heading)
    else:
        assert 0 <= heading < 360
        back = np.array([np.sin(np.radians(heading)), np.cos(np.radians(heading))]) * speed
        np.testing.assert_allclose(back, [east, north], atol=1e-9 * max(1.0, speed))


@pytest.mark.parametrize("values", [[1.7e308, 1.7e308], [-1.7e308, 1.7e308]])
def test_what_no_number_can_hold_is_unreadable(values):
    for column in (made("speed", values[:1], values[1:]), made("x", values, unit="km")):
        assert column.bad.all()
        assert np.isnan(column.data).all()
        assert {each.problem for each in column.origins} == {"not a number"}


@pytest.mark.parametrize(("unit", "ticks"), [("s", 1.5), ("ms", 1500.0), ("us", 1.5e6), ("ns", 1.5e9)])
def test_times_of_any_unit_are_microseconds(unit, ticks):
    column = made("time", [ticks, np.nan, 1e300], unit=unit)
    assert column.data.view(np.int64)[0] == 1_500_000
    assert np.isnat(column.data).tolist() == [False, True, True]
    assert column.bad.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("texts", "honest", "expected"),
    [
        (["0", "1", "13", "0.0", "-1"], (), [0, 1, 13, 0, 1]),
        (["False", "TRUE", "benign", "Attacker", "A0", "a19"], (), [0, 1, 0, 1, 0, 19]),
        (["perhaps", "nan", "inf", "1e99", ""], (), [None] * 5),
        (["cars", "sybil", "dos", "CARS "], ("cars",), [0, 1, 1, 0]),
        (["1.0", "2", "0"], ("1",), [0, 2, 1]),
    ],
)
def test_labels_are_numbers_or_known_words_or_what_is_listed(texts, honest, expected):
    column = made("attacker", texts, **({"honest": list(honest)} if honest else {}))
    assert [None if pd.isna(value) else int(value) for value in column.data] == expected
    assert column.bad.tolist() == [value is None for value in expected]


def test_labels_of_which_none_is_known_are_null():
    column = made("attacker", [None, None])
    assert column.data.isna().all()
    assert not column.bad.any()


def test_every_role_is_a_column_and_every_unit_of_one():
    assert set(UNITS) <= set(ROLES.values()) <= set(BY_NAME)
    assert all(next(iter(units.values())) == 1 for name, units in UNITS.items() if BY_NAME[name].kind != "time")


def test_a_map_is_read_the_same_again_and_columns_keep_their_places():
    given_ = {"time": "t", "speed": ["a", "b"], "heading": {"column": "h", "unit": "rad"}}
    entries = read_map(given_)
    assert read_map(entries) == entries
    found = name_columns({"t": 0, "a": 1, "b": 2, "h": 3, "more": 4}, make_map(entries))
    assert found == {
        "more": 4, "metadata_generatedAt": 0, "coreData_heading": 3, "coreData_speed of a": 1, "coreData_speed of b": 2,
    }  # fmt: skip
    with pytest.raises(ValueError, match="columns 1 and 3 are both 't'; rename or remove one"):
        name_columns({"t": 0, "a": 1, "b": 1, "h": 2}, make_map(entries), doubled={"t": (0, 2)})
