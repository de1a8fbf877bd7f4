"""Nothing is lost, of files: what is no message is a reject with place and reason, and the rest keeps its values."""

from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract_data import (
    block_mb,
    config_of,
    read_dataset,
    read_rejects,
    write_dirty_csv,
)

from cdpipe import read, run
from cdpipe.columns import BY_NAME, SOURCE
from cdpipe.engine.files.sources import SourceError
from cdpipe.synthetic.generator import SynthParams, synthesize

HEADER = [column.name for column in SOURCE if column.name in {"coreData_id", "coreData_secMark", "coreData_speed"}]
HEADER += ["metadata_generatedAt", "coreData_position_lat", "coreData_position_long", "coreData_elevation"]
HEADER += ["coreData_heading", "metadata_serialId_streamId"]
GOOD = dict(
    zip(
        HEADER,
        ("A0F1B2C3", "100", "12.5", "2019-07-01T06:00:00Z", "41.5", "-106.1", "2154.6", "52.5", '"a, ""b"""'),
        strict=True,
    )
)


def line_of(**changed):
    return ",".join({**GOOD, **changed}.values())


LINES = {
    "": None,
    "   ": None,
    line_of(): None,
    line_of(coreData_speed=""): None,  # null, which is cleaning's affair
    "A0F1B2C3,100": "too few fields",
    line_of() + ",more": "too many fields",
    line_of(metadata_serialId_streamId='"open'): "quote not closed",
    line_of(coreData_speed="fast"): "coreData_speed: not a number",
    line_of(coreData_secMark="1.5"): "coreData_secMark: not an integer",
    line_of(metadata_generatedAt="31/12/2019 11:00:00 AM"): "metadata_generatedAt: not a timestamp",
    line_of(coreData_id="\udcff\udcfe"): "coreData_id: not UTF-8 text",
    line_of(coreData_heading="1e999"): "coreData_heading: not a number",
    line_of(coreData_elevation="NaN"): None,
}


@pytest.fixture(scope="module")
def three_files(tmp_path_factory):
    """Three CSV files with every sort of bad line at known places, and the rejects they must give."""
    folder = tmp_path_factory.mktemp("bad")
    kinds, expected, rows = list(LINES), [], 0
    generator = np.random.default_rng(1)
    for name in ("a", "b", "c"):
        chosen = [kinds[i] for i in generator.integers(0, len(kinds), 400)]
        path = folder / f"{name}.csv"
        text = "\n".join([",".join(HEADER), *chosen])
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        rows += sum(bool(line.strip()) for line in chosen)
        expected += [(str(path), line, LINES[text]) for line, text in enumerate(chosen, 2) if LINES[text]]
    return folder, expected, rows


@pytest.mark.parametrize("blocks", [1, 7])
def test_rejects_are_kept_with_file_line_and_reason(three_files, tmp_path, blocks):
    folder, expected, rows = three_files
    size = block_mb(folder / "a.csv", blocks)
    gathering = {"columns": HEADER, "required": HEADER, "block_mb": size}
    config = config_of([folder / "*.csv"], tmp_path, gather=gathering, train=None)
    report = run(config)
    found = read_rejects(tmp_path / "out")
    assert [(each["file"], each["line"], each["code"]) for each in found] == expected
    ledger = report.ledgers["gather"]
    assert ledger.rows_in == rows
    assert ledger.dropped == Counter(code for _, _, code in expected)
    assert len(found) == sum(ledger.dropped.values())
    for each in found:
        whole = (folder / each["file"]).read_bytes().split(b"\n")[each["line"] - 1]
        assert each["text"] == whole.decode("utf-8", "replace")
    assert any("'fast' is not a number" in each["reason"] for each in found)
    second = run(config)
    assert second.cache["features"] == "hit"
    assert (second.ledgers, read_rejects(tmp_path / "out")) == (report.ledgers, found)


