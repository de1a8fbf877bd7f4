import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import cloudpickle
import dask
import psutil
import pytest
from clusters import environment, start_scheduler, start_workers
from pydantic import ValidationError

from cdpipe.engine.session import SessionError, SessionParams, SessionWarning, open_session

cloudpickle.register_pickle_by_value(sys.modules[__name__])


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


@pytest.fixture(scope="module")
def threads():
    with open_session(SessionParams(threads_per_worker=2)) as session:
        yield session


@pytest.fixture(scope="module")
def local():
    with open_session(SessionParams(scheduler="local", workers=2, threads_per_worker=1)) as session:
        yield session


@pytest.fixture(params=["threads", "local"])
def session(request):
    return request.getfixturevalue(request.param)


# Parameters


@pytest.mark.parametrize(
    "scheduler", ["threads", "local", "tcp://127.0.0.1:8786", "tls://node-7.lan:1", "tcp://[::1]:9"]
)
def test_legal_schedulers(scheduler):
    assert SessionParams(scheduler=scheduler).scheduler == scheduler


@pytest.mark.parametrize(
    "scheduler",
    ["", "thread", "LOCAL", "tcp://", "tcp://host", "tcp://host:0", "tcp://host:65536", "http://a:1", "tcp://a b:1"],
)
def test_unknown_scheduler_names_the_legal_forms(scheduler):
    with pytest.raises(ValidationError, match=r"unknown scheduler .*'threads', 'local', 'tcp://HOST:PORT' or 'tls://"):
        SessionParams(scheduler=scheduler)


def test_spill_thresholds_must_be_ordered():
    with pytest.raises(ValidationError, match=r"spill_target <= spill <= pause does not hold: 0.85, 0.8, 0.9"):
        SessionParams(scheduler="local", spill_target=0.85)
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        SessionParams(scheduler="local", pause=1.5)


@pytest.mark.parametrize(
    "given",
    [
        {"workers": 4},
        {"spill": 0.85},
        {"dashboard": 8787},
        {"scheduler": "tcp://127.0.0.1:8786", "memory_limit_gb": 4},
        {"scheduler": "tcp://127.0.0.1:8786", "threads_per_worker": 4},
    ],
)
def test_a_setting_without_effect_is_refused(given):
    with pytest.raises(ValidationError, match=r"has no effect with scheduler .*: remove it"):
        SessionParams(**given)


def test_params_are_frozen_and_closed():
    with pytest.raises(ValidationError, match="worker"):
        SessionParams(worker=2)
    with pytest.raises(ValidationError, match="frozen"):
        SessionParams().workers = 2


def test_every_parameter_is_described():
    assert all(field.description for field in SessionParams.model_fields.values())


def test_threads_do_not_load_distributed():
    script = (
        "import sys; from cdpipe.engine.session import *\nwith open_session(): sys.exit('distributed' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], env=environment(), check=False).returncode == 0


# Running


def test_results_in_order_and_each_reported_once_here(session):
    seen, threads = [], set()

    def on_done(index, result):
        seen.append((index, result))
        threads.add(threading.get_ident())

    tasks = [double(double(number)) for number in range(60)]
    assert session.run(tasks, on_done=on_done) == [4 * number for number in range(60)]
    assert sorted(seen) == [(number, 4 * number) for number in range(60)]
    assert threads == {threading.get_ident()}


def test_reported_in_order_of_completion(session):
    @dask.delayed
    def nap(seconds):
        time.sleep(seconds)
        return seconds

    order = []
    session.run([nap(0.6), nap(0.05)], on_done=lambda index, _: order.append(index))
    assert order == [1, 0]


def test_same_task_twice_plain_data_and_nothing(session):
    task, seen = double(3), []
    results = session.run([task, dask.delayed(7), task], on_done=lambda index, result: seen.append((index, result)))
    assert results == [6, 7, 6]
    assert sorted(seen) == [(0, 6), (1, 7), (2, 6)]
    assert session.run([]) == []


def test_first_failure_is_raised_as_it_was_and_cancels_the_rest(session, tmp_path, capfd):
    first = fail("engine", dask_key_name="1")  # dask takes tasks of the same rank by their names, the last one first
    tasks = [first, *(touch(tmp_path, index, 0.05, dask_key_name=f"0-{index}") for index in range(200))]
    start = time.perf_counter()
    with pytest.raises(BrokenVehicleError, match=r"^engine$") as caught:
        session.run(tasks)
    assert time.perf_counter() - start < 5
    assert caught.value.__context__ is None
    time.sleep(0.5)
    done = len(list(tmp_path.iterdir()))
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) == done < 150
    assert capfd.readouterr().err == ""
    assert session.run([double(1)]) == [2]


