import numpy as np
import pandas as pd
import pytest
from clean_messages import CENTRE, LAT, LON, POINT, TIME, WHOLE, box, params, small
from pydantic import ValidationError
from pyproj import Geod

from cdpipe import clean
from cdpipe.columns import BY_NAME, canonical
from cdpipe.stages.clean import CleanParams

GEOD = Geod(ellps="WGS84")


def test_defaults_keep_columns_positions_and_parts_in_their_order():
    frame, ledger = clean(WHOLE)
    chosen = CleanParams()
    assert list(frame) == [
        "row_number", *chosen.columns, "x_pos", "y_pos", "month", "day", "year", "hour", "minute", "second", "pm",
    ]  # fmt: skip
    needed = [*chosen.required, LAT, LON]
    expected = WHOLE.dropna(subset=needed).reset_index(drop=True)
    assert 0 < len(expected) < len(WHOLE)
    for name in ("row_number", *chosen.columns):
        if BY_NAME[name].kind == "label":
            assert frame[name].dtype == "category"
            assert frame[name].cat.categories.dtype == "str"
            assert frame[name].tolist() == expected[name].tolist()
        else:
            pd.testing.assert_series_equal(frame[name], expected[name])
    np.testing.assert_array_equal(frame["x_pos"], expected[LON])
    np.testing.assert_array_equal(frame["y_pos"], expected[LAT])
    assert (ledger.rows_in, ledger.rows_out) == (len(WHOLE), len(expected))


def test_timestamp_parts_are_those_of_pandas():
    spread = WHOLE[TIME] + pd.to_timedelta(WHOLE["row_number"] * 97_001, "s")
    frame, _ = clean(WHOLE.assign(**{TIME: spread}), CleanParams(columns=(TIME,)))
    assert frame["year"].nunique() > 5
    for name in ("month", "day", "year", "hour", "minute", "second"):
        assert frame[name].tolist() == getattr(frame[TIME].dt, name).tolist()
        assert frame[name].dtype == ("int16" if name == "year" else "int8")
    assert frame["pm"].dtype == "int8"
    assert frame["pm"].tolist() == (frame[TIME].dt.hour >= 12).astype(int).tolist()
    assert {0, 1} == set(frame["pm"])


def test_timestamps_may_be_text_and_a_bad_one_drops_its_row():
    times = ["07/31/2019 12:00:00 AM", "07/31/2019 11:59:59 AM", "07/31/2019 12:00:00 PM", "2019-02-30 01:00:00"]
    frame, ledger = clean(small(**{TIME: times}), params(columns=(TIME,), timestamp_parts=True))
    assert frame[["hour", "pm"]].to_numpy().tolist() == [[0, 0], [11, 0], [12, 1]]
    assert ledger.dropped == {f"{TIME}: not a timestamp": 1}


def test_parts_need_a_time_though_it_is_neither_kept_nor_required():
    frame, ledger = clean(
        small(**{TIME: ["2020-01-01T00:00:00Z", None, "", "2020-01-02T00:00:00Z"]}), params(timestamp_parts=True)
    )
    assert frame["day"].tolist() == [1, 2]
    assert ledger.dropped == {f"null in {TIME}": 2}
    assert TIME not in frame


def test_columns_are_kept_in_the_order_asked_for_each_once_in_any_case():
    frame, _ = clean(small(), params(columns=("COREDATA_SPEED", "coredata_id", "coreData_speed")))
    assert list(frame) == ["row_number", "coreData_speed", "coreData_id", "x_pos", "y_pos"]


def test_a_column_outside_the_vocabulary_is_kept_as_it_is_and_may_be_required():
    frame, ledger = clean(
        small(weather=["dry", None, "wet", "dry"]), params(columns=("weather",), required=("weather",))
    )
    assert frame["weather"].tolist() == ["dry", "wet", "dry"]
    assert ledger.dropped == {"null in weather": 1}


def test_names_match_in_any_case_and_row_numbers_stay():
    frame, _ = clean(small().rename(columns=lambda name: name.upper() if name != "row_number" else name), params())
    assert frame["row_number"].tolist() == [7, 3, 11, 5]
    assert [canonical(name) for name in frame] == list(frame)


