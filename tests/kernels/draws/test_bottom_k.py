"""The pool: the k smallest (key, row number), keys four to a Philox block, the same however rows are cut or ordered."""

from itertools import pairwise

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from texts import load_plain

from cdpipe.kernels.draws import bottom_k as pool
from cdpipe.kernels.draws.bottom_k import draw_smallest, mark_smallest
from cdpipe.kernels.draws.keyed import POOL, SWAP, integers_below, split_seed
from cdpipe.kernels.draws.philox import BLOCK_ROWS, philox_block

PLAIN = load_plain("draws.bottom_k")
BOTH = pytest.mark.parametrize("module", [pool, PLAIN], ids=["compiled", "plain"])
COMPILED = not numba.config.DISABLE_JIT
ROWS = 100_000 if COMPILED else 3_000
OPTIONS = {"seed": 42, "purpose": POOL}
ANY_ROW = st.integers(-(2**63), 2**63 - 1)
NEAR = st.integers(0, 3_000)


def key_of(row: int, *, seed: int, purpose: int) -> int:
    """A row's key by its definition, one block at a time."""
    word = row % 2**64
    counter = word >> 2
    halves = np.uint64(counter & 0xFFFFFFFF), np.uint64(counter >> 32)
    of_purpose, *of_seed = split_seed(seed=seed, purpose=purpose)
    return int(philox_block(*halves, of_purpose, np.uint64(0), *of_seed)[word & 3])


def expected(rows, k, **options):
    """Places of the k smallest, by sorting."""
    keys = {row: key_of(row, **options) for row in set(rows)}
    order = sorted(range(len(rows)), key=lambda i: (keys[rows[i]], rows[i] % 2**64, i))
    return sorted(order[:k]), keys


@given(rows=st.lists(ANY_ROW | NEAR, max_size=50), k=st.integers(1, 60), seed=st.integers(0, 2**64 - 1))
def test_the_rows_with_the_smallest_keys_are_drawn(rows, k, seed):
    options = {"seed": seed, "purpose": POOL}
    with np.errstate(over="ignore"):
        places, keys = draw_smallest(np.array(rows, np.int64), **options, k=k)
    wanted, of_row = expected(rows, k, **options)
    assert places.tolist() == wanted
    assert keys.tolist() == [of_row[rows[place]] for place in wanted]
    assert (places.dtype, keys.dtype) == (np.int64, np.uint32)


@pytest.mark.parametrize("first", [0, 1, 2, 3, 2**40 + 1])
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 7, 101])
@pytest.mark.parametrize("size", [1, BLOCK_ROWS - 1, BLOCK_ROWS, 4 * BLOCK_ROWS, 4 * BLOCK_ROWS + 1, 5_000])
def test_keys_are_the_same_whether_rows_share_a_block_or_not(first, step, size):
    """Rows near each other share blocks, others do not; both must give each row the word that is its own."""
    size = size if COMPILED else min(size, 600)
    rows = first + step * np.arange(size)
    places, keys = draw_smallest(rows, **OPTIONS, k=size)
    assert places.tolist() == list(range(size))
    some = np.unique(np.linspace(0, size - 1, 40).astype(int))
    assert keys[some].tolist() == [key_of(int(rows[place]), **OPTIONS) for place in some]


def test_gaps_order_and_repeats_do_not_change_a_key():
    rng = np.random.default_rng(0)
    whole = np.arange(ROWS)
    _places, keys = draw_smallest(whole, **OPTIONS, k=ROWS)
    orders = (whole[rng.random(ROWS) < 0.9], whole[rng.random(ROWS) < 0.04], whole[::-1], rng.permutation(whole))
    for rows in (*orders, np.repeat(whole[:500], 3)):
        with np.errstate(over="ignore"):
            _places, again = draw_smallest(rows, **OPTIONS, k=rows.size)
        assert np.array_equal(again, keys[rows])


