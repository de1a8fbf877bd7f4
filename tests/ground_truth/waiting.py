"""Workloads that wait: for locks, for the disk, for the network, for time to pass."""

import subprocess
import time

from cdpipe.perf.analysis.bounds import Bound

from . import outside, work
from .ground import Workload, task

LOCK = frozenset({Bound.LOCK})
DISK = frozenset({Bound.DISK})
NETWORK = frozenset({Bound.NETWORK})
WAITING = frozenset({Bound.WAITING})


SLOW_WRITES = {"write_iops": 300}


def _each(function, count, *arguments):
    return lambda _ground: [task(function, *arguments) for _ in range(count)]


def _file_lock(how, tasks):
    def make(ground):
        path = str(ground.new("lock"))
        return [task(work.digest_file_locked, path, 0.1, how) for _ in range(tasks)]

    return make


def _beside_child(make, *command):
    """Have a child beside the run that does nothing; it goes when the run is over."""

    def made(ground):
        tasks = make(ground)

        def run():
            with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
                try:
                    ground.session.run(tasks)
                finally:
                    child.kill()

        return run

    return made


def _writing(function, tasks, *arguments):
    return lambda ground: [task(function, str(ground.new("written")), *arguments) for _ in range(tasks)]


ONE_RUNS = "two tasks run, one at a time gets on: the other waits for the interpreter's lock"
ONE_HOLDS = "two tasks run, one at a time holds the lock and computes: the other waits for it"
LOCKING = (
    Workload("lock/Python", LOCK, ONE_RUNS, _each(work.count, 4, 0.2)),
    Workload("lock/parsing JSON", LOCK, ONE_RUNS, _each(work.parse_json, 4, 0.2)),
    Workload("lock/sorting a list", LOCK, ONE_RUNS + ", which C code keeps for 10 ms", _each(work.sort_list, 4, 0.2)),
    Workload("lock/pandas by row", LOCK, ONE_RUNS, _each(work.apply_rows, 4, 0.2)),
    Workload("lock/threading.Lock", LOCK, ONE_HOLDS, _each(work.digest_locked, 8, 0.1)),
    Workload("lock/threading.Lock, held briefly", LOCK, ONE_HOLDS, _each(work.digest_often_locked, 10, 0.1, 5)),
    Workload("lock/80 % of the work locked", LOCK, ONE_HOLDS, _each(work.digest_mostly_locked, 8, 0.1, 0.85)),
    Workload("lock/semaphore", LOCK, ONE_HOLDS, _each(work.mix_semaphore, 12, 0.08)),
    Workload("lock/condition", LOCK, ONE_HOLDS, _each(work.mix_when_told, 8, 0.08)),
    Workload(
        "lock/threading.Lock beside an idle child",
        LOCK,
        ONE_HOLDS + "; the child waits for its input, and nobody for the child",
        _beside_child(_each(work.digest_locked, 8, 0.1), "cat"),
    ),
    Workload(
        "lock/threading.Lock, the holder sleeps",
        LOCK,
        "one task sleeps and has the lock all the while: the other could sleep too",
        _each(work.sleep_locked, 12, 0.08),
    ),
    Workload(
        "lock/threading.Lock, the holder syncs",
        LOCK,
        "one task waits for the disk and has the lock all the while; the disk takes more than one at a time",
        _writing(outside.sync_locked, 12, 0.08, outside.PAGE_BYTES),
        throttle=SLOW_WRITES,
    ),
    Workload("lock/flock", LOCK, ONE_HOLDS, _file_lock("flock", 8)),
    Workload("lock/file lock on a cluster", LOCK, ONE_HOLDS, _file_lock("lockf", 12), "cluster"),
)


def _reading(function, tasks, times):
    def make(ground):
        path = str(ground.cold_file())
        return [task(function, path, part, tasks, times) for part in range(tasks)]

    return make


def _if_slow(make):
    """Take the disk as it is, if it is slow enough: of a synced block, and of one read past the page cache."""

    def checked(ground):
        ground.need_slow_disk(lambda: outside.sync_writes(ground.new("probe"), 0.1, 1_000_000))
        return make(ground)

    return checked


def _if_slow_to_read(make):
    def checked(ground):
        ground.need_slow_disk(lambda: outside.read_blocks(str(ground.cold_file()), 0, 1, 20))
        return make(ground)

    return checked


