"""Each private part of asv does what the gate has it do: the test that fails names the one that broke."""

import contextlib
import json
import subprocess
import textwrap
from pathlib import Path

import pytest

from cdpipe.perf.gate.measuring import asv_compat
from cdpipe.perf.gate.measuring.asv_compat import CannotMeasureError, Processes
from cdpipe.perf.gate.measuring.sides import choose_expression, resolve

_SUITE = """
import os

def time_sized(rows): pass
time_sized.params, time_sized.param_names = [["1k", "1M"]], ["rows"]

def track_setup(made): return made + len(os.listdir("."))
def made(): open("left", "w").close(); return 40
track_setup.setup_cache = made

def time_broken(): raise ValueError("planted")

def track_skipped(): return 1
def skip(): raise NotImplementedError
track_skipped.setup = skip

def track_repeat(): return float("inf")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose environment is this Python; (folder, hash of its commit)."""
    path = tmp_path_factory.mktemp("compat")
    (path / "suite").mkdir()
    (path / "suite" / "__init__.py").touch()
    (path / "suite" / "some.py").write_text(textwrap.dedent(_SUITE))
    (path / "suite" / "__main__.py").write_text(
        "import sys\nif __name__ == '__main__':\n    assert sys.argv[1:] == ['select', 'gate']\n    print('sized')\n"
    )
    conf = {
        "version": 1,
        "project": "p",
        "repo": ".",
        "branches": ["main"],
        "environment_type": "existing",
        "benchmark_dir": "suite",
    }
    (path / "asv.conf.json").write_text(json.dumps(conf))
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=path, check=True)
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=path, check=True, capture_output=True, text=True)
    return path, asked.stdout.strip()


@pytest.fixture
def opened(project):
    """Configuration, repository, environment and commit, in the project's folder."""
    path, commit = project
    with contextlib.chdir(path):
        config = asv_compat.load_config(Path("asv.conf.json"))
        repository = asv_compat.open_repository(config)
        yield config, repository, asv_compat.find_environment(config, path / "gate"), commit


def test_commits_have_hashes_and_unknown_ones_are_named(opened):
    _, repository, _, commit = opened
    assert asv_compat.find_commit(repository, "main") == commit
    with pytest.raises(CannotMeasureError, match="'nowhere': no such commit"):
        asv_compat.find_commit(repository, "nowhere")


def test_a_configuration_that_is_missing_is_named(tmp_path):
    with pytest.raises(CannotMeasureError, match=r"asv\.conf\.json: cannot be read"):
        asv_compat.load_config(tmp_path / "asv.conf.json")


def test_no_interpreter_is_no_regression(opened, tmp_path):
    config, _, _, _ = opened
    config.environment_type, config.pythons = "virtualenv", ["3.99"]
    with pytest.raises(CannotMeasureError, match=r"of Python 3\.99 with 'virtualenv' there is none here"):
        asv_compat.find_environment(config, tmp_path)


def test_environments_of_two_folders_are_two_environments(opened, tmp_path):
    config, _, _, _ = opened
    config.environment_type = "virtualenv"
    first, second = (asv_compat.find_environment(config, tmp_path / name) for name in ("base", "head"))
    assert first.name == second.name
    assert not first.check_presence()
    assert config.env_dir not in {str(tmp_path / "base"), str(tmp_path / "head")}


def test_an_environment_that_takes_no_commits_is_refused(opened):
    config, repository, env, commit = opened
    with pytest.raises(CannotMeasureError, match="asv installs no commits there"):
        asv_compat.install(config, repository, env, commit)


def test_benchmarks_are_found_by_asv_s_own_expressions(opened):
    config, repository, env, commit = opened
    cells = asv_compat.discover(config, repository, env, commit, r"sized\('1M'\)|track_setup")
    assert [cell.name for cell in cells] == ["some.time_sized('1M')", "some.track_setup"]
    assert (cells[0].params, cells[0].place, cells[1].params) == (("'1M'",), 1, ())
    assert cells[0].benchmark["timeout"] > 0
    with pytest.raises(CannotMeasureError, match="no benchmark is selected by 'nothing'"):
        asv_compat.discover(config, repository, env, commit, "nothing")


def test_processes_give_samples_or_say_why_not(opened):
    config, repository, env, commit = opened
    cells = {cell.name: cell for cell in asv_compat.discover(config, repository, env, commit, "some")}
    with Processes(config, env) as processes:

        def run(name):
            return processes.run(cells[f"some.{name}"], attributes={"repeat": [2, 2, 1.0], "warmup_time": 0.0})

        assert len(run("time_sized('1k')").samples) == 2
        # Each process finds what `setup_cache` made, and nothing of another process.
        assert run("track_setup").samples == run("track_setup").samples == (42.0,)
        broken, skipped, endless = map(run, ("time_broken", "track_skipped", "track_repeat"))
        assert (broken.samples, broken.is_skipped) == ((), False)
        assert "ValueError: planted" in broken.output
        assert (skipped.samples, skipped.is_skipped) == ((), True)
        assert (endless.samples, endless.output) == ((), "gave no finite number")
        with pytest.raises(CannotMeasureError, match="the canary cannot be run"):
            processes.call(["-c", "raise SystemExit(3)"])
        assert float(processes.call(["-c", "print(0.5)"])) == 0.5


def test_a_script_of_ours_runs_ahead_of_asv_s(opened, tmp_path):
    config, repository, env, commit = opened
    (cell,) = asv_compat.discover(config, repository, env, commit, "setup")
    script = tmp_path / "script.py"
    note = tmp_path / "note"
    script.write_text(
        f"import pathlib, runpy, sys\npathlib.Path({str(note)!r}).write_text(sys.argv[2])\n"
        "sys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    with Processes(config, env) as processes:
        assert processes.run(cell, attributes={}, script=script).samples == (42.0,)
    assert note.read_text() == "run"


def test_the_suite_says_what_it_calls_the_gate(project):
    path, _ = project
    assert choose_expression(path / "asv.conf.json", "gate") == "sized"
    assert choose_expression(path / "asv.conf.json", "other") is None  # an answer that failed: all is measured


def test_the_base_is_where_the_head_left_its_branch(tmp_path):
    def git(*words):
        who = ["-c", "user.name=t", "-c", "user.email=t@t"]
        return subprocess.run(
            ["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q", "-b", "main")
    conf = tmp_path / "asv.conf.json"
    conf.write_text(json.dumps({"version": 1, "project": "p", "repo": ".", "branches": ["HEAD"]}))
    hashes = {}
    for name in ("one", "two"):
        git("commit", "-q", "--allow-empty", "-m", name)
        hashes[name] = git("rev-parse", "HEAD")
    assert resolve(conf, None, "HEAD") == (hashes["one"], hashes["two"])
    git("checkout", "-q", "-b", "topic")
    git("commit", "-q", "--allow-empty", "-m", "three")
    git("commit", "-q", "--allow-empty", "-m", "four")
    head = git("rev-parse", "HEAD")
    assert resolve(conf, None, "HEAD") == (hashes["two"], head)
    assert resolve(conf, "main~1", "topic") == (hashes["one"], head)
    git("branch", "-m", "main", "trunk")
    with pytest.raises(CannotMeasureError, match=r"has no commit in common with .*name a base"):
        resolve(conf, None, "HEAD")
