import json

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from cdpipe import attack, clean, features, gather, read
from cdpipe.engine.api.reading import plan_sources
from cdpipe.engine.api.stages import rehearse
from cdpipe.engine.files.parts import read_part
from cdpipe.engine.files.sources import SourceError
from cdpipe.stages.attack import NAME as ATTACK
from cdpipe.stages.attacks.offset_rand import OffsetRand
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.features import FeatureParams
from cdpipe.stages.frames.assembly import number_rows
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.synthetic.generator import SynthParams, synthesize

SMALL = GatherParams(block_mb=0.02)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A CSV of 600 messages and two lines that are none, the 2nd and the last."""
    path = tmp_path_factory.mktemp("frames") / "m.csv"
    synthesize(path, SynthParams(rows=600, vehicles=12))
    head, _, body = path.read_bytes().partition(b"\n")
    path.write_bytes(head + b"\nnot,a,record\n" + body + b"neither,is,this")
    return path


LABELS = ["coreData_id", "metadata_recordType", "metadata_serialId_streamId"]


def as_text(frame):
    """The frame with its labels as text: how a partition numbers them is no part of what it says."""
    found = [name for name in frame if name in LABELS and not ("vehicle" in frame and frame[name].dtype == "UInt64")]
    assert [name for name in frame if frame[name].dtype == "category"] == found
    assert all(frame[name].cat.categories.dtype == "str" for name in found)
    return frame.astype(dict.fromkeys(found, "str"))


def together(folder):
    return pd.concat([as_text(read_part(path)) for path in sorted(folder.glob("*.parquet"))], ignore_index=True)


def test_gather_writes_what_read_gives_and_keeps_the_rejects(source, tmp_path, threads):
    lazy, ledger = read(source, SMALL)
    assert lazy.npartitions > 3
    for place, session in (("own", None), ("given", threads)):
        written = gather(source, tmp_path / "deep" / place, SMALL, session=session)
        assert written == ledger.compute(scheduler="sync")
        assert (written.rows_in, written.rows_out, written.dropped) == (602, 600, {"too few fields": 2})
        pd.testing.assert_frame_equal(
            together(tmp_path / "deep" / place), as_text(lazy.compute(scheduler="sync").reset_index(drop=True))
        )
        rejects = (tmp_path / "deep" / place / "rejects.jsonl").read_text().splitlines()
        assert [(json.loads(line)["line"], json.loads(line)["text"]) for line in rejects] == [
            (2, "not,a,record"),
            (603, "neither,is,this"),
        ]


def test_a_gathered_data_set_reads_back_with_the_same_values(source, tmp_path):
    gather(source, tmp_path / "out", SMALL)
    again = read(tmp_path / "out")[0].compute(scheduler="sync").reset_index(drop=True)
    first = read(source)[0].compute(scheduler="sync").reset_index(drop=True)
    pd.testing.assert_frame_equal(as_text(again).drop(columns="row_number"), as_text(first).drop(columns="row_number"))


def test_gather_does_not_touch_a_folder_that_is_there(source, tmp_path):
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(FileExistsError, match="remove it or choose another folder"):
        gather(source, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_gather_that_fails_leaves_nothing(source, tmp_path, monkeypatch):
    def full(*_, **_how):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cdpipe.engine.graph.partition.write_part", full)
    with pytest.raises(OSError, match="No space left"):
        gather(source, tmp_path / "out", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_dask_frame_stays_lazy_and_gives_what_pandas_does(source):
    lazy, _ = read(source, SMALL)
    plain = lazy.compute(scheduler="sync").reset_index(drop=True)
    lazies, plains, ledgers = [lazy], [plain], []
    for stage, params in ((clean, CleanParams()), (attack, OffsetRand()), (features, FeatureParams(columns="all"))):
        made, ledger = stage(lazies[-1], params)
        assert isinstance(made, dd.DataFrame)
        lazies.append(made)
        done, account = stage(plains[-1], params)
        plains.append(done)
        ledgers.append((ledger, account))
    for lazy_frame, frame in zip(lazies, plains, strict=True):
        assert lazy_frame.dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
        done = lazy_frame.compute(scheduler="sync").reset_index(drop=True)
        pd.testing.assert_frame_equal(as_text(done), as_text(frame))
    for ledger, account in ledgers:
        assert ledger.compute(scheduler="sync") == account


def test_any_dask_frame_is_numbered_in_the_order_of_its_rows(source):
    plain = read(source)[0].compute(scheduler="sync").drop(columns="row_number").reset_index(drop=True)
    lazy = dd.from_pandas(plain, npartitions=4, sort=False)
    made = clean(lazy)[0].compute(scheduler="sync").reset_index(drop=True)
    pd.testing.assert_frame_equal(as_text(made), as_text(clean(plain)[0]))
    assert made["row_number"].max() == 599


def test_numbering_leaves_the_frame_as_it_is():
    frame = pd.DataFrame({"a": [1, 2]})
    assert number_rows(frame, 7)["row_number"].tolist() == [7, 8]
    assert list(frame) == ["a"]


def test_only_wanted_columns_are_read_and_absent_ones_are_null_and_named(source, tmp_path):
    short = tmp_path / "short.csv"
    short.write_text("coreData_id,coreData_speed\nA1,1.5\n")
    sources, absent = plan_sources([str(source), str(short)], GatherParams(columns=("coreData_heading",)))
    assert sources[0].columns == ("coreData_heading",)
    assert absent == {"coreData_heading": (str(short),)}
    lazy, _ = read([source, short], GatherParams(columns=("coreData_heading", "COREDATA_ID")))
    frame = lazy.compute(scheduler="sync").reset_index(drop=True)
    assert list(frame) == ["row_number", "coreData_heading", "coreData_id"]
    assert np.isnan(frame["coreData_heading"].iloc[-1])
    assert frame["row_number"].iloc[-1] == 602


def test_by_default_the_columns_that_all_files_have_are_read(source, tmp_path):
    short = tmp_path / "short.csv"
    short.write_text("weather,coreData_speed,coreData_id\ndry,1.5,A1\n")
    sources, absent = plan_sources([str(source), str(short)], GatherParams())
    assert set(sources[0].columns) == {"coreData_id", "coreData_speed"}
    assert absent == {}


def test_a_file_without_a_position_cannot_be_cleaned_and_says_so(tmp_path):
    (tmp_path / "m.csv").write_text("coreData_id\nA\n")
    with pytest.raises(SourceError, match=r"m\.csv: cleaning needs a position"):
        plan_sources([str(tmp_path / "m.csv")], GatherParams(), needed=CleanParams().inputs)


@pytest.mark.parametrize(
    ("parts", "columns", "message"),
    [
        (False, "extended_timestamps", r"\[features\]: .*month"),
        (
            True,
            ("metadata_recordType",),
            r"\[features\]: column 'metadata_recordType' is category, which is no feature",
        ),
        (True, ("metadata_generatedAt",), r"\[features\]: column 'metadata_generatedAt' is datetime64"),
    ],
)
def test_stages_that_do_not_fit_together_are_found_without_any_row(parts, columns, message):
    params = {
        "clean": CleanParams(timestamp_parts=parts),
        ATTACK: OffsetRand(),
        "features": FeatureParams(columns=columns),
    }
    read_columns = params["clean"].inputs(("coreData_position",))
    with pytest.raises(ValueError, match=message):
        rehearse(read_columns, params)
    rehearse(read_columns, {**params, "features": FeatureParams()})
