"""Numbers of recurring texts against a dict."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import as_cells, load_plain
from vehicle_ids import BLANKS, NULL_WORDS, NULLS, is_null

from cdpipe.kernels.text import dictionary as labels
from cdpipe.kernels.text.dictionary import NULL_CODE, number_cells

PLAIN = load_plain("text.dictionary")
COMPILED = not numba.config.DISABLE_JIT
BOTH = pytest.mark.parametrize("module", [labels, PLAIN], ids=["compiled", "plain"])
ROOM = labels._FIRST_SLOTS // 2  # texts that the first table holds
MIX_INVERSE = pow(int(labels._MIX), -1, 2**64)


def number_by_dict(texts):
    """(codes, first cells) as a dict gives them."""
    known, firsts, codes = {}, [], []
    for i, text in enumerate(texts):
        if text and text not in known:
            known[text] = len(known)
            firsts.append(i)
        codes.append(known.get(text, NULL_CODE))
    return codes, firsts


def check(texts, module=labels):
    codes, firsts = module.number_cells(*as_cells(texts))
    assert (codes.dtype, firsts.dtype) == (np.int32, np.int64)
    assert (codes.tolist(), firsts.tolist()) == number_by_dict(texts)


def of_digest(digest):
    """The 8 bytes that have these digest bits: the mixing of an 8-byte word, undone."""
    return ((digest ^ digest >> 32) * MIX_INVERSE % 2**64).to_bytes(8, "little")


SHORT = st.binary(max_size=3)
PREFIXED = st.builds(
    lambda text, length: (text * 40)[:length], st.sampled_from([b"A", b"AB", b"\x00"]), st.integers(0, 40)
)
EIGHT = st.sampled_from([b"A0F1B2C3", b"A0F1B2C4", b"B0F1B2C3", b"\x00" * 8, b"\xff" * 8, "añbñcd".encode()])


@BOTH
@given(texts=st.lists(SHORT | PREFIXED | EIGHT | st.binary(max_size=40), max_size=40))
def test_codes_are_those_of_a_dict(module, texts):
    check(texts, module)


@BOTH
@pytest.mark.parametrize("length", range(41))
def test_texts_that_differ_in_one_byte_or_in_length_alone_are_different(module, length):
    text = bytes(range(200, 200 + length))
    near = [text[:i] + bytes([text[i] ^ 1]) + text[i + 1 :] for i in range(length)]
    check([text, *near, text + b"\x00", text[:-1], text, *reversed(near)], module)


@BOTH
@pytest.mark.parametrize(
    "texts", [[], [b""], [b""] * 5, [b"", b"A", b"", b"A"], [b"A"] * 100, [b"A0F1B2C3"] * 100], ids=len
)
def test_none_nulls_and_one_text(module, texts):
    check(texts, module)


@BOTH
def test_texts_of_any_script_and_no_utf8_are_bytes(module):
    words = ["é", "e\u0301", "日本", "日本語", "\U0001f697", " ", "\t"]
    check([*(word.encode() for word in words), b"\xff\xfe", b"\xc3", b"\xc3\xa9", b"\x00", b"\x00\x00"] * 2, module)


@pytest.mark.parametrize("count", [ROOM - 1, ROOM, ROOM + 1, 4 * ROOM, 4 * ROOM + 1, 20 * ROOM])
@pytest.mark.parametrize("form", ["{:08X}", "{}", "vehicle {}"])
def test_tables_grow_with_the_texts(count, form):
    texts = [form.format(i).encode() for i in range(count if COMPILED else min(count, ROOM + 3))]
    check([*texts, *reversed(texts), b"", b"new"])


def test_plain_tables_grow_with_the_texts():
    texts = [b"%d" % i for i in range(ROOM + 3)]
    check([*texts, b"", *reversed(texts)], PLAIN)


@BOTH
@pytest.mark.parametrize("low", [0, 1, 2**12 - 1, 2**20 - 1])
def test_texts_whose_digests_share_their_low_bits_are_told_apart(module, low):
    """Every one of them looks for a place in the same slot, at the end of the table too, and after it has grown."""
    count = 2 * ROOM + 5 if COMPILED and module is labels else 60
    texts = [of_digest(low | i << 20) for i in range(count)]
    words = np.frombuffer(b"".join(texts), np.uint64)
    mixed = np.array([int(word) * int(labels._MIX) % 2**64 for word in words], np.uint64)
    assert np.unique((mixed ^ mixed >> np.uint64(32)) % np.uint64(2**20)).tolist() == [low]
    assert len(set(texts)) == count
    check([*texts, *reversed(texts)], module)


@BOTH
def test_a_text_of_another_length_whose_digest_is_that_of_eight_bytes_is_another_text(module):
    for other in (b"A", b"123456789", b"x" * 33):
        start, stop = np.int64(0), np.int64(len(other))
        with np.errstate(over="ignore"):
            digest = int(PLAIN._digest(np.frombuffer(other, np.uint8), start, stop))
        twin = of_digest(digest)
        with np.errstate(over="ignore"):
            assert int(PLAIN._digest(np.frombuffer(twin, np.uint8), np.int64(0), np.int64(8))) == digest
        check([other, twin, other, twin], module)
        check([twin, other, twin], module)


def test_equal_digests_of_long_texts_are_settled_by_their_bytes(monkeypatch):
    """Two texts with one XXH64 are not to be had, so here all hash alike, which only the plain source allows."""
    monkeypatch.setattr(PLAIN, "_digest", lambda data, start, stop: np.uint64(7))
    check([b"abc", b"abd", b"abcd", b"ab", b"x" * 40, b"x" * 39 + b"y", b"abc", b"x" * 40, b"abd"], PLAIN)


@pytest.mark.parametrize("texts", [100, 5_000])
def test_cells_anywhere_in_the_text_with_gaps_and_overlaps(texts):
    rng = np.random.default_rng(texts)
    data = rng.choice(np.frombuffer(b"AB", np.uint8), 4_000)
    data.flags.writeable = False
    starts = rng.integers(0, 3_900, texts if COMPILED else 100)
    stops = starts + rng.choice([-3, 0, 1, 7, 8, 8, 9, 40], starts.size)
    codes, firsts = number_cells(data, starts, stops)
    assert (codes.tolist(), firsts.tolist()) == number_by_dict(
        [data[a:b].tobytes() if b > a else b"" for a, b in zip(starts, stops, strict=True)]
    )


def test_strided_bounds_are_read_as_they_stand():
    bounds = np.array([[0, 2], [2, 4], [0, 2]])
    codes, firsts = number_cells(b"abcd", bounds[:, 0], bounds[:, 1])
    assert (codes.tolist(), firsts.tolist()) == ([0, 1, 0], [0, 1])


@BOTH
@pytest.mark.parametrize(("starts", "stops"), [([0], [7]), ([-1], [2]), ([0, 1], [2])])
def test_bounds_outside_the_text_are_refused(module, starts, stops):
    with pytest.raises(ValueError, match="starts"):
        module.number_cells(b"abcdef", np.array(starts), np.array(stops))


def test_bounds_that_are_no_int64_are_refused():
    with pytest.raises(TypeError, match="int64"):
        number_cells(b"abcdef", np.array([0], np.int32), np.array([2], np.int32))


WORDS = st.builds(
    lambda before, word, after: (before + word + after).encode(),
    st.text(BLANKS, max_size=3),
    st.sampled_from([*NULL_WORDS, "NA", "a", "A0F1B2C3", "añb", "\xa1", "nannan"]),
    st.text(BLANKS, max_size=3),
)


@BOTH
@given(texts=st.lists(WORDS | st.binary(max_size=6) | st.sampled_from([text.encode() for text in NULLS])))
def test_blanks_and_null_words_are_marked(module, texts):
    marks, found = module.mark_nulls(*as_cells(texts))
    assert marks.dtype == np.bool_
    assert marks.tolist() == [is_null(text) for text in texts]
    assert found == marks.sum()
