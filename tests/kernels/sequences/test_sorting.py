import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.kernels.sequences import sorting
from cdpipe.stages.order import settle_times

MESSAGES = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(-2_500_000, 2_500_000), st.integers(0, 60), st.integers(0, 2), st.integers(0, 1)
    ),
    max_size=200,
)


def oracle(rank, time_us, row_number, copy, coarse):
    settled = settle_times(time_us, vehicle=rank.astype(np.uint64), coarse=coarse)
    return np.lexsort((copy, row_number, settled, rank))


def columns(messages):
    rank, time_us, row, copy, coarse = (np.array([each[i] for each in messages], np.int64) for i in range(5))
    return rank.astype(np.int32), time_us, row, copy, coarse.astype(np.int8)


def keys(places, *arrays):
    return [tuple(array[place] for array in arrays) for place in places]


@given(MESSAGES)
def test_messages_go_by_vehicle_settled_time_row_and_copy(messages):
    rank, time_us, row, copy, coarse = columns(messages)
    found = sorting.order_rows(rank, vehicles=4, time_us=time_us, row_number=row, copy=copy, coarse=coarse)
    settled = settle_times(time_us, vehicle=rank.astype(np.uint64), coarse=coarse)
    expected = oracle(rank, time_us, row, copy, coarse)
    assert keys(found, rank, settled, row, copy) == keys(expected, rank, settled, row, copy)
    assert sorted(found.tolist()) == list(range(len(messages)))


@given(MESSAGES)
def test_without_copies_and_coarse_times_too(messages):
    rank, time_us, row, copy, coarse = columns(messages)
    zero = np.zeros_like(copy)
    found = sorting.order_rows(rank, vehicles=4, time_us=time_us, row_number=row)
    expected = oracle(rank, time_us, row, zero, np.zeros_like(coarse))
    assert keys(found, rank, time_us, row) == keys(expected, rank, time_us, row)


@pytest.mark.parametrize("rows", [23, 24, 25, 48, 49, 1000, 4097])
@pytest.mark.parametrize("shape", ["shuffled", "reversed", "runs", "ordered"])
def test_long_vehicles_in_any_shape(rows, shape):
    rng = np.random.default_rng(rows)
    time_us = np.arange(rows) * 100_000
    time_us = {
        "shuffled": rng.permutation(time_us),
        "reversed": time_us[::-1].copy(),
        "runs": np.concatenate([time_us[part::3] for part in range(3)]),
        "ordered": time_us,
    }[shape]
    row = rng.permutation(rows)
    rank, coarse = rng.integers(0, 2, rows).astype(np.int32), (rng.random(rows) < 0.1).astype(np.int8)
    found = sorting.order_rows(rank, vehicles=2, time_us=time_us, row_number=row, coarse=coarse)
    np.testing.assert_array_equal(found, oracle(rank, time_us, row, np.zeros(rows, np.int64), coarse))


def test_nothing_is_changed_that_is_given():
    rank, time_us, row, copy, coarse = columns([(0, 1_500_000, 2, 0, 1), (0, 1_200_000, 1, 0, 0)])
    sorting.order_rows(rank, vehicles=1, time_us=time_us, row_number=row, copy=copy, coarse=coarse)
    assert time_us.tolist() == [1_500_000, 1_200_000]
