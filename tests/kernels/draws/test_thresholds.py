"""Choosing: exactly as many as asked, the same in any partition, fair, and mergeable."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from texts import load_plain

from cdpipe.kernels.draws import thresholds as choice
from cdpipe.kernels.draws.keyed import ATTACKER, SAMPLE, SPLIT, keys
from cdpipe.kernels.draws.thresholds import (
    EVERYBODY,
    NOBODY,
    bottom_k,
    choose_rows,
    choose_threshold,
    distinct,
    is_chosen,
    unite,
)

COMPILED = not numba.config.DISABLE_JIT
ROWS = 100_000 if COMPILED else 2_000
OPTIONS = {"seed": 42, "purpose": ATTACKER}
HASHES = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=40)


def chosen_by(threshold, hashes, **options):
    return is_chosen(hashes, **options, threshold_key=threshold[0], threshold_hash=threshold[1])


@pytest.mark.parametrize("dtype", ["uint64", "int64", "uint8"])
@given(words=st.lists(st.integers(0, 255) | st.integers(0, 2**64 - 1), max_size=60))
def test_distinct_words_are_those_of_numpy_unique(words, dtype):
    array = np.array(words, np.uint64).astype(dtype)
    for given_ in (array, array[::-1], np.repeat(array, 3), array[::2], np.sort(array)):
        before = given_.copy()
        found = distinct(given_)
        assert found.dtype == dtype
        assert found.tolist() == np.unique(given_).tolist()
        assert np.array_equal(given_, before)


@given(first=HASHES, second=HASHES)
def test_two_ascending_sequences_are_united(first, second):
    ascending = [np.unique(np.array(words, np.uint64)) for words in (first, second)]
    assert unite(*ascending).tolist() == np.union1d(*ascending).tolist()
    assert unite(ascending[0], np.empty(0, np.uint64)).tolist() == ascending[0].tolist()


@pytest.mark.parametrize("words", [[], [0], [2**64 - 1], [7] * 1_000, [2**63, 2**63 - 1, 0, 2**64 - 1] * 2], ids=len)
def test_distinct_words_at_the_ends(words):
    array = np.array(words, np.uint64)
    array.flags.writeable = False
    found = distinct(array)
    assert found.dtype == np.uint64
    assert found.tolist() == sorted(set(words))
    assert found.flags.writeable


@given(HASHES, st.integers(0, 45), st.integers(0, 2**64 - 1))
def test_exactly_count_distinct_hashes_are_chosen(hashes, count, seed):
    array = np.array(hashes + hashes[:3], np.uint64)
    options = {"seed": seed, "purpose": ATTACKER}
    mask = chosen_by(choose_threshold(array, **options, count=count), array, **options)
    ranked = sorted(set(hashes), key=lambda h: (int(keys(np.array([h], np.uint64), **options)[0]), h))
    assert set(array[mask].tolist()) == set(ranked[:count])


@given(HASHES, st.integers(0, 40), st.integers(0, 99))
def test_order_and_repeats_do_not_matter(hashes, count, order_seed):
    array = np.array(hashes, np.uint64)
    shuffled = np.random.default_rng(order_seed).permutation(np.repeat(array, 2))
    assert choose_threshold(array, **OPTIONS, count=count) == choose_threshold(shuffled, **OPTIONS, count=count)


@pytest.mark.parametrize("count", [0, 1, 3_000, 9_999, 10_000, 10_001])
def test_counts_at_the_ends(count):
    hashes = np.arange(10_000 if COMPILED else 300, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7)
    threshold = choose_threshold(hashes, **OPTIONS, count=count)
    assert chosen_by(threshold, hashes, **OPTIONS).sum() == min(count, hashes.size)


def test_nobody_and_everybody_hold_for_any_hash():
    anything = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    assert choose_threshold(anything, **OPTIONS, count=0) == NOBODY
    assert choose_threshold(anything, **OPTIONS, count=4) == EVERYBODY
    assert not chosen_by(NOBODY, anything, **OPTIONS).any()
    assert chosen_by(EVERYBODY, anything, **OPTIONS).all()
    assert choose_threshold(np.empty(0, np.uint64), **OPTIONS, count=5) == EVERYBODY


def test_equal_keys_are_told_apart_by_the_hash():
    hashes = np.array([5, 6, 7], np.uint64)
    for chosen in range(3):
        key = int(keys(hashes, **OPTIONS)[chosen])
        below, at = (key, int(hashes[chosen]) - 1), (key, int(hashes[chosen]))
        assert not chosen_by(below, hashes, **OPTIONS)[chosen]
        assert chosen_by(at, hashes, **OPTIONS)[chosen]


def test_ties_of_keys_in_the_selection_go_to_the_smaller_counter(monkeypatch):
    monkeypatch.setattr(choice, "keys", lambda words, **_: words // np.uint64(4))
    counters = np.array([9, 3, 8, 2, 10, 1, 0], np.uint64)
    assert counters[bottom_k(counters, **OPTIONS, k=5)].tolist() == [0, 1, 2, 3, 8]


@given(st.integers(1, 5), st.integers(0, 99))
def test_a_row_is_chosen_alike_in_any_partition(parts, seed):
    hashes = np.random.default_rng(seed).integers(0, 2**63, 1_000 if COMPILED else 30).astype(np.uint64)
    threshold = choose_threshold(hashes, **OPTIONS, count=hashes.size // 3)
    whole = chosen_by(threshold, hashes, **OPTIONS)
    split = [chosen_by(threshold, part, **OPTIONS) for part in np.array_split(hashes, parts)]
    assert np.array_equal(whole, np.concatenate(split))


def test_every_vehicle_is_equally_likely():
    hashes = np.arange(20, dtype=np.uint64)
    seeds = 3_000 if COMPILED else 300
    times = np.zeros(20)
    for seed in range(seeds):
        options = {"seed": seed, "purpose": ATTACKER}
        times += chosen_by(choose_threshold(hashes, **options, count=6), hashes, **options)
    assert times.sum() == 6 * seeds
    # counts without replacement vary less than a multinomial's: the factor makes the statistic chi-squared
    statistic = ((times - 0.3 * seeds) ** 2).sum() / (0.3 * 0.7 * seeds) * 19 / 20
    assert 1e-4 < stats.chi2.sf(statistic, 19) < 1 - 1e-6


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40),
    st.integers(0, 45),
    st.integers(0, 2**64 - 1),
)
def test_bottom_k_is_the_head_of_the_sorted_pairs(counters, k, seed):
    array = np.array(counters, np.int64)
    options = {"seed": seed, "purpose": SAMPLE}
    drawn = keys(array, **options)
    expected = sorted(range(array.size), key=lambda i: (int(drawn[i]), counters[i] % 2**64, i))[:k]
    assert bottom_k(array, **options, k=k).tolist() == expected


@given(
    st.lists(st.integers(0, 10_000), unique=True, max_size=60),
    st.lists(st.integers(0, 60), max_size=4),
    st.integers(0, 20),
)
def test_merged_bottoms_of_parts_are_the_bottom_of_the_whole(counters, cuts, k):
    whole = np.array(counters, np.int64)
    options = {"seed": 3, "purpose": SAMPLE}
    parts = np.split(whole, sorted(min(cut, whole.size) for cut in cuts))
    merged = np.concatenate([part[bottom_k(part, **options, k=k)] for part in parts])
    assert np.array_equal(merged[bottom_k(merged, **options, k=k)], whole[bottom_k(whole, **options, k=k)])


def test_rows_are_chosen_at_the_asked_rate_and_in_any_partition():
    rows = np.arange(ROWS)
    for ratio in (0.001, 0.3, 0.5, 0.999):
        mask = choose_rows(rows, **OPTIONS, ratio=ratio)
        assert stats.binomtest(int(mask.sum()), rows.size, ratio).pvalue > 1e-4
        parts = [choose_rows(part, **OPTIONS, ratio=ratio) for part in np.array_split(rows, 7)]
        assert np.array_equal(mask, np.concatenate(parts))


@given(st.lists(st.integers(0, 2**63), min_size=1, max_size=20), st.floats(0, 1))
def test_rows_are_chosen_by_key_below_the_exact_product(rows, ratio):
    array = np.array(rows, np.uint64)
    numerator, denominator = ratio.as_integer_ratio()
    expected = [int(key) < numerator * 2**64 // denominator for key in keys(array, **OPTIONS)]
    assert choose_rows(array, **OPTIONS, ratio=ratio).tolist() == expected


def test_ratio_ends_and_nesting():
    rows = np.arange(ROWS)
    assert not choose_rows(rows, **OPTIONS, ratio=0).any()
    assert choose_rows(rows, **OPTIONS, ratio=1).all()
    assert choose_rows(rows, **OPTIONS, ratio=0.4)[choose_rows(rows, **OPTIONS, ratio=0.3)].all()


def test_purposes_choose_independently():
    rows = np.arange(ROWS)
    attackers = choose_rows(rows, seed=1, purpose=ATTACKER, ratio=0.5)
    train = choose_rows(rows, seed=1, purpose=SPLIT, ratio=0.5)
    table = np.array([[(a & t).sum() for t in (train, ~train)] for a in (attackers, ~attackers)])
    assert stats.chi2_contingency(table).pvalue > 1e-4


def test_the_plain_source_chooses_the_same():
    plain = load_plain("draws.thresholds")
    hashes = np.arange(700, dtype=np.uint64) ** np.uint64(5)
    threshold = choose_threshold(hashes, **OPTIONS, count=200)
    assert plain.choose_threshold(hashes, **OPTIONS, count=200) == threshold
    options = {**OPTIONS, "threshold_key": threshold[0], "threshold_hash": threshold[1]}
    assert np.array_equal(plain.is_chosen(hashes, **options), is_chosen(hashes, **options))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: choose_rows([1], **OPTIONS, ratio=1.01), ValueError, "ratio 1.01 is outside 0 .. 1"),
        (lambda: choose_rows([1], **OPTIONS, ratio=-0.1), ValueError, "ratio -0.1"),
        (lambda: choose_rows([1], **OPTIONS, ratio=float("nan")), ValueError, "ratio nan"),
        (lambda: choose_threshold([1], **OPTIONS, count=-1), ValueError, "-1 cannot be chosen"),
        (lambda: bottom_k([1], **OPTIONS, k=-2), ValueError, "-2 cannot be chosen"),
        (lambda: choose_threshold([1.5], **OPTIONS, count=1), TypeError, "hashes must be integers"),
        (lambda: choose_rows([1], seed=-5, purpose=1, ratio=0.5), ValueError, "seed -5"),
    ],
)
def test_errors_name_the_value_and_the_limit(call, error, words):
    with pytest.raises(error, match=words):
        call()
