import datetime as dt

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.columns import GENERATED_AT, LATITUDE, LONGITUDE, VEHICLE_ID
from cdpipe.engine.files.parts import write_part
from cdpipe.engine.graph.part_bounds import find_dropped, settle_groups
from cdpipe.stages import BY_NAME
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.filters import Region, Span

START = np.datetime64("2020-02-28T23:59:59.999990", "us").astype(np.int64)
PRESENT = (VEHICLE_ID, GENERATED_AT)


def messages(lat, lon, time, ids=None):
    return pd.DataFrame(
        {
            LATITUDE: np.array(lat, float),
            LONGITUDE: np.array(lon, float),
            GENERATED_AT: (START + np.array(time, np.int64)).view("M8[us]"),
            VEHICLE_ID: pd.Categorical(["A"] * len(lat) if ids is None else ids),
        }
    )


def settle(path, frame, filters, present=PRESENT):
    write_part(frame, path)
    return settle_groups(pq.read_metadata(path), filters, present=present)[0]


def passes(frame, region):
    """Say row by row what a region keeps."""
    kept = np.ones(len(frame), bool)
    for name, spans in region.spans.items():
        values = frame[name].to_numpy()
        values = values.view(np.int64) if name == GENERATED_AT else values
        kept &= np.any([(values >= a) & (values <= b) for a, b in spans] or [np.zeros(len(frame), bool)], axis=0)
    return kept


def drop_by_row(frame, filters, present):
    """Say by every row's own fate which filter dropped all of them; None if some row met another."""
    fates = []
    for row in range(len(frame)):
        one = frame.iloc[[row]]
        if one[[*present, LATITUDE, LONGITUDE]].isna().to_numpy().any():
            return None
        if abs(one[LATITUDE].iloc[0]) > 90 or abs(one[LONGITUDE].iloc[0]) > 180:
            return None
        fates.append(next((place for place, region in enumerate(filters) if not passes(one, region)[0]), None))
    return fates[0] if len(set(fates)) == 1 else None


degrees = st.integers(-4, 4).map(float)
maybe = st.none() | degrees
spans = st.lists(st.tuples(degrees, degrees).map(lambda pair: Span(*sorted(pair))), max_size=2)
times = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda pair: Span(*(int(START) + t for t in sorted(pair)))),
    max_size=1,
)
regions = st.builds(
    Region, st.fixed_dictionaries({}, optional={LATITUDE: spans, LONGITUDE: spans, GENERATED_AT: times}), st.booleans()
)
rows = st.lists(st.tuples(degrees, degrees, st.integers(0, 9)), min_size=1, max_size=4)


@given(rows, st.lists(regions, min_size=1, max_size=3))
def test_what_is_said_of_a_group_holds_for_every_row_of_it(tmp_path_factory, given_rows, filters):
    frame = messages(*zip(*given_rows, strict=True))
    verdict = settle(tmp_path_factory.mktemp("skip") / "p", frame, filters)
    if verdict is not None:
        assert not any(passes(frame, filters[verdict]))
        # Of the filters before it only those are sure to keep every row that say so of themselves.
        assert all(region.exact and passes(frame, region).all() for region in filters[:verdict])
        assert drop_by_row(frame, filters, PRESENT) == verdict


@given(rows, st.lists(regions.map(lambda region: region._replace(exact=True)), min_size=1, max_size=2))
def test_groups_of_one_row_are_told_whenever_there_is_anything_to_tell(tmp_path_factory, given_rows, filters):
    frame = messages(*zip(*given_rows[:1], strict=True))
    verdict = settle(tmp_path_factory.mktemp("skip") / "p", frame, filters)
    assert verdict == drop_by_row(frame, filters, PRESENT)


NORTH = Region({LATITUDE: [Span(50.0, 60.0)], LONGITUDE: [Span(170.0, 180.0), Span(-180.0, -170.0)]}, exact=False)
TODAY = Region({GENERATED_AT: [Span(int(START), int(START) + 9)]}, exact=True)


def test_a_box_across_the_antimeridian_has_two_spans(tmp_path):
    inside = messages([55, 55], [175, -175], [0, 0])
    assert settle(tmp_path / "p", inside, [NORTH]) is None
    assert settle(tmp_path / "p", messages([55, 55], [169, 160], [0, 0]), [NORTH]) == 0
    assert settle(tmp_path / "p", messages([61, 70], [175, -175], [0, 0]), [NORTH]) == 0


def test_bounds_are_included_to_the_last_bit_and_microsecond(tmp_path):
    assert settle(tmp_path / "p", messages([50], [180], [9]), [TODAY, NORTH]) is None
    assert settle(tmp_path / "p", messages([np.nextafter(50, 0)], [180], [9]), [TODAY, NORTH]) == 1
    assert settle(tmp_path / "p", messages([50], [180], [10]), [TODAY, NORTH]) == 0
    assert settle(tmp_path / "p", messages([50], [180], [-1]), [TODAY, NORTH]) == 0


def test_a_filter_that_may_drop_some_rows_leaves_the_reason_of_the_others_open(tmp_path):
    assert settle(tmp_path / "p", messages([0, 0], [0, 0], [0, 10]), [TODAY, NORTH]) is None
    assert settle(tmp_path / "p", messages([0, 0], [0, 0], [0, 9]), [TODAY, NORTH]) == 1
    assert settle(tmp_path / "p", messages([0, 0], [0, 0], [0, 9]), [TODAY._replace(exact=False), NORTH]) is None


