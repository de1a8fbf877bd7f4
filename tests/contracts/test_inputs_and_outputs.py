"""Invariant 5: inputs are never changed; outputs appear complete or not at all, whatever stops a run."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from clusters import environment
from contract_data import (
    assert_identical,
    block_mb,
    config_of,
    digest_tree,
    frozen,
    name_of,
    read_dataset,
    variants,
)
from observing import observing

from cdpipe import gather, run
from cdpipe.columns import PANDAS_DTYPES
from cdpipe.engine.api.stages import apply_stage
from cdpipe.engine.graph import partition as graph
from cdpipe.engine.outputs import output_folder as outputs
from cdpipe.engine.outputs.output_folder import OutputError
from cdpipe.oserrors import StorageError
from cdpipe.stages import BY_NAME
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.synthetic.generator import SynthParams, synthesize


class BrokenDiskError(OSError):
    """A failure injected into the middle of a run."""


# Frames


@pytest.mark.parametrize("variant", variants(), ids=name_of)
def test_a_stage_leaves_its_frame_as_it_was(variant, stage_inputs):
    frame = stage_inputs[variant.stage]
    before, index = frozen(frame), frame.index.copy()
    apply_stage(variant.stage, frame, variant.params)
    assert frozen(frame) == before
    assert frame.index.equals(index)


@pytest.mark.parametrize("variant", variants(), ids=name_of)
@pytest.mark.parametrize("rows", ["every", "clean"])
def test_writing_to_what_a_stage_gave_never_writes_to_its_input(variant, rows, stage_inputs):
    frame = stage_inputs[variant.stage]
    if rows == "clean":  # nothing to drop: where a column could be handed on as it is
        frame = frame.dropna().reset_index(drop=True)
    before = frozen(frame)
    out, _ = apply_stage(variant.stage, frame, variant.params)
    for name in out.columns:
        if pd.api.types.is_numeric_dtype(out[name].dtype):
            out.loc[out.index[0], name] = 1
            assert out[name].iloc[0] == 1
        elif out[name].dtype == PANDAS_DTYPES["time"]:
            out.loc[out.index[0], name] = pd.Timestamp("2001-01-01")
        elif out[name].dtype == PANDAS_DTYPES["label"]:  # every label in turn, then null: each code is another
            for label in (*out[name].cat.categories, None):
                out.loc[out.index[0], name] = label
                assert out[name].iloc[0] == label or (label is None and pd.isna(out[name].iloc[0]))
        else:
            out.loc[out.index[0], name] = "other"
    assert frozen(frame) == before


# Files


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_run_leaves_its_files_as_they_were(tmp_path, suffix):
    source = tmp_path / f"in{suffix}"
    synthesize(source, SynthParams(rows=1_000))
    before = digest_tree(source)
    run(config_of([source], tmp_path))
    assert digest_tree(source) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", source.name, "out"]


def test_a_run_leaves_nothing_but_its_outputs(dirty_csv, tmp_path):
    report = run(config_of([dirty_csv], tmp_path))
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {path.name for path in report.outputs.values()}
    assert names >= {"dataset", "rejects.jsonl", "report.json", "confusion_DecisionTree.png"}


@pytest.mark.parametrize("name", ["dataset", "rejects.jsonl", "report.json"])
def test_a_run_refuses_to_replace_its_own_input(tmp_path, name):
    out = tmp_path / "out"
    source = out / "dataset" / "part-000000.parquet" if name == "dataset" else out / name
    source.parent.mkdir(parents=True)
    suffix = ".parquet" if name == "dataset" else ".jsonl"
    synthesize(tmp_path / f"a{suffix}", SynthParams(rows=500))
    (tmp_path / f"a{suffix}").rename(source)
    before = digest_tree(source)
    given = out / "dataset" if name == "dataset" else source
    with pytest.raises((OutputError, ValueError), match="is an input, and results would replace it; choose another"):
        run(config_of([given], tmp_path))
    assert digest_tree(source) == before


def fail_at(monkeypatch, stage, row):
    """Make a stage fail on the partition that holds a row."""
    apply = BY_NAME[stage].apply

    def failing(frame, params, facts):
        if (frame["row_number"] == row).any():
            raise BrokenDiskError(28, "No space left on device (injected)")
        return apply(frame, params, facts)

    monkeypatch.setitem(graph.BY_NAME, stage, replace(BY_NAME[stage], apply=failing))


def kept_stages(cache):
    manifests = [json.loads(path.read_text()) for path in cache.glob("[0-9a-f][0-9a-f]/*/manifest.json")]
    return sorted(manifest["stage"] for manifest in manifests)


@pytest.mark.parametrize("stage", ["clean", "attack", pytest.param("features", marks=pytest.mark.slow)])
def test_a_failure_in_the_middle_leaves_no_output_and_the_next_run_is_right(dirty_csv, tmp_path, monkeypatch, stage):
    config = config_of(
        [dirty_csv], tmp_path, gather={"block_mb": block_mb(dirty_csv, 16)}, cache={"stages": ["features"]}
    )
    with monkeypatch.context() as patch:
        fail_at(patch, stage, 1_501)
        with pytest.raises(BrokenDiskError):
            run(config)
    assert list((tmp_path / "out").iterdir()) == []
    finished = [] if stage == "clean" else ["clean"]
    assert kept_stages(tmp_path / "cache") == finished
    assert list((tmp_path / "cache").glob("drafts/*")) == []
    report = run(config)
    assert report.cache == {"features": "miss", **dict.fromkeys(finished, "resumed")}
    assert kept_stages(tmp_path / "cache") == ["features"]
    run(config_of([dirty_csv], tmp_path / "fresh"))
    one, two = (read_dataset(out / "out" / "dataset")[0] for out in (tmp_path, tmp_path / "fresh"))
    assert_identical(one, two)


def test_a_failure_leaves_the_outputs_of_the_run_before(dirty_csv, tmp_path, monkeypatch):
    run(config_of([dirty_csv], tmp_path))
    before = digest_tree(tmp_path / "out")
    fail_at(monkeypatch, "attack", 1_501)
    with pytest.raises(BrokenDiskError):
        run(config_of([dirty_csv], tmp_path, attack={"seed": 7}))
    assert digest_tree(tmp_path / "out") == before


def test_a_disk_that_is_full_while_the_data_set_is_copied_leaves_the_earlier_one(dirty_csv, tmp_path, monkeypatch):
    run(config_of([dirty_csv], tmp_path))
    before = digest_tree(tmp_path / "out")
    copied = []

    def copy(source, target):
        copied.append(target)
        target.write_bytes(source.path.read_bytes()[:100])
        raise BrokenDiskError(28, "No space left on device (injected)")

    monkeypatch.setattr(outputs, "copy_kept", copy)
    with pytest.raises(StorageError, match=r"out.*rejects\.jsonl: the disk is full; free some"):
        run(config_of([dirty_csv], tmp_path, attack={"seed": 7}))
    assert copied
    assert digest_tree(tmp_path / "out") == before


def test_a_run_that_keeps_nothing_leaves_the_data_set_of_the_run_before(dirty_csv, tmp_path):
    out = tmp_path / "out"
    run(config_of([dirty_csv], tmp_path))
    before = digest_tree(out)
    for year in (2001, 2002):  # the second instead of the first
        nothing = {"filters": {"dates": {"first": f"{year}-01-01", "last": f"{year}-01-02"}}}
        with pytest.raises(ValueError, match="no message of 3,000 is left"):
            run(config_of([dirty_csv], tmp_path, clean=nothing))
        said = json.loads((out / "failed-run" / "report.json").read_text())
        assert "no message of 3,000 is left" in said["failed"]
        assert str(year) in json.dumps(said["config"]["clean"])
        rejects = (out / "failed-run" / "rejects.jsonl").read_text()
        assert rejects == (out / "rejects.jsonl").read_text() != ""
        assert {path: what for path, what in digest_tree(out).items() if "failed-run" not in str(path)} == before
    run(config_of([dirty_csv], tmp_path))
    assert not (out / "failed-run").exists()


MINE = {
    "confusion_mine.png": "a picture",
    ".scratch-notes/x": "notes",
    "dataset-old/part-000000.parquet": "older",
    "notes.txt": "n",
    "profile.md": "mine",
}


def test_a_person_s_own_files_stay_through_runs_that_end_well_and_badly(dirty_csv, tmp_path):
    out = tmp_path / "out"
    for name, text in MINE.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    run(config_of([dirty_csv], tmp_path))
    with pytest.raises(ValueError, match=r"change attack\.ratio"):
        run(config_of([dirty_csv], tmp_path, attack={"ratio": 0}))
    run(config_of([dirty_csv], tmp_path, train={"classifiers": ["KNeighbors"]}))
    assert {name: (out / name).read_text() for name in MINE} == MINE
    assert [path.name for path in out.glob("confusion_*")] == ["confusion_KNeighbors.png", "confusion_mine.png"]


@pytest.mark.parametrize(
    "name", ["report.json", "rejects.jsonl", "confusion_DecisionTree.png", "failed-run/x", "dataset/x"]
)
def test_a_run_refuses_to_replace_what_no_run_has_made(dirty_csv, tmp_path, name):
    mine = tmp_path / "out" / name
    mine.parent.mkdir(parents=True)
    mine.write_text('{"mine": 1}')
    with pytest.raises(OutputError, match=f"{mine.name}: is not of a run, or was changed since, and results would"):
        run(config_of([dirty_csv], tmp_path))
    assert mine.read_text() == '{"mine": 1}'


def test_a_result_that_somebody_changed_is_theirs(dirty_csv, tmp_path):
    config = config_of([dirty_csv], tmp_path)
    run(config)
    picture = tmp_path / "out" / "confusion_DecisionTree.png"
    picture.write_bytes(b"drawn better")
    with pytest.raises(OutputError, match=r"confusion_DecisionTree\.png: is not of a run, or was changed since"):
        run(config)
    run(config_of([dirty_csv], tmp_path, train={"classifiers": ["KNeighbors"]}))
    assert picture.read_bytes() == b"drawn better"


def test_a_report_never_stands_beside_the_data_set_of_another_run(dirty_csv, tmp_path):
    run(config_of([dirty_csv], tmp_path))
    with pytest.raises(ValueError, match=r"change attack\.ratio"):
        run(config_of([dirty_csv], tmp_path, attack={"ratio": 0}))
    frame, _ = read_dataset(tmp_path / "out" / "dataset")
    assert frame["isAttacker"].max() == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["config"]["attack"]["ratio"] == 0
    assert "change attack.ratio" in report["failed"]
    assert not list((tmp_path / "out").glob("*.png"))


def test_gathering_into_a_folder_is_whole_or_not_at_all(dirty_csv, tmp_path, monkeypatch):
    target, params = tmp_path / "gathered", GatherParams(block_mb=block_mb(dirty_csv, 16))
    write = graph.write_part

    def failing(frame, path, **how):
        if path.name == "part-000007.parquet":
            raise BrokenDiskError(28, "No space left on device (injected)")
        return write(frame, path, **how)

    with monkeypatch.context() as patch:
        patch.setattr(graph, "write_part", failing)
        with pytest.raises(BrokenDiskError):
            gather(dirty_csv, target, params)
    assert list(tmp_path.iterdir()) == []
    ledger = gather(dirty_csv, target, params)
    frame, parts = read_dataset(target)
    assert (len(frame), parts) == (ledger.rows_out, 16)
    with pytest.raises(FileExistsError, match="is there already"):
        gather(dirty_csv, target, params)


KILLED = """
import json, os, signal, sys
from cdpipe import run
from cdpipe.config.model import parse_config
from cdpipe.engine.run.observer import PartitionDone, RunObserver

