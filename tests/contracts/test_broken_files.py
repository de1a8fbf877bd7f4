"""Broken files, paths, rights and configurations: a counted reject or an error that names it, never a traceback."""

import gzip
import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clusters import environment
from command_runs import BY_ROW, GOOD, HEADER, TINY, command, command_run, write
from contract_data import config_of, read_rejects
from made_files import SENT_ROWS, write_ode_json

from cdpipe import run
from cdpipe.synthetic.generator import SynthParams, synthesize

BROKEN = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b" \n\n", "is empty"),
    "empty.json": (b"", "is empty"),
    "header-only.csv": (HEADER + "\n", "no message was read: the input has columns but no record"),
    "header-without-line-end.csv": (HEADER, "no message was read: the input has columns but no record"),
    "utf-16.csv": (GOOD.encode("utf-16"), "not UTF-8"),
    "utf-16-without-mark.csv": (GOOD.encode("utf-16-le"), "not UTF-8"),
    "utf-16.json": (GOOD.encode("utf-16"), "not JSON"),
    "latin-1-header.csv": (("vitess\u00e9," + GOOD).encode("latin-1"), "is not UTF-8; convert the file to UTF-8"),
    "mac.csv": (GOOD.replace("\n", "\r"), "line feed"),
    "semicolons.csv": (GOOD.replace(",", ";"), "needs a position"),
    "no-header.csv": (GOOD.partition("\n")[2], "cleaning needs a position"),
    "missing-position.csv": (GOOD.replace("coreData_position_lat", "latitude"), "cleaning needs a position"),
    "missing-speed.csv": (GOOD.replace("coreData_speed", "speed"), "null in coreData_speed"),
    "twice.csv": (GOOD.replace("coreData_speed", "COREDATA_ID"), "are both 'coreData_id'"),
    "one-array.json": ('[{"metadata": {}}]', "not a BSM"),
    "csv-in.json": (GOOD, "not JSON"),
    "json-in.csv": ('{"metadata": {}, "payload": {}}\n' * 3, None),
    "binary.csv": (bytes(range(256)) * 50, "not UTF-8"),
    "packed.csv": (gzip.compress(GOOD.encode()), "not UTF-8"),
    "no.parquet": (b"PAR1 this is none PAR1", "arquet"),
    "cut.parquet": (None, "arquet"),
    "rowless.parquet": (None, "no message was read: the input has columns but no record"),
    "numbers-as-ids.parquet": (None, "coreData_id"),
    "no-suffix": (GOOD, "tells no format"),
    "long-header.csv": ('"' + "x" * 200_000 + "\n" + GOOD, "line 1"),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
@pytest.mark.parametrize("training", ["train", "no training"])
def test_a_file_that_gives_nothing_usable_is_an_error_that_names_it(tmp_path, name, training):
    content, said = BROKEN[name]
    source = tmp_path / name
    if name.endswith(".parquet") and content is None:
        synthesize(tmp_path / "good.parquet", SynthParams(rows=100))
        table = pq.read_table(tmp_path / "good.parquet")
        if name == "numbers-as-ids.parquet":
            ids = table.schema.names.index("coreData_id")
            table = table.set_column(ids, "coreData_id", pa.array(range(100)))
        pq.write_table(table.slice(0, 0) if name == "rowless.parquet" else table, source)
        if name == "cut.parquet":
            source.write_bytes(source.read_bytes()[:-100])
    else:
        write(source, content)
    before = source.read_bytes()
    done = command_run(tmp_path, source, train=TINY if training == "train" else None)
    assert done.exit_code == 1, done.output
    assert "cdpipe: " in done.output
    assert said is None or said in done.output.replace("\n", " ")
    assert source.read_bytes() == before
    report = tmp_path / "out" / "report.json"
    if report.exists():  # something was read, and this says why it came to nothing
        assert json.loads(report.read_text())["failed"] in done.output.replace("\n", " ")


def test_a_csv_cut_in_the_middle_of_a_line_loses_that_line_and_counts_it(tmp_path):
    source = write(tmp_path / "cut.csv", GOOD[: GOOD.rindex(",41.5") + 3])
    report = run(config_of([source], tmp_path, train=None, attack=BY_ROW))
    assert report.ledgers["gather"].dropped == {"too few fields": 1}
    assert report.ledgers["gather"].rows_out == 9
    [reject] = read_rejects(tmp_path / "out")
    assert (reject["line"], reject["text"]) == (11, "2019-07-01T06:00:09Z,A9,41")


def test_a_json_file_cut_in_the_middle_of_a_line_loses_that_line_and_counts_it(tmp_path):
    data = write_ode_json(tmp_path / "whole.json", rows=SENT_ROWS).read_bytes()
    source = write(tmp_path / "cut.json", data[: len(data) - 500])
    report = run(config_of([source], tmp_path, train=None, attack=BY_ROW))
    assert report.ledgers["gather"].dropped == {"not JSON": 1}
    assert report.ledgers["gather"].rows_out == SENT_ROWS - 1


def test_latin_1_in_a_cell_costs_that_row_alone(tmp_path):
    source = write(tmp_path / "latin.csv", GOOD.replace(",A3,", ",\u00e9t\u00e9,").encode("latin-1"))
    done = command_run(tmp_path, source, train=None)
    assert done.exit_code == 0, done.output
    [reject] = read_rejects(tmp_path / "out")
    assert (reject["line"], reject["code"]) == (5, "coreData_id: not UTF-8 text")


