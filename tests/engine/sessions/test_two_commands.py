"""The commands of docs/clusters.md, as they stand but for ports: a run on that cluster, and one that loses it."""

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from clusters import PATIENCE_SECONDS, environment, start_detached

import cdpipe
from cdpipe.synthetic.generator import SynthParams, synthesize

COMMANDS = re.findall(
    r"^\$ (dask .*)$", Path(cdpipe.__file__).parents[1].joinpath("docs/clusters.md").read_text(), re.MULTILINE
)
CONFIG = """
[input]
paths = ["{source}"]
[gather]
block_mb = {block_mb}
[cache]
enabled = false
[output]
directory = "{out}"
"""


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return str(bound.getsockname()[1])


@pytest.fixture
def cluster(tmp_path):
    """Address of the scheduler, and the processes that the commands are."""
    scheduler, workers = COMMANDS[:2]
    port = free_port()
    with ExitStack() as stack:
        pids = []
        for name, command in (("scheduler", scheduler), ("workers", workers)):
            words = command.replace("8786", port).replace("127.0.0.1:8787", "127.0.0.1:0").split()
            pids.append(stack.enter_context(start_detached(tmp_path, name, *words)))
        yield f"tcp://127.0.0.1:{port}", pids


@pytest.fixture
def configured(tmp_path):
    synthesize(tmp_path / "bsm.csv", SynthParams(rows=20_000, vehicles=50))

    def configure(out, block_mb=1):
        file = tmp_path / f"{out}.toml"
        file.write_text(CONFIG.format(source=tmp_path / "bsm.csv", out=tmp_path / out, block_mb=block_mb))
        return file

    return configure


def start_run(configuration, scheduler):
    script = "import sys; from cdpipe.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", script, "run", str(configuration), "--scheduler", scheduler]
    return subprocess.Popen(command, env=environment(), stdout=-1, stderr=-1, text=True, start_new_session=True)


def finish(run):
    out, err = run.communicate(timeout=PATIENCE_SECONDS)
    return run.returncode, out, err


def run_until_there_are_workers(configuration, scheduler):
    """Run; the two commands may not have got so far."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        status, out, err = finish(start_run(configuration, scheduler))
        if not re.search("no dask scheduler|has no workers", err):
            return status, out, err
        assert time.monotonic() < deadline, err


def digest(folder):
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != "report.json"
    }


@pytest.mark.slow
def test_a_run_on_a_cluster_of_two_commands(tmp_path, cluster, configured):
    address, pids = cluster
    assert finish(start_run(configured("threads"), "threads"))[0] == 0
    status, _, err = run_until_there_are_workers(configured("cluster"), address)
    assert (status, err) == (0, "")
    assert digest(tmp_path / "threads") == digest(tmp_path / "cluster") != {}
    family = [each for pid in pids for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]
    listening = {each.laddr.ip for one in family for each in one.net_connections() if each.status == "LISTEN"}
    assert listening == {"127.0.0.1"}


@pytest.mark.slow
def test_a_run_whose_scheduler_is_killed(tmp_path, cluster, configured):
    address, pids = cluster
    assert run_until_there_are_workers(configured("before"), address)[0] == 0
    run = start_run(configured("out", block_mb=0.05), address)
    scratch = tmp_path / "out"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(scratch.rglob("*.parquet")):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.005)
    os.kill(pids[0], signal.SIGKILL)
    status, _, err = finish(run)
    assert (status, err) == (
        1,
        f"cdpipe: the scheduler at {address} was lost: start it and its workers again, then run again\n",
    )
    assert [each.pid for each in psutil.process_iter() if os.getpgid(each.pid) == run.pid] == []