@given(st.lists(NEAR, unique=True, max_size=60), st.lists(st.integers(0, 60), max_size=4), st.integers(1, 20))
def test_pools_of_parts_merge_into_the_pool_of_the_whole(rows, cuts, k):
    whole = np.array(rows, np.int64)
    with np.errstate(over="ignore"):
        parts = np.split(whole, sorted(min(cut, whole.size) for cut in cuts))
        drawn = [(part[places], keys) for part in parts for places, keys in [draw_smallest(part, **OPTIONS, k=k)]]
        places, keys = draw_smallest(whole, **OPTIONS, k=k)
    merged_rows, merged_keys = (np.concatenate(values) for values in zip(*drawn, strict=True))
    stay = mark_smallest(merged_keys, merged_rows, k=k)
    assert merged_rows[stay].tolist() == whole[places].tolist()
    assert merged_keys[stay].tolist() == keys.tolist()


@given(
    keys=st.lists(st.integers(0, 5) | st.just(2**32 - 1), min_size=1, max_size=40),
    k=st.integers(1, 45),
    order=st.randoms(use_true_random=False),
)
def test_equal_keys_go_by_row_number(keys, k, order):
    rows = list(range(-3, len(keys) - 3))
    order.shuffle(rows)
    marks = mark_smallest(np.array(keys, np.uint32), np.array(rows, np.int64), k=k)
    ranked = sorted(range(len(keys)), key=lambda i: (keys[i], rows[i] % 2**64))
    assert np.flatnonzero(marks).tolist() == sorted(ranked[:k])


def test_more_small_keys_than_likely_or_fewer_change_nothing(monkeypatch):
    rows = np.arange(ROWS)
    places, keys = draw_smallest(rows, **OPTIONS, k=100)
    for sigmas in (-10.0, 1e6):  # none below the bound, so all are looked at; all below it
        monkeypatch.setattr(pool, "_SIGMAS", sigmas)
        again = draw_smallest(rows, **OPTIONS, k=100)
        assert np.array_equal(again[0], places)
        assert np.array_equal(again[1], keys)


