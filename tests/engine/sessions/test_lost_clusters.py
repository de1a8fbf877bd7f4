"""Schedulers and workers that end, or stop, while something is asked of them: a sentence each, and no wait for ever."""

import os
import signal
import sys
import threading
import time
from contextlib import ExitStack

import cloudpickle
import dask
import psutil
import pytest
from clusters import PATIENCE_SECONDS, start_scheduler, start_tiny, start_workers

from cdpipe.engine.sessions import link
from cdpipe.engine.sessions.base import SessionError
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.probe.probe import probe

cloudpickle.register_pickle_by_value(sys.modules[__name__])

LOST = r"^the scheduler at tcp://127.0.0.1:\d+ was lost: start it and its workers again, then run again$"


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr("cdpipe.engine.sessions.connect.CONNECT_SECONDS", 20.0)


@pytest.fixture
def tiny(tmp_path):
    with start_tiny(tmp_path) as found:
        yield found


@dask.delayed
def sleep_after(_):
    time.sleep(PATIENCE_SECONDS)


def end(pid):
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=PATIENCE_SECONDS)


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def in_projection(session, break_):
    break_()
    session.memory()


def in_broadcast(session, break_):
    break_()
    session.broadcast([1])


def in_opening_books(session, break_):
    break_()
    with probe(session):
        raise AssertionError("it cannot begin")


def in_run(session, break_):
    first = dask.delayed(abs)(-1)
    session.run([first, sleep_after(first)], on_done=lambda *_: break_())


def in_probed_run(session, break_):
    with probe(session):
        in_run(session, break_)


def in_closing_books(session, break_):
    """That costs figures alone; whoever asks next is told."""
    with probe(session) as used:
        break_()
    assert used.missing
    session.memory()


def in_reading_books(session, break_):
    with session.keep_books() as books:
        break_()
        books.read()


PHASES = [
    in_projection,
    in_broadcast,
    in_opening_books,
    in_run,
    in_probed_run,
    in_closing_books,
    in_reading_books,
]


def at_night(phases, *always):
    """Return phases as parameters: some of them always, the others at night, for each starts a cluster."""
    return [each if each in always else pytest.param(each, marks=pytest.mark.slow) for each in phases]


@pytest.mark.parametrize("phase", at_night(PHASES, in_run))
def test_a_scheduler_that_is_killed(tiny, phase, capfd):
    address, pid = tiny
    with open_session(SessionParams(scheduler=address)) as session:
        with pytest.raises(SessionError, match=LOST):
            phase(session, lambda: end(pid))
        for later in PHASES:  # and nothing else is tried
            with pytest.raises(SessionError, match=LOST):
                later(session, lambda: None)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("phase", at_night(PHASES))
def test_a_scheduler_that_is_stopped(tiny, phase, monkeypatch, capfd):
    monkeypatch.setattr(link, "SILENT_SECONDS", 2.0)
    address, pid = tiny
    try:
        with (
            open_session(SessionParams(scheduler=address)) as session,
            pytest.raises(
                SessionError, match=r"scheduler at tcp://\S+ has not answered for 2 s: it hangs or was stopped"
            ),
        ):
            phase(session, lambda: stop(pid))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_scheduler_that_is_stopped_before(tiny, monkeypatch):
    monkeypatch.setattr("cdpipe.engine.sessions.connect.CONNECT_SECONDS", 1.0)
    address, pid = tiny
    stop(pid)
    try:
        with (
            pytest.raises(
                SessionError, match=r"no dask scheduler at tcp://\S+ \(it is there, but has said nothing for"
            ),
            open_session(SessionParams(scheduler=address)),
        ):
            pass
    finally:
        os.kill(pid, signal.SIGCONT)


# Workers


@pytest.mark.parametrize("phase", at_night([in_projection, in_run, in_probed_run, in_opening_books]))
def test_no_worker_is_left(tmp_path, phase, monkeypatch):
    monkeypatch.setattr(link, "WITHOUT_WORKERS_SECONDS", 1.0)
    with ExitStack() as stack:
        address = stack.enter_context(start_scheduler(tmp_path))
        gone = stack.enter_context(ExitStack())
        gone.enter_context(start_workers(tmp_path, address))
        with (
            open_session(SessionParams(scheduler=address)) as session,
            pytest.raises(
                SessionError, match=rf"^{address} has had no worker for 1 s: start one \(`dask worker {address} "
            ),
        ):
            phase(session, gone.close)


def wait_for_both(local):
    """Wait until two workers answer: one that has just died may still be counted."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(local.each_process(os.getpid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_workers_that_die_as_books_open_are_no_failure(local):
    for _ in range(3):
        pids = list(local.each_process(os.getpid).values())
        killer = threading.Thread(target=lambda pids=pids: [os.kill(pid, signal.SIGKILL) for pid in pids])
        killer.start()
        with probe(local) as used:
            assert local.run([dask.delayed(abs)(-1)]) == [1]
        killer.join()
        assert used.wall_seconds > 0
        wait_for_both(local)


@pytest.mark.slow
def test_memory_waits_for_workers_that_come_back(local):
    for pid in local.each_process(os.getpid).values():
        os.kill(pid, signal.SIGKILL)
    while local.client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.workers)):
        time.sleep(0.01)
    assert local.memory()["cluster_total_gb"] > 0
    wait_for_both(local)


@pytest.mark.slow
def test_workers_lost_one_by_one_are_no_failure(local, tmp_path):
    done = []

    def kill_one(index, result):
        done.append(result)
        for pid in [*local.each_process(os.getpid).values()][: index % 10 == 0]:
            os.kill(pid, signal.SIGKILL)

    tasks = [dask.delayed(abs)(-index) for index in range(30)]
    assert local.run(tasks, on_done=kill_one) == list(range(30))
    assert sorted(done) == list(range(30))
    wait_for_both(local)
