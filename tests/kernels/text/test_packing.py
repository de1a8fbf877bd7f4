import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import as_cells, load_plain

from cdpipe.kernels.text import packing as pack

PLAIN = load_plain("text.packing")


def check(data, starts, stops, module):
    packed, offsets, ascii_only = module.pack_cells(data, np.array(starts, np.int64), np.array(stops, np.int64))
    texts = [data[a:b] if b > a else b"" for a, b in zip(starts, stops, strict=True)]
    assert packed.tobytes() == b"".join(texts)
    assert offsets.tolist() == np.cumsum([0, *map(len, texts)]).tolist()
    assert ascii_only == b"".join(texts).isascii()


@pytest.mark.parametrize("module", [pack, PLAIN], ids=["compiled", "plain"])
@given(st.binary(max_size=300), st.data())
@settings(max_examples=100, deadline=None)
def test_any_cells_in_any_order_are_packed(module, data, draw):
    bound = st.integers(0, len(data))
    bounds = draw.draw(st.lists(st.tuples(bound, bound), max_size=20))
    check(data, [a for a, _ in bounds], [b for _, b in bounds], module)


@pytest.mark.parametrize("module", [pack, PLAIN], ids=["compiled", "plain"])
@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 64, 100])
def test_cells_up_to_the_last_byte(module, length):
    texts = [bytes([65 + i]) * length for i in range(4)]
    check(*as_cells(texts), module)
    check(*as_cells([*texts, "é".encode()]), module)


def test_cells_that_are_next_to_each_other_are_not_copied():
    data = np.frombuffer(b"xxabcdexx", np.uint8)
    offsets = np.array([2, 4, 4, 7])
    packed, moved, _ = pack.pack_cells(data, offsets[:-1], offsets[1:])
    assert (packed.tobytes(), moved.tolist()) == (b"abcde", [0, 2, 2, 5])
    assert np.shares_memory(packed, data)
    apart, _, _ = pack.pack_cells(data, np.array([2, 5]), np.array([4, 7]))
    backward, _, _ = pack.pack_cells(data, np.array([2, 1]), np.array([1, 3]))
    assert (apart.tobytes(), backward.tobytes()) == (b"abde", b"xa")


def test_bytes_between_cells_do_not_matter_to_what_is_ascii():
    packed, _, ascii_only = pack.pack_cells("éabé".encode(), np.array([2]), np.array([4]))
    assert (packed.tobytes(), ascii_only) == (b"ab", True)


def test_cells_outside_the_text_are_refused():
    with pytest.raises(ValueError, match="only from 0 to 2"):
        pack.pack_cells(b"ab", np.array([1]), np.array([3]))


CELLS = st.sampled_from([b"A", b"POINT (1 2)", b"", b" x", b"x ", b"\x00", "é".encode(), b"!" * 70])


@pytest.mark.parametrize("module", [pack, PLAIN], ids=["compiled", "plain"])
@given(st.lists(CELLS, max_size=9))
@settings(max_examples=100, deadline=None)
def test_plain_cells_begin_with_what_is_seen_and_are_ascii(module, texts):
    expected = all(text[:1] > b" " and text.isascii() for text in texts)
    assert module.is_plain(*as_cells(texts)) is expected


@pytest.mark.parametrize("module", [pack, PLAIN], ids=["compiled", "plain"])
def test_bytes_around_plain_cells_do_not_matter(module):
    assert module.is_plain("é ab cdé".encode(), np.array([3, 6]), np.array([5, 8]))
