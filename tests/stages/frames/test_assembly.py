import numpy as np
import pandas as pd
import pytest

from cdpipe.stages.frames.assembly import make_frame

COLUMNS = {
    "number": np.arange(3.0),
    "time": np.array([0, 1, 2], "M8[us]"),
    "count": pd.array([1, None, 3], dtype="Int64"),
    "text": pd.array(["a", None, "c"], dtype="str"),
    "label": pd.Categorical(["x", None, "x"]),
    "theirs": pd.Series([7, 8, 9], index=[2, 3, 4]).reset_index(drop=True),
}


def test_a_frame_is_what_pandas_makes():
    made = make_frame(COLUMNS, 3)
    expected = pd.DataFrame(COLUMNS)
    pd.testing.assert_frame_equal(made, expected)
    assert made.columns.dtype == expected.columns.dtype
    assert made["text"].isna().tolist() == [False, True, False]
    assert np.shares_memory(made["number"].to_numpy(), COLUMNS["number"])


def test_names_are_shared_and_what_one_frame_does_to_them_no_other_sees():
    one, other = make_frame(COLUMNS, 3), make_frame(COLUMNS, 3)
    one.columns.name = "mine"
    one["new"] = 1
    renamed = one.rename(columns={"number": "x"})
    assert (other.columns.name, make_frame(COLUMNS, 3).columns.name) == (None, None)
    assert list(make_frame(COLUMNS, 3)) == list(other) == list(COLUMNS)
    assert renamed["x"].tolist() == one["number"].tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(KeyError):
        other["new"]


def test_a_series_of_the_caller_does_not_change_with_the_frame():
    made = make_frame(COLUMNS, 3)
    made.loc[0, "theirs"] = -1
    assert COLUMNS["theirs"].tolist() == [7, 8, 9]


def test_no_columns_and_no_rows():
    assert make_frame({}, 0).shape == (0, 0)
    assert make_frame({"a": np.empty(0)}, 0).shape == (0, 1)