def test_json_lines_are_accounted_for_in_every_block(tmp_path):
    synthesize(tmp_path / "a.jsonl", SynthParams(rows=600, dirty_share=0))
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    changed = {
        10: ("# a comment", "comment"),
        77: ("{", "not JSON"),
        200: ("[1]", "not an object"),
        300: ('{"metadata": {}}', "not a BSM"),
        450: (lines[450].replace('"speed":', '"speed":"foo","x":'), "coreData_speed: not a number"),
        599: ("", None),
    }
    for place, (text, _) in changed.items():
        lines[place] = text
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    for blocks in (1, 5):
        out = tmp_path / str(blocks)
        report = run(
            config_of([tmp_path / "a.jsonl"], out, gather={"block_mb": block_mb(tmp_path / "a.jsonl", blocks)})
        )
        found = [(each["line"], each["code"]) for each in read_rejects(out / "out")]
        assert found == [(place + 1, code) for place, (_, code) in changed.items() if code]
        assert report.ledgers["gather"].rows_in == 599
        assert report.ledgers["gather"].rows_out == 594


def test_parquet_rows_that_cannot_be_read_are_counted_with_their_place(tmp_path):
    write_dirty_csv(tmp_path / "a.csv", rows=500, every=10_000)
    frame = pd.read_csv(tmp_path / "a.csv", dtype="str")
    frame.loc[[3, 250, 499], "coreData_speed"] = "foo"
    frame.loc[251, "metadata_generatedAt"] = "13/13/2019"
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=100)
    report = run(config_of([tmp_path / "a.parquet"], tmp_path, gather={"block_mb": 0.001}))
    assert len(list((tmp_path / "out" / "dataset").iterdir())) == 5
    found = [(each["line"], each["code"]) for each in read_rejects(tmp_path / "out")]
    speed = "coreData_speed: not a number"
    assert found == [(4, speed), (251, speed), (252, "metadata_generatedAt: not a timestamp"), (500, speed)]
    assert report.ledgers["gather"].dropped == {speed: 3, "metadata_generatedAt: not a timestamp": 1}


def test_integers_of_parquet_keep_their_last_digit_beside_a_null(tmp_path):
    write_dirty_csv(tmp_path / "a.csv", rows=200, every=10_000)
    frame = pd.read_csv(tmp_path / "a.csv", dtype="str")
    numbers = [None, 2**53 + 1, *range(198)]
    frame = frame.assign(metadata_serialId_serialNumber=pd.array(numbers, dtype="Int64"))
    frame.to_parquet(tmp_path / "noted.parquet")
    pq.write_table(pa.Table.from_pandas(frame).replace_schema_metadata(None), tmp_path / "bare.parquet")
    for name in ("noted", "bare"):
        column = read(tmp_path / f"{name}.parquet")[0].compute()["metadata_serialId_serialNumber"]
        assert column.dtype == BY_NAME[column.name].dtype
        assert column.iloc[1] == 2**53 + 1
        assert column.isna().tolist()[:2] == [True, False]


def test_parquet_whose_ids_are_an_index_is_read_like_any_other(tmp_path):
    synthesize(tmp_path / "a.parquet", SynthParams(rows=1_000))
    pd.read_parquet(tmp_path / "a.parquet").set_index("coreData_id").to_parquet(tmp_path / "indexed.parquet")
    run(config_of([tmp_path / "a.parquet"], tmp_path / "one"))
    run(config_of([tmp_path / "indexed.parquet"], tmp_path / "two"))
    one, two = (read_dataset(tmp_path / name / "out" / "dataset")[0] for name in ("one", "two"))
    pd.testing.assert_frame_equal(one, two)


def test_a_parquet_file_with_a_column_twice_is_refused(tmp_path):
    synthesize(tmp_path / "a.parquet", SynthParams(rows=100))
    pd.read_parquet(tmp_path / "a.parquet").assign(COREDATA_ID="FF").to_parquet(tmp_path / "b.parquet")
    with pytest.raises(SourceError, match=r"b.parquet: columns \d+ and \d+ are both 'coreData_id'"):
        run(config_of([tmp_path / "b.parquet"], tmp_path))
