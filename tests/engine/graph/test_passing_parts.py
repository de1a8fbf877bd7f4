"""Parts between passes: what comes back is what was written, types, nulls and all, or it is told."""

import pandas as pd
import pyarrow as pa
import pytest

from cdpipe import attack, clean, features
from cdpipe.engine.files.digests import DamageError
from cdpipe.engine.files.parts import read_part, write_part
from cdpipe.engine.graph.passing_parts import read_passing, write_passing
from cdpipe.stages.attacks.swap_rand import SwapRand
from cdpipe.stages.features import FeatureParams
from cdpipe.synthetic.generator import SynthParams, synthesize_frame

MESSAGES = synthesize_frame(SynthParams(rows=300, vehicles=10, dirty_share=0.3))
CLEAN = clean(MESSAGES)[0]
ATTACKED = attack(CLEAN, SwapRand())[0]
FRAMES = [MESSAGES, CLEAN, ATTACKED, features(ATTACKED, FeatureParams(columns="all"))[0]]


@pytest.mark.parametrize("frame", FRAMES, ids=["gathered", "clean", "attacked", "features"])
@pytest.mark.parametrize("rows", [300, 1, 0])
def test_it_is_what_a_parquet_part_would_be(tmp_path, frame, rows):
    given = frame.iloc[:rows]
    written = write_passing(given, tmp_path / "part.arrow", flush="never")
    assert (written.rows, written.bytes) == (len(given), (tmp_path / "part.arrow").stat().st_size)
    write_part(given, tmp_path / "part.parquet")
    found = read_passing(tmp_path / "part.arrow", known=written)
    pd.testing.assert_frame_equal(found, read_part(tmp_path / "part.parquet"))
    for name in found.select_dtypes("number"):
        found[name].to_numpy(copy=False)  # stages hand these to compiled code
        assert (found[name].dtype, found[name].isna().sum()) == (given[name].dtype, given[name].isna().sum())


def test_some_columns_come_in_the_order_asked_for(tmp_path):
    written = write_passing(CLEAN, tmp_path / "p.arrow", flush="soon")
    found = read_passing(tmp_path / "p.arrow", ("y_pos", "coreData_id"), known=written)
    pd.testing.assert_frame_equal(found, CLEAN[["y_pos", "coreData_id"]])


@pytest.mark.parametrize("change", ["flip", "cut", "gone"])
def test_damage_is_told(tmp_path, change):
    path = tmp_path / "p.arrow"
    written = write_passing(CLEAN, path, flush="never")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(data if change == "flip" else data[:-9])
    with pytest.raises(DamageError) as told:
        read_passing(path, known=written)
    assert told.value.path == path


def test_a_write_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(pa.ArrowException):
        write_passing(pd.DataFrame({"x": [object()]}), tmp_path / "p.arrow", flush="now")
    assert list(tmp_path.iterdir()) == []
