import numpy as np
import pandas as pd
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from vehicle_ids import FORMS, vehicle_of

from cdpipe import attack, clean, features
from cdpipe.stages.attacks.offset_const import OffsetConst
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.features import FeatureParams
from cdpipe.synthetic.generator import SynthParams, synthesize_frame

KEYS = ["row_number", "vehicle", "time_us", "time_is_coarse"]
XY = ["coreData_id", "x_pos", "y_pos", "coreData_elevation"]
PARTS = ["month", "day", "year", "hour", "minute", "second", "pm"]
ATTACKED = attack(clean(synthesize_frame(SynthParams(rows=800, vehicles=12)), CleanParams())[0], OffsetConst())[0]


def test_columns_that_are_not_asked_for_may_have_any_name():
    expected, _ledger = features(ATTACKED, FeatureParams(columns=("x_pos", "coreData_speed")))
    frame = ATTACKED.assign(COREDATA_SPEED=2.0, more=1).rename(columns={"more": 0})
    made, _ledger = features(frame, FeatureParams(columns=("x_pos", "coreData_speed")))
    pd.testing.assert_frame_equal(made, expected)


def ids(*texts, dtype="str"):
    return pd.DataFrame(
        {
            "row_number": np.arange(len(texts)),
            "coreData_id": pd.Series(texts, dtype="str").astype(dtype),
            "metadata_generatedAt": np.array(["2020-01-01"] * len(texts), "M8[us]"),
            "isAttacker": np.zeros(len(texts), np.int8),
        }
    )


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ("minimal_xy_elev", XY),
        ("extended_timestamps", [*XY, *PARTS]),
        (("Y_POS", "COREDATA_SPEED", "y_pos"), ["y_pos", "coreData_speed"]),
        (None, ["x_pos", "y_pos", "coreData_elevation", "coreData_speed", "coreData_heading"]),
    ],
)
def test_a_set_or_a_list_gives_keys_features_in_order_and_label(columns, names):
    chosen = FeatureParams() if columns is None else FeatureParams(columns=columns)
    frame, ledger = features(ATTACKED, chosen)
    assert list(frame) == [*KEYS, *names, "isAttacker", "isFalse"]
    assert ledger.rows_in == ledger.rows_out == len(ATTACKED)
    for name in set(names) - {"coreData_id"}:
        pd.testing.assert_series_equal(frame[name], ATTACKED[name])


def test_all_takes_every_column_that_can_be_a_number():
    frame, _ = features(ATTACKED, FeatureParams(columns="all"))
    left = {"metadata_generatedAt", "metadata_recordType", "row_number", "isAttacker", "isFalse"}
    assert list(frame) == [*KEYS, *(name for name in ATTACKED if name not in left), "isAttacker", "isFalse"]
    assert "coreData_id" in frame


def test_every_feature_column_is_a_number():
    frame, _ = features(ATTACKED, FeatureParams(columns="all"))
    assert all(pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes)


@given(
    numbers=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12),
    form=st.sampled_from(["{:x}", "{:08X}", "0x{:X}"]),
)
def test_hex_ids_are_the_integers_that_python_reads(numbers, form):
    texts = [form.format(number) for number in numbers]
    frame, _ = features(ids(*texts), FeatureParams(columns=("coreData_id",)))
    assert frame["coreData_id"].dtype == "UInt64"
    assert frame["coreData_id"].tolist() == [int(text, 16) for text in texts] == numbers


@pytest.mark.parametrize("dtype", ["str", "category"])
def test_an_id_that_is_not_hexadecimal_is_null_and_counted_and_touches_no_other(dtype):
    given_ = ids("A1", "xyz", None, "17.0", "", "0017", "1" * 17, dtype=dtype)
    frame, ledger = features(given_, FeatureParams(columns=("coreData_id",)))
    assert frame["coreData_id"].dtype == "UInt64"
    assert [None if pd.isna(x) else x for x in frame["coreData_id"]] == [0xA1, None, None, 0x17, None, 0x17, None]
    assert ledger.notes == {"ids that are no hexadecimal number of 64 bits": 4}
    assert ledger.rows_out == 7


IDS = ["A1", "0017", "xyz", "", "  ", "17.0", None]