@pytest.mark.parametrize(
    "changed",
    [
        {LATITUDE: [0.0, np.nan]},
        {GENERATED_AT: np.array(["2020-01-01", "NaT"], "M8[us]")},
        {VEHICLE_ID: pd.Categorical(["A", None])},
        {LATITUDE: [0.0, 90.5]},
        {LONGITUDE: [0.0, -181.0]},
    ],
    ids=["no latitude", "no time", "no id", "beyond the pole", "beyond the antimeridian"],
)
def test_rows_that_are_dropped_for_another_reason_are_looked_at(tmp_path, changed):
    frame = messages([0, 1], [0, 1], [0, 1])
    assert settle(tmp_path / "p", frame, [NORTH]) == 0
    assert settle(tmp_path / "p", frame.assign(**changed), [NORTH]) is None


def test_columns_that_are_not_there_or_have_no_bounds_tell_nothing(tmp_path):
    frame = messages([0, 1], [0, 1], [0, 1])
    assert settle(tmp_path / "p", frame.drop(columns=VEHICLE_ID), [NORTH]) is None
    assert settle(tmp_path / "p", frame, [Region({VEHICLE_ID: [Span(0, 1)]}, exact=True)]) is None
    assert settle(tmp_path / "p", frame.iloc[:0], [NORTH]) is None


def test_files_that_others_wrote_or_made_of_ours_are_read(tmp_path):
    frame = messages([0, 1], [0, 1], [0, 1])
    frame.to_parquet(tmp_path / "theirs")
    write_part(frame, tmp_path / "ours")
    write_part(frame.assign(**{LATITUDE: np.nan}), tmp_path / "other")
    table = pq.read_table(tmp_path / "ours")
    pq.write_table(table, tmp_path / "cut", row_group_size=1)
    pq.write_table(table.slice(0, 1), tmp_path / "shorter")
    for name, groups in {"theirs": 1, "cut": 2, "shorter": 1}.items():
        metadata = pq.read_metadata(tmp_path / name)
        assert settle_groups(metadata, [NORTH], present=PRESENT) == [None] * groups


def test_times_are_compared_in_microseconds_of_utc(tmp_path):
    first, last = (int(dt.datetime(2020, 2, day, tzinfo=dt.UTC).timestamp()) * 1_000_000 for day in (28, 29))
    day = Region({GENERATED_AT: [Span(first, last)]}, exact=True)
    assert settle(tmp_path / "p", messages([0], [0], [0]), [day]) is None
    assert settle(tmp_path / "p", messages([0], [0], [11]), [day]) == 0


@pytest.mark.parametrize(
    ("filters", "dropped"),
    [
        ({"within": {"latitude": 10, "longitude": 20, "radius_m": 1000}}, {"outside the radius": 3}),
        ({"within": {"latitude": 41, "longitude": -106, "radius_m": 1000}}, None),
        ({"dates": {"first": "2021-01-01", "last": "2021-01-02"}}, {"outside the dates": 3}),
        (
            {
                "dates": {"first": "2020-02-28", "last": "2020-02-29"},
                "bbox": {"south": 0, "north": 1, "west": 0, "east": 1},
            },
            {"outside the box": 3},
        ),
        ({}, None),
    ],
)
def test_what_cleaning_would_drop_whole_is_told_as_cleaning_tells_it(tmp_path, filters, dropped):
    frame = messages([41, 41.1, 41.2], [-106, -106.1, -106.2], [0, 5, 90]).assign(row_number=np.arange(3))
    write_part(frame, tmp_path / "p")
    params = CleanParams(columns=(VEHICLE_ID,), required=(), timestamp_parts=False, filters=filters)
    told = find_dropped(tmp_path / "p", BY_NAME["clean"], params)
    assert (told and told.dropped) == dropped
    assert told is None or told == BY_NAME["clean"].apply(frame, params, None)[1]


@pytest.mark.parametrize("changed", [{LATITUDE: [41, np.nan, 41.2]}, {LONGITUDE: [-106, -106.1, 200]}])
def test_positions_that_drop_a_message_before_its_date_are_looked_at(tmp_path, changed):
    frame = messages([41, 41.1, 41.2], [-106, -106.1, -106.2], [0, 5, 90]).assign(row_number=np.arange(3), **changed)
    write_part(frame, tmp_path / "p")
    filters = {"dates": {"first": "2021-01-01", "last": "2021-01-02"}}
    params = CleanParams(columns=(VEHICLE_ID,), required=(), timestamp_parts=False, filters=filters)
    assert find_dropped(tmp_path / "p", BY_NAME["clean"], params) is None


def test_positions_from_text_are_not_judged_by_other_columns(tmp_path):
    frame = messages([41.0], [-106.0], [0]).assign(row_number=0, coreData_position="POINT (20 10)")
    write_part(frame, tmp_path / "p")
    within = {"within": {"latitude": 10, "longitude": 20, "radius_m": 1000}}
    for position, told in (("point", None), ("columns", {"outside the radius": 1})):
        params = CleanParams(columns=(VEHICLE_ID,), position=position, filters=within)
        ledger = find_dropped(tmp_path / "p", BY_NAME["clean"], params)
        assert (ledger and ledger.dropped) == told
    assert find_dropped(tmp_path / "p", BY_NAME["attack"], None) is None
