import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.config.toml_text import show_tables, show_value

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), TEXTS, st.dates())
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_tables_are_read_back_as_they_were(tables):
    assert tomllib.loads(show_tables(tables)) == tables


@given(VALUES)
def test_a_value_stands_in_a_line(value):
    assert "\n" not in show_value(value)
    assert tomllib.loads(f"a = {show_value(value)}") == {"a": value}


def test_no_number_is_one():
    assert math.isnan(tomllib.loads(f"a = {show_value(math.nan)}")["a"])


def test_what_toml_does_not_have_is_refused():
    with pytest.raises(TypeError, match="NoneType has no form in TOML"):
        show_value(None)
