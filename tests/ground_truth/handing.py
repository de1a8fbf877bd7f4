"""Workloads whose time goes into handing over: tasks, graphs, results; and those that memory is too small for."""

import functools
import os

from cdpipe.perf.analysis.bounds import Bound
from cdpipe.probe.system.process_memory import tree_pss_bytes

from . import outside, work
from .ground import SESSIONS, Workload, task

SCHEDULER = frozenset({Bound.SCHEDULER})
SERIALISATION = frozenset({Bound.SERIALISATION})
MEMORY = frozenset({Bound.MEMORY})
HANDED = frozenset({Bound.SERIALISATION, Bound.NETWORK})


def _empty(count):
    return lambda _ground: [task(int, number) for number in range(count)]


def _tree(leaves):
    """Return one task over a tree of empty ones."""

    def make(_ground):
        level = [task(int, number) for number in range(leaves)]
        while len(level) > 1:
            level = [task(outside.take, *level[place : place + 2]) for place in range(0, len(level), 2)]
        return level

    return make


def _array_graph(ground):
    """Build and order the graph of an array of tiny chunks."""

    def run():
        import dask.array as da

        array = da.ones((48, 48), chunks=(3, 3))
        for _ in range(4):
            array = (array + array.T).rechunk((4, 4)).rechunk((3, 3))
        ground.session.run(list(array.to_delayed().ravel()))

    return run


def _round_trips(count):
    """Return what asks for one result after the other, as its caller's own thread."""

    def make(ground):
        client = ground.session.client

        def run():
            for number in range(count):
                client.submit(int, number, pure=False).result()

        return run

    return make


HANDING = "tasks do nothing: all the time goes into handing them out"
SCHEDULING = (
    Workload("scheduler/3000 empty tasks", SCHEDULER, HANDING, _empty(3000)),
    Workload("scheduler/10000 empty tasks", SCHEDULER, HANDING, _empty(10_000)),
    Workload("scheduler/3000 empty tasks, 1 slot", SCHEDULER, HANDING, _empty(3000), "1 slot"),
    Workload("scheduler/tree of empty tasks", SCHEDULER, HANDING, _tree(2048)),
    Workload(
        "scheduler/array of tiny chunks", SCHEDULER, "chunks of 9 numbers: the time goes into their graph", _array_graph
    ),
    Workload("scheduler/empty tasks on a cluster", SCHEDULER, HANDING, _empty(500), "cluster"),
    Workload("scheduler/one result after the other", SCHEDULER, HANDING, _round_trips(150), "cluster"),
)


def _ready(ground, kind, size):
    """Have each worker make its objects before the run."""
    ground.session.each_process(functools.partial(outside.have_ready, kind, size))


def _exchange(kind, size, rounds):
    """Return tasks that each take what both workers gave."""

    def make(ground):
        _ready(ground, kind, size)
        given = [[task(outside.give, kind, size, turn, side) for side in range(2)] for turn in range(rounds)]
        return [task(outside.take, *pair) for pair in given]

    return make


def _fetch(kind, size, results):
    """Return tasks whose results the caller gets."""

    def make(ground):
        _ready(ground, kind, size)
        return [task(outside.give, kind, size, number) for number in range(results)]

    return make


def _send(kind, size, count):
    """Return tasks that do nothing and carry what they are given with them."""
    return lambda _ground: [task(outside.take, outside.make_objects(kind, size)) for _ in range(count)]


PICKLED = "workers have the objects ready; what is left is packing them, sending them and unpacking them"
SENT = "buffers are sent as they are: handing them over is all there is"
TAKING = (
    Workload("serialisation/tuples between workers", SERIALISATION, PICKLED, _exchange("tuples", 20_000, 5), "cluster"),
    Workload(
        "serialisation/dictionaries between workers",
        SERIALISATION,
        PICKLED,
        _exchange("dictionaries", 15_000, 3),
        "cluster",
    ),
    Workload("serialisation/tuples to the caller", SERIALISATION, PICKLED, _fetch("tuples", 12_000, 4), "cluster"),
    Workload(
        "serialisation/tuples as arguments",
        SERIALISATION,
        "tasks do nothing; what they are given is packed here, unpacked by the scheduler, packed again for a worker",
        _send("tuples", 60_000, 8),
        "cluster",
    ),
    Workload("network/buffers between workers", HANDED, SENT, _exchange("bytes", 80_000_000, 24), "cluster"),
)


def _fill(share):
    """Return a task that brings the process near the limit, and one that computes beside it."""

    def make(ground):
        taken = tree_pss_bytes(os.getpid()) or 0
        held = int(share * SESSIONS["0.9 GB"].memory_limit_gb * 1e9) - taken
        if held < 50_000_000:
            raise ValueError(f"this process has {taken / 1e6:.0f} MB already: too much for the limit")
        return [task(outside.hold, held, 0.5), task(work.mix, 0.5)]

    return make


def _spill(size, count):
    """Return tasks over parts that must all be there before the first of them is taken."""

    def make(_ground):
        parts = [task(outside.make_bytes, size, number) for number in range(count)]
        all_there = task(outside.take, *(task(outside.take, part) for part in parts))
        return [task(outside.take, all_there, part) for part in parts]

    return make


LIMITING = (
    Workload("memory/95 % of the limit", MEMORY, "what the tasks hold is nearly the limit", _fill(0.95), "0.9 GB"),
    Workload("memory/88 % of the limit", MEMORY, "what the tasks hold is nearly the limit", _fill(0.88), "0.9 GB"),
    Workload(
        "memory/one worker near its limit",
        MEMORY,
        "the worker that holds most may hold little more, and the other's room is no help",
        lambda _ground: [task(outside.hold_up_to, 435_000_000, 0.8), *(task(work.mix, 0.1) for _ in range(6))],
        "small cluster",
    ),
    Workload(
        "memory/spilling",
        MEMORY,
        "results wait for their consumer and are more than the limit",
        _spill(40_000_000, 24),
        "small cluster",
    ),
)
