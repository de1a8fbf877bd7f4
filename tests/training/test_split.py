import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.training.split import SPLITS, split


def keys(rows, vehicles, seed=0):
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, vehicles, dtype=np.uint64)
    return {
        "row_number": rng.permutation(5 * rows)[:rows].astype(np.int64),
        "vehicle": hashes[rng.integers(0, vehicles, rows)],
        "time_us": rng.integers(0, 50, rows),
    }


def one_sided(by, ratio, given):
    units = np.unique(given["vehicle"]).size if by == "vehicle" else given["row_number"].size
    return round(ratio * units) in (0, units)


@given(ratio=st.floats(0.01, 0.99), rows=st.integers(2, 200), seed=st.integers(0, 2**63 - 1))
def test_exactly_the_rounded_share_of_rows_tests(ratio, rows, seed):
    given_keys = keys(rows, 5)
    for by in ("row", "time"):
        if one_sided(by, ratio, given_keys):
            with pytest.raises(ValueError, match="both need some"):
                split(by=by, test_ratio=ratio, seed=seed, **given_keys)
        else:
            assert split(by=by, test_ratio=ratio, seed=seed, **given_keys).sum() == round(ratio * rows)


@given(ratio=st.floats(0.01, 0.99), vehicles=st.integers(1, 40), seed=st.integers(0, 2**63 - 1))
def test_exactly_the_rounded_share_of_vehicles_tests_and_none_is_on_both_sides(ratio, vehicles, seed):
    given_keys = keys(150, vehicles, vehicles)
    if one_sided("vehicle", ratio, given_keys):
        with pytest.raises(ValueError, match="split by vehicle"):
            split(by="vehicle", test_ratio=ratio, seed=seed, **given_keys)
        return
    test = split(by="vehicle", test_ratio=ratio, seed=seed, **given_keys)
    sides = set(given_keys["vehicle"][test].tolist()), set(given_keys["vehicle"][~test].tolist())
    assert not sides[0] & sides[1]
    assert len(sides[0]) == round(ratio * len(sides[0] | sides[1]))


def test_the_last_messages_test_with_ties_in_the_order_of_rows():
    given_keys = keys(500, 5)
    test = split(by="time", test_ratio=0.3, seed=0, **given_keys)
    order = sorted(range(500), key=lambda i: (given_keys["time_us"][i], given_keys["row_number"][i]))
    assert set(np.flatnonzero(test)) == set(order[350:])


def test_messages_of_a_second_that_a_coarse_time_is_among_go_by_row_number():
    given_keys = {
        "row_number": np.arange(5),
        "vehicle": np.array([1, 1, 2, 1, 2], np.uint64),
        "time_us": np.array([900_000, 0, 100_000, 1_000_000, 50_000]),
    }
    assert split(by="time", test_ratio=0.4, seed=0, **given_keys).tolist() == [True, False, False, True, False]
    coarse = np.int8([0, 1, 0, 0, 0])  # vehicle 1 in second 0: rows 0 and 1 both at its beginning
    test = split(by="time", test_ratio=0.4, seed=0, **given_keys, coarse=coarse)
    assert test.tolist() == [False, False, True, True, False]


@pytest.mark.parametrize("by", SPLITS)
def test_the_order_of_rows_does_not_matter(by):
    given_keys = keys(400, 20)
    given_keys["coarse"] = (given_keys["row_number"] % 7 == 0).astype(np.int8)
    shuffle = np.random.default_rng(1).permutation(400)
    straight = split(by=by, test_ratio=0.25, seed=9, **given_keys)
    mixed = split(by=by, test_ratio=0.25, seed=9, **{name: each[shuffle] for name, each in given_keys.items()})
    np.testing.assert_array_equal(mixed, straight[shuffle])


@pytest.mark.parametrize("by", ["row", "vehicle"])
def test_another_seed_is_another_draw_and_a_draw_is_no_head_or_tail(by):
    given_keys = keys(1_000, 200)
    draws = [split(by=by, test_ratio=0.5, seed=seed, **given_keys) for seed in (1, 2)]
    assert 300 < (draws[0] != draws[1]).sum() < 700
    by_number = draws[0][np.argsort(given_keys["row_number"])]
    assert 150 < by_number[:500].sum() < 350


@pytest.mark.parametrize("by", SPLITS)
def test_an_empty_side_is_an_error_that_says_what_to_change(by):
    with pytest.raises(
        ValueError, match=r"test_ratio 0\.001 puts 10 of 10 messages, of 3 vehicles, in training.*train\.test_ratio"
    ):
        split(by=by, test_ratio=0.001, seed=0, **keys(10, 3))
