import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdpipe import run
from cdpipe.config.model import parse_config
from cdpipe.engine.outputs.output_folder import OutputError
from cdpipe.studies.card.card import describe_run
from cdpipe.studies.card.content import read_content
from cdpipe.studies.card.writing import write_card
from cdpipe.synthetic.generator import SynthParams, synthesize


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("messages") / "bsm.csv"
    synthesize(path, SynthParams(rows=800, vehicles=20))
    return path


@pytest.fixture(scope="module")
def ran(source, tmp_path_factory):
    """Run a small configuration with some changes; the output folder."""

    def made(**changes):
        out = tmp_path_factory.mktemp("runs") / "out"
        given = {
            "input": {"paths": [str(source)]},
            "features": {"columns": "all"},
            "train": {"classifiers": []},
            "cache": {"enabled": False},
            "output": {"directory": str(out)},
        }
        run(parse_config({**given, **changes}))
        return out

    return made


@pytest.fixture(scope="module")
def folder(ran):
    return ran()


def test_a_card_says_what_the_data_are(folder, source):
    facts = describe_run(folder)
    table = pq.read_table(folder / "dataset").to_pandas()
    assert facts["data"]["rows"] == len(table)
    assert facts["data"]["vehicles"] == table["vehicle"].nunique()
    label = facts["labels"]["isAttacker"]
    assert label["messages"] == table["isAttacker"].sum()
    assert label["vehicles"] == table[table["isAttacker"] == 1]["vehicle"].nunique()
    speed = facts["data"]["columns"]["coreData_speed"]
    assert (speed["least"], speed["greatest"]) == (table["coreData_speed"].min(), table["coreData_speed"].max())
    assert (speed["unit"], speed["meaning"]) == ("m/s", "speed")
    assert sum(column["nulls"] for column in facts["data"]["columns"].values()) == table.isna().sum().sum()
    (given,) = facts["inputs"]
    assert (given["bytes"], given["unchanged_since_run"]) == (source.stat().st_size, True)
    assert facts["data"]["first"].startswith("20")


def test_the_digest_is_of_the_rows_and_not_of_their_files(folder, ran):
    digest = describe_run(folder)["data"]["content_digest"]
    cut = ran(gather={"block_mb": 0.01})
    assert len(list((cut / "dataset").glob("*.parquet"))) > 3
    assert describe_run(cut)["data"]["content_digest"] == digest
    other = ran(seed=7)
    assert describe_run(other)["data"]["content_digest"] != digest


def test_folders_by_value_are_the_same_content(folder, ran, tmp_path):
    out = tmp_path / "laid"
    ran(output={"directory": str(out), "partition_by": ["hour"]})
    assert list((out / "dataset").glob("hour=*"))
    assert read_content(out / "dataset").digest == read_content(folder / "dataset").digest


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.slice(1),
        lambda table: pa.concat_tables([table, table.slice(0, 1)]),
        lambda table: table.rename_columns([name.upper() for name in table.column_names]),
        lambda table: table.set_column(0, table.column_names[0], pa.array([None, *table[0].to_pylist()[1:]])),
        lambda table: table.set_column(2, table.column_names[2], pa.array(table[2].to_pylist()[::-1])),
    ],
)
def test_any_change_of_the_rows_changes_the_digest(folder, tmp_path, change):
    table = pq.read_table(folder / "dataset")
    pq.write_table(table, tmp_path / "same.parquet")
    pq.write_table(change(table), tmp_path / "other.parquet")
    assert read_content(tmp_path / "same.parquet").digest == read_content(folder / "dataset").digest
    assert read_content(tmp_path / "other.parquet").digest != read_content(folder / "dataset").digest


def test_texts_and_times_have_a_digest_whatever_their_encoding(tmp_path):
    plain = pa.table({"id": ["a", None, "b"], "at": pa.array([1, 2, None], pa.timestamp("us"))})
    labels = plain.set_column(0, "id", plain["id"].dictionary_encode())
    for name, table in (("plain", plain), ("labels", labels)):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    assert read_content(tmp_path / "plain.parquet").digest == read_content(tmp_path / "labels.parquet").digest


def test_what_the_page_says_makes_the_same_bits_again(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    facts = write_card(folder, out=tmp_path / "card")
    page = (tmp_path / "card" / "card.md").read_text()
    given = json.loads(re.search(r"```json\n(.*?)\n```", page, re.DOTALL)[1])
    run(parse_config(given))
    assert describe_run(tmp_path / "again")["data"]["content_digest"] == facts["data"]["content_digest"]
    assert facts["data"]["content_digest"] in page
    assert all(limit in page for limit in facts["limits"])


def test_a_changed_input_is_said(folder, source):
    before = source.read_bytes()
    try:
        source.write_bytes(before + b"\n")
        assert describe_run(folder)["inputs"][0]["unchanged_since_run"] is False
        source.unlink()
        assert describe_run(folder)["inputs"][0]["sha256"] is None
    finally:
        source.write_bytes(before)


def test_a_card_replaces_a_card_and_nothing_else(folder):
    write_card(folder)
    write_card(folder)
    assert json.loads((folder / "card.json").read_text())["data"]["rows"] > 0
    (folder / "card.md").write_text("mine")
    with pytest.raises(OutputError, match=r"card\.md: is no card made here"):
        write_card(folder)
    assert (folder / "card.md").read_text() == "mine"


def test_what_has_no_card_is_said(folder, ran, tmp_path):
    with pytest.raises(OutputError, match=r"report\.json: cannot be read"):
        describe_run(tmp_path)
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(OutputError, match="is no report of a run"):
        describe_run(tmp_path)
    ran(output={"directory": str(tmp_path / "bare"), "dataset": False})
    with pytest.raises(OutputError, match="has no dataset"):
        describe_run(tmp_path / "bare")
