import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cdpipe.terminal.tables import Column, print_line, print_table

METRICS = ("accuracy", "precision", "recall", "f1", "specificity", "balanced", "mcc", "fit s", "predict s")


def printed(width, title, columns):
    stream = io.StringIO()
    print_table(Console(file=stream, width=width), title, columns)
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_every_cell_is_whole_whatever_the_width(width):
    names = ["RandomForest", "HistGradientBoosting"]
    columns = [Column("classifier", names, is_text=True), *(Column(each, ["0.1234", "-0.0812"]) for each in METRICS)]
    text = printed(width, "metrics", columns)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    words = text.split()
    assert [words.count(each) for each in names] == [words.count("classifier")] * 2
    for heading in METRICS:
        assert heading in text
    assert words.count("-0.0812") == len(METRICS)


def test_a_table_that_fits_is_one_table():
    text = printed(140, "metrics", [Column("classifier", ["KNeighbors"]), *(Column(each, ["1"]) for each in METRICS)])
    assert text.split().count("classifier") == 1


@given(
    st.integers(30, 160),
    st.lists(st.text("ab c\x1b[漢", min_size=1, max_size=12), min_size=1, max_size=4),
    st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_no_line_is_wider_than_the_terminal(width, cells, count):
    columns = [Column(f"c{number}", cells, is_text=bool(number % 2)) for number in range(count)]
    text = printed(width, "title", columns)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= max(width, 40)
    assert "…" not in text


def test_a_last_column_of_long_text_is_folded():
    why = "coreData_position: not POINT (lon lat) and then some more words that nobody has room for"
    text = printed(
        60, "dropped", [Column("stage", ["clean"], is_text=True), Column("why", [why], is_text=True, folds=True)]
    )
    assert max(map(len, text.splitlines())) <= 60
    assert " ".join(text.split()).replace("clean ", "").endswith(why)


PATH = "/a/folder/that-is/longer_than/the/terminal.csv"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_sentence_breaks_between_words_on_a_terminal_alone(is_terminal):
    stream = io.StringIO()
    sentence = f"every test message is of one class, see {PATH} for the rest of it"
    print_line(Console(file=stream, width=30, force_terminal=is_terminal, color_system=None), sentence)
    lines = stream.getvalue().splitlines()
    assert " ".join(lines) == sentence
    assert (len(lines) > 1) is is_terminal
    assert not is_terminal or max(len(line) for line in lines if line != PATH) <= 30
    assert any(PATH in line for line in lines)