def watch(event):
    if isinstance(event, PartitionDone) and event.part.startswith(sys.argv[2]) and event.done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

run(parse_config(json.loads(sys.argv[1])), observer=RunObserver(watch))
"""


@pytest.mark.parametrize(
    ("place", "parts"),
    [("gather", 5), *(pytest.param(*each, marks=pytest.mark.slow) for each in (("gather", 16), ("attack", 5)))],
)
def test_a_run_that_was_killed_leaves_nothing_that_misleads_the_next(dirty_csv, tmp_path, place, parts):
    config = config_of([dirty_csv], tmp_path, gather={"block_mb": block_mb(dirty_csv, 16)})
    given = config.model_dump_json(exclude_unset=True)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, given, place, str(parts)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    visible = [path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")]
    assert visible == []
    sentences, passes = [], {}
    report = run(config, observer=observing(said=sentences, on_partition=lambda *told: passes.setdefault(told[0])))
    resumed = "resumed after gather → clean, which an interrupted run had finished"
    if place == "attack":
        assert report.cache == {"features": "miss", "clean": "resumed"}
        assert list(passes) == ["survey for attack", "attack → features"]
        assert report.seconds.keys() == {"attack", "features"}
        assert sentences.count(resumed) == 1
    else:
        assert report.cache == {"features": "miss", "gather": "miss"}
        assert list(passes) == ["gather → clean", "attack → features"]
        assert resumed not in sentences
    assert kept_stages(tmp_path / "cache") == ["features", "gather"]
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == []
    run(config_of([dirty_csv], tmp_path / "fresh"))
    one, two = (read_dataset(out / "out" / "dataset")[0] for out in (tmp_path, tmp_path / "fresh"))
    assert_identical(one, two)


def test_a_reader_never_sees_half_an_output(dirty_csv, tmp_path):
    """Another process looks at the output folder as often as it can while three runs follow each other."""
    script = (
        "import json, os, sys, time\nfrom pathlib import Path\nout, stop = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "import pyarrow.parquet as pq\nprint('ready', flush=True)\nseen = bad = 0\n"
        "while not stop.exists():\n"
        "    try: json.loads((out / 'report.json').read_text()); seen += 1\n"
        "    except FileNotFoundError: pass\n"
        "    except ValueError: bad += 1\n"
        "    try:\n"
        "        for part in (out / 'dataset').iterdir(): pq.ParquetFile(part).metadata; seen += 1\n"
        "    except FileNotFoundError: pass\n"
        "    except Exception: bad += 1\n"
        "print(seen, bad)"
    )
    stop = tmp_path / "stop"
    watcher = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "out"), str(stop)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert watcher.stdout.readline() == "ready\n"
        for seed in range(3):
            run(config_of([dirty_csv], tmp_path, attack={"seed": seed}, train={"classifiers": ["DecisionTree"]}))
            time.sleep(0.1)
    finally:
        stop.touch()
        seen, bad = map(int, watcher.communicate(timeout=300)[0].split())
    assert seen > 0
    assert bad == 0


def test_data_that_are_read_only_are_enough(dirty_csv, tmp_path):
    """Nothing opens an input for writing: a file that may only be read gives the same, and keeps its mode."""
    source = tmp_path / "read-only.csv"
    source.write_bytes(dirty_csv.read_bytes())
    source.chmod(0o444)
    run(config_of([source], tmp_path))
    assert source.stat().st_mode & 0o777 == 0o444
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written["ledgers"][0]["rows_in"] == 3_000
    assert os.access(tmp_path / "out" / "dataset", os.R_OK | os.X_OK)
    assert np.all([part.stat().st_size for part in (tmp_path / "out" / "dataset").iterdir()])


KILLED_IN_EXCHANGE = """
import json, os, signal, sys
from cdpipe import run
from cdpipe.config.model import parse_config
from cdpipe.engine.outputs import exchange

