import pandas as pd
import pytest

from cdpipe.columns import BY_NAME, DERIVED, GIVEN, PANDAS_DTYPES, SOURCE, canonical, find_doubled, resolve


@pytest.mark.parametrize("name", list(BY_NAME))
@pytest.mark.parametrize(
    "spell", [str, str.lower, str.upper, lambda name: f"  {name}\t"], ids=["own", "low", "up", "pad"]
)
def test_a_name_is_found_in_any_case_and_with_blanks(name, spell):
    assert canonical(spell(name)) == name


def test_a_name_outside_the_vocabulary_keeps_its_case_but_not_its_blanks():
    assert canonical(" Weather_Code ") == "Weather_Code"


def test_no_two_names_are_the_same_without_case():
    assert len({name.casefold() for name in BY_NAME}) == len(BY_NAME) == len(SOURCE) + len(GIVEN) + len(DERIVED)


def test_resolve_gives_places_in_the_order_of_the_header():
    places = resolve(["COREDATA_ID", "weather", " coredata_position_LAT "])
    assert list(places.items()) == [("coreData_id", 0), ("weather", 1), ("coreData_position_lat", 2)]


@pytest.mark.parametrize("pair", [("coreData_id", "COREDATA_ID"), ("weather", " weather")])
def test_two_fields_of_one_name_are_found_with_their_indices(pair):
    header = ["first", pair[0], "third", pair[1], pair[0]]
    assert find_doubled(header) == {pair[0]: (1, 3)}
    assert resolve(header) == {"first": 0, pair[0]: 1, "third": 2}


def test_a_field_without_a_name_is_no_column():
    header = ["", "weather", " ", "\t", ""]
    assert resolve(header) == {"weather": 1}
    assert find_doubled(header) == {}


def test_names_outside_the_vocabulary_that_differ_in_case_are_two_columns():
    assert resolve(["weather", "Weather"]) == {"weather": 0, "Weather": 1}


@pytest.mark.parametrize("column", BY_NAME.values(), ids=lambda column: column.name)
def test_every_column_has_a_dtype_pandas_knows_and_says_what_it_means(column):
    assert str(pd.Series([], dtype=column.dtype).dtype) == column.dtype == PANDAS_DTYPES[column.kind]
    assert column.meaning
    assert not column.unavailable or column.kind in ("float", "integer")


def test_the_codes_for_unavailable_are_those_of_the_standard():
    """SAE J2735 DSRCmsgs: raw integers, and the same in the unit that the files use."""
    standard = {
        "coreData_position_lat": {900000001, 90.0000001},
        "coreData_position_long": {1800000001, 180.0000001},
        "coreData_elevation": {-4096, -409.6},
        "coreData_speed": {8191, 8191 * 0.02},
        "coreData_heading": {28800, 28800 * 0.0125},
        "coreData_secMark": {65535},
        "coreData_accuracy_semiMajor": {255, 255 * 0.05},
        "coreData_accuracy_semiMinor": {255, 255 * 0.05},
        "coreData_accelset_accelLat": {2001, 2001 * 0.01},
        "coreData_accelset_accelLong": {2001, 2001 * 0.01},
        "coreData_accelset_accelVert": {-127, -127 * 0.02},
    }
    for column in SOURCE:
        assert sorted(column.unavailable) == pytest.approx(sorted(standard.get(column.name, ())), rel=1e-12)


def test_text_that_recurs_is_labels_and_calendar_parts_are_as_small_as_their_values():
    by_kind = {kind: [column.name for column in BY_NAME.values() if column.kind == kind] for kind in PANDAS_DTYPES}
    assert by_kind["label"] == ["metadata_recordType", "metadata_serialId_streamId", "coreData_id"]
    assert by_kind["text"] == ["coreData_position"]
    assert by_kind["part"] == ["month", "day", "hour", "minute", "second", "pm"]
    assert by_kind["year"] == ["year"]
    assert [PANDAS_DTYPES[kind] for kind in ("label", "text", "part", "year")] == ["category", "str", "int8", "int16"]
