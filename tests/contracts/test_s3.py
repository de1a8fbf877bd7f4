"""Inputs and results on an S3-compatible server that every worker reaches: a real one, on loopback."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import s3fs
from click.testing import CliRunner
from clusters import start_scheduler, start_workers
from contract_data import config_of, tables_of
from moto.server import ThreadedMotoServer

import cdpipe
from cdpipe import run
from cdpipe.cli import main
from cdpipe.config.model import parse_config
from cdpipe.engine.files.seals import open_seal

SOURCE = "s3://study/messages/dirty.csv"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server, which this process and whatever it starts find by its environment."""
    serving = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    serving.start()
    host, port = serving.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "someone")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield
    s3fs.S3FileSystem.clear_instance_cache()
    serving.stop()


@pytest.fixture
def bucket(server, dirty_csv):
    store = s3fs.S3FileSystem()
    store.mkdir("study")
    store.put_file(str(dirty_csv), "study/messages/dirty.csv")
    yield store
    store.rm("study", recursive=True)


@pytest.fixture(scope="module")
def local(dirty_csv, tmp_path_factory):
    """What a run makes of the same messages on this machine's disk."""
    folder = tmp_path_factory.mktemp("local")
    run(config_of([dirty_csv], folder, gather={"block_mb": 0.05}))
    return folder / "out"


def configure(folder, **tables):
    return config_of([SOURCE], folder, **tables, gather={"block_mb": 0.05}, output={"directory": "s3://study/results"})


def assert_same(store, local):
    said = open_seal(store.cat_file("study/results/manifest.json"))
    at = f"study/results/{said['run']}"
    found = {path.removeprefix(f"{at}/") for path in store.find(at)}
    made = {path.relative_to(local).as_posix() for path in local.rglob("*") if path.is_file()}
    assert found == set(said["bytes"]) == made
    for name in made - {"report.json", "rejects.jsonl"}:
        assert store.cat_file(f"{at}/{name}") == (local / name).read_bytes(), name
    rejects = store.cat_file(f"{at}/rejects.jsonl").splitlines()
    assert len(rejects) == len((local / "rejects.jsonl").read_bytes().splitlines())
    report = json.loads(store.cat_file(f"{at}/report.json"))
    there = json.loads((local / "report.json").read_text())
    assert report["ledgers"] == there["ledgers"]
    assert report["outputs"]["dataset"] == f"s3://{at}/dataset"
    with_pandas = pd.read_parquet(report["outputs"]["dataset"])
    pd.testing.assert_frame_equal(with_pandas, pd.read_parquet(local / "dataset"))


def test_a_run_from_and_to_s3(bucket, local, tmp_path):
    run(configure(tmp_path))
    assert_same(bucket, local)
    run(configure(tmp_path))
    assert_same(bucket, local)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_run_from_and_to_s3_on_workers_of_a_scheduler(bucket, local, tmp_path):
    with start_scheduler(tmp_path) as address, start_workers(tmp_path, address):
        run(configure(tmp_path, session={"scheduler": address}))
    assert_same(bucket, local)


def test_a_data_set_in_folders_by_value(bucket, local, tmp_path):
    given = tables_of([SOURCE], tmp_path, gather={"block_mb": 0.05}, train={"classifiers": []})
    report = run(parse_config(given | {"output": {"directory": "s3://study/by", "partition_by": ["isAttacker"]}}))
    found = pd.read_parquet(report.outputs["dataset"]).astype({"isAttacker": "int8"})
    flat = pd.read_parquet(local / "dataset")
    pd.testing.assert_frame_equal(found.sort_values("row_number", ignore_index=True)[flat.columns], flat)


KILLED = """
import json, os, signal, sys
from cdpipe import run
from cdpipe.config.model import parse_config
from cdpipe.engine.outputs.object_store import ObjectStore

put = ObjectStore.put

def put_or_die(self, name, data):
    if name.endswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    put(self, name, data)

ObjectStore.put = put_or_die
run(parse_config(json.loads(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["dataset/part-000003.parquet", "manifest.json"])
def test_a_run_that_is_killed_as_it_sends_leaves_the_one_before(bucket, local, tmp_path, moment):
    run(configure(tmp_path))
    before = bucket.find("study/results")
    given = tables_of([SOURCE], tmp_path, gather={"block_mb": 0.05}, cache={"directory": str(tmp_path / "other")})
    given |= {"output": {"directory": "s3://study/results"}}
    environment = os.environ | {"PYTHONPATH": str(Path(cdpipe.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(given), moment], env=environment, check=False, timeout=600
    )
    assert done.returncode == -signal.SIGKILL
    bucket.invalidate_cache()
    assert set(before) < set(bucket.find("study/results"))
    assert_same(bucket, local)
    run(configure(tmp_path))
    bucket.invalidate_cache()
    assert_same(bucket, local)
    assert len(bucket.find("study/results")) == len(before)


def test_a_bucket_that_is_not_there_is_told_before_any_work(server, dirty_csv, tmp_path):
    (tmp_path / "run.toml").write_text(f'input.paths = ["{dirty_csv}"]\ncache.directory = "{tmp_path}/cache"\n')
    done = CliRunner().invoke(main, ["run", str(tmp_path / "run.toml"), "--out", "s3://nobody-s/results"])
    assert done.exit_code == 1
    assert done.stderr.startswith("cdpipe: s3://nobody-s/results: ")
    assert "output.directory to a folder of this machine" in done.stderr
    assert not list((tmp_path / "cache").glob("[0-9a-f][0-9a-f]"))


def test_a_profile_is_of_this_machine(server, dirty_csv, tmp_path):
    (tmp_path / "run.toml").write_text(f'input.paths = ["{dirty_csv}"]\n')
    done = CliRunner().invoke(main, ["profile", str(tmp_path / "run.toml"), "--out", "s3://study/results"])
    assert done.exit_code == 1
    assert "a profile is written to a folder of this machine; name one with --out" in done.stderr
