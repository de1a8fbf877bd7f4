"""What is read of Parquet files a column at a time, against the same tables taken through pandas as a whole."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdpipe.columns import BY_NAME, GENERATED_AT, LATITUDE, LONGITUDE, POINT, VEHICLE_ID
from cdpipe.engine.files import row_groups as rowgroups
from cdpipe.engine.files.sources import SourceError, count_rows, cut, find_sources, read_block
from cdpipe.stages import clean
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.frames.arrow_columns import to_pandas
from cdpipe.stages.gather.gather import gather_table

TEXT = {
    GENERATED_AT: ["07/31/2019 12:41:59 PM", "2019-08-02T12:00:00.123Z", "2019-11-03T01:30:00 [ET]", "1564576919000"],
    "metadata_recordType": ["bsmTx", "bsmLogDuringEvent", "rxMsg", "ä"],
    VEHICLE_ID: ["A0F1B2C3", "00000017", "zz", "0x1"],
    POINT: ["POINT (-106.1 41.5)", "point(-106 41.6)", "POINT (200 41)", "POINT (180.0000001 90.0000001)"],
}
FLAWS = ["", "  ", "null", "31.02.2019", "POINT (1)", "é"]
NUMBERS = {
    LATITUDE: [41.5, 41.6, 90.0000001, 91.0, -0.0, np.nan],
    LONGITUDE: [-106.1, -106.0, 180.0000001, 181.0, np.nan],
    "coreData_elevation": [2000.0, -409.6, -4096.0, np.inf, -np.inf, np.nan],
    "coreData_speed": [0.0, 163.82, 8191.0, 12.5, np.nan],
    "coreData_accuracy_semiMajor": [2.0, 12.75, 255.0],
}
WHOLE = {"coreData_secMark": [0, 59999, 65535, -1], "coreData_msgCnt": [0, 127]}
COLUMNS = (*TEXT, *NUMBERS, *WHOLE, "coreData_heading")
"""The last is in no file."""

TEXT_TYPES = [
    pa.string(),
    pa.large_string(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.dictionary(pa.int8(), pa.large_string()),
]
FLOAT_TYPES = [pa.float64(), pa.float64(), pa.float32(), pa.string()]
WHOLE_TYPES = [pa.int64(), pa.int32(), pa.uint16(), pa.float64(), pa.string(), pa.dictionary(pa.int32(), pa.string())]


@st.composite
def tables(draw):
    size, flaws, nulls = draw(st.integers(0, 40)), draw(st.booleans()), draw(st.booleans())
    made = {}
    for name, known, types in (
        *((name, known, TEXT_TYPES) for name, known in TEXT.items()),
        *((name, known, FLOAT_TYPES) for name, known in NUMBERS.items()),
        *((name, known, WHOLE_TYPES) for name, known in WHOLE.items()),
    ):
        kind = draw(st.sampled_from(types))
        texts = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)
        choice = [each for each in known if flaws or texts or not np.isinf(each)]
        if kind == pa.uint16():
            choice = [each for each in choice if each >= 0]
        choice = [str(each) for each in choice] if texts else choice
        choice += FLAWS * (texts and flaws) + [None] * nulls
        values = draw(st.lists(st.sampled_from(choice), min_size=size, max_size=size))
        spelling = draw(st.sampled_from([str, str.upper, str.lower]))
        if pa.types.is_dictionary(kind):
            made[spelling(name)] = pa.array(values, kind.value_type).dictionary_encode().cast(kind)
        else:
            made[spelling(name)] = pa.array(values, kind)
    return pa.table(made)


@st.composite
def writings(draw):
    """How a file is written."""
    return {
        "row_group_size": draw(st.sampled_from([1, 3, 7, 100])),
        "use_dictionary": draw(st.booleans()),
        "compression": draw(st.sampled_from(["snappy", "none", "zstd"])),
        "data_page_version": draw(st.sampled_from(["1.0", "2.0"])),
        "store_schema": draw(st.booleans()),
        "write_statistics": draw(st.booleans()),
    }


def plain(frame):
    """Make labels text: in which order they were met is no part of what a frame says."""
    return frame.astype(dict.fromkeys(frame.select_dtypes("category").columns, "str"))


def read_whole(path, block, first_row):
    """Read a block as one table, make a frame of it and then type its columns."""
    groups = range(block.start, block.stop)
    frame = to_pandas(pq.ParquetFile(path).read_row_groups(groups, use_threads=False))
    for name in COLUMNS:
        if name.casefold() not in [each.casefold() for each in frame.columns]:
            frame[name] = None
    line = sum(block.file.group_rows[: block.start]) + 1
    return gather_table(frame, file=path, columns=COLUMNS, first_row=first_row, first_line=line)


def check_same(found, expected):
    pd.testing.assert_frame_equal(plain(found.frame), plain(expected.frame), check_exact=True)
    assert found.ledger == expected.ledger
    assert list(found.ledger.dropped) == list(expected.ledger.dropped)
    assert found.rejects == expected.rejects


CLEANING = st.sampled_from(
    [
        {"filters": {"within": {"latitude": 41.5, "longitude": -106.1, "radius_m": 9_000.0}}},
        {"filters": {"bbox": {"south": 41.0, "north": 41.55, "west": -107.0, "east": -105.0}}, "position": "point"},
        {"filters": {"dates": {"first": "2019-07-31", "last": "2019-08-01"}}, "position": "point"},
        {"required": COLUMNS[:-1]},
    ]
)


@pytest.mark.slow
@settings(max_examples=settings.default.max_examples // 3)  # each takes a tenth of a second
@given(tables(), writings(), st.sampled_from([1, 1_000, 10**6]), CLEANING, st.sampled_from([0, 8, 10**6]))
def test_columns_one_by_one_say_what_the_whole_table_does(tmp_path_factory, table, writing, size, cleaning, packed):
    path = str(tmp_path_factory.mktemp("groups") / "m.parquet")
    pq.write_table(table, path, **writing)
    (file,) = find_sources([path])
    row = 5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rowgroups, "_PACKED_BYTES", packed)
        for block in cut(file, block_bytes=size):
            expected = read_whole(path, block, row)
            found = read_block(block, columns=COLUMNS, first_row=row, rows_before_file=0)
            check_same(found, expected)
            (frame, ledger), (other, same) = (
                clean.apply(each.frame, CleanParams(**{"columns": COLUMNS, "required": (VEHICLE_ID,)} | cleaning))
                for each in (found, expected)
            )
            pd.testing.assert_frame_equal(plain(frame), plain(other), check_exact=True)
            assert ledger == same
            row += count_rows(block).rows


def test_typed_columns_may_be_written_to_and_share_nothing(tmp_path):
    rows = 100
    table = pa.table({name: pa.array((known * rows)[:rows]) for name, known in {**TEXT, **NUMBERS, **WHOLE}.items()})
    table = table.set_column(
        table.column_names.index("coreData_elevation"), "coreData_elevation", pa.array([1.0] * rows)
    )
    pq.write_table(table, tmp_path / "m.parquet")
    (file,) = find_sources([str(tmp_path / "m.parquet")])
    (block,) = cut(file, block_bytes=10**6)
    frame, before = (read_block(block, columns=COLUMNS, first_row=0, rows_before_file=0).frame for _ in range(2))
    for name in frame.columns:
        untouched = frame.drop(columns=name)
        frame.loc[0, name] = frame[name].iloc[1]
        pd.testing.assert_frame_equal(untouched, before.drop(columns=name))
        frame.loc[0, name] = before[name].iloc[0]


def find_packed(path, groups, names):
    with path.open("rb") as stream:
        return rowgroups._find_packed(pq.ParquetFile(stream), stream, groups, names)


@pytest.mark.parametrize("name", [VEHICLE_ID, GENERATED_AT, "metadata_recordType"])
def test_recurring_texts_are_read_as_the_numbers_of_a_dictionary_s_entries(tmp_path, name):
    known = TEXT[name][:2]
    pq.write_table(pa.table({name: known * 5_000}), tmp_path / "m.parquet", row_group_size=2_500)
    pq.write_table(pa.table({name: known * 5_000}), tmp_path / "plain.parquet", use_dictionary=False)
    assert find_packed(tmp_path / "m.parquet", range(4), [name]) == [name]
    assert find_packed(tmp_path / "plain.parquet", range(1), [name]) == []
    (source,) = find_sources([str(tmp_path / "m.parquet")])
    (block,) = cut(source, block_bytes=10**9)
    values = read_block(block, columns=(name,), first_row=0, rows_before_file=0).frame[name]
    assert values.dtype == BY_NAME[name].dtype
    assert values.nunique() == len(known)
    assert (values.iloc[::2] == values.iloc[0]).all()


def test_texts_that_do_not_recur_are_not_put_in_a_dictionary(tmp_path):
    ids = [f"{number:032X}" for number in range(20_000)]
    pq.write_table(pa.table({VEHICLE_ID: ids, POINT: ["POINT (1 2)"] * len(ids)}), tmp_path / "m.parquet")
    assert find_packed(tmp_path / "m.parquet", range(1), [VEHICLE_ID, POINT]) == []


def test_a_file_that_lost_row_groups_is_not_read_as_if_it_had_not(tmp_path):
    path = str(tmp_path / "m.parquet")
    table = pa.table({VEHICLE_ID: ["A", "B", "C", "D"]})
    pq.write_table(table, path, row_group_size=1)
    (file,) = find_sources([path])
    block = cut(file, block_bytes=1)[-1]
    pq.write_table(table, path, row_group_size=2)
    with pytest.raises(SourceError, match=r"m\.parquet: became shorter"):
        read_block(block, columns=(VEHICLE_ID,), first_row=0, rows_before_file=0)


def test_a_rejected_record_is_kept_though_json_has_no_nan_of_32_bits(tmp_path):
    table = pa.table({VEHICLE_ID: ["A"], LATITUDE: pa.array([np.inf], pa.float32()), "coreData_speed": [1.5]})
    table = table.append_column(LONGITUDE, pa.array([None], pa.float32()))
    pq.write_table(table, tmp_path / "m.parquet")
    (file,) = find_sources([str(tmp_path / "m.parquet")])
    (block,) = cut(file, block_bytes=10**6)
    (reject,) = read_block(block, columns=table.column_names, first_row=0, rows_before_file=0).rejects
    assert (reject.code, reject.line) == (f"{LATITUDE}: not a number", 1)
    assert f'"{VEHICLE_ID}":"A"' in reject.text
    assert f'"{LONGITUDE}":null' in reject.text


def test_dictionaries_with_numbers_of_a_byte_are_put_together_though_all_need_more(tmp_path):
    schema = pa.schema([(VEHICLE_ID, pa.dictionary(pa.int8(), pa.string()))])
    ids = [[f"{group}{number:03X}" for number in range(100)] for group in range(4)]
    with pq.ParquetWriter(tmp_path / "m.parquet", schema) as writer:
        for group in ids:
            writer.write_table(pa.table([pa.array(group).dictionary_encode().cast(schema.types[0])], schema=schema))
    (file,) = find_sources([str(tmp_path / "m.parquet")])
    (block,) = cut(file, block_bytes=10**6)
    frame = read_block(block, columns=(VEHICLE_ID,), first_row=0, rows_before_file=0).frame
    assert frame[VEHICLE_ID].tolist() == [each for group in ids for each in group]


@pytest.mark.parametrize(
    "times",
    [
        pa.array([2**31 - 1, -(2**31), None], pa.date32()),
        pa.array([2**62, None, 0], pa.int64()).cast(pa.duration("s")),
        pa.array([[2**62], None, []], pa.list_(pa.int64())).cast(pa.list_(pa.timestamp("us"))),
        pa.array([2**62, None, 0], pa.int64()).cast(pa.timestamp("us")).dictionary_encode(),
    ],
    ids=str,
)
def test_what_no_object_of_python_can_be_does_not_end_a_look_at_first_values(tmp_path, times):
    pq.write_table(pa.table({GENERATED_AT: times}), tmp_path / "a.parquet")
    first = rowgroups.first_values(str(tmp_path / "a.parquet"), [GENERATED_AT], rows=3)
    shown = [2**62 / 1000, None, 0.0] if pa.types.is_dictionary(times.type) else []
    assert first == {GENERATED_AT: shown}