@given(texts=st.lists(st.sampled_from(IDS), max_size=20), order=st.permutations([*IDS[:-1], "unused", "BEEF"]))
def test_labels_and_text_give_the_same_features_and_ledgers(texts, order):
    text = ids(*texts)
    labels = text.assign(coreData_id=pd.Categorical(texts, categories=order))
    before = labels.copy(deep=True)
    for columns in (("coreData_id",), "all"):
        expected, account = features(text, FeatureParams(columns=columns))
        frame, ledger = features(labels, FeatureParams(columns=columns))
        pd.testing.assert_frame_equal(frame, expected)
        assert ledger == account
    pd.testing.assert_frame_equal(labels, before)


def test_labels_that_no_row_has_are_not_counted():
    labels = ids("A1", "B2").assign(coreData_id=pd.Categorical(["A1", "B2"], categories=["zz", "A1", "B2"]))
    made, ledger = features(labels, FeatureParams(columns=("coreData_id",)))
    assert made["coreData_id"].tolist() == [0xA1, 0xB2]
    assert ledger.notes == {}


@pytest.mark.parametrize("flag", ["int8", "int64", "bool", "float64", "Int64"])
@pytest.mark.parametrize("number", ["int64", "int32", "uint16", "Int64"])
def test_keys_and_the_label_have_the_vocabulary_s_types_whatever_they_were(number, flag):
    given_ = ids("A1", "B2").assign(isAttacker=pd.Series([1, 0]).astype(flag), coreData_speed=[1.5, 2.5])
    made, _ = features(given_.astype({"row_number": number}), FeatureParams(columns=("coreData_speed",)))
    assert made.dtypes.astype(str).to_dict() == {
        "row_number": "int64", "vehicle": "uint64", "time_us": "int64", "time_is_coarse": "int8",
        "coreData_speed": "float64", "isAttacker": "int8",
    }  # fmt: skip
    assert made[["row_number", "isAttacker"]].to_numpy().tolist() == [[0, 1], [1, 0]]


def test_vehicles_are_hashes_of_ids_whatever_their_form():
    texts = ("A0F1B2C3", "A1", "xyz", None, "A1", " 0xa1", "xyz\r", "nan", "000000A1", "A1.0", "f" * 17, "0" + "F" * 17)
    one, long = "000000A1", "F" * 17
    spelt = ("A0F1B2C3", one, "xyz", "", one, one, "xyz", "", one, one, long, long)
    frame, _ = features(ids(*texts), FeatureParams(columns=("coreData_id",)))
    assert frame["vehicle"].dtype == "uint64"
    assert frame["vehicle"].tolist() == [xxhash.xxh64_intdigest(text.encode()) for text in spelt]


@given(
    numbers=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=3),
    forms=st.lists(st.sampled_from(FORMS), min_size=2, max_size=8),
    dtype=st.sampled_from(["str", "category", "object", "string"]),
)
def test_a_vehicle_is_one_hash_and_one_number_however_its_id_is_written(numbers, forms, dtype):
    texts = [form.format(number) for number in numbers for form in forms]
    frame, ledger = features(ids(*texts, dtype=dtype), FeatureParams(columns=("coreData_id",)))
    expected = [number for number in numbers for _ in forms]
    assert frame["coreData_id"].tolist() == expected
    assert frame["vehicle"].tolist() == [vehicle_of(f"{number:08X}") for number in expected]
    assert ledger.notes == {}


def test_nulls_of_numbers_are_kept():
    frame = ids("A", "B").assign(coreData_speed=[1.0, np.nan], coreData_secMark=pd.array([5, None], "Int64"))
    made, _ = features(frame, FeatureParams(columns=("coreData_speed", "coreData_secMark")))
    assert made["coreData_speed"].isna().tolist() == made["coreData_secMark"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("time", "mark", "order", "coarse"),
    [
        ("2020-01-01T00:00:05", 5_123, "2020-01-01T00:00:05.123", 0),  # whole seconds: secMark refines them
        ("2020-01-01T00:01:00", 59_950, "2020-01-01T00:00:59.950", 0),  # to the nearest moment, of the minute before
        ("2020-01-01T00:00:59", 40, "2020-01-01T00:01:00.040", 0),  # and of the minute after
        ("2020-01-01T00:00:00", 60_999, "2020-01-01T00:00:00.999", 0),  # a leap second
        ("2020-01-01T00:00:05", 61_000, "2020-01-01T00:00:05", 1),  # reserved: no mark
        ("2020-01-01T00:00:05", -1, "2020-01-01T00:00:05", 1),
        ("2020-01-01T00:00:05", None, "2020-01-01T00:00:05", 1),
        ("2020-01-01T00:00:05.478", 19_850, "2020-01-01T00:00:05.478", 0),  # a finer timestamp speaks for itself
        ("1969-12-31T23:59:59", 59_001, "1969-12-31T23:59:59.001", 0),
    ],
)
def test_whole_second_timestamps_are_refined_by_sec_mark(time, mark, order, coarse):
    frame = ids("A").assign(coreData_secMark=pd.array([mark], "Int64"))
    frame["metadata_generatedAt"] = np.array([time], "M8[us]")
    made, _ = features(frame, FeatureParams(columns=("coreData_id",)))
    assert made["time_us"].dtype == "int64"
    assert made["time_us"].tolist() == [np.datetime64(order, "us").astype(np.int64)]
    assert made["time_is_coarse"].tolist() == [coarse]


