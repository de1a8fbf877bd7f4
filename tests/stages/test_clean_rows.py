"""Which rows cleaning drops, and why; what it makes of clean messages and of labels."""

import numpy as np
import pandas as pd
import pytest
from clean_messages import CENTRE, LAT, LON, TIME, WHOLE, box, params, small

from cdpipe import clean
from cdpipe.stages.clean import CleanParams


def test_a_dropped_row_counts_under_the_first_reason():
    """Position, then filters, then values that cannot be read, then nulls in the order of the required columns."""
    rng = np.random.default_rng(5)
    required = CleanParams().required
    frame = WHOLE.assign(coreData_secMark=pd.Series(np.where(rng.random(len(WHOLE)) < 0.3, "x", "7"), dtype="str"))
    for name in (LAT, *required):
        frame[name] = frame[name].mask(rng.random(len(frame)) < 0.3)
    frame[LON] = frame[LON].mask(rng.random(len(frame)) < 0.3, 181.0)
    east = frame[LON].median()
    day = frame[TIME].min().date()
    last = frame[TIME].quantile(0.8)
    later = frame[TIME] + pd.to_timedelta(np.where(frame[TIME] > last, 2, 0), "D")
    frame[TIME] = later.astype("datetime64[us]")
    filters = {"bbox": box(-90, 90, -180, east), "dates": {"first": str(day), "last": str(last.date())}}
    kept, ledger = clean(frame, CleanParams(filters=filters))
    gone = pd.Series("", index=frame.index)

    def drop(reason, mask):
        gone[(gone == "") & mask] = reason

    drop("no position", frame[LAT].isna() | frame[LON].isna())
    drop("position out of range", frame[LON] > 180)
    drop("outside the dates", ~frame[TIME].dt.date.isin([day, last.date()]))
    drop("outside the box", frame[LON] > east)
    drop("coreData_secMark: not an integer", frame["coreData_secMark"] == "x")
    for name in required:
        drop(f"null in {name}", frame[name].isna())
    expected = gone[gone != ""].value_counts().to_dict()
    assert dict(ledger.dropped) == expected
    assert set(expected) == {
        "no position", "position out of range", "outside the dates", "outside the box",
        "coreData_secMark: not an integer", *(f"null in {name}" for name in required if name != TIME),
    }  # fmt: skip
    assert kept["row_number"].tolist() == frame.loc[gone == "", "row_number"].tolist()


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", "str"])
def test_codes_and_infinite_numbers_are_none_whatever_type_holds_them(dtype):
    speeds = pd.Series([8191.0, 10.0, np.inf, 163.82]).astype(dtype)
    frame = small(coreData_speed=speeds)
    kept, ledger = clean(frame, params(columns=("coreData_speed",), required=("coreData_speed",)))
    assert kept["row_number"].tolist() == [3]
    assert dict(ledger.dropped) == {"coreData_speed: not a number": 1, "null in coreData_speed": 2}
    pd.testing.assert_series_equal(frame["coreData_speed"], speeds.rename("coreData_speed"))


@pytest.mark.parametrize("dtype", ["int64", "Int64", "int32", "float64"])
def test_codes_of_whole_numbers_are_none_whatever_type_holds_them(dtype):
    frame = small(coreData_secMark=pd.Series([65535, 7, 0, 59_999]).astype(dtype))
    kept, _ = clean(frame, params(columns=("coreData_secMark",), required=("coreData_secMark",)))
    assert kept["coreData_secMark"].tolist() == [7, 0, 59_999]


def test_messages_cleaned_before_are_taken_as_they_are():
    frame = small().rename(columns={LAT: "y_pos", LON: "x_pos"}).assign(coreData_speed=[8191.0, 10.0, 20.0, 30.0])
    kept, _ = clean(frame, params(columns=("coreData_speed",), position="cleaned"))
    assert kept["coreData_speed"].tolist() == [8191.0, 10.0, 20.0, 30.0]


