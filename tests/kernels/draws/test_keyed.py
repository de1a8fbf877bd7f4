"""Draws: exact against the generator, independent of splitting, and random by every cheap test."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from texts import load_plain

from cdpipe.kernels.draws import keyed as draws
from cdpipe.kernels.draws.keyed import bearings_and_distances, integers_below, keys, split_seed, uniform_pairs
from cdpipe.kernels.draws.philox import philox_words

COMPILED = not numba.config.DISABLE_JIT
ROWS = 100_000 if COMPILED else 1_000
PURPOSES = [draws.ATTACKER, draws.OFFSET, draws.POOL, draws.SWAP, draws.OVERRIDE, draws.SPLIT, draws.SAMPLE]
COUNTERS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=6).map(
    lambda numbers: np.array(numbers, np.int64)
)
SEEDS = st.integers(0, 2**64 - 1)


def expected_words(counter, seed, purpose):
    word = np.uint64(int(counter) % 2**64)
    first, second = philox_words(word, *split_seed(seed=seed, purpose=purpose))
    return int(first), int(second)


def test_purposes_differ():
    assert len(set(PURPOSES)) == len(PURPOSES)


@given(COUNTERS, SEEDS, st.integers(0, 2**32 - 1))
def test_keys_are_the_generators_first_word(counters, seed, purpose):
    expected = [expected_words(counter, seed, purpose)[0] for counter in counters]
    assert keys(counters, seed=seed, purpose=purpose).tolist() == expected


@given(COUNTERS, SEEDS)
def test_uniforms_are_the_upper_53_bits_of_both_words(counters, seed):
    u, v = uniform_pairs(counters, seed=seed, purpose=draws.OFFSET)
    pairs = [expected_words(counter, seed, draws.OFFSET) for counter in counters]
    assert u.tolist() == [(first >> 11) / 2**53 for first, _ in pairs]
    assert v.tolist() == [(second >> 11) / 2**53 for _, second in pairs]


@given(COUNTERS, SEEDS, st.integers(1, 2**63 - 1))
def test_integers_are_the_exact_product(counters, seed, bound):
    expected = [expected_words(counter, seed, draws.SWAP)[0] * bound >> 64 for counter in counters]
    assert integers_below(counters, seed=seed, purpose=draws.SWAP, bound=bound).tolist() == expected


def test_the_plain_source_gives_the_same():
    options = {"seed": 5, "purpose": draws.OFFSET}
    rows = np.arange(2**63 - 600, 2**63, dtype=np.uint64)

    def everything(module):
        return (
            module.keys(rows, **options).tolist(),
            [column.tolist() for column in module.uniform_pairs(rows, **options)],
            module.integers_below(rows, **options, bound=2**62 + 3).tolist(),
            [column.tolist() for column in module.bearings_and_distances(rows, **options, min_m=1, max_m=3)],
        )

    assert everything(load_plain("draws.keyed")) == everything(draws)


@pytest.mark.parametrize("draw", [keys, uniform_pairs, integers_below, bearings_and_distances])
@given(cuts=st.lists(st.integers(0, 2_000), max_size=5), order_seed=st.integers(0, 99))
def test_a_row_draws_the_same_in_any_partition_and_order(draw, cuts, order_seed):
    more = {integers_below: {"bound": 1_000_003}, bearings_and_distances: {"min_m": 10.0, "max_m": 20.0}}
    options = {"seed": 7, "purpose": draws.OFFSET, **more.get(draw, {})}
    rows = np.arange(2_000 if COMPILED else 40)
    whole = np.atleast_2d(draw(rows, **options))
    parts = np.split(rows, sorted(min(cut, rows.size) for cut in cuts))
    again = np.concatenate([np.atleast_2d(draw(part, **options)) for part in parts], axis=1)
    assert np.array_equal(whole, again)
    order = np.random.default_rng(order_seed).permutation(rows.size)
    assert np.array_equal(whole[:, order], np.atleast_2d(draw(rows[order], **options)))


def test_one_seed_per_partition_cannot_come_back():
    """PRIOR_FAULTS 1: the same seed in each of 8 partitions gave 4,000 attackers 500 distinct offsets."""
    parts = np.split(np.arange(4_000 if COMPILED else 400), 8)
    offsets = np.concatenate(
        [
            np.column_stack(bearings_and_distances(part, seed=1, purpose=draws.OFFSET, min_m=10, max_m=20))
            for part in parts
        ]
    )
    assert len(np.unique(offsets, axis=0)) == len(offsets)


@pytest.mark.parametrize("seed", [0, 1, 2, 2**32, 2**63, 2**64 - 1])
def test_uniforms_are_uniform_and_the_two_independent(seed):
    u, v = uniform_pairs(np.arange(ROWS), seed=seed, purpose=draws.OFFSET)
    assert stats.kstest(u, "uniform").pvalue > 1e-4
    assert stats.kstest(v, "uniform").pvalue > 1e-4
    cells, _, _ = np.histogram2d(u, v, bins=8, range=[[0, 1], [0, 1]])
    assert stats.chisquare(cells.ravel()).pvalue > 1e-4


def first(counters, seed, purpose):
    return uniform_pairs(counters, seed=seed, purpose=purpose)[0]


def across_seeds(counter, count):
    return np.array([first([counter], seed, 1)[0] for seed in range(count)])


NEIGHBOURS = {
    "next counter": lambda rows: (first(rows, 3, 1), first(rows + 1, 3, 1)),
    "high counter word": lambda rows: (first(rows, 3, 1), first(rows + 2**32, 3, 1)),
    "next seed": lambda rows: (first(rows, 3, 1), first(rows, 4, 1)),
    "high seed word": lambda rows: (first(rows, 3, 1), first(rows, 3 + 2**32, 1)),
    "next purpose": lambda rows: (first(rows, 3, 1), first(rows, 3, 2)),
    "seed and purpose exchanged": lambda rows: (first(rows, 1, 3), first(rows, 3, 1)),
    "seed and counter exchanged": lambda rows: (first(rows[:1_000], 1, 1), across_seeds(1, 1_000)),
}


@pytest.mark.parametrize("case", NEIGHBOURS)
def test_neighbouring_streams_look_independent(case):
    a, b = NEIGHBOURS[case](np.arange(ROWS))
    assert abs(np.corrcoef(a, b)[0, 1]) < 4.5 / np.sqrt(a.size)
    cells, _, _ = np.histogram2d(a, b, bins=6, range=[[0, 1], [0, 1]])
    assert stats.chisquare(cells.ravel()).pvalue > 1e-4
    assert stats.kstest((b - a) % 1, "uniform").pvalue > 1e-4


def test_integers_fill_their_range_evenly():
    drawn = integers_below(np.arange(ROWS), seed=11, purpose=draws.SWAP, bound=10)
    assert stats.chisquare(np.bincount(drawn, minlength=10)).pvalue > 1e-4
    assert (integers_below(np.arange(50), seed=11, purpose=draws.SWAP, bound=1) == 0).all()


def test_bearings_and_distances_are_uniform_within_their_bounds():
    options = {"seed": 2, "purpose": draws.OFFSET, "min_m": 10.0, "max_m": 20.0}
    bearing_deg, distance_m = bearings_and_distances(np.arange(ROWS), **options)
    assert ((bearing_deg >= 0) & (bearing_deg < 360)).all()
    assert ((distance_m >= 10) & (distance_m <= 20)).all()
    assert stats.kstest(bearing_deg / 360, "uniform").pvalue > 1e-4
    assert stats.kstest((distance_m - 10) / 10, "uniform").pvalue > 1e-4


def test_the_last_uniform_before_one_is_still_a_bearing_below_360():
    bearing_deg, distance_m = np.array([1 - 2.0**-53]), np.array([1 - 2.0**-53])
    draws._scale_pairs(bearing_deg, distance_m, 0.1, 0.3)
    assert bearing_deg[0] < 360.0
    assert distance_m[0] <= 0.3


def test_equal_bounds_give_that_distance():
    _, distance_m = bearings_and_distances(np.arange(9), seed=2, purpose=draws.OFFSET, min_m=15, max_m=15)
    assert (distance_m == 15).all()


def test_integer_types_and_read_only_memory_draw_alike():
    expected = keys(np.arange(5), seed=1, purpose=1)
    for kind in ("int8", "uint8", "int32", "uint64", ">i8"):
        assert np.array_equal(keys(np.arange(5).astype(kind), seed=1, purpose=1), expected)
    frozen = np.frombuffer(np.arange(5).tobytes(), np.int64)
    assert np.array_equal(keys(frozen, seed=1, purpose=1), expected)
    assert np.array_equal(keys(np.arange(10)[::2], seed=1, purpose=1), keys([0, 2, 4, 6, 8], seed=1, purpose=1))
    assert keys(np.empty(0, np.int64), seed=1, purpose=1).size == 0


@pytest.mark.skipif(not COMPILED, reason="about the compiler")
def test_one_machine_function_serves_all_inputs():
    keys(np.arange(5), seed=1, purpose=1)
    keys(np.frombuffer(np.arange(5).tobytes(), np.uint64), seed=1, purpose=1)
    assert len(draws._fill_keys.signatures) == 1


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: keys(np.arange(3.0), seed=1, purpose=1), TypeError, "integers, not float64"),
        (lambda: keys(np.array(["a"]), seed=1, purpose=1), TypeError, "integers"),
        (lambda: keys(np.ones((2, 2), int), seed=1, purpose=1), ValueError, "2 dimensions"),
        (lambda: keys([1], seed=-1, purpose=1), ValueError, "seed -1 .* choose"),
        (lambda: keys([1], seed=2**64, purpose=1), ValueError, "2\\*\\*64"),
        (lambda: keys([1], seed=1, purpose=2**32), ValueError, "purpose"),
        (lambda: integers_below([1], seed=1, purpose=1, bound=0), ValueError, "bound 0"),
        (lambda: integers_below([1], seed=1, purpose=1, bound=2**63), ValueError, "2\\*\\*63 - 1"),
        (lambda: bearings_and_distances([1], seed=1, purpose=1, min_m=2, max_m=1), ValueError, "2 .. 1 m"),
        (lambda: bearings_and_distances([1], seed=1, purpose=1, min_m=-1, max_m=1), ValueError, "-1 .. 1"),
        (lambda: bearings_and_distances([1], seed=1, purpose=1, min_m=0, max_m=np.inf), ValueError, "inf"),
        (lambda: bearings_and_distances([1], seed=1, purpose=1, min_m=np.nan, max_m=1), ValueError, "nan"),
    ],
)
def test_errors_name_the_value_and_the_limit(call, error, words):
    with pytest.raises(error, match=words):
        call()