def test_a_frame_that_says_which_times_are_coarse_is_believed():
    frame = ids("A", "A").assign(coreData_secMark=pd.array([123, 123], "Int64"), time_is_coarse=np.int8([0, 1]))
    made, _ = features(frame, FeatureParams(columns=("coreData_id",)))
    start = np.datetime64("2020-01-01", "us").astype(np.int64)
    assert made["time_us"].tolist() == [start, start + 123_000]
    assert made["time_is_coarse"].tolist() == [0, 0]


def test_second_marks_far_from_their_times_are_counted():
    frame = ids("A", "A", "A").assign(coreData_secMark=pd.array([500, 20_000, 59_500], "Int64"))
    _, ledger = features(frame, FeatureParams(columns=("coreData_id",)))
    assert ledger.notes == {"second marks more than a second from the recorded time": 1}


def test_without_sec_mark_the_timestamp_orders():
    made, _ = features(ids("A"), FeatureParams(columns=("coreData_id",)))
    assert made["time_us"].tolist() == [np.datetime64("2020-01-01", "us").astype(np.int64)]


def test_the_input_is_not_changed_nor_by_changing_the_output():
    before = ATTACKED.copy(deep=True)
    made, _ = features(ATTACKED, FeatureParams(columns="all"))
    for name in made.columns:
        made.loc[0, name] = made[name].iloc[-1]
    pd.testing.assert_frame_equal(ATTACKED, before)


def test_a_repeated_index_does_not_scramble_rows():
    shuffled = ATTACKED.set_index(np.zeros(len(ATTACKED), np.int64))
    for columns in ("all", "extended_timestamps"):
        expected, _ = features(ATTACKED, FeatureParams(columns=columns))
        pd.testing.assert_frame_equal(features(shuffled, FeatureParams(columns=columns))[0], expected)


def test_missing_columns_are_named_with_those_there_are():
    with pytest.raises(KeyError, match=r"features needs month, .*pm; the frame has row_number"):
        features(ATTACKED.drop(columns=PARTS), FeatureParams(columns="extended_timestamps"))
    with pytest.raises(KeyError, match="features needs isAttacker"):
        features(ATTACKED.drop(columns="isAttacker"), FeatureParams())


def test_text_is_no_feature():
    with pytest.raises(TypeError, match="'metadata_recordType' is category, which is no feature"):
        features(ATTACKED, FeatureParams(columns=("metadata_recordType",)))


@pytest.mark.parametrize(
    ("columns", "message"),
    [((), "at least one column"), (("x_pos", "ISATTACKER"), "isAttacker is the label"), ("minimal", "minimal_xy_elev")],
)
def test_parameters_that_make_no_sense_are_refused(columns, message):
    with pytest.raises(ValidationError, match=message):
        FeatureParams(columns=columns)


def test_history_and_checks_are_named_in_full_or_without_what_they_are():
    params = FeatureParams(history=("along_m", "history_trend_m"), checks=("speed", "check_turn"))
    assert params.history_columns == ("history_count", "history_along_m", "history_trend_m")
    assert params.check_columns == ("check_speed", "check_turn")
    assert FeatureParams(history=True).history_columns[0] == "history_count"
    assert len(FeatureParams(history=True).history_columns) == 18
    assert FeatureParams().history_columns == FeatureParams().check_columns == FeatureParams(history=()).history_columns


@pytest.mark.parametrize("given", [{"history": ("alongside",)}, {"checks": ("position_speeds",)}])
def test_a_column_of_history_that_there_is_not_is_named_with_those_there_are(given):
    with pytest.raises(ValueError, match=r"is no column of .*; use true, or any of (history_count|check_speed)"):
        FeatureParams(**given)
