import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from cdpipe import attack, clean, features
from cdpipe.engine.parts import read_part, write_part
from cdpipe.stages.attacks.swap_rand import SwapRand
from cdpipe.stages.features import FeatureParams
from cdpipe.synth import SynthParams, synthesize_frame

MESSAGES = synthesize_frame(SynthParams(rows=300, vehicles=10, dirty_share=0.3))
CLEAN = clean(MESSAGES)[0]
ATTACKED = attack(CLEAN, SwapRand())[0]
FRAMES = [MESSAGES, CLEAN, ATTACKED, features(ATTACKED, FeatureParams(columns="all"))[0]]


@pytest.mark.parametrize("frame", FRAMES, ids=["gathered", "clean", "attacked", "features"])
@pytest.mark.parametrize("rows", [300, 1, 0])
def test_a_partition_comes_back_as_it_was_types_nulls_and_all(tmp_path, frame, rows):
    given = frame.iloc[:rows]
    size = write_part(given, tmp_path / "part.parquet")
    assert size == (tmp_path / "part.parquet").stat().st_size
    pd.testing.assert_frame_equal(read_part(tmp_path / "part.parquet"), given)


def test_columns_come_in_the_order_asked_for(tmp_path):
    write_part(CLEAN, tmp_path / "p.parquet")
    assert list(read_part(tmp_path / "p.parquet", ("y_pos", "coreData_id"))) == ["y_pos", "coreData_id"]


def test_the_same_rows_are_the_same_bytes_and_one_row_group(tmp_path):
    for name in ("a", "b"):
        write_part(CLEAN, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert pq.ParquetFile(tmp_path / "a").metadata.num_row_groups == 1


def test_an_index_is_not_kept(tmp_path):
    write_part(CLEAN.iloc[::-1], tmp_path / "p")
    assert read_part(tmp_path / "p").index.equals(pd.RangeIndex(len(CLEAN)))


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path):
    write_part(CLEAN, tmp_path / "p")
    with pytest.raises(Exception, match="object"):
        write_part(pd.DataFrame({"x": [object()]}), tmp_path / "p")
    assert [path.name for path in tmp_path.iterdir()] == ["p"]
    pd.testing.assert_frame_equal(read_part(tmp_path / "p"), CLEAN)


def test_who_reads_a_partition_while_it_is_replaced_reads_the_whole_old_one(tmp_path):
    write_part(CLEAN, tmp_path / "p")
    old = (tmp_path / "p").read_bytes()
    with (tmp_path / "p").open("rb") as stream:
        write_part(ATTACKED, tmp_path / "p")
        assert stream.read() == old
    assert list(read_part(tmp_path / "p")) == list(ATTACKED)


def test_what_was_read_can_be_written_to(tmp_path):
    write_part(FRAMES[-1], tmp_path / "p")
    frame = read_part(tmp_path / "p")
    for name in frame:
        frame.loc[0, name] = frame[name].iloc[-1]
    assert np.isfinite(frame["x_pos"]).all()