def test_failure_of_the_callback_stops_the_run(session, tmp_path):
    def refuse(index, result):
        raise BrokenVehicleError("told")

    with pytest.raises(BrokenVehicleError, match="told"):
        session.run([touch(tmp_path, index, 0.02) for index in range(200)], on_done=refuse)
    assert len(list(tmp_path.iterdir())) < 150


def test_threads_wait_for_what_cannot_be_stopped(threads, tmp_path):
    @dask.delayed
    def slow():
        time.sleep(0.4)
        (tmp_path / "end").touch()

    with pytest.raises(BrokenVehicleError):
        threads.run([slow(dask_key_name="1"), fail("now", dask_key_name="0")])
    assert (tmp_path / "end").exists()


def test_intermediate_results_are_released(threads):
    class Partition:
        alive, most = weakref.WeakSet(), 0

    @dask.delayed(pure=False)
    def make(_):
        partition = Partition()
        Partition.alive.add(partition)
        return partition

    @dask.delayed
    def reduce(_):
        Partition.most = max(Partition.most, len(Partition.alive))
        return 1

    gc.disable()
    try:
        assert sum(threads.run([reduce(make(index)) for index in range(100)])) == 100
    finally:
        gc.enable()
    assert Partition.most <= 6  # two threads, and what is handed over between them


def test_ten_thousand_tasks_on_threads(threads):
    tasks = [double(number) for number in range(10_000)]
    start = time.perf_counter()
    assert threads.run(tasks) == list(range(0, 20_000, 2))
    assert time.perf_counter() - start < 15


def test_broadcast_value_reaches_every_task(session):
    shared = session.broadcast({"hexagon": 6, 4: "square"})
    assert session.run([pick(shared, "hexagon"), pick(shared, 4)]) == [6, "square"]


def test_large_broadcast_does_not_warn(local):
    shared = local.broadcast(bytes(20_000_000))
    assert local.run([pick(shared, 19_999_999)]) == [0]


def test_memory_has_the_documented_shape(session):
    memory = session.memory()
    assert set(memory) == {"cluster_total_gb", "cluster_used_gb", "cluster_percent", "workers"}
    assert len(memory["workers"]) == session.workers
    for worker in memory["workers"].values():
        assert set(worker) == {"used_gb", "limit_gb", "percent"}
        assert 0.02 < worker["used_gb"] < worker["limit_gb"]
        assert worker["percent"] == pytest.approx(100 * worker["used_gb"] / worker["limit_gb"])
    assert memory["cluster_total_gb"] == pytest.approx(sum(each["limit_gb"] for each in memory["workers"].values()))
    assert memory["cluster_total_gb"] <= psutil.virtual_memory().total / 1e9 * 1.001
    assert memory["cluster_used_gb"] == pytest.approx(sum(each["used_gb"] for each in memory["workers"].values()))


def test_widths_and_links(threads, local):
    assert (threads.workers, threads.threads, threads.dashboard_link) == (1, 2, None)
    assert (local.workers, local.threads) == (2, 2)
    assert local.dashboard_link.startswith("http://127.0.0.1:")


def test_limit_of_threads():
    with open_session(SessionParams(memory_limit_gb=3)) as session:
        assert session.memory()["workers"]["threads"]["limit_gb"] == 3


