import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.stages.order import settle_times

MESSAGES = st.lists(st.tuples(st.integers(-2_500_000, 2_500_000), st.integers(0, 3), st.integers(0, 1)), max_size=40)


@given(MESSAGES)
def test_all_times_of_a_vehicle_s_second_with_a_coarse_one_are_its_beginning(messages):
    time_us, vehicle, coarse = (np.array([each[i] for each in messages], np.int64) for i in range(3))
    settled = settle_times(time_us, vehicle=vehicle.astype(np.uint64), coarse=coarse.astype(np.int8))
    mixed = {(who, time // 1_000_000) for time, who, rough in messages if rough}
    expected = [
        time // 1_000_000 * 1_000_000 if (who, time // 1_000_000) in mixed else time for time, who, _ in messages
    ]
    assert settled.tolist() == expected
    assert time_us.tolist() == [time for time, _, _ in messages]