put, left = exchange._put, [int(sys.argv[2])]

def put_or_die(source, target):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    put(source, target)

exchange._put = put_or_die
run(parse_config(json.loads(sys.argv[1])))
"""


@pytest.mark.parametrize(
    "arrived", [1, pytest.param(0, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_a_run_after_one_that_was_killed_as_it_put_its_results_in_place(dirty_csv, tmp_path, arrived):
    """What has arrived is vouched for by no report yet, and is not taken for somebody else's."""
    config = config_of([dirty_csv], tmp_path, attack={"kind": "offset_rand", "ratio": 0.3})
    run(config)
    other = config_of([dirty_csv], tmp_path, attack={"kind": "offset_rand", "ratio": 0.6})
    given = other.model_dump_json(exclude_unset=True)
    command = [sys.executable, "-c", KILLED_IN_EXCHANGE, given, str(arrived)]
    killed = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with pytest.raises(ValueError, match="partition_by"):  # a run that is refused finishes it too
        run(other.model_copy(update={"output": other.output.model_copy(update={"partition_by": ("no_such",)})}))
    said = json.loads((tmp_path / "out" / "report.json").read_text())
    assert said["config"]["attack"]["ratio"] == 0.6
    run(config)
    said = json.loads((tmp_path / "out" / "report.json").read_text())
    assert said["config"]["attack"]["ratio"] == 0.3
    assert sorted(path.name for path in (tmp_path / "out").glob(".*")) == []
