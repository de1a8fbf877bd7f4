import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import ExitStack

import cloudpickle
import dask
import distributed.versions  # before a test sets one of its options: set first, all its defaults would go with it
import psutil
import pytest
from clusters import PATIENCE_SECONDS, environment, start_scheduler, start_workers

from cdpipe.engine.sessions.base import SessionError, SessionWarning
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams

cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """On a busy machine even a scheduler on loopback may take long to answer; those that never will get a second."""
    monkeypatch.setattr("cdpipe.engine.sessions.connect.CONNECT_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def hurry(monkeypatch, patience):
    monkeypatch.setattr("cdpipe.engine.sessions.connect.CONNECT_SECONDS", 1.0)


@dask.delayed
def double(value):
    return 2 * value


@dask.delayed
def pick(container, name):
    return container[name]


class BrokenVehicleError(Exception):
    pass


@dask.delayed
def fail(text):
    raise BrokenVehicleError(text)


@dask.delayed
def touch(path, index, seconds):
    (path / str(index)).touch()
    time.sleep(seconds)


# A cluster of our own


def test_cluster_listens_on_loopback_only(local):
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = [each.laddr.ip for one in processes for each in one.net_connections() if each.status == "LISTEN"]
    assert listening
    assert set(listening) == {"127.0.0.1"}


@pytest.mark.slow
def test_thresholds_and_limit_reach_workers_and_those_after_them(tmp_path):
    params = SessionParams(
        scheduler="local",
        workers=1,
        threads_per_worker=3,
        memory_limit_gb=1.5,
        dashboard=False,
        spill_target=0.5,
        spill=0.6,
        pause=0.7,
        spill_directory=tmp_path / "spill",
    )

    def settings(dask_worker):
        manager = dask_worker.memory_manager
        fractions = (manager.memory_target_fraction, manager.memory_spill_fraction, manager.memory_pause_fraction)
        return fractions, manager.memory_limit, dask_worker.local_directory

    with open_session(params) as session:
        assert session.dashboard_link is None
        assert session.threads == 3
        shared = session.broadcast([5, 6])
        for _ in range(2):
            ((fractions, limit, folder),) = session.client.run(settings).values()
            assert fractions == (0.5, 0.6, 0.7)
            assert limit == 1_500_000_000
            assert folder.startswith(str(tmp_path / "spill"))
            (pid,) = session.each_process(os.getpid).values()
            os.kill(pid, signal.SIGKILL)
            # the only copy of the shared value died with its worker, and is made again
            assert session.run([pick(shared, 1)]) == [6]


@pytest.mark.slow
def test_a_worker_that_takes_long_to_come_back_does():
    params = SessionParams(scheduler="local", workers=2, threads_per_worker=1, dashboard=False)
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "10ms"}), open_session(params) as session:
        os.kill(next(iter(session.each_process(os.getpid).values())), signal.SIGKILL)
        while session.workers == 2:
            time.sleep(0.01)
        session.client.wait_for_workers(2, timeout=PATIENCE_SECONDS)
        assert len(session.client.cluster.workers) == 2  # else the new one is closed as soon as it is there


@pytest.mark.slow
def test_task_that_kills_its_workers_is_named():
    @dask.delayed
    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        open_session(SessionParams(scheduler="local", workers=1, threads_per_worker=1, dashboard=False)) as session,
        pytest.raises(SessionError, match=r"task 'die-.* took down 1 workers.*memory_limit_gb"),
    ):
        session.run([die()])


@pytest.mark.slow
def test_a_cluster_that_lost_all_workers_says_so(monkeypatch):
    monkeypatch.setattr("cdpipe.engine.sessions.link.WITHOUT_WORKERS_SECONDS", 0.5)
    params = SessionParams(scheduler="local", workers=1, threads_per_worker=1, dashboard=False)
    with open_session(params) as session:
        session.client.cluster.scale(0)
        while session.client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.workers)):
            time.sleep(0.01)
        with pytest.raises(SessionError, match=r"no worker has been left for 0.5 s.*memory_limit_gb"):
            session.run([dask.delayed(abs)(-1)])


@pytest.mark.slow
def test_closing_leaves_nothing(tmp_path):
    script = """
        import logging, psutil, dask, os, tempfile
        from cdpipe.engine.sessions.params import *
        from cdpipe.engine.sessions.open import *
        logging.getLogger("asyncio").setLevel(logging.ERROR)  # on a busy machine it warns of what takes long
        if __name__ == "__main__":
            with open_session(SessionParams(scheduler="local", workers=2, threads_per_worker=1)) as session:
                assert session.run([dask.delayed(abs)(-1)]) == [1]
                workers = list(session.each_process(os.getpid).values())
                assert len(os.listdir(tempfile.gettempdir())) >= 1
            assert not any(map(psutil.pid_exists, workers))
            assert os.listdir(tempfile.gettempdir()) == []
    """
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(script))
    (tmp_path / "temporary").mkdir()
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", file],
        env=environment(TMPDIR=str(tmp_path / "temporary")),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize("scheduler", ["threads", pytest.param("local", marks=pytest.mark.slow)])
