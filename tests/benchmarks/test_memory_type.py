"""`treemem_` benchmarks: right about known allocations in child processes, run by asv, readable by the report."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from benchmarks import _memory_type
from benchmarks._memory_type import TreeMemory, Watcher, register

pytestmark = pytest.mark.measuring

ROOT = Path(__file__).resolve().parents[2]
CHILD = "import sys, time; held = bytearray(b'1') * {size}; time.sleep({seconds})"

SUITE = """
    import mmap, subprocess, sys
    from benchmarks._memory_type import register
    register()

    CHILD = "import time; held = bytearray(b'1') * {}; time.sleep(0.2)"

    class Children:
        params = [[60_000_000, 150_000_000]]
        param_names = ["size"]
        repeat = 3
        rounds = 2

        def setup(self, size):
            self.there_before = bytearray(b"1") * 80_000_000

        def treemem_child(self, size):
            subprocess.run([sys.executable, "-I", "-S", "-c", CHILD.format(size)], check=True)

        treemem_child.cdpipe_stage = "suite"
        treemem_child.cdpipe_figure = "tree_peak_bytes"

    def treemem_nothing():
        pass
"""


def allocate(*sizes, seconds=0.3):
    """Have as many children at once hold that many bytes each."""
    command = [sys.executable, "-I", "-S", "-c"]
    children = [subprocess.Popen([*command, CHILD.format(size=size, seconds=seconds)]) for size in sizes]
    assert [child.wait() for child in children] == [0] * len(sizes)


@pytest.fixture(scope="module")
def watcher():
    with Watcher() as started:
        yield started


def grown(watcher, work):
    before = watcher.rest()
    watcher.begin()
    work()
    return watcher.end() - before


@pytest.fixture(scope="module")
def empty_child(watcher):
    """What an interpreter that allocates nothing takes, for the sizes below to be held against."""
    return grown(watcher, lambda: allocate(1))


@pytest.mark.parametrize("sizes", [(50_000_000,), (200_000_000,), (60_000_000, 90_000_000)])
def test_known_allocations_of_children_within_5_percent(watcher, empty_child, sizes):
    measured = grown(watcher, lambda: allocate(*sizes)) - empty_child * len(sizes)
    assert measured == pytest.approx(sum(sizes), rel=0.05)


def test_children_one_after_the_other_do_not_add_up(watcher, empty_child):
    def work():
        for _ in range(3):
            allocate(80_000_000, seconds=0.1)

    assert grown(watcher, work) - empty_child == pytest.approx(80e6, rel=0.05)


def test_pages_that_a_forked_child_shares_count_once(watcher):
    ballast = bytearray(b"1") * 120_000_000
    script = f"""
        import os, time
        held = bytearray(b"1") * {len(ballast)}
        child = os.fork()
        time.sleep(0.3)
        if child: os.waitpid(child, 0)
        """
    command = [sys.executable, "-I", "-S", "-c", textwrap.dedent(script)]
    assert grown(watcher, lambda: subprocess.run(command, check=True)) == pytest.approx(120e6, rel=0.15)


def test_a_short_peak_is_seen(watcher, empty_child):
    size = 100_000_000

    def work():
        held = bytearray(b"1") * size
        del held

    assert grown(watcher, work) > 0.5 * size


def run_type(function, **attributes):
    function.__dict__.update(attributes)
    return TreeMemory("suite.treemem_x", function, [function]).do_run()


def test_one_sample_a_call_and_what_the_first_call_leaves_is_in_all():
    kept = []

    def keep():
        if not kept:
            kept.append(bytearray(b"1") * 70_000_000)

    result = run_type(keep, repeat=4)
    assert result["number"] == 1
    assert result["samples"] == pytest.approx([70e6] * 4, rel=0.05)


def test_as_many_samples_as_asked_for():
    assert len(run_type(lambda: None, repeat=3)["samples"]) == 3
    assert len(run_type(lambda: None, repeat=(2, 4, 30.0))["samples"]) == 4
    assert len(run_type(lambda: None, repeat=(2, 40, 0.0))["samples"]) == 2
    low, high, _ = _memory_type.SAMPLES
    assert low <= len(run_type(lambda: None)["samples"]) <= high


def test_a_failure_of_the_benchmark_is_raised_and_leaves_no_process():
    def fail():
        raise KeyError(1)

    before = children()
    with pytest.raises(KeyError):
        run_type(fail)
    assert children() == before


def children():
    folder = Path(f"/proc/{os.getpid()}/task")
    return {pid for thread in folder.iterdir() for pid in (thread / "children").read_text().split()}


def test_the_type_is_known_once_however_often_the_suite_is_imported():
    from asv_runner.benchmarks import benchmark_types

    register()
    register()
    assert [each.__name__ for each in benchmark_types].count("TreeMemory") == 1
    assert TreeMemory.name_regex.match("treemem_run")
    others = [each for each in benchmark_types if each is not TreeMemory]
    assert not any(each.name_regex.match("treemem_run") for each in others)


@pytest.fixture(scope="module")
def asv_results(tmp_path_factory):
    """A suite of its own, run by asv as users do: forkserver, rounds, samples kept."""
    folder = tmp_path_factory.mktemp("suite")
    suite = folder / "memsuite"
    suite.mkdir()
    (suite / "__init__.py").write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n")
    (suite / "bench.py").write_text(textwrap.dedent(SUITE))
    conf = {
        "version": 1,
        "project": "suite",
        "repo": str(ROOT),
        "branches": ["HEAD"],
        "benchmark_dir": str(suite),
        "results_dir": "results",
        "environment_type": "virtualenv",
    }
    (folder / "asv.conf.json").write_text(json.dumps(conf))
    environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    asv = [sys.executable, "-m", "asv"]
    existing = ["--environment", f"existing:{sys.executable}"]

    def call(*arguments):
        return subprocess.run(
            [*asv, *arguments], env=environment, cwd=folder, stdin=-3, capture_output=True, text=True, check=False
        )

    assert call("machine", "--yes").returncode == 0
    checked = call("check", *existing)
    done = call("run", *existing, "--set-commit-hash", "HEAD", "--record-samples", "--launch-method", "forkserver")
    assert done.returncode == 0, done.stdout + done.stderr
    results = [path for path in (folder / "results").glob("*/*.json") if path.name != "machine.json"]
    assert len(results) == 1, done.stdout + done.stderr
    return folder, checked, json.loads(results[0].read_text())


@pytest.mark.slow
def test_asv_checks_and_runs_it_and_keeps_the_samples(asv_results):
    _, checked, results = asv_results
    assert checked.returncode == 0, checked.stdout + checked.stderr
    names = results["result_columns"]
    row = dict(zip(names, results["results"]["bench.Children.treemem_child"], strict=False))
    nothing = dict(zip(names, results["results"]["bench.treemem_nothing"], strict=False))
    assert [len(samples) for samples in row["samples"]] == [6, 6]
    assert row["result"][1] - row["result"][0] == pytest.approx(90e6, rel=0.05)
    assert row["result"][0] == pytest.approx(60e6 + 8e6, rel=0.15)  # and an interpreter
    assert row["stats_ci_99_a"][0] <= row["result"][0] <= row["stats_ci_99_b"][0]
    assert nothing["result"][0] < 5e6


@pytest.mark.slow
def test_benchmarks_json_says_what_the_report_needs(asv_results):
    folder = asv_results[0]
    described = json.loads((folder / "results" / "benchmarks.json").read_text())["bench.Children.treemem_child"]
    assert (described["type"], described["unit"]) == ("treememory", "bytes")
    assert (described["cdpipe_stage"], described["cdpipe_figure"]) == ("suite", "tree_peak_bytes")
    assert re.fullmatch(r"[0-9a-f]{64}", described["version"])
