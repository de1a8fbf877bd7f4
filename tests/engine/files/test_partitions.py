import shutil
from urllib.parse import quote

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from cdpipe.engine.api.reading import gather, plan_sources
from cdpipe.engine.files.partitions import find_keys
from cdpipe.engine.files.parts import read_part
from cdpipe.engine.files.paths import SourceError, expand_paths
from cdpipe.engine.files.sources import find_sources
from cdpipe.engine.run.inputs import Inputs
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.synthetic.generator import SynthParams, synthesize

TYPE, STREAM, SPEED = "metadata_recordType", "metadata_serialId_streamId", "coreData_speed"


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/data/coredata_ID=A1/part.parquet", {"coreData_id": "A1"}),
        ("/data/a=1/b=x%20y%2Fz%3D/part.parquet", {"a": "1", "b": "x y/z="}),
        ("/data/a%20b=1/part.parquet", {"a b": "1"}),
        ("/data/a=__HIVE_DEFAULT_PARTITION__/part.parquet", {"a": None}),
        ("/data/a=/part.parquet", {"a": ""}),
        ("/data/a=1/a=2/part.parquet", {"a": "2"}),
        ("/data/a=b=c/part.parquet", {"a": "b=c"}),
        ("/data/=1/ =2/part.parquet", {}),
        ("/data/part=1.parquet", {}),
        ("s3://bucket/day=2020-01-01/part.parquet", {"day": "2020-01-01"}),
        ("zip://a=1/part.parquet::file:///b=2/a.zip", {"a": "1"}),
    ],
)
def test_folders_tell_values_by_column(path, keys):
    assert find_keys(path) == keys


def test_a_relative_path_tells_what_an_absolute_one_does(tmp_path, monkeypatch):
    (tmp_path / "a=1").mkdir()
    monkeypatch.chdir(tmp_path / "a=1")
    assert find_keys("part.parquet") == find_keys("../a=1/part.parquet") == {"a": "1"}


@pytest.fixture
def messages(tmp_path):
    """Messages of two types and three streams, one of them null, in the order of their partitions."""
    synthesize(tmp_path / "whole.parquet", SynthParams(rows=600, vehicles=10))
    table = pq.read_table(tmp_path / "whole.parquet").to_pandas()
    table[STREAM] = [("s/1 %", "s=2", None)[row % 3] for row in range(len(table))]
    table[TYPE] = [f"t{row % 2}" for row in range(len(table))]
    place = table[STREAM].map(quote_hive)
    return table.assign(place=place).sort_values([TYPE, "place"], kind="stable").drop(columns="place")


def quote_hive(value):
    return "__HIVE_DEFAULT_PARTITION__" if pd.isna(value) else quote(value, safe="")


def write_tree(frame, folder, *keys):
    """Write what pyarrow, Spark and Hive do: a folder a value, without the column."""
    for values, part in frame.groupby(list(keys), dropna=False, sort=False):
        inner = folder.joinpath(*(f"{key}={quote_hive(value)}" for key, value in zip(keys, values, strict=True)))
        inner.mkdir(parents=True)
        pq.write_table(pa.Table.from_pandas(part.drop(columns=list(keys)), preserve_index=False), inner / "p.parquet")


def parts(folder):
    return pd.concat([read_part(path) for path in sorted(folder.glob("*.parquet"))], ignore_index=True)


def test_the_same_messages_give_the_same_rows_whatever_the_partitioning(tmp_path, messages):
    pq.write_table(pa.Table.from_pandas(messages, preserve_index=False), tmp_path / "whole.parquet")
    write_tree(messages, tmp_path / "tree", TYPE, STREAM)
    whole = gather(tmp_path / "whole.parquet", tmp_path / "a")
    for number, given in enumerate(
        (
            tmp_path / "tree",
            str(tmp_path / "tree" / "**" / "*.parquet"),
            f"file://{tmp_path}/tree",
            f"file://{tmp_path}/tree/*/*/*.parquet",
            expand_paths([str(tmp_path / "tree")]),
        )
    ):
        assert gather(given, tmp_path / f"b{number}") == whole
        first, second = parts(tmp_path / "a"), parts(tmp_path / f"b{number}")
        labels = {name: "str" for name, kind in first.dtypes.items() if kind == "category"}
        pd.testing.assert_frame_equal(second[first.columns].astype(labels), first.astype(labels))


def test_what_pyarrow_writes_is_read(tmp_path, messages):
    ds.write_dataset(
        pa.Table.from_pandas(messages, preserve_index=False), tmp_path / "tree", format="parquet",
        partitioning=[TYPE, STREAM], partitioning_flavor="hive",
    )  # fmt: skip
    gather(tmp_path / "tree", tmp_path / "out", GatherParams(columns=(TYPE, STREAM)))
    found = parts(tmp_path / "out")
    assert found[STREAM].isna().sum() == 200
    assert set(found[STREAM].dropna()) == {"s/1 %", "s=2"}