def test_interrupt_leaves_nothing_running(tmp_path, scheduler):
    script = f"""
        import time, dask, pathlib, signal
        from cdpipe.engine.sessions.params import *
        from cdpipe.engine.sessions.open import *
        # Whatever started the tests may have told its children to ignore it, as a shell does in the background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        def work(index):
            pathlib.Path({str(tmp_path)!r}, f"task-{{index}}").touch()
            time.sleep(0.2)
        if __name__ == "__main__":
            with open_session(SessionParams(scheduler={scheduler!r}, threads_per_worker=2)) as session:
                try:
                    session.run([dask.delayed(work)(index) for index in range(500)])
                except KeyboardInterrupt:
                    print("interrupted")
    """
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(script))
    started = subprocess.Popen(
        [sys.executable, file], env=environment(), stdout=-1, stderr=-1, text=True, start_new_session=True
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(list(tmp_path.glob("task-*"))) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    out, err = started.communicate(timeout=PATIENCE_SECONDS)
    assert (started.returncode, out) == (0, "interrupted\n")
    assert err.count("Traceback") == 0
    done = len(list(tmp_path.glob("task-*")))
    time.sleep(0.5)
    assert len(list(tmp_path.glob("task-*"))) == done < 100
    deadline = time.monotonic() + PATIENCE_SECONDS
    while [each.pid for each in psutil.process_iter() if os.getpgid(each.pid) == started.pid]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


# A scheduler that is already running


@pytest.mark.usefixtures("hurry")
def test_unreachable_scheduler_says_what_to_do():
    with (
        pytest.raises(
            SessionError,
            # dask says why its last attempt failed: there may have been no time left for an answer
            match=r"no dask scheduler at tcp://127.0.0.1:9 \(.*(refused|Timed out).*`dask scheduler --host 127.0.0.1 "
            "--port 9 --dashboard-address 127.0.0.1:8787`",
        ),
        open_session(SessionParams(scheduler="tcp://127.0.0.1:9")),
    ):
        pass


@pytest.mark.slow
def test_scheduler_without_workers_says_how_to_start_one(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "cdpipe.engine.sessions.connect.CONNECT_SECONDS", 5.0
    )  # it does answer, so a second may be too few
    with (
        start_scheduler(tmp_path) as address,
        pytest.raises(
            SessionError,
            match=f"{address} has no workers: start one with `dask worker {address} --host 127.0.0.1 "
            "--dashboard-address 127.0.0.1:0`",
        ),
        open_session(SessionParams(scheduler=address)),
    ):
        pass


@pytest.mark.slow
def test_existing_scheduler(tmp_path):
    with start_scheduler(tmp_path) as address, start_workers(tmp_path, address):
        for _ in range(2):  # it outlives the sessions
            with open_session(SessionParams(scheduler=address)) as session:
                assert session.workers == 2
                shared = session.broadcast([0, 7])
                assert session.run([pick(shared, 1), double(4)]) == [7, 8]
                assert session.dashboard_link is None
                assert len(session.memory()["workers"]) == 2
                with session.watch_queue() as watch:
                    session.run([double(number) for number in range(100)])
                assert watch.tasks == 100
                with pytest.raises(BrokenVehicleError, match=r"^far$"):
                    session.run([fail("far"), double(1)])


# The helper that waits for the workers is a client of other versions too.
LATE = pytest.param(True, marks=pytest.mark.filterwarnings("ignore::distributed.versions.VersionMismatchWarning"))


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, LATE])
def test_other_versions_are_told_readably(tmp_path, monkeypatch, late):
    # As a client connects, Dask compares it with the workers that have joined by then: without any, nothing differs.
    with start_scheduler(tmp_path) as address, ExitStack() as stack:
        start = threading.Thread(target=lambda: stack.enter_context(start_workers(tmp_path, address)))
        start.start()
        if not late:
            start.join()
        true = distributed.versions.get_versions
        monkeypatch.setattr(
            "distributed.versions.get_versions",
            lambda *given, **named: (
                (found := true(*given, **named)) | {"packages": found["packages"] | {"toolz": "0.1"}}
            ),
        )
        with (
            pytest.warns(SessionWarning, match=r"(?s)runs other versions than this process.*toolz.*0\.1") as told,
            open_session(SessionParams(scheduler=address)) as session,
        ):
            assert session.run([double(1)]) == [2]
        assert [each.filename for each in told if each.category is SessionWarning] == [__file__]
        start.join()


@pytest.mark.slow
def test_workers_are_known_while_the_client_refreshes_what_it_knows(monkeypatch):
    with open_session(SessionParams(scheduler="local", workers=1, threads_per_worker=1, dashboard=False)) as session:
        # As dask does by itself, every few seconds: an answer without workers.
        monkeypatch.setattr(session.client, "_update_scheduler_info", lambda **_: _forget_workers(session.client))
        assert (session.workers, session.threads) == (1, 1)


async def _forget_workers(client):
    client._scheduler_identity = {"workers": {}}