def test_a_frame_without_row_numbers_is_numbered_and_its_index_does_not_matter():
    frame, _ = clean(small(row_number=None).set_index(np.array([9, 9, 2, 2])), params(filters={"bbox": box(41.55, 42)}))
    assert frame["row_number"].tolist() == [1, 2, 3]
    assert frame.index.tolist() == [0, 1, 2]


@pytest.mark.parametrize("position", ["auto", "point"])
def test_positions_from_points_are_what_their_text_says(position):
    written = WHOLE[POINT].str.extract(r"POINT \((\S+) (\S+)\)").astype("float64")
    usable = written.notna().all(axis=1) & (written[1] <= 90)
    assert usable.sum() < written[0].notna().sum() < len(WHOLE)
    frame, ledger = clean(WHOLE.drop(columns=[LAT, LON]), params(position=position, columns=()))
    np.testing.assert_array_equal(frame["x_pos"], written.loc[usable, 0])
    np.testing.assert_array_equal(frame["y_pos"], written.loc[usable, 1])
    assert ledger.dropped == {"no position": (~usable).sum()}


def test_auto_takes_the_columns_where_there_are_both_and_point_only_when_told():
    both = small(**{POINT: ["POINT (1 2)"] * 4})
    assert clean(both, params())[0]["x_pos"].tolist() == [-106.0, -106.1, -106.2, -106.3]
    assert clean(both, params(position="point"))[0]["x_pos"].tolist() == [1.0] * 4
    assert clean(both.drop(columns=LAT), params())[0]["y_pos"].tolist() == [2.0] * 4


def test_points_malformed_unavailable_null_and_out_of_range_each_drop_under_their_reason():
    points = ["POINT (-106.1 41.5)", "POINT -106.1 41.5", "POINT (180.0000001 90.0000001)", None, "POINT (181 41)"]
    frame = pd.DataFrame({"row_number": range(5), "coreData_id": "A", POINT: points})
    kept, ledger = clean(frame, params())
    assert kept["row_number"].tolist() == [0]
    assert dict(ledger.dropped) == {f"{POINT}: not POINT (lon lat)": 1, "no position": 2, "position out of range": 1}


def test_codes_for_unavailable_are_no_places_on_the_globe():
    """So positions are looked at for them only where one is off the globe."""
    assert min(BY_NAME[LAT].unavailable) > 90
    assert min(BY_NAME[LON].unavailable) > 180


@pytest.mark.parametrize(
    ("lat", "kept"), [(90.0, 4), (-90.0, 4), (90.0000001, 3), (-90.1, 3), (np.inf, 3), (np.nan, 3)]
)
def test_latitudes_beyond_the_poles_are_out_of_range(lat, kept):
    frame, ledger = clean(small(**{LAT: [lat, 41, 41, 41]}), params())
    assert len(frame) == kept
    assert set(ledger.dropped) <= {"no position", "position out of range", f"{LAT}: not a number"}


def test_local_coordinates_are_the_azimuthal_distance_east_and_north_of_the_centre():
    frame, _ = clean(WHOLE, params(coordinates="local", centre=CENTRE))
    degrees, _ = clean(WHOLE, params())
    n = len(frame)
    azimuth, _, distance = GEOD.inv(
        np.full(n, CENTRE.longitude),
        np.full(n, CENTRE.latitude),
        degrees["x_pos"].to_numpy(),
        degrees["y_pos"].to_numpy(),
    )
    np.testing.assert_allclose(frame["x_pos"], distance * np.sin(np.radians(azimuth)), rtol=0, atol=1e-3)
    np.testing.assert_allclose(frame["y_pos"], distance * np.cos(np.radians(azimuth)), rtol=0, atol=1e-3)
    assert (frame["x_pos"] < 0).any()
    assert (frame["y_pos"] < 0).any()


@pytest.mark.parametrize(("bearing", "east", "north"), [(0, 0, 1000), (90, 1000, 0), (180, 0, -1000), (270, -1000, 0)])
def test_a_kilometre_each_way_is_a_kilometre_that_way(bearing, east, north):
    lon, lat, _ = GEOD.fwd(CENTRE.longitude, CENTRE.latitude, bearing, 1000.0)
    frame = small(**{LAT: [lat] * 4, LON: [lon] * 4})
    moved, _ = clean(frame, params(coordinates="local", centre=CENTRE))
    assert moved.loc[0, ["x_pos", "y_pos"]].tolist() == pytest.approx([east, north], abs=1e-3)


