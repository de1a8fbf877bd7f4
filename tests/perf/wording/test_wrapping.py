"""Breaking texts: nothing is lost, nothing is too wide, and words and numbers stay whole where they can."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.perf.wording.wrapping import share_width, wrap_text


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("attack/offset_const_per_id", 16, ["attack/offset_", "const_per_id"]),
        ("compute 91, idle 6", 12, ["compute 91,", "idle 6"]),
        ("too little parallel work", 15, ["too little", "parallel work"]),
        ("1x 4.76x 9.33x", 11, ["1x 4.76x", "9.33x"]),
        ("1.15x [1.15, 1.20]", 13, ["1.15x [1.15,", "1.20]"]),
        ("suite.features.time_seconds(100k)", 20, ["suite.features.time_", "seconds(100k)"]),
        (
            "by shares mixed, and no cause that is clear leads",
            30,
            ["by shares mixed, and no cause", "that is clear leads"],
        ),
        ("short", 16, ["short"]),
        ("unbreakableword", 6, ["unbrea", "kablew", "ord"]),
    ],
)
def test_where_lines_break(text, width, lines):
    assert wrap_text(text, width).split("\n") == lines


@given(st.text(alphabet="ab1 ,._/(=-[", max_size=60), st.integers(1, 30))
def test_nothing_is_lost_and_nothing_too_wide(text, width):
    wrapped = wrap_text(text, width)
    assert [sign for sign in wrapped if not sign.isspace()] == [sign for sign in text if not sign.isspace()]
    assert max(map(len, wrapped.split("\n"))) <= width


def test_a_column_with_few_long_texts_gives_way_and_numbers_never():
    stages, numbers, classes = [6, 26, 10, 10], [5, 3, 3, 3], [24, 24, 24, 8]
    fixed = [False, True, False]
    assert share_width([stages, numbers, classes], fixed, 55) == [26, 5, 24]
    assert share_width([stages, numbers, classes], fixed, 47) == [18, 5, 24]
    assert share_width([stages, numbers, classes], fixed, 35) == [18, 5, 12]
    assert share_width([stages, numbers, classes], fixed, 3) == [18, 5, 8]
