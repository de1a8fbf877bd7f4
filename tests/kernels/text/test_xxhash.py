"""XXH64 of cells against the reference implementation's own binding."""

import numba
import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from texts import load_plain

from cdpipe.kernels.text.xxhash import hash_text

PLAIN = load_plain("text.xxhash")
COMPILED = not numba.config.DISABLE_JIT


def lay_out(cells):
    offsets = np.cumsum([0, *map(len, cells)], dtype=np.int64)
    return np.frombuffer(b"".join(cells) or b"", np.uint8), offsets[:-1], offsets[1:]


@given(st.lists(st.binary(max_size=150), max_size=12))
def test_any_bytes_hash_as_xxh64(cells):
    assert hash_text(*lay_out(cells)).tolist() == [xxhash.xxh64_intdigest(cell) for cell in cells]


@pytest.mark.parametrize("length", range(101))
def test_every_length_compiled_and_plain(length):
    cell = np.random.default_rng(length).bytes(length)
    padded = np.frombuffer(b"x" + cell + b"y", np.uint8)
    place = np.array([1]), np.array([1 + length])
    expected = [xxhash.xxh64_intdigest(cell)]
    assert hash_text(padded, *place).tolist() == expected
    assert PLAIN.hash_text(padded, *place).tolist() == expected


def test_published_hashes():
    """As `xxhsum -H1` prints them."""
    assert hash_text(*lay_out([b""])).tolist() == [0xEF46DB3751D8E999]
    assert hash_text(*lay_out([b"a"])).tolist() == [0xD24EC4F1A98C6E5B]
    assert hash_text(*lay_out([b"abc"])).tolist() == [0x44BC2CF5AD770999]


def test_ids_of_eight_bytes_in_any_order_with_gaps_and_overlaps():
    rng = np.random.default_rng(1)
    data = rng.integers(0, 256, 4_000, dtype=np.uint8)
    starts = rng.integers(0, 3_900, 2_000 if COMPILED else 100)
    stops = starts + rng.choice([8, 8, 8, 7, 9, 40], starts.size)
    expected = [xxhash.xxh64_intdigest(data[a:b].tobytes()) for a, b in zip(starts, stops, strict=True)]
    assert hash_text(data, starts, stops).tolist() == expected


def test_a_stop_before_its_start_is_an_empty_cell():
    data = np.frombuffer(b"abcdef", np.uint8)
    assert hash_text(data, np.array([3]), np.array([1])).tolist() == [0xEF46DB3751D8E999]


def test_no_cells():
    nothing = np.empty(0, np.int64)
    assert hash_text(np.empty(0, np.uint8), nothing, nothing).size == 0


@pytest.mark.parametrize(("starts", "stops"), [([0], [7]), ([-1], [2]), ([0, 1], [2])])
def test_bounds_outside_the_text_are_refused(starts, stops):
    with pytest.raises(ValueError, match="starts"):
        hash_text(np.frombuffer(b"abcdef", np.uint8), np.array(starts), np.array(stops))
