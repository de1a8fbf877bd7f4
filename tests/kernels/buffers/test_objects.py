import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import load_plain

from cdpipe.kernels.buffers import objects

PLAIN = load_plain("buffers.objects")
MODULES = pytest.mark.parametrize("module", [objects, PLAIN], ids=["compiled", "plain"])
DECODER = json.JSONDecoder()
RECORDS = st.recursive(
    st.none() | st.sampled_from(["", "}{", '"', "\\", "}, {", "{{"]) | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "}{", '"']), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict))
BLANKS = st.sampled_from(["", " ", "\t", " \r", " " * 70])


def find_by_decoding(line, between):
    """Say where the second and later objects of a line begin, by decoding one after the other."""
    starts, at = [], 0
    while at < len(line):
        starts.append(at)
        at = re.compile(between).match(line, DECODER.raw_decode(line, at)[1]).end()
    return starts[1:]


@MODULES
@given(lines=st.lists(st.lists(st.tuples(RECORDS, BLANKS), max_size=4), max_size=4), comma=st.booleans())
def test_later_objects_begin_where_a_decoder_comes_to_them(module, lines, comma):
    expected, text = [], ""
    for line in lines:
        part = ("," if comma else "").join(json.dumps(record) + blank for record, blank in line)
        expected += [len(text) + at for at in find_by_decoding(part, r"[ \t\r,]*")]
        text += part + "\n"
    found = module.find_later_objects(text.encode(), has_commas=comma)
    assert found.tolist() == expected
    assert found.dtype == np.int64


@given(
    st.lists(st.sampled_from([*'{}"\\, \n[x']), max_size=200).map("".join),
    st.booleans(),
)
def test_any_text_gives_the_same_compiled_and_plain_and_line_by_line(text, comma):
    found = objects.find_later_objects(text.encode(), has_commas=comma).tolist()
    assert PLAIN.find_later_objects(text.encode(), has_commas=comma).tolist() == found
    assert all(text[at] == "{" for at in found)
    each, start = [], 0
    for line in text.split("\n"):
        each += [start + at for at in objects.find_later_objects(line.encode(), has_commas=comma)]
        start += len(line) + 1
    assert each == found


@MODULES
def test_nested_objects_and_texts_are_no_later_objects(module):
    line = b'{"a":[{"b":1},{"c":"}{"}],"d":"\\"}{"}'
    assert module.find_later_objects(line, has_commas=True).tolist() == []
    assert module.find_later_objects(line + b"{}", has_commas=False).tolist() == [len(line)]
    assert module.find_later_objects(b"{},{}", has_commas=False).tolist() == []
    assert module.find_later_objects(b"", has_commas=False).tolist() == []
