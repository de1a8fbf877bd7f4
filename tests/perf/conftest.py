"""Fixtures: an empty results directory to write into, and real results that asv itself has made."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

import cdpipe.perf

from .results_writing import ResultsWriter

_SUITE = """
import time


def tagged(**attributes):
    def tag(function):
        function.__dict__.update(attributes)
        return function
    return tag


class Basic:
    params = [["10k", "50k", "100k"], ["plain", "it's"]]
    param_names = ["rows", "mode"]
    rounds, repeat, number, warmup_time = 2, 3, 1, 0

    @tagged(cdpipe_stage="clean/basic", cdpipe_figure="seconds")
    def time_basic(self, rows, mode):
        if rows == "100k" and mode == "it's":
            raise ValueError("fails for the test")
        time.sleep(int(rows[:-1]) * 1e-3)

    @tagged(cdpipe_stage="clean/basic", cdpipe_figure="cpu_percent", unit="percent")
    def track_cpu(self, rows, mode):
        return 91.5

    @tagged(cdpipe_stage="clean/basic", cdpipe_figure="memory_percent", unit="percent")
    def track_memory(self, rows, mode):
        return {"samples": [20.0, 21.0, 22.0], "number": 1}


def time_foreign():
    sum(range(100))


time_foreign.rounds = time_foreign.repeat = 1


def track_skipped():
    return 1


def skip():
    raise NotImplementedError


track_skipped.setup = skip


def peakmem_list():
    return [0] * 1000
"""


@dataclass(frozen=True)
class AsvProject:
    """A repository with a suite, benchmarked once: where it is, its commit, and how to run asv in it."""

    path: Path
    commit: str
    environment: dict[str, str]

    @property
    def results(self) -> Path:
        return self.path / "results"

    def asv(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "asv", *arguments]
        done = subprocess.run(command, cwd=self.path, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode in {0, 2}, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def writer(tmp_path: Path) -> ResultsWriter:
    return ResultsWriter(tmp_path / "results")


@pytest.fixture(scope="session")
def asv_project(tmp_path_factory: pytest.TempPathFactory) -> AsvProject:
    path = tmp_path_factory.mktemp("asv_project")
    (path / "benchmarks").mkdir()
    (path / "benchmarks" / "__init__.py").touch()
    (path / "benchmarks" / "suite.py").write_text(textwrap.dedent(_SUITE))
    conf = {
        "version": 1, "project": "demo <b>", "repo": ".", "branches": ["main"], "environment_type": "virtualenv",
        "plugins": [".cdpipe.perf.asv_plugin"], "results_dir": "results", "html_dir": "html", "show_commit_url": "#",
    }  # fmt: skip
    (path / "asv.conf.json").write_text(json.dumps(conf))
    machine = {"machine": "box", "os": "Linux", "arch": "x86_64", "cpu": "Test CPU", "num_cpu": "2", "ram": "8000000"}
    (path / ".asv-machine.json").write_text(json.dumps({"box": machine, "version": 1}))
    root = Path(cdpipe.perf.__file__).parents[2]
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    who = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}
    environment = {**os.environ, **who, "HOME": str(path), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *command], cwd=path, env=environment, check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=path, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()
    project = AsvProject(path, commit, environment)
    project.asv("run", "--machine", "box", "--python=same", "--set-commit-hash", commit, "--record-samples")
    return project