SLOW_READS = {"read_iops": 800}
SYNCED = "each write waits until the disk has it; computing takes next to nothing"
COLD = "each page is somewhere else on the disk and in no cache: nothing to do but wait for it"
PAGE = outside.PAGE_BYTES
READING = (
    Workload(
        "disk/synced pages, 1 slot", DISK, SYNCED, _writing(outside.sync_writes, 1, 0.6, PAGE), "1 slot", SLOW_WRITES
    ),
    Workload(
        "disk/synced pages, 2 slots", DISK, SYNCED, _writing(outside.sync_writes, 4, 0.3, PAGE), throttle=SLOW_WRITES
    ),
    Workload("disk/writing through", DISK, SYNCED, _writing(outside.write_through, 2, 0.6), throttle=SLOW_WRITES),
    Workload("disk/commits", DISK, SYNCED, _writing(outside.commit_rows, 2, 0.6), throttle=SLOW_WRITES),
    Workload(
        "disk/synced pages on a cluster",
        DISK,
        SYNCED,
        _writing(outside.sync_writes, 4, 0.3, PAGE),
        "cluster",
        SLOW_WRITES,
    ),
    Workload(
        "disk/80 % beside 20 % computing",
        DISK,
        SYNCED,
        _writing(outside.sync_and_digest, 2, 0.12, 0.48, 4),
        throttle=SLOW_WRITES,
    ),
    Workload(
        "disk/synced blocks, as fast as it is", DISK, SYNCED, _if_slow(_writing(outside.sync_writes, 2, 0.6, 1_000_000))
    ),
    Workload("disk/cold pages, 1 slot", DISK, COLD, _reading(outside.read_pages, 1, 500), "1 slot", SLOW_READS),
    Workload("disk/cold pages, 2 slots", DISK, COLD, _reading(outside.read_pages, 4, 130), throttle=SLOW_READS),
    Workload("disk/mapped cold pages", DISK, COLD, _reading(outside.map_pages, 1, 500), "1 slot", SLOW_READS),
    Workload(
        "disk/cold file from end to end",
        DISK,
        "the disk gives less than is copied in the time",
        _reading(outside.read_part, 2, 1),
        throttle={"read_bps": 400_000_000},
    ),
    Workload(
        "disk/direct blocks, as fast as it is",
        DISK,
        "blocks go past the page cache: nothing is copied",
        _if_slow_to_read(_reading(outside.read_blocks, 2, 250)),
    ),
)

SERVER = "a server, no part of the run, takes its time with each answer"
TALKING = (
    Workload(
        "network/slow answers",
        NETWORK,
        SERVER,
        lambda g: [task(outside.fetch_often, f"{g.url}/100/0.03", 9) for _ in range(4)],
    ),
    Workload(
        "network/slow answers beside a sleeping child",
        NETWORK,
        SERVER + "; nobody waits for the child",
        _beside_child(lambda g: [task(outside.fetch_often, f"{g.url}/100/0.03", 9) for _ in range(4)], "sleep", "60"),
    ),
    Workload(
        "network/slow answers to helper threads",
        NETWORK,
        SERVER + "; each task waits for two threads that ask it",
        lambda g: [task(outside.fetch_on_helpers, f"{g.url}/100/0.03", 18) for _ in range(4)],
    ),
    Workload(
        "network/slow line",
        NETWORK,
        "a server sends little by little",
        lambda g: [task(outside.fetch, f"{g.url}/4000000/0.3") for _ in range(4)],
    ),
    Workload(
        "network/slow line on a cluster",
        NETWORK,
        "a server sends little by little",
        lambda g: [task(outside.fetch, f"{g.url}/4000000/0.3") for _ in range(4)],
        "cluster",
    ),
)

NOTHING = "the slots wait for time to pass"
SLEEPING = (
    Workload("waiting/sleep, 1 slot", WAITING, NOTHING, _each(time.sleep, 4, 0.15), "1 slot"),
    Workload("waiting/sleep, 2 slots", WAITING, NOTHING, _each(time.sleep, 10, 0.1)),
    Workload("waiting/event loops that sleep", WAITING, NOTHING, _each(outside.sleep_in_loop, 10, 0.1)),
    Workload("waiting/helper threads that sleep", WAITING, NOTHING, _each(outside.sleep_on_helpers, 10, 0.1)),
    Workload("waiting/sleep on a cluster", WAITING, NOTHING, _each(time.sleep, 10, 0.1), "cluster"),
    Workload(
        "waiting/sleeping children",
        WAITING,
        "each task waits for a child that sleeps",
        _each(outside.sleep_in_child, 4, 0.3),
    ),
    Workload(
        "waiting/80 % beside 20 % computing",
        WAITING,
        "the slots sleep four fifths of the time",
        _each(outside.sleep_and_mix, 2, 0.48, 0.12, 12),
    ),
)
