import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import MALFORMED, NULL, OK, as_cells, load_plain
from vehicle_ids import BLANKS, FORMS, NULL_WORDS, NULLS, number_of, spell

from cdpipe.kernels.buffers import cells as memory
from cdpipe.kernels.text import hex_ids as hexids

PLAIN = load_plain("text.hex_ids")
BOTH = pytest.mark.parametrize("module", [hexids, PLAIN], ids=["compiled", "plain"])
shaped = st.from_regex(rb"[ \t]?(0[xX])?0{0,3}[0-9a-fA-F]{0,18}(\.0{0,2}|[g/:@`G])?[0-9a-f]{0,1}[ \n]?", fullmatch=True)
wrapped = st.builds(
    lambda before, word, after: (before + word + after).encode(),
    st.text(BLANKS, max_size=3),
    st.sampled_from([*NULL_WORDS, "5b820000", "0xA1", "45678.0", "veh-1", "\xa1", "1\xa02"]),
    st.text(BLANKS, max_size=3),
)
hostile = shaped | wrapped | st.binary(max_size=20) | st.text("0123456789abcdefABCDEFx.", max_size=20).map(str.encode)


def read_id(text):
    word = text.decode("utf-8", "surrogateescape")
    number = number_of(word)
    if number is None:
        return 0, MALFORMED if spell(word) else NULL
    return (number, OK) if number < 2**64 else (0, MALFORMED)


def spelt(texts, module=hexids):
    data, starts, stops = module.spell_ids(*as_cells(texts))
    return [bytes(data[a:b]) for a, b in zip(starts, stops, strict=True)]


def check(texts, module=hexids):
    values, status = module.parse_hex(*as_cells(texts))
    assert list(zip(values.tolist(), status.tolist(), strict=True)) == [read_id(text) for text in texts]
    words = [text.decode("utf-8", "surrogateescape") for text in texts]
    assert spelt(texts, module) == [spell(word).encode("utf-8", "surrogateescape") for word in words]


@BOTH
def test_ids_met_in_files_and_ids_that_are_none(module):
    texts = [b"A0F1B2C3", b"0xa1b2c3d4", b"0XA1B2C3D4", b"12345678.0", b"12345678.00", b" a0f1b2c3 ", b"0", b"00"]
    texts += [b"0x0", b"ffffffffffffffff", b"0000ffffffffffffffff", b"1ffffffffffffffff", b"0x", b"x1", b".0", b"0x.0"]
    texts += [b"1.", b"1.5", b"1.50", b"-1", b"+1", b"1_0", b"0x0x1", b"nan", b"None", b"ghijklmn", b"A0F1B2C", b"a 1"]
    texts += [b"", b"  ", b"100.0", b"0.0", b"a.0", b"1.0.0", b"0xffffffffffffffff.0", b"/0000000", b":0000000"]
    texts += [
        b"1E10",
        b"1E10.0",
        b"5.00E+07",
        b".",
        b"..",
        b"0.",
        b"f" * 17,
        b"0" * 40 + b"f" * 17,
        b"0" * 40,
        b"5B 20000",
    ]
    with np.errstate(over="ignore"):
        check(texts, module)


@pytest.mark.parametrize("place", range(8))
def test_every_byte_at_every_place_of_eight(place):
    texts = [b"1234abCD"[:place] + bytes([byte]) + b"1234abCD"[place + 1 :] for byte in range(256)]
    check(texts)
    with np.errstate(over="ignore"):
        check(texts, PLAIN)


@given(st.lists(hostile))
@settings(max_examples=150, deadline=None)
def test_hostile_bytes_compiled_and_plain(texts):
    check(texts)
    with np.errstate(over="ignore"):
        check(texts, PLAIN)


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.sampled_from(["x", "X", "08x", "016X", "#x", "#X"]))))
@settings(deadline=None)
def test_every_word_comes_back(ids):
    values, status = hexids.parse_hex(*as_cells([format(number, form).encode() for number, form in ids]))
    assert values.tolist() == [number for number, _ in ids]
    assert not status.any()


def test_a_bad_id_leaves_its_neighbours_alone():
    column = pa.array(["A0F1B2C3", "scrambled!", None, "12345678"], type=pa.large_string())
    _, offsets, text = column.buffers()
    bounds = memory.view_int64(offsets)
    values, status = hexids.parse_hex(text, bounds[:-1], bounds[1:])
    assert values.tolist() == [0xA0F1B2C3, 0, 0, 0x12345678]
    assert status.tolist() == [OK, MALFORMED, NULL, OK]
    assert len(hexids._parse_hex.signatures) == 1


@BOTH
@pytest.mark.parametrize("number", [0, 1, 0x45678, 0x1E10, 0x10000000, 0x5B820000, 2**32 - 1, 2**32, 2**64 - 1])
def test_every_form_of_a_number_is_the_same_vehicle(module, number):
    texts = [form.format(number).encode() for form in FORMS]
    with np.errstate(over="ignore"):
        assert set(spelt(texts, module)) == {f"{number:08X}".encode()}
        values, status = module.parse_hex(*as_cells(texts))
    assert set(values.tolist()) == {number}
    assert not status.any()


@BOTH
def test_every_form_of_nothing_is_null(module):
    texts = [text.encode() for text in NULLS]
    assert set(spelt(texts, module)) == {b""}
    assert set(module.parse_hex(*as_cells(texts))[1].tolist()) == {NULL}


@given(st.lists(st.integers(0, 2**32 - 1).map("{:08X}".format), min_size=1))
def test_eight_capital_digits_stay_where_they_are(ids):
    given_ = as_cells([text.encode() for text in ids])
    for found, same in zip(hexids.spell_ids(*given_), memory.view_cells(*given_), strict=True):
        assert np.shares_memory(found, same)


@given(st.lists(hostile))
def test_what_is_spelt_is_spelt_again_alike_and_is_the_same_number(texts):
    again = spelt(texts)
    assert spelt(again) == again
    for found, expected in zip(hexids.parse_hex(*as_cells(again)), hexids.parse_hex(*as_cells(texts)), strict=True):
        assert np.array_equal(found, expected)