@pytest.mark.parametrize("radius_m", [2_000, 2e7, 2.01e7])
@pytest.mark.parametrize("stray", [None, (np.nan, 41.5), (-106.0, np.nan), (181.0, 41.5), (254.0, 41.5), (0.0, -90.5)])
def test_a_circle_counts_what_it_sees_off_the_globe_under_its_own_reason(radius_m, stray):
    """A circle looks before positions are judged, and 254 degrees east are a place within it."""
    lon, lat = np.array([-106.0, -106.001, -105.0]), np.array([41.5, 41.5, 41.5])
    if stray:
        lon[1], lat[1] = stray
    frame = pd.DataFrame({"row_number": range(3), "coreData_id": "A", LAT: lat, LON: lon})
    circle = {"latitude": 41.5, "longitude": -106.0, "radius_m": radius_m}
    kept, ledger = clean(frame, params(filters={"within": circle}))
    expected = {} if stray is None else {"no position" if np.isnan(stray).any() else "position out of range": 1}
    if radius_m == 2_000:
        expected["outside the radius"] = 1
    assert dict(ledger.dropped) == expected
    assert list(ledger.dropped) == list(expected)
    assert kept["row_number"].tolist() == [0, *([] if stray else [1]), *([] if radius_m == 2_000 else [2])]


def test_where_every_message_passes_a_filter_nothing_is_copied_and_nothing_shared_for_writing():
    once, _ = clean(WHOLE)
    before = once.copy(deep=True)
    circle = {"latitude": 41.5, "longitude": -106.0, "radius_m": 2.01e7}
    again, ledger = clean(once, CleanParams(position="cleaned", timestamp_parts=False, filters={"within": circle}))
    assert ledger.dropped == {}
    assert np.shares_memory(again["coreData_speed"].to_numpy(), once["coreData_speed"].to_numpy())
    again.loc[0, "coreData_speed"] = -1.0
    again.loc[0, "x_pos"] = 0.0
    pd.testing.assert_frame_equal(once, before)


def test_a_value_that_cannot_be_read_comes_before_a_null_elsewhere_in_its_row():
    frame = small(coreData_speed=["fast", None, "1", None], coreData_heading=[None, 2.0, 3.0, 4.0])
    chosen = params(columns=("coreData_speed",), required=("coreData_heading", "coreData_speed"))
    kept, ledger = clean(frame, chosen)
    assert kept["row_number"].tolist() == [11]
    assert dict(ledger.dropped) == {"coreData_speed: not a number": 1, "null in coreData_speed": 2}


def test_cleaning_what_is_clean_changes_nothing():
    once, _ = clean(WHOLE)
    again, ledger = clean(once, CleanParams(position="cleaned"))
    pd.testing.assert_frame_equal(again, once)
    assert (ledger.rows_in, ledger.rows_out, ledger.dropped) == (len(once), len(once), {})
    assert list(again["coreData_id"].cat.categories) == list(once["coreData_id"].cat.categories)


def test_clean_messages_can_be_filtered_and_made_local_as_their_source_can():
    once, _ = clean(WHOLE)
    within = {"within": {"latitude": CENTRE.latitude, "longitude": CENTRE.longitude, "radius_m": 1_500.0}}
    chosen = CleanParams(coordinates="local", centre=CENTRE, filters=within)
    direct, ledger = clean(WHOLE, chosen)
    again, account = clean(once, chosen.model_copy(update={"position": "cleaned"}))
    assert 0 < len(direct) < len(once)
    assert ledger.dropped["outside the radius"] >= account.dropped["outside the radius"] == len(once) - len(direct)
    for frame in (direct, again):
        frame["coreData_id"] = frame["coreData_id"].astype("str")
        frame["metadata_recordType"] = frame["metadata_recordType"].astype("str")
    pd.testing.assert_frame_equal(again, direct)


def test_cleaned_positions_are_taken_when_asked_for():
    both = small(x_pos=[1.0, 2.0, 3.0, np.nan], y_pos=[5.0, 6.0, 91.0, 8.0])
    assert clean(both, params())[0]["x_pos"].tolist() == [-106.0, -106.1, -106.2, -106.3]
    kept, ledger = clean(both, params(position="cleaned"))
    assert kept[["x_pos", "y_pos"]].to_numpy().tolist() == [[1.0, 5.0], [2.0, 6.0]]
    assert dict(ledger.dropped) == {"no position": 1, "position out of range": 1}
    with pytest.raises(KeyError, match="needs a position, y_pos and x_pos; there are"):
        clean(small(), params(position="cleaned"))


def test_metres_are_not_taken_for_degrees_by_default():
    """A frame does not tell its unit: metres near the centre cannot be told from degrees."""
    local, _ = clean(small(), params(coordinates="local", centre=CENTRE))
    with pytest.raises(KeyError, match="needs a position, coreData_position_lat and coreData_position_long, or"):
        clean(local, params())


