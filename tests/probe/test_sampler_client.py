"""The sampling process never decides over a run: killed, stopped or not to be had, it costs the figures and no more."""

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cloudpickle
import dask
import psutil
import pytest
from clusters import environment, start_scheduler, start_workers
from distributed import Client

from cdpipe.engine.sessions.base import SessionError
from cdpipe.probe import probe as room
from cdpipe.probe import sampler_client as watch
from cdpipe.probe.probe import ProbeResult, probe
from cdpipe.probe.recording.task_recorder import BOOKS
from cdpipe.probe.sampler_client import Watch, WatchError
from cdpipe.probe.sampling.process import NAME
from cdpipe.probe.system.counters import describe_process

cloudpickle.register_pickle_by_value(sys.modules[__name__])

STEPS = ["prepare", "begin", "stop", "read", "__exit__"]
STEP_S = 0.4
"""How long a process that is stopped is waited for."""


@pytest.fixture(autouse=True)
def nothing_left(request):
    before = descriptors()
    yield
    gc.collect()
    assert not samplers(os.getpid())
    assert not BOOKS
    # A cluster has connections, and libraries that make files keep what they open first.
    assert descriptors() <= before or {"local", "tmp_path"} & set(request.fixturenames)


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@dask.delayed
def work(index):
    return index


def run(session):
    """Do some work under a probe; returns what was measured."""
    with probe(session) as used:
        assert session.run([work(index) for index in range(4)]) == [0, 1, 2, 3]
    return used


def check_missing(used, why):
    assert why in used.missing
    assert set(used.as_dict().values()) == {None}


def strike(monkeypatch, step, number):
    """Send a signal to the sampling process before a step; a process that got it has got it then."""
    whole = getattr(Watch, step)

    def struck(self, *arguments):
        os.kill(self.pid, number)
        os.waitid(os.P_PID, self.pid, os.WNOWAIT | (os.WEXITED if number == signal.SIGKILL else os.WSTOPPED))
        return whole(self, *arguments)

    monkeypatch.setattr(Watch, step, struck)


def test_without_harm_nothing_is_missing(threads):
    used = run(threads)
    assert used.missing is None
    assert used.tasks == 4
    assert ProbeResult().missing is None


@pytest.mark.parametrize("step", STEPS[:-1])
def test_killed_at_a_step_it_costs_the_figures(threads, monkeypatch, step):
    strike(monkeypatch, step, signal.SIGKILL)
    check_missing(run(threads), "the sampling process ended early, with status -9")


@pytest.mark.parametrize("step", [STEPS[0], *(pytest.param(each, marks=pytest.mark.slow) for each in STEPS[1:-1])])
def test_stopped_at_a_step_it_is_waited_for_no_longer_than_its_time(threads, monkeypatch, step):
    strike(monkeypatch, step, signal.SIGSTOP)
    whole = getattr(Watch, step)

    def hurried(self, *arguments):
        monkeypatch.setattr(watch, "PATIENCE_S", STEP_S)
        return whole(self, *arguments)

    monkeypatch.setattr(Watch, step, hurried)
    check_missing(run(threads), f"the sampling process has not answered for {STEP_S:g} s")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_harmed_at_the_end_it_costs_nothing(threads, monkeypatch, number):
    strike(monkeypatch, "__exit__", number)
    whole = Watch.__exit__

    def hurried(self, *arguments):
        monkeypatch.setattr(watch, "PATIENCE_S", STEP_S)
        return whole(self, *arguments)

    monkeypatch.setattr(Watch, "__exit__", hurried)
    assert run(threads).missing is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_block_that_fails_fails_by_its_own_error(threads, number):
    def fail():
        with probe(threads):
            (sampler,) = samplers(os.getpid())
            os.kill(sampler, number)
            raise KeyError("its own")

    with pytest.raises(KeyError, match="its own"):
        fail()


@pytest.mark.parametrize(
    ("executable", "why"), [("/nowhere/python", "No such file"), ("", "Python does not know its own program")]
)
def test_no_program_to_start(threads, monkeypatch, executable, why):
    monkeypatch.setattr(sys, "executable", executable)
    check_missing(run(threads), why)


