from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.training.evaluation.folds import deal_by, deal_vehicles, find_vehicles
from cdpipe.training.evaluation.params import RUNGS
from cdpipe.training.examples import Examples, select

NAMES = ("x_pos", "y_pos")


def examples(rows=400, vehicles=25, seed=0):
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, vehicles, dtype=np.uint64)
    which = rng.integers(0, vehicles, rows)
    return Examples(
        rng.normal(size=(rows, 2)).astype(np.float32) + np.outer(which, [2, 0.1]).astype(np.float32),
        np.arange(rows) * 3,
        hashes[which],
        rng.integers(0, 10**9, rows),
        np.zeros(rows, np.int8),
        np.zeros(rows, np.int8),
        np.full(rows, -1, np.int8),
        (which % 4 == 0).astype(np.int8),
    )


def deal(rung, given_examples, folds=5, seed=3):
    vehicles = find_vehicles(given_examples.vehicle, given_examples.label)
    return deal_by(rung, given_examples, vehicles, NAMES, folds=folds, seed=seed)


@given(vehicles=st.integers(2, 60), folds=st.integers(2, 9), seed=st.integers(0, 2**63 - 1), repeat=st.integers(0, 50))
def test_each_fold_has_its_share_of_attackers_and_of_all(vehicles, folds, seed, repeat):
    data = examples(300, vehicles, vehicles)
    herd = find_vehicles(data.vehicle, data.label)
    if herd.hashes.size < folds:
        with pytest.raises(ValueError, match=rf"folds is {folds}, but messages are of {herd.hashes.size} vehicles"):
            deal_vehicles(herd, folds=folds, seed=seed)
        return
    fold = deal_vehicles(herd, folds=folds, seed=seed, repeat=repeat)
    by_vehicle = {(int(v), int(f)) for v, f in zip(data.vehicle, fold, strict=True)}
    assert len(by_vehicle) == herd.hashes.size
    for kind in (data.label == 1, data.label == 0, data.label >= 0):
        sizes = [np.unique(data.vehicle[kind & (fold == number)]).size for number in range(folds)]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("rung", RUNGS)
def test_the_order_of_rows_does_not_matter(rung):
    data = examples()
    shuffle = np.random.default_rng(1).permutation(400)
    np.testing.assert_array_equal(deal(rung, data)[shuffle], deal(rung, select(data, shuffle)))


def test_repeats_and_seeds_are_other_draws():
    data = examples(800, 200)
    herd = find_vehicles(data.vehicle, data.label)
    dealt = [deal_vehicles(herd, folds=5, seed=seed, repeat=repeat) for seed, repeat in ((1, 0), (1, 1), (2, 0))]
    assert all((one != other).mean() > 0.6 for one, other in ((dealt[0], dealt[1]), (dealt[0], dealt[2])))


def test_rows_are_stratified_and_vehicles_are_on_many_sides():
    data = examples()
    fold = deal("row", data)
    for label in (0, 1):
        sizes = np.bincount(fold[data.label == label])
        assert sizes.max() - sizes.min() <= 1
    assert all(np.unique(fold[data.vehicle == each]).size > 1 for each in np.unique(data.vehicle))


def test_spans_of_time_come_one_after_the_other():
    data = examples()
    fold = deal("time", data)
    first = {each: data.time_us[data.vehicle == each].min() for each in np.unique(data.vehicle)}
    spans = [sorted(first[each] for each in np.unique(data.vehicle[fold == number])) for number in range(5)]
    assert all(one[-1] < other[0] for one, other in pairwise(spans))
    assert [len(each) for each in spans] == [5] * 5


def test_strips_lie_along_the_longer_side():
    data = examples()
    turned = data._replace(matrix=np.ascontiguousarray(data.matrix[:, ::-1]))
    for each, axis in ((data, 0), (turned, 1)):
        fold = deal("place", each)
        middles = {
            v: np.quantile(each.matrix[each.vehicle == v, axis], 0.5, method="lower") for v in np.unique(each.vehicle)
        }
        strips = [[middles[v] for v in np.unique(each.vehicle[fold == number])] for number in range(5)]
        assert all(max(one) <= min(other) for one, other in pairwise(strips))


def test_a_place_needs_positions():
    data = examples()
    herd = find_vehicles(data.vehicle, data.label)
    with pytest.raises(ValueError, match="x_pos and y_pos are not among the features"):
        deal_by("place", data, herd, ("x_pos", "speed"), folds=2, seed=0)
