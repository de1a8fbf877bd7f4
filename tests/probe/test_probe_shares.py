"""What known work is said to be bound by, on threads: alone, and beside another program that has a core busy."""

import os
import sys
import threading
import time
from contextlib import nullcontext

import known_work
import pytest
from known_work import LOCK, Busy, chain, quiet, task

from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.figures import SHARES
from cdpipe.probe.probe import probe
from cdpipe.probe.sampling.process import LONGEST_S

pytestmark = pytest.mark.measuring

BESIDE = pytest.mark.parametrize(
    "beside", [nullcontext, pytest.param(Busy, marks=pytest.mark.slow)], ids=["alone", "beside"]
)


def measure(session, tasks):
    session.run([task(int, 1)])
    with probe(session) as used:
        session.run(tasks)
    check(used)
    return quiet(used.shares)


def check(used):
    assert tuple(used.shares) == SHARES
    assert sum(used.shares.values()) == pytest.approx(1, abs=1e-9)
    assert all(share >= 0 for share in used.shares.values())
    assert used.shares["unattributed"] <= 0.05


def largest(shares):
    return max(shares, key=shares.__getitem__)


@BESIDE
def test_processor_without_the_gil_is_compute(threads, beside):
    with beside():
        shares = measure(threads, [task(known_work.hash_for, 0.1) for _ in range(8)])
    assert shares["compute"] > 0.7


@BESIDE
def test_python_on_two_threads_waits_for_the_gil(threads, beside):
    with beside():
        shares = measure(threads, [task(known_work.count_for, 0.2) for _ in range(4)])
    assert shares["gil"] > 0.3
    assert 0.35 < shares["compute"] < 0.65
    assert shares["lock"] < 0.05


@BESIDE
def test_sleeping_tasks(threads, beside):
    with beside():
        shares = measure(threads, [task(time.sleep, 0.1) for _ in range(8)])
    assert shares["sleep"] > 0.75


@BESIDE
def test_tasks_that_take_turns_wait_for_the_lock(threads, beside):
    with beside():
        shares = measure(threads, [task(known_work.hash_locked, LOCK, 0.1) for _ in range(8)])
    assert shares["lock"] > 0.3
    assert shares["gil"] < 0.1
    assert 0.35 < shares["compute"] < 0.65


@BESIDE
def test_a_chain_leaves_the_other_slot_idle(threads, beside):
    with beside():
        shares = measure(threads, chain(30, 0.02))
    assert shares["idle"] > 0.3
    assert 0.35 < shares["compute"] < 0.65


@BESIDE
def test_a_straggler_leaves_the_other_slot_idle(threads, beside):
    tasks = [*(task(known_work.hash_for, 0.02) for _ in range(4)), task(known_work.hash_for, 0.5)]
    with beside():
        shares = measure(threads, tasks[::-1])
    assert shares["idle"] > 0.3
    assert shares["scheduling"] < 0.1


@BESIDE
def test_many_tiny_tasks_are_scheduling(threads, beside):
    with beside():
        shares = measure(threads, [task(int, index) for index in range(3000)])
    assert largest(shares) == "scheduling"
    assert shares["scheduling"] > 0.6


@BESIDE
def test_a_child_process_computes_for_the_task_that_waits(threads, beside):
    with beside():
        shares = measure(threads, [task(known_work.burn_in_child, 0.5) for _ in range(2)])
    assert shares["compute"] > 0.75


def test_helper_threads_compute_for_the_task_that_waits(threads):
    shares = measure(threads, [task(known_work.hash_on_helpers, 0.5)])
    assert shares["compute"] > 0.6  # on a busy machine one helper is done before the other
    assert shares["lock"] < 0.05


def test_helpers_that_live_for_a_moment_compute(threads):
    """They are gone before anybody looks at them twice, but not out of the process's processor time."""
    shares = measure(threads, [task(known_work.hash_on_helpers, 0.01) for _ in range(30)])
    assert shares["compute"] > 0.7
    assert shares["scheduling"] < 0.15