def test_every_row_is_equally_likely_and_neighbours_do_not_go_together():
    seeds, size, k = (3_000, 40, 10) if COMPILED else (300, 40, 10)
    drawn = np.zeros((seeds, size), np.bool_)
    for seed in range(seeds):
        drawn[seed, draw_smallest(np.arange(size), seed=seed, purpose=POOL, k=k)[0]] = True
    counts, share = drawn.sum(0), k / size
    # Counts without replacement vary less than a multinomial's: the factor makes the statistic chi-squared.
    statistic = ((counts - seeds * share) ** 2).sum() / (seeds * share * (1 - share)) * (size - 1) / size
    assert 1e-4 < stats.chi2.sf(statistic, size - 1) < 1 - 1e-6
    inside = drawn.reshape(seeds, size // 4, 4)
    together = int((inside.sum(2) * (inside.sum(2) - 1) // 2).sum())
    pairs = seeds * (size // 4) * 6
    # Of two rows both are drawn with k (k - 1) / (n (n - 1)), in the same block or not.
    assert stats.binomtest(together, pairs, k * (k - 1) / (size * (size - 1))).pvalue > 1e-4


def test_keys_are_uniform_and_the_words_of_a_block_independent():
    _places, keys = draw_smallest(np.arange(ROWS), **OPTIONS, k=ROWS)
    assert stats.kstest(keys / 2**32, "uniform").pvalue > 1e-4
    words = keys.reshape(-1, 4) / 2**32
    for one, other in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
        assert stats.pearsonr(words[:, one], words[:, other]).pvalue > 1e-4


def other_of(row: int, pool_rows: list[int], *, seed: int, purpose: int) -> int:
    """Which of a pool a row takes, by its definition."""
    word, size = row % 2**64, len(pool_rows)
    halves = np.uint64(word & 0xFFFFFFFF), np.uint64(word >> 32)
    of_purpose, *of_seed = split_seed(seed=seed, purpose=purpose)
    w0, w1, w2, w3 = map(int, philox_block(*halves, of_purpose, np.uint64(0), *of_seed))
    own = (w0 << 32 | w1) * size >> 64
    if pool_rows[own] != row or size == 1:
        return own
    return [at for at in range(size) if at != own][(w2 << 32 | w3) * (size - 1) >> 64]


def takers_of(module, rows, pool_rows, **options):
    """Which of the pool each row takes, as its positions say."""
    numbers = np.arange(len(pool_rows), dtype=float)
    given_ = {"pool_rows": np.array(pool_rows, np.int64), "pool_x": numbers + 0.25, "pool_y": -numbers}
    with np.errstate(over="ignore"):
        x, y = module.take_others(np.array(rows, np.int64), **options, **given_)
    assert np.array_equal(x - 0.25, -y)
    return x.astype(int) if x.size else x


@BOTH
@given(
    pool_rows=st.lists(ANY_ROW | NEAR, min_size=1, max_size=9, unique=True),
    others=st.lists(ANY_ROW | NEAR, max_size=9),
    seed=st.integers(0, 2**64 - 1),
)
def test_each_takes_another_one_by_its_own_draws(module, pool_rows, others, seed):
    options, rows = {"seed": seed, "purpose": SWAP}, [*pool_rows, *others]
    found = takers_of(module, rows, pool_rows, **options)
    with np.errstate(over="ignore"):
        assert found.tolist() == [other_of(row, pool_rows, **options) for row in rows]
        drawn = integers_below(np.array(rows, np.int64), **options, bound=len(pool_rows))
    own = np.array(pool_rows)[drawn] == rows
    assert found[~own].tolist() == drawn[~own].tolist()
    assert (np.array(pool_rows)[found] != rows).all() or len(pool_rows) == 1


@BOTH
@pytest.mark.parametrize("size", [2, 3, 5])
def test_each_of_the_others_is_taken_as_often(module, size):
    rows, seeds = [7 * i + 3 for i in range(size)], 6_000 if module is pool and COMPILED else 400
    counts = np.zeros((size, size), int)
    for seed in range(seeds):
        counts[range(size), takers_of(module, rows, rows, seed=seed, purpose=SWAP)] += 1
    assert counts.trace() == 0
    of_others = counts[~np.eye(size, dtype=bool)].reshape(size, size - 1)
    assert (of_others.sum(axis=1) == seeds).all()
    assert size == 2 or stats.chisquare(of_others, axis=1).pvalue.min() > 1e-3 / size


def test_many_take_each_of_a_small_pool_as_often_and_nobody_itself():
    pool_rows, rows = np.arange(5) * 1_000, np.arange(ROWS)
    found = takers_of(pool, rows, pool_rows.tolist(), seed=9, purpose=SWAP)
    assert (pool_rows[found] != rows).all()
    assert stats.chisquare(np.bincount(found)).pvalue > 1e-4


def test_nothing_to_draw_from_and_nobody_who_draws():
    nothing = np.empty(0, np.int64)
    places, keys = draw_smallest(nothing, **OPTIONS, k=3)
    assert (places.size, keys.size) == (0, 0)
    assert takers_of(pool, [], [0, 1, 2], **OPTIONS).size == 0
    assert takers_of(pool, [4, 5], [4], **OPTIONS).tolist() == [0, 0]
    with pytest.raises(ValueError, match="at least one value to draw from"):
        takers_of(pool, [1], [], **OPTIONS)


def test_the_plain_source_draws_the_same():
    rows = np.concatenate([np.arange(5, 1_500), np.arange(10_000, 40_000, 77)])
    for found, same in zip(
        PLAIN.draw_smallest(rows, **OPTIONS, k=90), draw_smallest(rows, **OPTIONS, k=90), strict=True
    ):
        assert np.array_equal(found, same)


def test_parts_of_a_range_are_drawn_as_the_range_is():
    bounds = [0, 1, 2_049, 2_050, ROWS // 2 + 3, ROWS] if COMPILED else [0, 1, 1_025, ROWS]
    whole = draw_smallest(np.arange(ROWS), **OPTIONS, k=ROWS)[1]
    parts = [draw_smallest(np.arange(a, b), **OPTIONS, k=ROWS)[1] for a, b in pairwise(bounds)]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: draw_smallest([1], **OPTIONS, k=0), ValueError, "0 rows cannot be chosen; the least is 1"),
        (lambda: mark_smallest(np.ones(2, np.uint32), [1, 2], k=-1), ValueError, "-1 rows cannot be chosen"),
        (lambda: draw_smallest([1.5], **OPTIONS, k=1), TypeError, "row numbers must be integers"),
        (lambda: draw_smallest([1], seed=-5, purpose=1, k=1), ValueError, "seed -5"),
    ],
)
def test_errors_name_the_value_and_the_limit(call, error, words):
    with pytest.raises(error, match=words):
        call()
