"""The witness sees what a benchmarked function uses, call by call, and nothing of what is around it."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import cdpipe
from cdpipe.perf.gate.measuring import witness

ROOT = Path(cdpipe.__file__).parents[1]

_RUNNER = """
class Benchmark:
    def __init__(self, func):
        self.func = func

    def do_run(self):
        for _ in range(3):
            self.func()
"""

_WORK = """
import sys
sys.path.insert(0, FOLDER)
import runner
from made import work

[0] * 20_000_000  # ahead of the calls
runner.Benchmark(work.NAME).do_run()
"""

_MODULE = """
import time

kept = []


def spin():
    end = time.process_time() + 0.15
    while time.process_time() < end:
        pass


def nap():
    time.sleep(0.1)


def read():
    for _ in range(4):
        with open(FOLDER + "/data", "rb") as file:
            file.read()


def leak():
    kept.append(bytearray(b"1") * 30_000_000)


def grow():
    bytearray(b"1") * 60_000_000
"""


@pytest.fixture(scope="module")
def witnessed(tmp_path_factory):
    """Run one function of a module under the witness and give what it says."""
    folder = tmp_path_factory.mktemp("witness")
    (folder / "made").mkdir()
    (folder / "made" / "__init__.py").touch()
    (folder / "runner.py").write_text(_RUNNER)
    (folder / "data").write_bytes(bytes(5_000_000))
    (folder / "made" / "work.py").write_text(textwrap.dedent(_MODULE).replace("FOLDER", repr(str(folder))))

    def run(name, probe=""):
        script, out = folder / f"{name}.py", folder / f"{name}.json"
        script.write_text(_WORK.replace("FOLDER", repr(str(folder))).replace("NAME", name))
        settings = {"out": str(out), "hook": "runner:Benchmark.do_run", "package": "made", "probe": probe}
        variables = {**os.environ, "CDPIPE_WITNESS": json.dumps(settings), "PYTHONPATH": f"{folder}:{ROOT}"}
        subprocess.run([sys.executable, witness.__file__, str(script)], env=variables, check=True)
        seen = json.loads(out.read_text())
        assert seen["calls"] == (0 if probe else 3)
        return seen["figures"], seen["functions"]

    return run


def test_computing_is_processor_time_of_a_function(witnessed):
    figures, functions = witnessed("spin")
    assert 0.15 <= figures["cpu_seconds"] < 0.3
    assert max(functions, key=functions.get) == "work.py:spin"
    assert figures["read_bytes"] < 1e6


def test_waiting_is_no_computing(witnessed):
    figures, _ = witnessed("nap")
    assert figures["wall_seconds"] >= 0.1
    assert figures["cpu_seconds"] < 0.08


def test_reading_is_counted_in_bytes_from_the_page_cache_too(witnessed):
    figures, _ = witnessed("read")
    assert 2e7 <= figures["read_bytes"] < 2.2e7


def test_memory_that_stays_is_told_from_memory_that_goes(witnessed):
    leaked, grown = witnessed("leak")[0], witnessed("grow")[0]
    assert 2.5e7 < leaked["kept_bytes"] < 3.5e7
    assert abs(grown["kept_bytes"]) < 5e6
    assert grown["peak_bytes"] > 4e7
    assert grown["page_faults"] > 5_000


def test_the_probe_measures_instead_where_the_commit_has_one(witnessed):
    figures, functions = witnessed("spin", probe="cdpipe.probe")
    assert functions == {}
    if figures["samples"]:  # a system that has nothing to measure with gives no shares
        shares = [value for name, value in figures.items() if name.startswith("share_")]
        assert sum(shares) == pytest.approx(1.0, abs=0.05)
        assert figures["share_compute"] > 0
    assert witnessed("spin", probe="nowhere.probe") == ({}, {})