def test_queue_is_watched(session):
    with session.watch_queue() as watch:
        assert watch.tasks is None
        session.run([double(number) for number in range(300)])
    assert watch.tasks == 300
    assert 250 <= watch.deepest_ready <= 300


def test_two_sessions_coexist(threads, local):
    with open_session(SessionParams(threads_per_worker=1)) as other:
        assert (other.threads, threads.threads, local.threads) == (1, 2, 2)
        assert other.run([double(1)]) == threads.run([double(1)]) == local.run([double(1)])


# A cluster of our own


def test_cluster_listens_on_loopback_only(local):
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = [each.laddr.ip for one in processes for each in one.net_connections() if each.status == "LISTEN"]
    assert listening
    assert set(listening) == {"127.0.0.1"}


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


def test_closing_leaves_nothing(tmp_path):
    script = """
        import psutil, dask, os, tempfile
        from cdpipe.engine.session import *
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
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize("scheduler", ["threads", "local"])
def test_interrupt_leaves_nothing_running(tmp_path, scheduler):
    script = f"""
        import time, dask, pathlib
        from cdpipe.engine.session import *
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
    deadline = time.monotonic() + 30
    while len(list(tmp_path.glob("task-*"))) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    out, err = started.communicate(timeout=20)
    assert (started.returncode, out) == (0, "interrupted\n")
    assert err.count("Traceback") == 0
    done = len(list(tmp_path.glob("task-*")))
    time.sleep(0.5)
    assert len(list(tmp_path.glob("task-*"))) == done < 100
    deadline = time.monotonic() + 5
    while [each.pid for each in psutil.process_iter() if os.getpgid(each.pid) == started.pid]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


# A scheduler that is already running


def test_unreachable_scheduler_says_what_to_do():
    start = time.perf_counter()
    with (
        pytest.raises(SessionError, match=r"no dask scheduler at tcp://127.0.0.1:9 .*dask scheduler --port 9"),
        open_session(SessionParams(scheduler="tcp://127.0.0.1:9")),
    ):
        pass
    assert time.perf_counter() - start < 10


def test_tls_without_certificates_says_what_to_set():
    with (
        pytest.raises(SessionError, match=r"tls://127.0.0.1:9 .*distributed.comm.tls"),
        open_session(SessionParams(scheduler="tls://127.0.0.1:9")),
    ):
        pass


def test_existing_scheduler(tmp_path):
    with start_scheduler(tmp_path) as address:
        start = time.perf_counter()
        with (
            pytest.raises(SessionError, match=f"{address} has no workers: start one with `dask worker {address}`"),
            open_session(SessionParams(scheduler=address)),
        ):
            pass
        assert time.perf_counter() - start < 10
        with start_workers(tmp_path, address):
            for _ in range(2):  # it outlives the sessions
                with open_session(SessionParams(scheduler=address)) as session:
                    while session.workers < 2:
                        time.sleep(0.05)
                    shared = session.broadcast([0, 7])
                    assert session.run([pick(shared, 1), double(4)]) == [7, 8]
                    assert session.dashboard_link is None
                    assert len(session.memory()["workers"]) == 2
                    with session.watch_queue() as watch:
                        session.run([double(number) for number in range(100)])
                    assert watch.tasks == 100
                    with pytest.raises(BrokenVehicleError, match=r"^far$"):
                        session.run([fail("far"), double(1)])


def test_other_versions_are_told_readably(tmp_path, monkeypatch):
    import distributed.versions

    with start_scheduler(tmp_path) as address, start_workers(tmp_path, address):
        true = distributed.versions.get_versions
        monkeypatch.setattr(
            "distributed.versions.get_versions",
            lambda *given: (found := true(*given)) | {"packages": found["packages"] | {"toolz": "0.1"}},
        )
        with (
            pytest.warns(SessionWarning, match=r"(?s)runs other versions than this process.*toolz.*0\.1"),
            open_session(SessionParams(scheduler=address)) as session,
        ):
            assert session.run([double(1)]) == [2]
