"""Shares of known work on workers, against what bounds it: a local cluster, and a scheduler that was there before."""

import gc
import pickle
import sys
import time

import cloudpickle
import dask
import known_work
import pytest
from clusters import open_remote
from known_work import quiet

from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.figures import SHARES
from cdpipe.probe.probe import probe

pytestmark = pytest.mark.measuring

cloudpickle.register_pickle_by_value(known_work)
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def task(function, *arguments):
    """Make a task that travels by value: workers cannot import from the tests' folder."""

    def call(*given):
        return function(*given)

    return known_work.task(call, *arguments)


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    with open_remote(tmp_path_factory.mktemp("cluster")) as session:
        yield session


@pytest.fixture(params=["local", pytest.param("remote", marks=pytest.mark.slow)])
def cluster(request):
    return request.getfixturevalue(request.param)


def measure(session, tasks):
    session.run([task(int, index) for index in range(4)])
    with probe(session) as used:
        session.run(tasks)
    assert tuple(used.shares) == SHARES
    assert sum(used.shares.values()) == pytest.approx(1, abs=1e-9)
    assert all(share >= 0 for share in used.shares.values())
    assert used.shares["unattributed"] <= 0.05
    return used, quiet(used.shares)


class Hasher:
    def hash_for(self, cpu_seconds):
        known_work.hash_for(cpu_seconds)


@pytest.mark.slow
def test_calls_of_actors_are_tasks(local):
    with local.client.as_current():
        actors = [local.client.submit(Hasher, actor=True, pure=False).result() for _ in range(2)]
        with probe(local) as used:
            for _ in range(3):
                for call in [actor.hash_for(0.2) for actor in actors]:
                    call.result()
    assert quiet(used.shares)["compute"] > 0.6
    assert used.task_seconds["p50"] == pytest.approx(0.2, rel=0.3)


def test_processor_is_compute(cluster):
    used, shares = measure(cluster, [task(known_work.hash_for, 0.2) for _ in range(8)])
    assert max(shares, key=shares.__getitem__) == "compute"
    assert shares["compute"] > 0.6
    assert used.task_cpu_seconds == pytest.approx(1.6, rel=0.1)
    assert 0.2 <= used.task_seconds["min"] <= used.task_seconds["max"]


@pytest.mark.slow
def test_sleeping_tasks(cluster):
    _, shares = measure(cluster, [task(time.sleep, 0.2) for _ in range(8)])
    assert max(shares, key=shares.__getitem__) == "sleep"
    assert shares["sleep"] > 0.5


def test_many_tiny_tasks_are_scheduling(cluster):
    used, shares = measure(cluster, [task(int, index) for index in range(400)])
    assert max(shares, key=shares.__getitem__) == "scheduling"
    assert used.tasks == 400


@pytest.mark.slow
def test_a_straggler_leaves_the_other_slot_idle(cluster):
    _, shares = measure(cluster, [task(known_work.hash_for, 1.0), task(int, 1)])
    assert shares["idle"] > 0.15  # on a busy machine the loops' own threads wait for a core in the other slot
    assert 0.35 < shares["compute"] < 0.7


def test_objects_that_travel_are_serialisation(cluster):
    parts = [task(known_work.make_strings, 15_000) for _ in range(6)]
    used, shares = measure(cluster, [task(known_work.take, *parts) for _ in range(2)])
    assert used.serialisation_seconds > 0.05
    assert used.network_bytes > 15_000 * 2
    assert max(shares, key=shares.__getitem__) in {"serialisation", "network"}, shares
    assert shares["serialisation"] + shares["network"] > 0.3, shares


@pytest.mark.slow
def test_results_that_do_not_fit_are_spilled(tmp_path):
    params = SessionParams(
        scheduler="local", workers=1, threads_per_worker=1, memory_limit_gb=0.5, spill_target=0.1, spill=0.2
    )
    with open_session(params) as session:
        parts = [task(bytearray, 20_000_000) for _ in range(8)]
        used, _ = measure(session, [task(known_work.take, *parts)])
    assert used.spilled_bytes > 20e6


def test_nothing_stays_on_the_workers(cluster):
    def count(dask_worker):
        from cdpipe.probe.recording.task_recorder import BOOKS

        pool = dask_worker.executors["default"]
        return len(BOOKS), len(gc.callbacks), "submit" in vars(pool), sorted(dask_worker.plugins)

    before = cluster.client.run(count)
    measure(cluster, [task(int, 1)])
    with pytest.raises(KeyError), probe(cluster):
        raise KeyError(1)
    assert cluster.client.run(count) == before


@pytest.mark.slow
def test_a_probe_within_a_probe(cluster):
    with probe(cluster) as outer, probe(cluster) as inner:
        cluster.run([task(known_work.hash_for, 0.1) for _ in range(4)])
    for used in (outer, inner):
        assert sum(used.shares.values()) == pytest.approx(1, abs=1e-9)
        assert used.tasks == 4
        assert used.task_cpu_seconds == pytest.approx(0.4, rel=0.3)


def test_packing_what_tasks_are_given_is_serialisation(local):
    from distributed import client, scheduler
    from distributed.protocol import core

    patched = ((client, "serialize"), (scheduler, "deserialize"), (core, "pickle"))
    before = [getattr(module, name) for module, name in patched]
    given = [[(number, str(number)) for number in range(100_000)] for _ in range(4)]
    start = time.thread_time()
    for each in given:
        pickle.loads(pickle.dumps(each))
    once = time.thread_time() - start
    with probe(local) as used:
        local.run([dask.delayed(len, pure=False)(dask.delayed(each, traverse=False)) for each in given])
    # Here, by the scheduler and again for the workers: twice in all at least, were one end not metered.
    assert used.serialisation_seconds > 1.5 * once
    assert used.shares["serialisation"] > used.shares["scheduling"]
    assert [getattr(module, name) for module, name in patched] == before
