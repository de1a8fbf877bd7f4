import pytest

from cdpipe.spelling import suggest, word_choice

NAMES = ("RandomForest", "DecisionTree", "KNeighbors", "offset_rand", "offset_const", "coreData_speed")


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("RandomForrest", "RandomForest"),
        ("randomforest", "RandomForest"),
        ("offset_random", "offset_rand"),
        ("coreData_sped", "coreData_speed"),
        ("KNei", "KNeighbors"),
        ("wheel", None),
        ("", None),
        ("offset", "offset_rand"),
    ],
)
def test_the_nearest_name_is_suggested(wrong, meant):
    assert suggest(wrong, NAMES) == meant


def test_a_name_that_several_begin_with_is_no_suggestion():
    assert suggest("z", ["za1234567", "zb1234567"]) is None


def test_choices_are_named_with_and_without_a_suggestion():
    assert word_choice("swap", ["swap_rand", "x"]) == "did you mean 'swap_rand'? There are swap_rand, x"
    assert word_choice("q", ["swap_rand", "x"]) == "use one of swap_rand, x"
