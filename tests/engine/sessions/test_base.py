import gc
import subprocess
import sys
import threading
import time
import weakref

import cloudpickle
import dask
import psutil
import pytest
from clusters import environment
from pydantic import ValidationError

from cdpipe.engine.files.paths import SourceError
from cdpipe.engine.run.inputs import require_shared
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams

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
        {"scheduler": "tcp://127.0.0.1:8786", "tls_cert": "cert.pem"},
        {"scheduler": "local", "tls_key": "key.pem"},
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
        "import sys; from cdpipe.engine.sessions.open import *\n"
        "with open_session(): sys.exit('distributed' in sys.modules)"
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


def test_reported_in_order_of_completion(session, tmp_path):
    @dask.delayed
    def wait_for(path):
        while not path.exists():
            time.sleep(0.02)
        time.sleep(1)  # for the other's result to be handed over

    order = []
    tasks = [wait_for(tmp_path / "0"), touch(tmp_path, 0, 0)]
    session.run(tasks, on_done=lambda index, _: order.append(index))
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
    with pytest.raises(BrokenVehicleError, match=r"^engine$") as caught:
        session.run(tasks)
    assert caught.value.__context__ is None
    done = -1
    while done != (done := len(list(tmp_path.iterdir()))):
        time.sleep(0.5)
    assert done < 150
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
    assert threads.run(tasks) == list(range(0, 20_000, 2))


def test_all_threads_there_will_be_are_there_before_the_first_task():
    @dask.delayed
    def count_threads(_place):
        return sum(thread.name.startswith("cdpipe_") for thread in threading.enumerate())

    with open_session(SessionParams(threads_per_worker=3)) as session:
        assert session.run([count_threads(place) for place in range(8)]) == [3] * 8
        assert session.run([count_threads(0)]) == [1]
        assert session.run([]) == []


def test_where_the_system_gives_no_more_threads_a_run_fails_and_waits_for_none(monkeypatch):
    started, start = [], threading.Thread.start

    def start_one(thread):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    with open_session(SessionParams(threads_per_worker=2)) as session:
        monkeypatch.setattr(threading.Thread, "start", start_one)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            session.run([double(1), double(2)])
    assert not started[0].is_alive()


def test_broadcast_value_reaches_every_task(session):
    shared = session.broadcast({"hexagon": 6, 4: "square"})
    assert session.run([pick(shared, "hexagon"), pick(shared, 4)]) == [6, "square"]


@pytest.mark.slow
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


class Elsewhere:
    """A session of processes that see other folders."""

    def each_process(self, function):
        return {"tcp://10.0.0.7:1": function(), "tcp://10.0.0.8:1": "/shared/cache/pins/a"}


def test_a_folder_that_a_worker_does_not_find_is_told(tmp_path):
    mark = tmp_path / "mark"
    mark.touch()
    with pytest.raises(SourceError, match=r"is not there for tcp://10.0.0.8:1; .* set cache.directory to an absolute"):
        require_shared(Elsewhere(), tmp_path, mark=mark, remedy="set cache.directory to")