def test_filters_are_those_of_pandas_and_pyproj_alone_and_together():
    spread = WHOLE.assign(**{TIME: WHOLE[TIME] + pd.to_timedelta(WHOLE["row_number"] * 30, "s")})
    inside = clean(spread, params(columns=(TIME, "coreData_id"), required=(TIME,)))[0]
    n = len(inside)
    _, _, metres = GEOD.inv(
        np.full(n, CENTRE.longitude),
        np.full(n, CENTRE.latitude),
        inside["x_pos"].to_numpy(),
        inside["y_pos"].to_numpy(),
    )
    middle = np.sort(metres)[len(metres) // 3 : 2 * len(metres) // 3]
    radius = float(middle[np.diff(middle).argmax()]) + 0.01  # a place where no message is within a millimetre
    south, north = inside["y_pos"].quantile([0.1, 0.8])
    west, east = inside["x_pos"].quantile([0.2, 0.9])
    day = inside[TIME].dt.normalize()
    masks = {
        "within": metres <= radius,
        "bbox": inside["y_pos"].between(south, north) & inside["x_pos"].between(west, east),
        "dates": day == day.iloc[0],
    }
    given = {
        "within": {"latitude": CENTRE.latitude, "longitude": CENTRE.longitude, "radius_m": radius},
        "bbox": {"south": south, "north": north, "west": west, "east": east},
        "dates": {"first": str(day.iloc[0].date()), "last": str(day.iloc[0].date())},
    }
    for chosen in (
        ("within",),
        ("bbox",),
        ("dates",),
        ("within", "bbox"),
        ("bbox", "dates"),
        ("within", "bbox", "dates"),
    ):
        kept, ledger = clean(
            inside.rename(columns={"x_pos": LON, "y_pos": LAT}), params(filters={n: given[n] for n in chosen})
        )
        mask = np.logical_and.reduce([masks[name] for name in chosen])
        assert kept["row_number"].tolist() == inside.loc[mask, "row_number"].tolist()
        assert ledger.rows_out == mask.sum() == len(inside) - sum(ledger.dropped.values())


def test_local_coordinates_are_made_after_filters_in_degrees():
    within = {"latitude": 41.5, "longitude": -106.0, "radius_m": 1.0}
    frame, ledger = clean(small(), params(coordinates="local", centre=CENTRE, filters={"within": within}))
    assert frame["row_number"].tolist() == [7]
    assert ledger.dropped == {"outside the radius": 3}


def test_the_input_is_not_changed_nor_by_changing_the_output():
    for frame in (small(), small(**{LAT: [91.0, 41.0, 41.0, 41.0]})):
        before = frame.copy(deep=True)
        kept, _ = clean(frame, params(columns=("coreData_id", TIME, "coreData_speed"), timestamp_parts=True))
        for name in kept.columns:
            kept.loc[0, name] = kept[name].iloc[-1]
        pd.testing.assert_frame_equal(frame, before)


def test_an_empty_frame_gives_an_empty_frame_of_the_same_types():
    full, _ = clean(WHOLE)
    empty, ledger = clean(WHOLE.iloc[:0])
    assert empty.dtypes.astype(str).to_dict() == full.dtypes.astype(str).to_dict()
    for name in ("coreData_id", "metadata_recordType"):
        assert empty[name].dtype == "category"
        assert empty[name].cat.categories.dtype == full[name].cat.categories.dtype == "str"
    assert (ledger.rows_in, ledger.rows_out) == (0, 0)


def test_missing_columns_are_named_with_those_there_are():
    with pytest.raises(KeyError, match=r"coreData_heading.*the frame has.*coreData_speed"):
        clean(small(), params(columns=("coreData_heading",)))
    with pytest.raises(KeyError, match=r"needs a position.*there are.*coreData_speed"):
        clean(small(**{LAT: None}), params())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"coordinates": "local"}, "local coordinates need a centre"),
        ({"coordinates": "polar"}, "geographic"),
        ({"position": "x"}, "auto"),
        ({"centre": {"latitude": 91, "longitude": 0}}, "90"),
        ({"colums": ()}, "colums"),
        ({"filters": {"radius": {}}}, "radius"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValidationError, match=message):
        CleanParams(**wrong)
