import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdpipe.engine.files.column_weights import weigh_groups
from cdpipe.engine.files.sources import cut, find_sources, read_block, weigh_columns

ROWS, LENGTH = 400, 100_000
ID, SPEED, POINT, TIME = "coreData_id", "coreData_speed", "coreData_position", "metadata_generatedAt"


def weigh(tmp_path, columns, wanted, **how):
    pq.write_table(pa.table(columns), tmp_path / "m.parquet", compression="zstd", **how)
    return weigh_groups(str(tmp_path / "m.parquet"), wanted)


def test_numbers_take_eight_bytes_however_they_are_packed_and_only_columns_read_count(tmp_path):
    columns = {SPEED: np.ones(10_000), "coreData_msgCnt": np.ones(10_000, np.int8), "other": ["x" * 999] * 10_000}
    assert weigh(tmp_path, columns, [SPEED, "coreData_msgCnt"]) == (160_000,)
    assert weigh(tmp_path, columns, [SPEED, "coreData_heading"], row_group_size=6_000) == (96_000, 64_000)


def test_texts_written_out_in_the_file_take_what_the_footer_says(tmp_path):
    (weight,) = weigh(tmp_path, {ID: ["a" * LENGTH] * ROWS}, [ID], use_dictionary=False)
    assert ROWS * LENGTH <= weight < 1.01 * ROWS * LENGTH


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
@pytest.mark.parametrize(("name", "is_written"), [(ID, False), (SPEED, False), (TIME, False), (POINT, True)])
def test_texts_of_a_dictionary_take_what_is_made_of_them(tmp_path, kind, name, is_written):
    texts = pa.array(["7" * LENGTH, "8"] * (ROWS // 2)).cast(kind)
    (weight,) = weigh(tmp_path, {name: texts}, [name])
    if is_written:
        assert ROWS * LENGTH <= weight <= 1.1 * ROWS * LENGTH
    else:
        assert LENGTH <= weight <= 2 * LENGTH


def test_blocks_are_cut_by_what_their_columns_become(tmp_path):
    columns = {ID: ["a" * LENGTH] * ROWS, SPEED: np.ones(ROWS)}
    pq.write_table(pa.table(columns), tmp_path / "m.parquet", row_group_size=ROWS // 10, use_dictionary=False)
    (file,) = find_sources([str(tmp_path / "m.parquet")])
    each = ROWS * LENGTH // 10
    for wanted, blocks in (([SPEED], 1), ([ID, SPEED], 4)):
        found = cut(weigh_columns(file, wanted), block_bytes=3 * each + 100_000)
        assert len(found) == blocks
        assert found[0].unpacked_bytes(1) <= 3 * each + 100_000


@pytest.mark.parametrize("value", ["1.5", "fast"])
def test_numbers_of_a_dictionary_s_long_texts_are_read_in_slices_as_they_are_at_once(tmp_path, monkeypatch, value):
    texts = [" " * LENGTH + value, "  2.5", "", None, "1e99"] * (ROWS // 5)
    pq.write_table(pa.table({SPEED: texts, ID: [f"{i:04X}" for i in range(ROWS)]}), tmp_path / "m.parquet")
    (file,) = find_sources([str(tmp_path / "m.parquet")])
    (block,) = cut(file, block_bytes=10**9)
    found = []
    for size in (1 << 20, 1 << 40):
        monkeypatch.setattr("cdpipe.stages.frames.arrow_columns._WRITTEN_BYTES", size)
        part = read_block(block, columns=(SPEED, ID), first_row=0, rows_before_file=0, required=(SPEED,))
        found.append((part.frame.to_json(), part.ledger, part.rejects))
    assert found[0] == found[1]
    assert len(found[0][2]) == (0 if value == "1.5" else ROWS // 5)
    assert all(len(each.text) <= 2_000 for each in found[0][2])
