"""Philox4x32-10 against the published vectors and against arithmetic on Python's own integers."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import load_plain

from cdpipe.kernels.draws import philox
from cdpipe.kernels.draws.philox import BLOCK_ROWS, first_word, mix_rows, philox_block, philox_words, second_word

# Random123 1.14.0, tests/kat_vectors, the three lines "philox4x32 10": counter, key, result.
PUBLISHED = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
PLAIN = load_plain("draws.philox")
WORD = st.integers(0, 2**32 - 1)


def words(text):
    return [int(word, 16) for word in text.split()]


def philox_in_python(counter, key):
    """The paper's definition on unbounded integers; it shares nothing with the kernel but the constants."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return [c0, c1, c2, c3]


@pytest.mark.parametrize(("counter", "key", "result"), PUBLISHED)
def test_published_vectors(counter, key, result):
    arguments = [np.uint64(word) for word in words(counter) + words(key)]
    assert [int(word) for word in philox_block(*arguments)] == words(result)
    assert [int(word) for word in PLAIN.philox_block(*arguments)] == words(result)


@pytest.mark.parametrize(("counter", "key", "result"), PUBLISHED)
def test_the_oracle_itself_gives_the_published_vectors(counter, key, result):
    assert philox_in_python(words(counter), words(key)) == words(result)


@given(st.tuples(WORD, WORD, WORD, WORD), st.tuples(WORD, WORD))
def test_any_block_equals_python_integers(counter, key):
    got = philox_block(*map(np.uint64, counter + key))
    assert [int(word) for word in got] == philox_in_python(counter, key)


def mixed(philox, counters, purpose, key):
    """What each row's column holds, and what the single-row function returns."""
    state = np.empty((4, BLOCK_ROWS), np.uint32)
    rows = np.array(counters, np.uint64)
    rows.flags.writeable = False
    words_of_key = np.uint64(key[0]), np.uint64(key[1])
    philox.mix_rows(rows, np.uint64(purpose), *words_of_key, state)
    columns = [(int(philox.first_word(state, i)), int(philox.second_word(state, i))) for i in range(rows.size)]
    single = [philox.philox_words(row, np.uint64(purpose), *words_of_key) for row in rows]
    return columns, [(int(first), int(second)) for first, second in single]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8), WORD, st.tuples(WORD, WORD))
def test_rows_equal_single_words_and_python_integers(counters, purpose, key):
    blocks = [philox_in_python((counter % 2**32, counter // 2**32, purpose, 0), key) for counter in counters]
    expected = [(w[0] << 32 | w[1], w[2] << 32 | w[3]) for w in blocks]
    assert mixed(philox, counters, purpose, key) == (expected, expected)
    assert mixed(PLAIN, counters, purpose, key) == (expected, expected)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="about the compiled function")
def test_a_full_block_equals_its_rows():
    rows = np.arange(BLOCK_ROWS, dtype=np.uint64) * np.uint64(2**33 + 1)
    rows.flags.writeable = False
    state = np.empty((4, BLOCK_ROWS), np.uint32)
    mix_rows(rows, np.uint64(3), np.uint64(1), np.uint64(2), state)
    single = [philox_words(row, np.uint64(3), np.uint64(1), np.uint64(2)) for row in rows]
    assert [(int(first_word(state, i)), int(second_word(state, i))) for i in range(BLOCK_ROWS)] == single