def test_no_process_to_be_had(threads, monkeypatch):
    def refuse(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(watch.subprocess, "Popen", refuse)
    check_missing(run(threads), "no sampling process can be started (Resource temporarily unavailable)")


def test_what_it_fails_of_it_says(monkeypatch, capfd):
    with Watch() as watched, pytest.raises(WatchError, match=r"failed \(KeyError: 'tables'\)"):
        watched.prepare({})
    assert capfd.readouterr().err == ""


def test_an_answer_that_is_none(threads, monkeypatch):
    monkeypatch.setattr(watch, "_START", "print('nonsense', flush=True); input()")
    check_missing(run(threads), "JSONDecodeError")


def test_a_full_pipe_is_waited_for_no_longer_than_its_time(monkeypatch):
    with Watch() as watched:
        monkeypatch.setattr(watch, "PATIENCE_S", STEP_S)
        os.kill(watched.pid, signal.SIGSTOP)
        with pytest.raises(WatchError, match="has not answered"):
            watched.prepare({"roots": list(range(100_000))})


def test_a_long_line_is_said_whole():
    with Watch() as watched:
        tables = {os.getpid(): "/nowhere" + "/" * 300_000}
        watched.prepare({"roots": [os.getpid()], "tables": tables, "slots": 1, "cores": 1})
        watched.begin()
        watched.stop()
        assert watched.read()["samples"] >= 1


def test_whatever_cannot_be_measured_the_run_can_do_without(threads, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("of a kernel that counts otherwise")

    for name in ("read_pressure", "sum_accounts"):
        with monkeypatch.context() as kernel:
            kernel.setattr(room, name, fail)
            check_missing(run(threads), "ZeroDivisionError: of a kernel that counts otherwise")


def test_where_nothing_can_be_measured_nothing_is_started(threads, monkeypatch):
    monkeypatch.setattr(watch.subprocess, "Popen", None)
    monkeypatch.delattr(os, "memfd_create")
    check_missing(run(threads), "figures come from the /proc of Linux")


@pytest.mark.parametrize("name", ["begin", "read", "close"])
def test_an_interrupt_when_a_step_has_just_been_done_leaves_nothing(threads, monkeypatch, name):
    whole = getattr(room._Measurement, name)

    def interrupted(self):
        whole(self)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(room._Measurement, name, interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(threads)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_cluster_that_is_lost_is_no_matter_of_figures(threads, monkeypatch):
    def lose(*_):
        raise SessionError("the cluster is lost")

    monkeypatch.setattr(room, "_End", lose)
    with pytest.raises(SessionError, match="lost"):
        run(threads)


# On other machines


class Elsewhere:
    """Puts this process on another machine than its workers, so to say."""

    def __init__(self):
        self._here = describe_process()

    def __call__(self):
        from cdpipe.probe.probe import describe_process

        true = describe_process() if not isinstance(describe_process, Elsewhere) else self._here
        return true._replace(host="elsewhere") if true.pid == self._here.pid else true


def samplers(pid):
    found = {each.pid for each in psutil.Process(pid).children()}
    return {each for each in found if Path(f"/proc/{each}/comm").read_bytes().strip() == NAME}


def hurry():
    from cdpipe.probe import sampler_client as watch

    watch.PATIENCE_S = STEP_S


def calm():
    from cdpipe.probe import sampler_client as watch

    watch.PATIENCE_S = 10.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "why"), [(signal.SIGKILL, "ended early, with status -9"), (signal.SIGSTOP, "has not answered for 0.4 s")]
)
def test_one_on_another_machine_costs_the_figures_too(local, monkeypatch, number, why):
    moved = Elsewhere()
    for module in (room, watch):
        monkeypatch.setattr(module, "describe_process", moved)
    workers = local.each_process(os.getpid).values()
    with probe(local) as used:
        struck = [each for pid in workers for each in samplers(pid)]
        assert len(struck) == 1
        os.kill(struck[0], number)
        assert local.run([work(index) for index in range(4)]) == [0, 1, 2, 3]
        local.each_process(hurry)
    local.each_process(calm)
    check_missing(used, f"on {os.uname().nodename}: the sampling process {why}")
    assert not [each for pid in workers for each in samplers(pid)]
    assert not psutil.pid_exists(struck[0])


@pytest.mark.slow
def test_an_interrupt_at_the_end_leaves_none_on_another_machine(local, monkeypatch):
    moved = Elsewhere()
    for module in (room, watch):
        monkeypatch.setattr(module, "describe_process", moved)
    workers, whole = local.each_process(os.getpid).values(), Watch.__exit__

    def interrupted(self, *arguments):
        whole(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(Watch, "__exit__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(local)
    assert not [each for pid in workers for each in samplers(pid)]


WITHOUT_PROC = """
import os, sys
import cdpipe.synthetic.generator, dask.threaded, dask.system, distributed, numba, psutil, pandas, pyarrow.parquet
import sklearn.tree

for name in ("memfd_create", "sched_setaffinity", "getxattr", "process_cpu_count"):
    if hasattr(os, name):
        delattr(os, name)
ours = os.path.dirname(cdpipe.__file__)

def refuse(event, arguments):
    if event in {"open", "os.listdir", "os.readlink"} and str(arguments[0]).startswith(("/proc", "/sys")):
        if sys._getframe(1).f_code.co_filename.startswith(ours):
            raise FileNotFoundError(2, "No such file or directory", arguments[0])

sys.addaudithook(refuse)
for name in [each for each in sys.modules if each.startswith("cdpipe.engine")]:
    del sys.modules[name]
from cdpipe.cli import main
main()
"""


@pytest.mark.slow
def test_a_system_without_proc_runs_and_says_that_nothing_was_measured(tmp_path):
    """As macOS has none: every module of a run is imported, and every part of it done, without that folder."""
    from cdpipe.synthetic.generator import SynthParams, synthesize

    synthesize(tmp_path / "bsm.csv", SynthParams(rows=2000, vehicles=20))
    (tmp_path / "run.toml").write_text(
        f"input.paths = ['{tmp_path}/bsm.csv']\noutput.directory = '{tmp_path}/out'\ncache.directory = '{tmp_path}/c'\n"
        "train.classifiers = ['DecisionTree']\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PROC, "run", str(tmp_path / "run.toml")],
        env=os.environ | {"PYTHONPATH": str(Path(watch.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = "what the run used could not be measured: figures come from the /proc of Linux"
    assert done.stdout.count(said) == 1
    assert '"used": null' in (tmp_path / "out" / "report.json").read_text()


KILLED = """
import os, signal, sys
import cloudpickle, dask

import cdpipe.probe.sampler_client as watch
import cdpipe.probe.probe as room
from cdpipe.engine.sessions.params import SessionParams; from cdpipe.engine.sessions.open import open_session

class Elsewhere:
    def __init__(self):
        self.here = os.getpid()

    def __call__(self):
        from cdpipe.probe.system import counters
        found = counters.describe_process()
        return found if os.getpid() == self.here else found._replace(host="elsewhere")

cloudpickle.register_pickle_by_value(sys.modules["__main__"])
room.describe_process = watch.describe_process = Elsewhere()
with open_session(SessionParams(scheduler=sys.argv[1])) as session, room.probe(session):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def left_at_scheduler(dask_scheduler):
    ours = [*dask_scheduler.plugins, *dask_scheduler.worker_plugins, *dask_scheduler.extensions]
    return [name for name in ours if name.startswith("cdpipe-")]


def left_at_worker(dask_worker):
    return [name for name in dask_worker.plugins if name.startswith("cdpipe-")]


def left_anywhere(client):
    here = client.run(os.getpid).values()
    found = [client.run_on_scheduler(left_at_scheduler), *client.run(left_at_worker).values()]
    return [*(name for names in found for name in names), *(each for pid in here for each in samplers(pid))]


@pytest.mark.slow
def test_a_client_that_is_killed_leaves_nothing_on_a_cluster_that_others_use(tmp_path):
    with start_scheduler(tmp_path) as address, start_workers(tmp_path, address):
        done = subprocess.run([sys.executable, "-c", KILLED, address], env=environment(), check=False, timeout=300)
        assert done.returncode == -signal.SIGKILL
        with Client(address, set_as_default=False) as client:
            deadline = time.monotonic() + 60
            while left := left_anywhere(client):
                assert time.monotonic() < deadline, left
                time.sleep(0.1)