def test_a_task_whose_helpers_sleep_sleeps(threads):
    shares = measure(threads, [task(known_work.sleep_on_helpers, 0.1) for _ in range(8)])
    assert shares["sleep"] > 0.7


def test_a_lock_whose_holder_sleeps_is_a_lock(threads):
    shares = measure(threads, [task(known_work.sleep_locked, LOCK, 0.05) for _ in range(12)])
    assert shares["lock"] == pytest.approx(shares["sleep"], abs=0.15)
    assert shares["lock"] + shares["sleep"] > 0.8


@pytest.mark.slow
def test_who_polls_a_child_waits_for_it(threads):
    shares = measure(threads, [task(known_work.poll_child, 0.3) for _ in range(4)])
    assert shares["compute"] > 0.7


def test_a_child_that_sleeps_is_sleep(threads):
    shares = measure(threads, [task(known_work.sleep_in_child, 0.6) for _ in range(2)])
    assert shares["sleep"] > 0.7


def test_synced_writes_are_disk(threads, tmp_path):
    sync_s = known_work.sync_writes(tmp_path / "probe", 0.2)
    if sync_s < 0.1e-3:
        pytest.skip(f"a sync takes {1e6 * sync_s:.0f} us here: nothing waits for the disk")
    shares = measure(threads, [task(known_work.sync_writes, tmp_path / f"file{index}", 0.5) for index in range(2)])
    assert largest(shares) == "disk"


def test_waiting_for_bytes_of_a_pipe_is_network(threads):
    def wait_for_byte():
        reader, writer = os.pipe()
        threading.Timer(0.3, os.write, (writer, b"1")).start()
        os.read(reader, 1)
        os.close(reader)
        os.close(writer)

    shares = measure(threads, [task(wait_for_byte) for _ in range(2)])
    assert shares["network"] > 0.7


def test_the_block_s_own_work_is_a_task(threads):
    with probe(threads) as used:
        known_work.hash_for(0.4)
    check(used)
    shares = quiet(used.shares)
    assert 0.4 < shares["compute"] < 0.6
    assert 0.4 < shares["idle"] < 0.6
    with probe(threads) as used:
        time.sleep(0.3)
    assert 0.4 < quiet(used.shares)["sleep"] < 0.6


@pytest.mark.slow
def test_more_threads_than_slots_add_up_as_well():
    with open_session(SessionParams(threads_per_worker=8)) as session:
        with probe(session) as used:
            session.run([task(known_work.hash_for, 0.05) for _ in range(16)])
        check(used)
        shares = measure(session, [task(time.sleep, 0.1) for _ in range(16)])
    assert quiet(used.shares)["compute"] > 0.6
    assert shares["sleep"] > 0.7


def test_one_thread_has_one_slot():
    with open_session(SessionParams(threads_per_worker=1)) as session:
        shares = measure(session, [task(known_work.hash_for, 0.1) for _ in range(4)])
    assert shares["compute"] > 0.8
    assert shares["idle"] < 0.05


def test_a_graph_that_dask_computes_without_the_session_counts_too(threads):
    import dask

    with probe(threads) as used:
        dask.compute([task(known_work.hash_for, 0.1) for _ in range(4)], scheduler="threads", num_workers=2)
        dask.compute([task(known_work.hash_for, 0.1)], scheduler="synchronous")
    check(used)
    assert quiet(used.shares)["compute"] > 0.6
    assert used.task_cpu_seconds == pytest.approx(0.5, rel=0.2)


