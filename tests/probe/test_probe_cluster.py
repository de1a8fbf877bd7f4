import os
import signal
import sys
import time

import cloudpickle
import dask
import psutil
import pytest
from clusters import open_remote

from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.probe import probe as room
from cdpipe.probe import sampler_client as watch
from cdpipe.probe.probe import probe
from cdpipe.probe.system.counters import describe_process
from cdpipe.probe.system.process_memory import list_tree

pytestmark = pytest.mark.measuring

cloudpickle.register_pickle_by_value(sys.modules[__name__])


def burn_thread(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))


@dask.delayed
def burn(index, seconds):
    burn_thread(seconds)
    return index


@dask.delayed
def hold(index, size):
    ballast = bytearray(b"1") * size
    time.sleep(0.3)
    return len(ballast)


def check_workers(session):
    """Known work on two workers of one thread each."""
    session.run([burn(index, 0) for index in range(4)])
    with probe(session) as idle:
        time.sleep(0.4)
    with probe(session) as used:
        assert session.run([burn(index, 0.2) for index in range(6)]) == list(range(6))
    assert 1.2 <= used.cpu_seconds < 3.0
    assert used.tasks == 6
    assert 1 <= used.ready_queue_max <= 6
    with probe(session) as used:
        session.run([hold(index, 150_000_000) for index in range(2)])
    held = used.tree_peak_bytes - idle.tree_peak_bytes
    assert 140e6 < held < 330e6  # one after the other or both at once
    with probe(session) as used:
        session.run([burn(index, 0) for index in range(500)])
    assert used.tasks == 500
    assert 400 <= used.ready_queue_max <= 500
    return idle


@pytest.mark.slow
def test_local_cluster(local):
    idle = check_workers(local)
    assert idle.tree_peak_bytes > 150e6  # three processes
    assert idle.cores == min(2, psutil.cpu_count())
    assert None not in idle.as_dict().values()


@pytest.mark.slow
def test_memory_of_a_cluster_is_that_of_its_fullest_worker():
    small = SessionParams(scheduler="local", workers=2, threads_per_worker=1, memory_limit_gb=1.0, dashboard=False)
    with open_session(small) as session:
        mine = bytearray(b"1") * 2_000_000_000  # no worker's, though more than both may have together
        with probe(session) as idle:
            session.run([burn(0, 0.1)])
        del mine
        assert idle.tree_peak_bytes > idle.limit_bytes == 2e9
        assert 5 < idle.memory_percent < 40
        with probe(session) as used:
            session.run([hold(0, 500_000_000)])
        assert used.tree_peak_bytes < 0.8 * used.limit_bytes
        assert 50 < used.memory_percent < 75


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    with open_remote(tmp_path_factory.mktemp("cluster")) as session:
        yield session


@pytest.mark.slow
def test_remote_scheduler(remote):
    pids = set(remote.each_process(os.getpid).values())
    assert len(pids) == 3
    assert not pids & list_tree(os.getpid())
    check_workers(remote)


class Elsewhere:
    """Says of the client's process that it runs on another machine, and of every other what is true."""

    def __init__(self, here):
        self._here = here

    def __call__(self):
        from cdpipe.probe.probe import describe_process

        true = describe_process() if not isinstance(describe_process, Elsewhere) else self._here
        return true._replace(host="elsewhere") if true.pid == self._here.pid else true


@pytest.mark.slow
def test_workers_elsewhere_give_counters_and_their_own_memory_alone(remote, monkeypatch):
    """The client alone moves, so to say: its workers are then on a machine whose /proc it cannot read."""
    moved = Elsewhere(describe_process())
    for module in (room, watch):
        monkeypatch.setattr(module, "describe_process", moved)
    with probe(remote) as used:
        remote.run([burn(index, 0.2) for index in range(4)])
    assert 0.8 <= used.cpu_seconds < 2.5
    assert used.tree_peak_bytes is None
    assert 0 < used.memory_percent < 50
    assert used.syscall_read_bytes > 0
    assert sum(used.shares.values()) == pytest.approx(1, abs=1e-9)
    assert used.samples > 10


@pytest.mark.slow
def test_counters_are_none_when_a_worker_went(remote):
    scheduler = remote.client.scheduler.address
    with probe(remote) as used:
        victim = next(pid for name, pid in remote.each_process(os.getpid).items() if name != scheduler)
        os.kill(victim, signal.SIGKILL)
        while len(pids := set(remote.each_process(os.getpid).values())) < 3 or victim in pids:
            time.sleep(0.05)
    assert (used.cpu_seconds, used.cpu_percent, used.write_bytes) == (None, None, None)
    assert used.wall_seconds > 0
