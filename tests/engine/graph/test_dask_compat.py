"""Each private part of Dask's frames does what cdpipe has it do: the test that fails names the one that broke."""

import pandas as pd

from cdpipe.engine.graph.dask_compat import UNKNOWN_CATEGORIES, FromGraph, new_collection


def test_a_frame_of_a_graph_takes_the_name_that_is_given():
    parts = [pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [3]})]
    layer = {("part", number): part for number, part in enumerate(parts)}
    whole = FromGraph(layer, parts[0].iloc[:0], (None,) * 3, list(layer), "ours", _determ_token="token")
    frame = new_collection(whole)
    assert whole._name == "ours-token"
    assert frame.expr.operand("layer") is layer
    pd.testing.assert_frame_equal(frame.compute(scheduler="sync"), pd.concat(parts))


def test_labels_that_are_not_known_are_marked_by_a_word():
    assert isinstance(UNKNOWN_CATEGORIES, str)
