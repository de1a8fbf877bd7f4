from decimal import Decimal

import pytest
from pydantic import ValidationError

from cdpipe.columns import BY_NAME, GENERATED_AT, LATITUDE, LONGITUDE
from cdpipe.stages.gather.conventions import (
    COUNTED,
    SAMPLED,
    USUAL,
    Convention,
    ConventionParams,
    decide,
    describe_conventions,
)

SPEED, HEADING, ELEVATION = "coreData_speed", "coreData_heading", "coreData_elevation"
UNITS = {LATITUDE: ["41.1"], LONGITUDE: ["-105.5"], ELEVATION: ["2179"], SPEED: ["7.52"], HEADING: ["82.4375"]}
COUNTS = {LATITUDE: ["411000000"], LONGITUDE: ["-1055000000"], ELEVATION: ["157"], SPEED: ["12"], HEADING: ["360"]}


def decided(first, units="auto", marks="auto", read=SAMPLED):
    return decide(first, ConventionParams(units=units, second_marks=marks), read=read)


def test_a_file_in_units_is_in_units_even_if_some_values_are_whole():
    assert decided(UNITS).counted == ()
    assert decided({SPEED: ["1.0", "0"], HEADING: ["1", "0"]}).counted == ()


def test_two_columns_beyond_their_units_show_counts_and_whole_columns_follow():
    yaw = {"coreData_accelset_accelYaw": ["-230"], "coreData_accelset_accelVert": ["0.5"]}
    found = decided(COUNTS | yaw)
    assert set(found.counted) == {*COUNTS, "coreData_accelset_accelYaw"}
    assert found.column_of(SPEED).divisor == 50
    assert found.column_of("coreData_accelset_accelVert").divisor == 1


def test_positions_in_degrees_beside_other_columns_in_counts_stay_degrees():
    mixed = UNITS | {ELEVATION: ["2179.1"], SPEED: ["1291", "1300"], HEADING: ["5490", "5491"]}
    assert decided(mixed).counted == (SPEED, HEADING)


@pytest.mark.parametrize("form", [str, int, float, Decimal, lambda text: f" {text} "])
def test_numbers_of_any_type_are_evidence(form):
    assert decided({name: [form(value) for value in values] for name, values in COUNTS.items()}).counted


def test_codes_nulls_and_text_are_no_evidence():
    silent = {LATITUDE: [None, "", "900000001"], SPEED: ["8191", "x", float("nan")], HEADING: ["28800", 28800.0, "inf"]}
    assert decided(silent).counted == ()
    assert decided({}).counted == ()


def test_a_lone_column_beyond_its_unit_is_impossible_and_says_so():
    with pytest.raises(ValueError, match=r"'coreData_speed': 2 of its first 3 values cannot be m/s, such as 1291, wh"):
        decided(UNITS | {SPEED: ["1291", "12", "1300"]})


@pytest.mark.parametrize("values", [["1291"], ["1291", "1", "2"], ["1291", "1290", "1", "2"]])
def test_a_few_impossible_values_are_not_an_impossible_column(values):
    assert decided(UNITS | {SPEED: values}).counted == ()


def test_a_column_that_is_not_read_may_hold_anything():
    assert decided(UNITS | {SPEED: ["1291", "1300"]}, read=(LATITUDE, LONGITUDE)).counted == ()


def test_the_caller_s_word_goes_before_the_evidence():
    assert decided({**COUNTS, SPEED: ["12"]}, units="si", read=(LATITUDE,)).counted == ()
    assert set(decided(UNITS | {SPEED: ["12"], HEADING: ["360"]}, units="j2735").counted) == {SPEED, HEADING, ELEVATION}
    with pytest.raises(ValueError, match=r"cannot be deg.*input\.units"):
        decided(COUNTS | {HEADING: ["5490", "5491"]}, units="si")


@pytest.mark.parametrize(
    ("times", "whole"),
    [
        (["07/31/2019 12:41:59 PM"], True),
        (["2019-07-31T12:41:59.000Z", "2019-07-31T12:41:59Z"], True),
        (["2019-07-31T12:41:59.000Z", "2019-07-31T12:41:59.100Z"], False),
        (["2019-07-31T12:41:59,5"], False),
        (["1564576919000", "1564576919000.0", 1564576919000], True),
        (["1564576919123"], False),
        ([1564576919123.0], False),
        (["2019-07-31T12:41:59.000000999Z"], True),
        (["", None, "soon"], True),
        ([], True),
    ],
)
def test_times_are_whole_seconds_if_all_of_the_first_are(times, whole):
    assert decided({GENERATED_AT: times}).whole_seconds is whole
    assert decided({GENERATED_AT: times}, marks="use").whole_seconds is True
    assert decided({GENERATED_AT: times}, marks="ignore").whole_seconds is False


def test_a_zone_goes_to_the_columns_of_time_and_must_exist():
    found = decide({}, ConventionParams(time_zone="America/Denver"), read=())
    assert found.column_of(GENERATED_AT).time_zone == "America/Denver"
    assert found.column_of(LATITUDE) is BY_NAME[LATITUDE]
    for wrong in ("America/Nowhere", "", "../etc", "MST7", "localtime"):
        with pytest.raises(ValidationError, match="is no time zone"):
            ConventionParams(time_zone=wrong)


def test_files_of_one_convention_are_described_together():
    other = Convention((SPEED,), whole_seconds=False, format="csv")
    assert describe_conventions({"a": USUAL, "b": other, "c": USUAL}) == [
        "a and 1 more: values in units; times whole seconds, refined by second marks; without a zone UTC",
        "b: csv, J2735 counts in coreData_speed; times as recorded; without a zone UTC",
    ]


@pytest.mark.parametrize("name", COUNTED)
def test_counts_and_units_of_a_column_have_the_same_bounds_and_code(name):
    units, counts = BY_NAME[name], BY_NAME[name].counted()
    assert [limit / counts.divisor for limit in counts.limits] == pytest.approx(units.limits)
    assert {code / counts.divisor for code in counts.unavailable} <= set(units.unavailable)
    assert counts.counted() is not units
