import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdpipe.kernels.draws.keyed import SAMPLE, keys
from cdpipe.training.sampling import Tally, choose_vehicles, is_sampled, tally


def messages(rows, vehicles, seed=0, attackers=0.3):
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, vehicles, dtype=np.uint64)
    attacks = rng.random(vehicles) < attackers
    which = np.minimum(rng.geometric(3 / vehicles, rows) - 1, vehicles - 1)  # some send far more than others
    return pd.DataFrame({"vehicle": hashes[which], "isAttacker": attacks[which].astype(np.int8)})


def expected(frame, rows, seed):
    """The rule of the documentation, vehicle by vehicle in plain Python."""
    counts = frame.groupby("vehicle").agg(rows=("isAttacker", "size"), attacked=("isAttacker", "max"))
    chosen = set()
    for attacks in (0, 1):
        stratum = counts[counts["attacked"] == attacks]
        left = rows * int(stratum["rows"].sum()) // len(frame)
        drawn = {int(v): int(keys(np.array([v]), seed=seed, purpose=SAMPLE)[0]) for v in stratum.index}
        for vehicle in sorted(drawn, key=lambda v: (drawn[v], v)):
            left -= int(stratum["rows"][vehicle])
            if left < 0:
                break
            chosen.add(vehicle)
    return chosen


@settings(max_examples=40)
@given(rows=st.integers(20, 400), seed=st.integers(0, 2**63 - 1), share=st.floats(0.2, 1.2), data=st.integers(0, 50))
def test_the_sample_is_the_one_that_the_rule_gives(rows, seed, share, data):
    frame = messages(rows, 12, data)
    most = max(1, int(share * rows))
    whole = set(frame["vehicle"].tolist())
    try:
        found = choose_vehicles(tally([frame]), rows=most, seed=seed)
    except ValueError:
        both = frame.groupby("vehicle")["isAttacker"].max()
        assert {both[v] for v in expected(frame, most, seed)} != set(both)
        return
    assert (np.diff(found.astype(object)) > 0).all()
    assert set(found.tolist()) == (whole if most >= rows else expected(frame, most, seed))
    assert is_sampled(frame["vehicle"].to_numpy(), found).sum() <= max(most, 0)


@settings(max_examples=30)
@given(parts=st.integers(1, 9), seed=st.integers(0, 2**63 - 1), order=st.integers(0, 10**6))
def test_neither_the_order_of_rows_nor_the_partitioning_matters(parts, seed, order):
    frame = messages(500, 40)
    mixed = frame.sample(frac=1, random_state=order)
    cuts = np.sort(np.random.default_rng(order).integers(0, 501, parts - 1))
    pieces = [mixed.iloc[a:b] for a, b in zip([0, *cuts], [*cuts, 500], strict=True)]
    whole, found = tally([frame]), tally(iter(pieces))
    for one, other in zip(whole, found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole.rows.sum() == 500
    chosen = [choose_vehicles(each, rows=300, seed=seed) for each in (whole, found)]
    np.testing.assert_array_equal(*chosen)


def test_labels_keep_their_proportion_and_the_sample_comes_close_to_its_size():
    frame = messages(20_000, 2_000, attackers=0.2).assign(vehicle=lambda f: f["vehicle"])
    share = frame["isAttacker"].mean()
    chosen = choose_vehicles(tally([frame]), rows=5_000, seed=4)
    sampled = frame[is_sampled(frame["vehicle"].to_numpy(), chosen)]
    assert 4_800 <= len(sampled) <= 5_000
    assert sampled["isAttacker"].mean() == pytest.approx(share, abs=0.02)


def test_another_seed_is_another_sample():
    counted = tally([messages(5_000, 500)])
    one, other = (set(choose_vehicles(counted, rows=1_500, seed=seed).tolist()) for seed in (1, 2))
    assert len(one & other) < 0.6 * len(one)


def test_a_vehicle_with_messages_of_both_labels_attacks():
    frame = pd.DataFrame({"vehicle": np.array([5, 5, 6], np.uint64), "isAttacker": np.array([0, 1, 0], np.int8)})
    counted = tally([frame.iloc[:1], frame.iloc[1:]])
    assert counted.vehicle.tolist() == [5, 6]
    assert counted.rows.tolist() == [2, 1]
    assert counted.attacked.tolist() == [True, False]


def test_one_label_alone_can_be_sampled():
    counted = Tally(np.arange(10, dtype=np.uint64), np.full(10, 10), np.ones(10, np.bool_))
    assert choose_vehicles(counted, rows=35, seed=0).size == 3


def test_no_room_for_a_vehicle_is_an_error_with_the_least_that_works():
    counted = Tally(np.arange(4, dtype=np.uint64), np.array([100, 100, 300, 300]), np.array([True, True, False, False]))
    with pytest.raises(
        ValueError, match=r"sample_rows is 399, .*train\.seed 7 set it to 400 or more .*800 messages of 4"
    ):
        choose_vehicles(counted, rows=399, seed=7)
    assert choose_vehicles(counted, rows=400, seed=7).size == 2


def test_nothing_is_sampled_from_nothing():
    counted = tally([messages(10, 3).iloc[:0]])
    assert choose_vehicles(counted, rows=5, seed=0).size == 0
    assert not is_sampled(np.array([1, 2], np.uint64), counted.vehicle).any()