def test_what_tasks_took(threads):
    with probe(threads) as used:
        threads.run([task(known_work.hash_for, 0.1), task(time.sleep, 0.2), *(task(int, 1) for _ in range(18))])
    assert used.tasks == 20
    assert used.task_seconds["min"] < 0.01
    assert used.task_seconds["p50"] < 0.01
    assert 0.2 <= used.task_seconds["max"] < 0.6
    assert used.task_seconds["mean"] * 20 == pytest.approx(used.task_cpu_seconds + used.task_blocked_seconds)
    assert used.task_cpu_seconds == pytest.approx(0.1, abs=0.03)
    assert used.task_blocked_seconds >= 0.19


@pytest.mark.slow
def test_garbage_collection_and_graphs(threads):
    import gc

    ballast = [[] for _ in range(200_000)]
    with probe(threads) as used:
        threads.run([task(gc.collect) for _ in range(10)])
    assert used.gc_seconds > 0.02
    assert quiet(used.shares)["gc"] > 0.2
    with probe(threads) as graphs:
        threads.run([task(int, index) for index in range(2000)])
    assert 0.01 < graphs.graph_seconds < graphs.wall_seconds
    assert len(ballast) == 200_000


def test_ready_queue_over_time(threads):
    with probe(threads) as used:
        threads.run([task(time.sleep, 0.01) for _ in range(60)])
        time.sleep(0.3)
    assert len(used.queue_over_time) <= 64
    assert used.queue_over_time[5] > used.queue_over_time[20] > used.queue_over_time[-1] == 0
    assert 5 < used.queue_mean < used.ready_queue_max
    assert used.queue_mean == pytest.approx(sum(used.queue_over_time) / len(used.queue_over_time), rel=0.1)


def test_memory_over_time_and_page_cache(threads, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(os.urandom(20_000_000))
    with probe(threads) as used:
        file.read_bytes()
    assert used.page_cache_share > 0.8
    with probe(threads) as used:
        ballast = bytearray(b"1") * 200_000_000
        time.sleep(0.2)
        del ballast
        time.sleep(0.2)
    assert used.tree_peak_bytes - 150e6 < used.mean_bytes < used.tree_peak_bytes - 50e6


def test_watching_costs_little_and_is_not_counted(threads):
    start = time.process_time()
    with probe(threads) as used:
        time.sleep(1.5)
    own = time.process_time() - start
    assert used.samples > 12  # as seldom as each 0.1 s where looks are dear, whatever they cost then
    slowest = used.wall_seconds / LONGEST_S
    assert used.sampler_cpu_seconds < 0.015 * used.wall_seconds * os.cpu_count() or used.samples < 1.5 * slowest
    assert used.cpu_seconds < own + 0.005


def test_a_probe_within_a_probe(threads):
    with probe(threads) as outer, probe(threads) as inner:
        threads.run([task(known_work.hash_for, 0.1) for _ in range(4)])
    for used in (outer, inner):
        check(used)
        assert used.tasks == 4
        assert used.task_cpu_seconds == pytest.approx(0.4, rel=0.2)
    assert quiet(inner.shares)["compute"] > 0.75


def test_where_the_kernel_shows_no_calls_it_says_unattributed_rather_than_guess(threads, monkeypatch):
    """Without `/proc/PID/syscall` a futex is a lock; without `wchan` either, nothing tells why a thread waits."""
    from cdpipe.probe import sampler_client as watch

    blind = "import cdpipe.probe.sampling.watched_threads as w\nw._open_or_none = lambda path: None\nmain()\n"
    monkeypatch.setattr(watch, "_START", watch._START.replace("main()\n", blind))
    with probe(threads) as used:
        threads.run([task(time.sleep, 0.1) for _ in range(8)])
    assert sum(used.shares.values()) == pytest.approx(1, abs=1e-9)
    assert quiet(used.shares)["unattributed"] > 0.7


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="how the next Pythons lock is not known yet")
def test_addresses_of_the_gil():
    from cdpipe.probe.system.gil_address import find_gil

    start, end = find_gil()
    assert 0 < start < end
    assert 1_000 < end - start < 10_000_000