def test_one_value_that_cannot_be_costs_that_row_alone(tmp_path):
    source = write(tmp_path / "huge.csv", GOOD.replace(",2000,", ",1e300,", 1))
    report = run(config_of([source], tmp_path, train=TINY, attack={**BY_ROW, "seed": 1}))
    assert report.ledgers["gather"].notes == {"coreData_elevation impossible, read as null": 1}
    assert report.ledgers["clean"].dropped == {"null in coreData_elevation": 1}


def test_a_good_file_beside_a_broken_one_is_not_read_in_silence(tmp_path):
    write(tmp_path / "a.csv", GOOD)
    write(tmp_path / "b.csv", b"")
    done = command_run(tmp_path, tmp_path / "*.csv")
    assert done.exit_code == 1
    assert "b.csv: is empty" in done.output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nowhere.csv", "there is no such file"),
        ("*.nothing.csv", "no file matches"),
        ("folder", "is a folder without Parquet files"),
        ("folder.csv", "is a folder"),
        ("link.csv", "there is no such file"),
        ("memory://nowhere.csv", "there is no such file"),
        ("nonsense://host/a.csv", "nonsense"),
    ],
)
def test_a_path_that_is_no_file_is_an_error_that_names_it(tmp_path, given, said):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.csv").mkdir()
    write(tmp_path / "folder.csv" / "a.txt", "x")
    (tmp_path / "link.csv").symlink_to(tmp_path / "gone.csv")
    path = given if "://" in given else tmp_path / given
    done = command_run(tmp_path, path)
    assert done.exit_code == 1
    assert said in done.output
    assert given in done.output


WITHOUT_RIGHTS = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what lets root read and write everything
    if os.geteuid() == 0 and ctypes.CDLL(None, use_errno=True).prctl(24, capability, 0, 0, 0) != 0:
        sys.exit(77)
os.execv(sys.executable, [sys.executable, "-c", "from cdpipe.cli import main; main()", "run", sys.argv[1]])
"""


@pytest.mark.parametrize(
    ("closed", "mode"),
    [
        ("a.csv", 0),
        ("out", 0o555),
        pytest.param("cache", 0o555, marks=pytest.mark.slow),
        pytest.param("run.json", 0, marks=pytest.mark.slow),
    ],
)
def test_what_may_not_be_read_or_written_is_an_error_that_names_it(tmp_path, closed, mode):
    write(tmp_path / "a.csv", GOOD)
    config = config_of([tmp_path / "a.csv"], tmp_path, train=TINY, attack=BY_ROW)
    (tmp_path / "run.json").write_text(config.model_dump_json(exclude_unset=True))
    for place in ("out", "cache"):
        (tmp_path / place).mkdir()
    (tmp_path / closed).chmod(mode)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RIGHTS, str(tmp_path / "run.json")],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    (tmp_path / closed).chmod(0o700)
    if done.returncode == 77:
        pytest.skip("this root may not give up its right to read everything")
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert str(tmp_path / closed) in done.stderr.replace("\n", "")


# Configurations


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[input]\npaths = ['a.csv']\n[attack]\nratioo = 0.3\n",
            "[attack]: unknown key 'ratioo'; did you mean 'ratio'",
        ),
        (
            "[input]\npaths = ['a.csv']\n[clean.filters.within]\nradius = 1\n",
            "[clean.filters.within]: unknown key 'radius'",
        ),
        ("[input]\npaths = ['a.csv']\n[attack]\nratio = 1.5\n", "[attack]: ratio = 1.5"),
        ("[input]\npaths = ['a.csv']\n[attack]\nkind = 'swap'\n", "swap_rand"),
        ("[input]\npaths = ['a.csv']\n[cache]\nstages = ['clena']\n", "clena"),
        ("[input]\npaths = ['a.csv']\n[features]\ncolumns = ['vehicle']\n", "vehicle"),
        ("[input]\npaths = ['a.csv']\n[features]\ncolumns = ['metadata_recordType']\n", "metadata_recordType"),
        ("[input]\npaths = ['a.csv']\n[gather]\ncolumns = ['month']\n", "'month'"),
        ("[input]\npaths = ['a.csv']\n[clean]\nrequired = ['isAttacker']\n", "'isAttacker'"),
        (
            "input.paths = ['a.csv']\nclean.timestamp_parts = false\nfeatures.columns = 'extended_timestamps'\n",
            "month",
        ),
        ("[input]\npaths = []\n", "paths"),
        ("seed = 1\n", "'input' is missing"),
        ("seed = \n", "run.toml"),
        ("", "'input' is missing"),
        ("input = 3\n", "input"),
        ("[input]\npaths = 'a.csv'\n", "paths"),
    ],
)
def test_an_error_in_a_configuration_names_key_and_table(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.csv", GOOD)
    write(tmp_path / "run.toml", text)
    done = command("run", tmp_path / "run.toml")
    assert done.exit_code == 1, done.output
    assert said in done.output
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cdpipe-out") == ["a.csv", "run.toml"]


@pytest.mark.parametrize("name", ["nowhere.toml", "folder"])
def test_a_configuration_that_is_no_file_is_an_error_that_names_it(tmp_path, name):
    (tmp_path / "folder").mkdir()
    done = command("run", tmp_path / name)
    assert done.exit_code == 1
    assert name in done.output


def test_an_output_folder_that_is_a_file_is_an_error_that_names_it(tmp_path):
    write(tmp_path / "a.csv", GOOD)
    write(tmp_path / "out", "a file")
    done = command_run(tmp_path, tmp_path / "a.csv")
    assert done.exit_code == 1
    assert str(tmp_path / "out") in done.output.replace("\n", "")
