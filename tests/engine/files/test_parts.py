import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdpipe import attack, clean, features
from cdpipe.engine.files.parts import note_part, read_part, write_part
from cdpipe.stages.attacks.swap_rand import SwapRand
from cdpipe.stages.features import FeatureParams
from cdpipe.synthetic.generator import SynthParams, synthesize_frame

MESSAGES = synthesize_frame(SynthParams(rows=300, vehicles=10, dirty_share=0.3))
CLEAN = clean(MESSAGES)[0]
ATTACKED = attack(CLEAN, SwapRand())[0]
FRAMES = [MESSAGES, CLEAN, ATTACKED, features(ATTACKED, FeatureParams(columns="all"))[0]]


@pytest.mark.parametrize("frame", FRAMES, ids=["gathered", "clean", "attacked", "features"])
@pytest.mark.parametrize("rows", [300, 1, 0])
def test_a_partition_comes_back_as_it_was_types_nulls_and_all(tmp_path, frame, rows):
    given = frame.iloc[:rows]
    written = write_part(given, tmp_path / "part.parquet")
    assert (written.rows, written.bytes) == (len(given), (tmp_path / "part.parquet").stat().st_size)
    assert note_part(tmp_path / "part.parquet", len(given)) == written
    labels = given.select_dtypes("category").columns
    if not rows:  # no rows, no labels
        given = given.assign(**{name: given[name].cat.remove_unused_categories() for name in labels})
    pd.testing.assert_frame_equal(read_part(tmp_path / "part.parquet"), given)
    for name in labels:
        assert read_part(tmp_path / "part.parquet")[name].cat.categories.dtype == "str"


@pytest.mark.parametrize("null", [False, True])
def test_every_part_has_one_schema_however_many_labels_and_nulls_it_has(tmp_path, null):
    few, many = (
        synthesize_frame(SynthParams(rows=500, vehicles=n, dirty_share=null * 0.5)).astype({"coreData_id": "category"})
        for n in (2, 300)
    )
    schemas = []
    for name, frame in {"few": few, "many": many, "none": few.iloc[:0]}.items():
        write_part(frame, tmp_path / name)
        schemas.append(pq.read_schema(tmp_path / name))
    assert schemas[0].equals(schemas[1])
    assert schemas[0].equals(schemas[2])
    assert schemas[0].field("coreData_id").type.index_type == pa.int32()
    read = [pq.read_table(tmp_path / name).column("coreData_id").to_pylist() for name in ("few", "many")]
    assert read == [[None if pd.isna(v) else v for v in frame["coreData_id"].astype("str")] for frame in (few, many)]


def test_row_groups_can_be_told_apart_by_numbers_and_times(tmp_path):
    write_part(MESSAGES, tmp_path / "p")
    group = pq.ParquetFile(tmp_path / "p").metadata.row_group(0)
    found = {group.column(i).path_in_schema: group.column(i).statistics for i in range(group.num_columns)}
    for name in ("metadata_generatedAt", "coreData_position_lat", "coreData_position_long", "coreData_secMark"):
        column = MESSAGES[name].dropna()
        assert (found[name].null_count, found[name].has_min_max) == (MESSAGES[name].isna().sum(), True)
        assert found[name].min == column.min()
        assert found[name].max == column.max()


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
