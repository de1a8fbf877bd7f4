"""What `make bench` says of other programs: their share of the processors, and nothing of its own command."""

import os
import resource
import sys

import pytest

from benchmarks import __main__ as command_line
from benchmarks import _others

SPIN = "import time\nwhile time.process_time() < 0.3: pass"
SPIN_IN_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SPIN!r}])"


def children_seconds():
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime


@pytest.fixture
def clock(monkeypatch):
    """A machine of two processors and a clock of ten seconds, on which others take what the test puts here."""
    taken, moments = [0.0], iter([0.0, 10.0])

    def times():
        return [{"user": children_seconds(), "idle": 9.0, "iowait": 9.0}, {"user": 5.0 + taken[0], "guest": 7.0}]

    monkeypatch.setattr(_others, "_processor_times", times)
    monkeypatch.setattr(_others.time, "monotonic", lambda: next(moments))
    return taken


@pytest.mark.parametrize(("others", "percent"), [(0.0, None), (1.9, None), (2.2, "11%"), (9.2, "46%")])
@pytest.mark.parametrize("program", ["pass", SPIN, SPIN_IN_A_CHILD])
def test_share_is_that_of_the_others_alone(monkeypatch, tmp_path, clock, program, others, percent):
    call = _others.subprocess.call

    def call_while_others_work(command):
        status = call(command)
        clock[0] = others
        return status

    monkeypatch.setattr(_others.subprocess, "call", call_while_others_work)
    assert _others.run([sys.executable, "-c", program], tmp_path / "note") == 0
    said = (tmp_path / "note").read_text(encoding="utf-8")
    line = "Other programs took {} of the processors meanwhile (quiet is up to 10%): the times above"
    assert said.startswith(line.format(percent) if percent else "")
    assert said.count("\n") == bool(percent)


def test_own_processors_are_seen():
    times = _others._processor_times()
    assert len(times) == len(os.sched_getaffinity(0))
    assert all(each["user"] > 0 for each in times)


@pytest.mark.parametrize(
    ("program", "status"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_status_is_the_commands(tmp_path, program, status):
    assert command_line.main(["watch", str(tmp_path / "note"), sys.executable, "-c", program]) == status
    assert (tmp_path / "note").exists()


def test_missing_command_is_an_error_without_traceback(tmp_path, capsys):
    assert command_line.main(["watch", str(tmp_path / "note"), str(tmp_path / "none")]) == 1
    assert str(tmp_path / "none") in capsys.readouterr().err
    assert command_line.main(["watch", str(tmp_path / "note")]) == 2
