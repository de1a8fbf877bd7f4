"""A data set in folders named by values: the same rows, whoever reads them."""

import shutil

import pandas as pd
import pyarrow.dataset as ds
import pytest
from contract_data import config_of

from cdpipe import read, run
from cdpipe.engine.files.digests import Kept
from cdpipe.engine.files.partitions import PartitionError, find_keys, split_part
from cdpipe.engine.files.parts import write_part
from cdpipe.engine.outputs.output_folder import OutputError

DAYS = {"features": {"columns": "all"}, "clean": {"timestamp_parts": True}}


@pytest.fixture(scope="module")
def whole(dirty_csv, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run(config_of([dirty_csv], folder, gather={"block_mb": 0.05}, train={"classifiers": []}, **DAYS))
    return pd.read_parquet(folder / "out" / "dataset").sort_values("row_number", ignore_index=True)


def publish(source, folder, *columns):
    output = {"partition_by": columns}
    run(config_of([source], folder, gather={"block_mb": 0.05}, train={"classifiers": []}, output=output, **DAYS))
    return folder / "out" / "dataset"


@pytest.mark.parametrize("columns", [("isAttacker",), ("vehicle",), ("minute", "isAttacker")])
def test_pandas_reads_the_rows_of_a_data_set_in_one_folder(dirty_csv, whole, tmp_path, columns):
    dataset = publish(dirty_csv, tmp_path, *columns)
    found = pd.read_parquet(dataset).astype(dict.fromkeys(columns, "str"))
    found = found.astype(whole.dtypes[list(columns)]).sort_values("row_number", ignore_index=True)
    pd.testing.assert_frame_equal(found[whole.columns], whole)
    depths = {len(path.relative_to(dataset).parts) for path in dataset.rglob("*.parquet")}
    assert depths == {len(columns) + 1}


def test_rows_stay_in_order_within_a_file(dirty_csv, tmp_path):
    for path in publish(dirty_csv, tmp_path, "isAttacker").rglob("*.parquet"):
        assert pd.read_parquet(path, columns=["row_number"], partitioning=None)["row_number"].is_monotonic_increasing


def test_a_run_reads_what_another_laid_into_folders(dirty_csv, tmp_path):
    """By the values that only its folders tell."""
    messages = read(dirty_csv)[0].compute(scheduler="sync").dropna(subset=["coreData_id"]).head(2000)
    (tmp_path / "flat").mkdir()
    written = write_part(messages.reset_index(drop=True), tmp_path / "flat" / "part-000000.parquet")
    part = Kept(tmp_path / "flat" / "part-000000.parquet", written.digest)
    assert list(split_part(part, ["coreData_id"], tmp_path / "by", folders=set()))
    one, other = (
        run(config_of([tmp_path / name], tmp_path / f"of {name}", train={"classifiers": []})) for name in ("flat", "by")
    )
    assert one.ledgers["features"].rows_out == other.ledgers["features"].rows_out > 0
    counts = [
        pd.read_parquet(tmp_path / f"of {name}" / "out" / "dataset")["vehicle"].value_counts().sort_index()
        for name in ("flat", "by")
    ]
    pd.testing.assert_series_equal(*counts)


VALUES = ["a", "a/b", "50%", "x=y", "", None, "ä ö", ".", "..", "new\nline", "null"]


def test_any_text_and_null_come_back_from_the_names_of_folders(tmp_path):
    frame = pd.DataFrame({"label": pd.Categorical(VALUES * 3), "n": range(3 * len(VALUES))})
    path = tmp_path / "part-000007.parquet"
    folders = set()
    made = [*split_part(Kept(path, write_part(frame, path).digest), ["label"], tmp_path / "out", folders=folders)]
    assert len(made) == len(VALUES) == len(folders)
    for each in made:
        value = find_keys(str(each))["label"]
        expected = frame.loc[frame["label"].isna() if value is None else frame["label"] == value, "n"]
        assert pd.read_parquet(each, partitioning=None)["n"].tolist() == expected.tolist(), each
        assert each.resolve().is_relative_to(tmp_path / "out")
        assert each.parent.parent == tmp_path / "out"
    scheme = ds.partitioning(flavor="hive")
    found = ds.dataset(tmp_path / "out", format="parquet", partitioning=scheme).to_table().to_pandas()
    told = dict(zip(found["n"], found["label"], strict=True))
    assert [told[n] if VALUES[n] is not None else None for n in range(len(VALUES))] == VALUES


def test_truths_and_numbers_are_named_as_others_name_them(tmp_path):
    frame = pd.DataFrame({"flag": [True, False], "count": pd.array([3, None], "Int64"), "n": [0, 1]})
    path = tmp_path / "part-000000.parquet"
    written = write_part(frame, path)
    made = split_part(Kept(path, written.digest), ["flag", "count"], tmp_path / "out", folders=set())
    assert [str(each.parent.relative_to(tmp_path / "out")) for each in made] == [
        "flag=true/count=3",
        "flag=false/count=__HIVE_DEFAULT_PARTITION__",
    ]


def test_two_values_of_one_name_are_one_folder(tmp_path):
    """Null, and the text that stands for it."""
    frame = pd.DataFrame({"label": pd.Categorical(["__HIVE_DEFAULT_PARTITION__", None, "a", None]), "n": range(4)})
    path = tmp_path / "part-000000.parquet"
    part = Kept(path, write_part(frame, path).digest)
    made = [*split_part(part, ["label"], tmp_path / "out", folders=set())]
    assert [pd.read_parquet(each, partitioning=None)["n"].tolist() for each in made] == [[0, 1, 3], [2]]


def test_too_many_folders_are_an_error_that_names_the_columns(tmp_path, monkeypatch):
    monkeypatch.setattr("cdpipe.engine.files.partitions.MOST_FOLDERS", 5)
    frame = pd.DataFrame({"k": range(6), "n": 0})
    path = tmp_path / "part-000000.parquet"
    part = Kept(path, write_part(frame, path).digest)
    with pytest.raises(PartitionError, match="k would make more than 5 folders; use fewer columns"):
        list(split_part(part, ["k"], tmp_path / "out", folders=set()))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (("nobody",), r"output.partition_by: the data set has no column 'nobody'; it has row_number, vehicle"),
        (("x_pos",), r"output.partition_by: 'x_pos' has values of float64, nearly each its own folder"),
    ],
)
def test_columns_that_cannot_be_folders_are_told_before_any_work(dirty_csv, tmp_path, columns, message):
    with pytest.raises(PartitionError, match=message):
        publish(dirty_csv, tmp_path, *columns)
    assert not (tmp_path / "out" / "dataset").exists()
    assert not list((tmp_path / "cache").glob("[0-9a-f][0-9a-f]"))


def test_the_next_run_replaces_folders_and_nothing_of_others(dirty_csv, tmp_path):
    dataset = publish(dirty_csv, tmp_path, "isAttacker")
    assert publish(dirty_csv, tmp_path) == dataset
    assert all(path.suffix == ".parquet" for path in dataset.iterdir())
    publish(dirty_csv, tmp_path, "minute")
    mine = next(dataset.iterdir()) / "mine.txt"
    mine.write_text("mine")
    with pytest.raises(OutputError, match=r"mine.txt: is not of a run"):
        publish(dirty_csv, tmp_path)
    mine.unlink()
    (dataset / "empty").mkdir()
    with pytest.raises(OutputError, match="empty: is not of a run"):
        publish(dirty_csv, tmp_path)
    shutil.rmtree(dataset / "empty")
    publish(dirty_csv, tmp_path)


def test_a_value_too_long_for_a_name_is_told(tmp_path):
    path = tmp_path / "part-000000.parquet"
    part = Kept(path, write_part(pd.DataFrame({"k": ["\u8eca" * 30], "n": 0}), path).digest)
    with pytest.raises(PartitionError, match=r"k=%E8%BB%8A.*is too long for a folder's name"):
        list(split_part(part, ["k"], tmp_path / "out", folders=set()))
