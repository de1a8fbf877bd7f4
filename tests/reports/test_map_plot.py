"""Map of a data set: its counts by square against NumPy on all rows, its circles, and the picture of a run."""

import numpy as np
import pandas as pd
import pytest
from pyproj import Geod

from cdpipe import run
from cdpipe.reports.map_plot import count_positions, outline_places
from cdpipe.stages.clean import CleanParams
from cdpipe.synthetic.generator import SynthParams, synthesize

CENTRE = {"longitude": -106.08, "latitude": 41.54}


def frame_of(rows, seed):
    rng = np.random.default_rng(seed)
    is_false = (rng.random(rows) < 0.3).astype(np.int8)
    return pd.DataFrame({"x_pos": rng.normal(0, 50, rows), "y_pos": rng.normal(9, 5, rows), "isFalse": is_false})


def test_squares_of_partitions_are_those_of_all_messages():
    parts = [frame_of(500, 1), frame_of(0, 2), frame_of(800, 3)]
    parts[0].loc[3, "x_pos"] = np.nan
    counted = count_positions(lambda names: (part[list(names)] for part in parts), squares=20)
    every = pd.concat(parts).dropna()
    ends = [[counted.south, counted.north], [counted.west, counted.east]]
    assert ends == [[every[name].min(), every[name].max()] for name in ("y_pos", "x_pos")]
    for counts, kind in ((counted.true, 0), (counted.false, 1)):
        chosen = every[every["isFalse"] == kind]
        expected, *_ = np.histogram2d(chosen["y_pos"], chosen["x_pos"], bins=20, range=ends)
        np.testing.assert_array_equal(counts, expected)
        assert counts.sum() == len(chosen)


def test_messages_in_one_spot_have_a_map_and_none_has_none():
    spot = pd.DataFrame({"x_pos": [3.0, 3.0], "y_pos": [0.0, 0.0], "isFalse": [0, 1]})
    counted = count_positions(lambda _: [spot])
    assert (counted.true.sum(), counted.false.sum()) == (1, 1)
    assert count_positions(lambda _: [spot.iloc[:0]]) is None


def test_places_are_circles_on_the_ellipsoid():
    other = {"longitude": -105.5, "latitude": 41.25, "radius_m": 500.0}
    places = {"centres": [{**CENTRE, "radius_m": 2_000.0}, other]}
    first, second = outline_places(CleanParams(filters={"places": places}))
    for outline, centre, radius_m in ((first, CENTRE, 2_000), (second, other, 500)):
        lon, lat = np.full(len(outline), centre["longitude"]), np.full(len(outline), centre["latitude"])
        *_, metres = Geod(ellps="WGS84").inv(lon, lat, *outline.T)
        np.testing.assert_allclose(metres, radius_m, atol=1e-3)


def test_in_metres_a_place_is_a_circle_around_the_centre():
    within = {"within": {**CENTRE, "radius_m": 2_000.0}}
    (outline,) = outline_places(CleanParams(coordinates="local", centre=CENTRE, filters=within))
    np.testing.assert_allclose(np.hypot(*outline.T), 2_000, atol=1e-2)


@pytest.mark.parametrize("wanted", [True, False])
def test_a_run_draws_its_map_if_it_is_wanted(tmp_path, wanted):
    synthesize(tmp_path / "bsm.csv", SynthParams(rows=2_000, vehicles=20))
    report = run(
        {
            "input": {"paths": [str(tmp_path / "bsm.csv")]},
            "train": {"classifiers": []},
            "cache": {"enabled": False},
            "output": {"directory": str(tmp_path / "out"), "map": wanted},
        }
    )
    assert ("map" in report.outputs) == wanted
    assert (tmp_path / "out" / "map.png").is_file() == wanted
    if wanted:
        assert (tmp_path / "out" / "map.png").read_bytes().startswith(b"\x89PNG")
