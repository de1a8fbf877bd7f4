"""Each private part of pandas does what cdpipe has it do: the test that fails names the one that broke."""

import numpy as np
import pandas as pd

from cdpipe.stages.frames.pandas_compat import iterate_arrays, join_arrays, take_masked_apart


def test_arrays_of_columns_come_in_order_and_are_not_copied():
    numbers, words = np.arange(5.0), pd.array(["a", None, "b", "c", "a"], dtype="category")
    frame = pd.DataFrame({"numbers": pd.Series(numbers, copy=False), "words": words}, copy=False)
    first, second = iterate_arrays(frame)
    assert np.shares_memory(first, numbers)
    assert list(second.codes) == [0, -1, 1, 2, 0]
    assert not list(iterate_arrays(pd.DataFrame()))


def test_joined_arrays_are_a_frame_and_are_not_copied():
    numbers, words = np.arange(3, dtype=np.int64), pd.array(["a", None, "b"], dtype="category")
    frame = join_arrays([numbers[np.newaxis], words], pd.RangeIndex(3), pd.Index(["n", "w"], dtype="str"))
    pd.testing.assert_frame_equal(frame, pd.DataFrame({"n": numbers, "w": words}))
    assert np.shares_memory(frame["n"].to_numpy(), numbers)
    frame["more"] = 1  # it is a frame like any other
    assert list(frame.columns) == ["n", "w", "more"]


def test_a_masked_array_is_its_values_and_its_nulls():
    array = pd.array([1, None, 3], dtype="Int32")
    values, nulls = take_masked_apart(array)
    assert (values.dtype, list(nulls)) == (np.int32, [False, True, False])
    assert values[[0, 2]].tolist() == [1, 3]
    values[0] = 7
    assert array[0] == 7