def test_a_store_s_folder_is_read_like_a_disk_s(tmp_path, messages):
    write_tree(messages, tmp_path / "tree", TYPE, STREAM)
    store = fsspec.filesystem("memory")
    store.put(str(tmp_path / "tree"), "/partitioned", recursive=True)
    gather(tmp_path / "tree", tmp_path / "a")
    gather("memory://partitioned", tmp_path / "b")
    pd.testing.assert_frame_equal(parts(tmp_path / "a"), parts(tmp_path / "b"))


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        (SPEED, "12.50", 12.5),
        (SPEED, "8191", None),
        (SPEED, "", None),
        ("coreData_msgCnt", "7", 7),
        ("metadata_generatedAt", "2020-01-01T00%3A00%3A01Z", pd.Timestamp("2020-01-01 00:00:01")),
        ("metadata_recordType", "bsmTx", "bsmTx"),
        ("region", "007", "007"),
    ],
)
def test_values_are_read_as_cells_of_text_are(tmp_path, key, value, read):
    folder = tmp_path / f"{key}={value}"
    folder.mkdir()
    pq.write_table(pa.table({"coreData_id": ["A1", "B2"]}), folder / "p.parquet")
    (tmp_path / "m.csv").write_text(
        f"coreData_id,{key}\nA1,{value.replace('%3A', ':')}\nB2,{value.replace('%3A', ':')}\n"
    )
    params = GatherParams(columns=("coreData_id", key))
    assert gather(tmp_path / "m.csv", tmp_path / "a", params) == gather(folder, tmp_path / "b", params)
    (one, two), (same, _) = (parts(tmp_path / out)[key].tolist() for out in "ba")
    assert (pd.isna(one) and pd.isna(same)) if read is None else one == two == same == read


def test_a_value_that_cannot_be_read_rejects_each_row_with_its_place(tmp_path):
    (tmp_path / "metadata_generatedAt=soon").mkdir()
    pq.write_table(pa.table({"coreData_id": ["A1", "B2"]}), tmp_path / "metadata_generatedAt=soon" / "p.parquet")
    ledger = gather(tmp_path, tmp_path / "out")
    assert (ledger.rows_in, ledger.rows_out) == (2, 0)
    text = (tmp_path / "out" / "rejects.jsonl").read_text()
    assert "'soon' is not a timestamp" in text


def test_a_column_of_the_file_goes_before_its_folder(tmp_path):
    (tmp_path / f"{SPEED}=1").mkdir()
    pq.write_table(pa.table({"coreData_id": ["A1"], SPEED.upper(): [2.0]}), tmp_path / f"{SPEED}=1" / "p.parquet")
    gather(tmp_path, tmp_path / "out")
    assert parts(tmp_path / "out")[SPEED].tolist() == [2.0]


def test_other_keys_are_read_only_if_they_are_asked_for(tmp_path):
    (tmp_path / "region=north").mkdir()
    (tmp_path / "day=3").mkdir()
    for name in ("region=north", "day=3"):
        pq.write_table(pa.table({"coreData_id": ["A1"]}), tmp_path / name / "p.parquet")
    (source, *_), _ = plan_sources([str(tmp_path / "region=north")], GatherParams())
    assert source.columns == ("coreData_id",)
    (source, *_), _ = plan_sources([str(tmp_path / "region=north")], GatherParams(columns=("region",)))
    assert source.columns == ("region",)
    with pytest.raises(SourceError, match=r"day=3/p.parquet: has no column 'region'"):
        plan_sources([str(tmp_path)], GatherParams(columns=("region",)))
    with pytest.raises(SourceError, match="'day' is made by cdpipe"):
        plan_sources([str(tmp_path)], GatherParams(columns=("day",)))


def test_a_file_that_moved_to_another_folder_is_another_input(tmp_path):
    (tmp_path / f"{SPEED}=1").mkdir()
    pq.write_table(pa.table({"coreData_id": ["A1"]}), tmp_path / f"{SPEED}=1" / "p.parquet")

    def key():
        inputs = Inputs([str(tmp_path)], cached=True)
        return inputs.keys({file.path: file for file in find_sources(inputs.paths)})

    before = key()
    assert key() == before
    shutil.move(tmp_path / f"{SPEED}=1", tmp_path / f"{SPEED}=2")
    assert key() != before


def test_a_key_that_begins_as_hidden_names_do_hides_nothing(tmp_path):
    for name in ("_region=1", "_temporary", ".spark=1"):
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"coreData_id": ["A1"]}), tmp_path / name / "p.parquet")
    assert expand_paths([str(tmp_path)]) == [str(tmp_path / "_region=1" / "p.parquet")]