FORMS = {
    "text": lambda ids: pd.Series(ids, dtype="str"),
    "object": lambda ids: pd.Series(ids, dtype=object),
    "labels": lambda ids: pd.Series(pd.Categorical(ids)),
    "labels with others": lambda ids: pd.Series(pd.Categorical(ids, categories=["zz", "C3", " ", "A1", "", "\t"])),
    "labels of objects": lambda ids: pd.Series(
        pd.Categorical(ids, categories=pd.Index(["", "A1", " ", "C3"], dtype=object))
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        (["A1", " ", "", None], ["A1"]),
        (["C3", "A1", "A1", "C3"], ["C3", "A1", "A1", "C3"]),
        ([None, " ", None, ""], []),
    ],
)
def test_ids_held_in_any_way_give_the_same_labels_and_ledger(form, ids, kept):
    frame = small(coreData_id=FORMS[form](ids))
    before = frame.copy(deep=True)
    made, ledger = clean(frame, params(required=("coreData_id",)))
    assert made["coreData_id"].dtype == "category"
    assert made["coreData_id"].tolist() == kept
    assert not {"", " ", "\t"} & set(made["coreData_id"].cat.categories)
    assert dict(ledger.dropped) == ({"null in coreData_id": 4 - len(kept)} if len(kept) < 4 else {})
    if len(made) > 1:
        made.loc[0, "coreData_id"] = made["coreData_id"].iloc[1]
    pd.testing.assert_frame_equal(frame, before)


def test_labels_of_numbers_are_refused():
    frame = small(coreData_id=pd.Categorical([1, 2, 1, 2]))
    with pytest.raises(TypeError, match="column 'coreData_id' must hold"):
        clean(frame, params())


@pytest.mark.parametrize("lat", [41.0, 91.0])
def test_a_column_outside_the_vocabulary_keeps_its_type_whether_or_not_rows_are_dropped(lat):
    others = {
        "weather": pd.Series(["dry", None, "wet", "dry"], dtype=object),
        "phase": pd.Series([1j, 2j, 3j, 4j]),
        "note": pd.Series(["a", "b", "a", "b"], dtype="str"),
        "sort": pd.Series(pd.Categorical(["a", "b", "a", "b"])),
        "zoned": pd.to_datetime(pd.Series(["2020-01-01"] * 4)).dt.tz_localize("UTC"),
    }
    frame = small(**others, **{LAT: [41.0, lat, 41.0, 41.0]})
    kept, _ = clean(frame, params(columns=tuple(others)))
    expected = frame.loc[frame[LAT] < 90, list(others)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept[list(others)], expected)


@pytest.mark.parametrize("latitudes", [["41.5", "41.6", "41.7", "41.8"], np.float32([41.5, 41.6, 41.7, 41.8])])
def test_what_is_written_to_one_column_is_in_no_other(latitudes):
    """The position is that of columns which are kept as well, and which had to be typed."""
    frame = small(**{LAT: latitudes})
    before = frame.copy(deep=True)
    kept, _ledger = clean(frame, params(columns=(LAT, LON), timestamp_parts=False))
    kept.iloc[0, kept.columns.get_loc("y_pos")] = 77.0
    kept.iloc[1, kept.columns.get_loc(LON)] = 88.0
    assert kept[LAT].iloc[0] == 41.5
    assert kept["x_pos"].iloc[1] == -106.1
    pd.testing.assert_frame_equal(frame, before)


def test_integers_without_a_null_are_the_callers_no_longer():
    frame = small(coreData_secMark=[1, 2, 3, 4])
    kept, _ledger = clean(frame, params(columns=("coreData_secMark",)))
    kept.iloc[0, kept.columns.get_loc("coreData_secMark")] = 77
    assert frame["coreData_secMark"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["coreData_speed", "COREDATA_SPEED", LAT, "row_number"])
def test_a_column_that_is_there_twice_is_refused_if_it_is_read(name):
    frame = pd.concat([small(), pd.DataFrame({name: np.arange(4.0)})], axis="columns")
    with pytest.raises(ValueError, match=rf"(?i)clean reads {name}, which the frame has more than once"):
        clean(frame, params(columns=("coreData_speed",)))
    twice = pd.concat([small(other=1), small(other=2)[["other"]]], axis="columns")
    assert len(clean(twice, params())[0]) == 4
