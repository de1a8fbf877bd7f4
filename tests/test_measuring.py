"""What fails on a quiet machine fails, what fails on a busy one is measured again and else skipped with the reason."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import disturbance
import measuring
import pytest
from disturbance import Disturbance
from measuring import ATTEMPTS, Patience, measure

QUIET = Disturbance(others=0.04, waiting=0.02, ours=0.9, slowdown=1.1)
BUSY = Disturbance(others=0.46, waiting=0.3, ours=0.5, slowdown=1.9)
SENTENCE = "others took 46 % of the processors while this measured (limit 10 %): run it on a quiet machine"


class Planted:
    """A test that fails a number of times, and the machine as it is said to be at each."""

    def __init__(self, *machine, failures, error=AssertionError):
        self.machine, self.failures, self.error, self.calls = machine, failures, error, 0

    def __call__(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error("wrong figure")
        return self.calls

    def watch(self):
        return lambda: self.machine[min(self.calls, len(self.machine)) - 1]


def judge(planted, *, left_s=1000.0):
    return measure(planted, name="test_it", patience=Patience(left_s), watch=planted.watch)


@pytest.mark.parametrize("machine", [(QUIET,), (BUSY, QUIET), (BUSY, QUIET, BUSY, QUIET), (QUIET, BUSY)])
def test_a_figure_that_is_wrong_twice_on_a_quiet_machine_fails(machine):
    planted = Planted(*machine, QUIET, failures=99)
    with pytest.raises(AssertionError, match="wrong figure"):
        judge(planted)
    assert [(*machine, *[QUIET] * 9)[call] for call in range(planted.calls)].count(QUIET) == 2


@pytest.mark.parametrize("machine", [(BUSY,), (QUIET, BUSY)])
def test_a_figure_that_is_wrong_on_a_busy_machine_is_skipped_with_what_others_took(machine):
    planted = Planted(*machine, failures=99)
    with pytest.raises(pytest.skip.Exception, match=f"^test_it: {SENTENCE.replace('(', '[(]').replace(')', '[)]')}$"):
        judge(planted)
    assert planted.calls == ATTEMPTS


@pytest.mark.parametrize("machine", [QUIET, BUSY])
def test_a_figure_that_is_right_at_last_passes(machine):
    assert judge(Planted(machine, failures=1)) == 2
    assert judge(Planted(machine, failures=0)) == 1


def test_without_patience_a_busy_machine_is_tried_once_and_a_quiet_one_twice():
    planted = Planted(BUSY, failures=99)
    with pytest.raises(pytest.skip.Exception):
        judge(planted, left_s=0.0)
    assert planted.calls == 1
    planted = Planted(QUIET, failures=99)
    with pytest.raises(AssertionError):
        judge(planted, left_s=0.0)
    assert planted.calls == 2


@pytest.mark.parametrize("error", [KeyError, TimeoutError])
def test_what_is_no_assertion_fails_at_once_however_busy_the_machine(error):
    planted = Planted(BUSY, failures=99, error=error)
    with pytest.raises(error):
        judge(planted)
    assert planted.calls == 1


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (QUIET, None),
        (BUSY, SENTENCE),
        (Disturbance(0.1, 0.1, 0.1, 1.5), None),
        (Disturbance(0.0, 0.5, 0.99, 1.0), None),  # our own threads have all cores
        (Disturbance(0.0, 0.5, 0.5, 1.0), "a core was denied for 50 % of the processors' time while this measured"),
        (Disturbance(0.0, 0.0, 0.5, 2.0), "the processor was 2.0 times slower than at its best while this measured"),
    ],
)
def test_what_disturbs_is_said_in_a_sentence(seen, said):
    assert seen.reason is None if said is None else seen.reason.startswith(said)
    assert said is None or seen.reason.endswith("): run it on a quiet machine")


# What is read of the machine


def start_burner(**environment):
    """Start a program that computes, is no descendant of this process, and knows only this environment."""
    shell = '"$0" -I -S -c "while True: pass" >/dev/null 2>&1 & echo $!'
    command = ["/bin/sh", "-c", shell, sys.executable]
    return int(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)


@pytest.fixture
def stranger():
    pid = start_burner()
    yield pid
    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def relative():
    pid = start_burner(**{disturbance.MARK: str(os.getpid())})
    yield pid
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_ours_are_descendants_and_whoever_carries_our_mark(stranger, relative):
    with subprocess.Popen(["/bin/sleep", "60"], env={}) as child:
        ours = disturbance.list_ours()
        child.kill()
    assert {os.getpid(), child.pid, relative} <= set(ours)
    assert stranger not in ours


def test_a_stranger_s_time_is_the_others(stranger):
    tell = disturbance.watch()
    time.sleep(0.5)
    seen = tell()
    # It has a core, or else others have it: a fifth of one is the least.
    assert seen.others * len(os.sched_getaffinity(0)) > 0.2
    assert seen.slowdown >= 1


def test_what_a_relative_used_is_ours_also_when_it_ended(relative):
    tell = disturbance.watch()
    while disturbance._used_s(Path(f"/proc/{relative}")) < 0.1:
        time.sleep(0.01)
    disturbance.count_ended(relative)
    os.kill(relative, signal.SIGKILL)
    while relative in disturbance.list_ours():
        time.sleep(0.01)
    assert tell().ours > 0


# How pytest runs them

TESTS = """
    import pytest
    from hypothesis import given, strategies

    calls = []

    @pytest.mark.measuring
    def test_wrong(tmp_path):
        calls.append(tmp_path)
        print("calls", len(calls), "folders", len(set(calls)))
        assert not calls

    @pytest.mark.measuring
    @given(number=strategies.integers(0, 3))
    def test_given(number):
        assert 0 <= number <= 3

    @pytest.mark.measuring
    @given(number=strategies.integers(0, 3))
    def test_given_wrong(number):
        assert number > 3

    @pytest.mark.measuring
    def test_error():
        raise KeyError

    def test_not_measuring():
        calls.append(1)
        print("calls", len(calls))
        assert len(calls) > 99
