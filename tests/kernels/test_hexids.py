import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import MALFORMED, NULL, OK, as_cells, load_plain

from cdpipe.kernels import hexids, memory

PLAIN = load_plain("hexids")
ID = re.compile(rb"(?:0[xX])?0*([0-9a-fA-F]{0,16})(?:\.0+)?")
shaped = st.from_regex(rb"[ \t]?(0[xX])?0{0,3}[0-9a-fA-F]{0,18}(\.0{0,2}|[g/:@`G])?[0-9a-f]{0,1}[ \n]?", fullmatch=True)


def read_id(text):
    word = text.strip()
    if not word:
        return 0, NULL
    body = re.sub(rb"\.0+\Z", b"", word)
    if not ID.fullmatch(word) or not re.fullmatch(rb"(0[xX])?[0-9a-fA-F]+", body):
        return 0, MALFORMED
    return int(body, 16), OK


def check(texts, module=hexids):
    values, status = module.parse_hex(*as_cells(texts))
    assert list(zip(values.tolist(), status.tolist(), strict=True)) == [read_id(text) for text in texts]


@pytest.mark.parametrize("module", [hexids, PLAIN], ids=["compiled", "plain"])
def test_ids_met_in_files_and_ids_that_are_none(module):
    texts = [b"A0F1B2C3", b"0xa1b2c3d4", b"0XA1B2C3D4", b"12345678.0", b"12345678.00", b" a0f1b2c3 ", b"0", b"00"]
    texts += [b"0x0", b"ffffffffffffffff", b"0000ffffffffffffffff", b"1ffffffffffffffff", b"0x", b"x1", b".0", b"0x.0"]
    texts += [b"1.", b"1.5", b"1.50", b"-1", b"+1", b"1_0", b"0x0x1", b"nan", b"None", b"ghijklmn", b"A0F1B2C", b"a 1"]
    texts += [b"", b"  ", b"100.0", b"0.0", b"a.0", b"1.0.0", b"0xffffffffffffffff.0", b"/0000000", b":0000000"]
    with np.errstate(over="ignore"):
        check(texts, module)


@pytest.mark.parametrize("place", range(8))
def test_every_byte_at_every_place_of_eight(place):
    texts = [b"1234abCD"[:place] + bytes([byte]) + b"1234abCD"[place + 1 :] for byte in range(256)]
    check(texts)
    with np.errstate(over="ignore"):
        check(texts, PLAIN)


@given(st.lists(shaped | st.binary(max_size=20) | st.text("0123456789abcdefABCDEFx.", max_size=20).map(str.encode)))
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
