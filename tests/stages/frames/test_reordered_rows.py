"""Rows in another order, columns of every kind: as pandas' own indexing has them."""

import numpy as np
import pandas as pd
import pytest

from cdpipe.stages.frames.interop import reorder_rows, take_rows


@pytest.mark.parametrize("move", [reorder_rows, take_rows])
def test_all_kinds_of_columns_go_with_their_rows(move):
    rows = 50
    places = np.random.default_rng(1).permutation(rows)
    frame = pd.DataFrame(
        {
            "number": np.arange(rows) * 1.5,
            "flag": np.arange(rows, dtype=np.int8),
            "time": pd.to_datetime(np.arange(rows), unit="s"),
            "whole": pd.array([None if i % 7 == 0 else i for i in range(rows)], dtype="Int64"),
            "label": pd.Categorical([None if i % 5 == 0 else f"v{i % 3}" for i in range(rows)]),
            "text": pd.array([f"t{i}" for i in range(rows)], dtype="str"),
            "thing": pd.Series([[i] for i in range(rows)], dtype=object),
        }
    )
    moved = move(frame, places)
    pd.testing.assert_frame_equal(moved, frame.iloc[places].reset_index(drop=True))
