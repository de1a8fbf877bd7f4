"""Cells compared and loaded eight bytes at a time, against Python's bytes."""

import numba
import numpy as np
import pytest
from texts import load_plain

from cdpipe.kernels.text import eight_bytes as words

PLAIN = load_plain("text.eight_bytes")
BOTH = pytest.mark.parametrize("module", [words, PLAIN], ids=["compiled", "plain"])


@numba.njit
def _compare(data, one, other, length):  # inlined kernels have no machine code of their own
    return words.is_same(data, one, other, length)


def as_bytes(text):
    data = np.frombuffer(text, np.uint8)
    data.flags.writeable = False
    return data


def is_same(module, *given_):
    return (_compare if module is words else module.is_same)(*given_)


@numba.njit
def _load_three(data, start, length):
    return words.load_three(data, start, length)


@BOTH
@pytest.mark.parametrize("length", [*range(1, 25), 25, 40])
@pytest.mark.parametrize("behind", [0, 30])
def test_three_words_begin_at_the_first_byte_near_it_and_end_at_the_last(module, length, behind):
    text = bytes(range(100, 100 + length))
    data = as_bytes(b"#" + text + b"#" * behind)
    found = (_load_three if module is words else module.load_three)(data, 1, length)
    places = (0, min(8, max(length - 8, 0)), max(length - 8, 0))
    assert [int(word) for word in found] == [int.from_bytes(text[at : at + 8], "little") for at in places]


@BOTH
@pytest.mark.parametrize("length", range(1, 41))
@pytest.mark.parametrize("behind", [0, 1, 7, 8, 20])
def test_one_other_byte_anywhere_makes_two_texts_of_one(module, length, behind):
    text = bytes(range(100, 100 + length))
    for place in [None, *range(length)]:
        other = bytearray(text)
        if place is not None:
            other[place] ^= 1
        data = as_bytes(text + b"|" + other + b"#" * behind)
        assert is_same(module, data, 0, length + 1, length) == (place is None)
        assert is_same(module, data, length + 1, 0, length) == (place is None)
        assert is_same(module, data, 0, 0, length)