"""
CONFTEST = """
    import disturbance, measuring

    pytest_plugins = ["measuring"]
    reading = disturbance.Disturbance({others}, 0.0, 0.5, 1.0)
    measuring.measure.__kwdefaults__["watch"] = lambda: lambda: reading
"""


@pytest.fixture
def run_inside(pytester, monkeypatch):
    """Run tests of another folder, in processes of their own that have the plugin."""
    monkeypatch.setenv("PYTHONPATH", str(Path(measuring.__file__).parent))
    pytester.makeini("[pytest]\nmarkers =\n    measuring: measures")

    def run(tests, *arguments, others):
        pytester.makeconftest(CONFTEST.format(others=others))
        pytester.makepyfile(tests)
        return pytester.runpytest_subprocess("-ra", "-p", "no:cacheprovider", *arguments)

    return run


def test_pytest_fails_what_is_wrong_on_a_quiet_machine(run_inside):
    done = run_inside(TESTS, others=0.01)
    done.assert_outcomes(passed=1, failed=4)
    done.stdout.fnmatch_lines(["calls 1 folders 1", "calls 2 folders 1"])


def test_pytest_skips_what_is_wrong_on_a_busy_machine_but_no_error_and_no_other_test(run_inside):
    done = run_inside(TESTS, others=0.46)
    done.assert_outcomes(passed=1, skipped=2, failed=2)
    for name in ("test_wrong", "test_given_wrong"):
        done.stdout.fnmatch_lines([f"SKIPPED*{name}: {SENTENCE.replace('[', '[[]')}"])
    done.stdout.fnmatch_lines(["FAILED*test_error*", "FAILED*test_not_measuring*"])


def test_beside_other_processes_of_the_same_run_nothing_is_measured(run_inside):
    done = run_inside(TESTS, "-n", "1", others=0.01)
    done.assert_outcomes(skipped=4, failed=1)
    done.stdout.fnmatch_lines(["SKIPPED*measures: run it without -n"])
