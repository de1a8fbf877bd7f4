"""Reading kernels compiled by a process beside: on a first run only, and so that nobody compiles them again."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from cdpipe.kernels import warm_up
from cdpipe.kernels.compiling.jit import is_kept
from cdpipe.kernels.csv import records

FIRST = """
from numba.core import event
from cdpipe.kernels import warm_up
from cdpipe.kernels.compiling import jit
from cdpipe.kernels.csv import records

class Compiled(event.Listener):
    names = []
    def on_start(self, event):
        self.names.append(event.data["dispatcher"].py_func.__name__)
    def on_end(self, event):
        pass

event.register("numba:compile", Compiled())
assert not jit.is_kept(records._read)
with warm_up.compiling_ahead():
    pass
assert jit.is_kept(records._read)
warm_up.read_one_line()
assert "_pack_marks" in Compiled.names, Compiled.names
assert "_read" not in Compiled.names, Compiled.names
started = warm_up.subprocess.Popen
warm_up.subprocess.Popen = None
with warm_up.compiling_ahead():
    del Compiled.names[:]
warm_up._compile_what_follows()
assert not Compiled.names, Compiled.names
"""


def run(code: str, machine_code: Path, **more: str) -> None:
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        timeout=600,
        env={**os.environ, "NUMBA_CACHE_DIR": str(machine_code), **more},
    )


@pytest.mark.slow
def test_a_first_run_has_reading_compiled_beside_it_and_later_ones_start_nothing(tmp_path):
    run(FIRST, tmp_path)


def test_nothing_is_started_where_nothing_is_compiled(tmp_path):
    code = "from cdpipe.kernels import warm_up\nwarm_up.subprocess.Popen = None\nwith warm_up.compiling_ahead(): pass"
    run(code, tmp_path, NUMBA_DISABLE_JIT="1")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def emptied(monkeypatch):
    """Have it look as if there were no machine code."""
    monkeypatch.setattr(warm_up, "is_kept", lambda _kernel: False)


@pytest.fixture
def children(monkeypatch):
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(warm_up.subprocess, "Popen", Noted)
    return started


def test_a_process_that_fails_costs_nothing_but_time(emptied, children, monkeypatch):
    monkeypatch.setattr(warm_up, "_CHILD", "raise SystemExit(3)")
    with warm_up.compiling_ahead():
        pass
    assert [child.returncode for child in children] == [3]


@pytest.mark.parametrize("program", ["", "/nowhere/python"])
def test_where_no_process_can_be_had_nothing_is_lost_but_time(emptied, children, monkeypatch, program):
    monkeypatch.setattr(warm_up.sys, "executable", program)
    done = []
    with warm_up.compiling_ahead():
        done.append("rehearsed")
    assert (done, children) == (["rehearsed"], [])


def test_a_process_that_hangs_is_waited_for_no_longer_than_its_time(emptied, children, monkeypatch):
    monkeypatch.setattr(warm_up, "_CHILD", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
    monkeypatch.setattr(warm_up, "LEAST_PATIENCE_S", 0.2)
    with warm_up.compiling_ahead():
        pass
    assert [child.returncode for child in children] == [-9]


def test_nothing_is_started_where_nothing_can_be_kept(emptied, children, monkeypatch):
    """What it compiled nobody would find."""
    monkeypatch.setattr(warm_up, "why_unkept", lambda: "the folder cannot be written")
    with warm_up.compiling_ahead():
        pass
    assert children == []


def test_an_error_within_is_raised_at_once_and_leaves_no_process(emptied, children, monkeypatch):
    monkeypatch.setattr(warm_up, "_CHILD", "import time; time.sleep(100)")
    with pytest.raises(ValueError, match="no latitude"), warm_up.compiling_ahead():
        raise ValueError("no latitude")
    assert [child.returncode for child in children] == [-9]


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
def test_one_line_has_a_column_of_each_sort():
    warm_up.read_one_line()
    assert is_kept(records._read)
