import multiprocessing
import os
import time

import pytest
from making import FRAME, kept, name, put

from cdpipe.engine.cache.eviction import ABANDONED_SECONDS
from cdpipe.engine.cache.store import CacheError, CacheWarning, Store, key
from cdpipe.engine.files.parts import read_part, write_part

# Several processes


def run_all(target, count, *arguments):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=(number, *arguments)) for number in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.close()
    return codes


def commit_often(number, params):
    with Store(params) as store:
        for round_ in range(15):
            entry = put(store, round_, parts=2)
            assert all(part.is_file() for part in entry.parts)
            assert entry.manifest.key == name(round_)


@pytest.mark.slow
def test_same_key_committed_by_several_processes_at_once(params):
    assert run_all(commit_often, 3, params) == [0, 0, 0]
    with Store(params) as store:
        assert all(store.lookup(name(number)) is not None for number in range(15))
        assert {"entries": 15, "hits": 15, "misses": 0}.items() <= store.info().items()
    assert list((params.directory / "drafts").iterdir()) == []


def look_often(number, params):
    with Store(params) as store:
        for _ in range(200):
            store.lookup(name(number % 2))


@pytest.mark.slow
def test_hits_and_misses_of_all_processes_are_counted(params, store):
    put(store, 0)
    assert run_all(look_often, 3, params) == [0, 0, 0]
    assert {"hits": 400, "misses": 200}.items() <= store.info().items()
    assert store.info()["hit_rate"] == pytest.approx(2 / 3)


def use_while_evicted(number, params):
    with Store(params.model_copy(update={"limit_gb": 0.000_05})) as store:
        for round_ in range(40):
            entry = store.lookup(name(round_ % 4)) or put(store, round_ % 4)
            assert read_part(entry.parts[0]).equals(FRAME)  # never taken away while in use
        if number == 0:
            store.clear()


@pytest.mark.slow
def test_eviction_never_takes_what_another_process_reads(params):
    assert run_all(use_while_evicted, 3, params) == [0, 0, 0]


def die_with_draft(number, params):
    store = Store(params)
    draft = store.begin(name(number))
    write_part(FRAME, draft.part_path(0))
    put(store, 50 + number)
    os._exit(0)


def make_old(folder):
    for path in (*folder.iterdir(), folder):
        os.utime(path, (0, time.time() - ABANDONED_SECONDS - 5))


def test_leftovers_of_crashes_go_when_old_and_not_while_alive(params, store):
    assert run_all(die_with_draft, 1, params) == [0]
    drafts = params.directory / "drafts"
    (left,) = drafts.iterdir()
    (params.directory / "trash" / "0123456789abcdef0123456789abcdef").mkdir(parents=True)
    with store.begin(name(9)) as live:
        write_part(FRAME, live.part_path(0))
        make_old(live.directory)
        store.evict()
        assert set(drafts.iterdir()) == {left, live.directory}
        make_old(left)
        store.evict()
        assert set(drafts.iterdir()) == {live.directory}
    assert list((params.directory / "trash").iterdir()) == []
    # the dead process's pins do not hold its entry
    assert store.clear().entries == 1


def test_a_flipped_bit_in_the_list_of_what_a_run_uses_stops_no_other(params, store):
    put(store, 0)
    put(store, 1)
    (pins,) = (params.directory / "pins").iterdir()
    lines = pins.read_bytes()
    pins.write_bytes(bytes([lines[0] ^ 0x80]) + lines[1:])
    with Store(params) as other:
        assert other.clear().entries_left == 1


# Eviction

SIZE = 100_000


def with_limit(params, entries):
    return params.model_copy(update={"limit_gb": entries * (SIZE + 30_000) / 1e9})


def test_least_recently_used_go_first_and_really_go(params):
    with Store(params) as store:
        for number in range(6):
            put(store, number, padding=SIZE)
            time.sleep(0.002)
        store.lookup(name(0))
        store.lookup(name(2))
    with Store(with_limit(params, 3)) as store:
        removal = store.evict()
        assert kept(params) == {0, 2, 5}
        assert (removal.entries, removal.entries_left) == (3, 3)
        assert removal.bytes_left <= store.limit_bytes
        on_disk = sum(file.stat().st_size for file in params.directory.rglob("*") if file.is_file())
        assert on_disk <= removal.bytes_left + 1000  # locks, pins and counters
        assert store.evict()[:2] == (0, 0)
        assert store.info()["bytes"] == removal.bytes_left


def test_commit_and_close_keep_the_limit(params):
    with Store(with_limit(params, 2)) as store:
        for number in range(4):
            put(store, number, padding=SIZE)
        assert kept(params) == {0, 1, 2, 3}  # this run may still need them
    assert kept(params) == {2, 3}
    with Store(with_limit(params, 2)) as store:
        put(store, 4, padding=SIZE)
        assert kept(params) == {3, 4}


def test_what_a_live_run_uses_stays(params):
    with Store(params) as store:
        for number in range(3):
            put(store, number, padding=SIZE)
    tight = with_limit(params, 1)
    with Store(params) as user:
        entry = user.lookup(name(0))
        with Store(tight) as other:
            other.evict()
            assert kept(params) == {0}
            assert other.clear().entries_left == 1
            assert all(part.exists() for part in entry.parts)
    with Store(tight) as other:
        assert other.clear() == (1, pytest.approx(SIZE, rel=0.5), 0, 0)


def test_entry_beyond_the_limit_serves_its_run_and_goes_alone(params):
    with Store(with_limit(params, 2)) as store:
        put(store, 0, padding=SIZE)
    with Store(with_limit(params, 2)) as store:
        with pytest.warns(CacheWarning, match=r"has .* GB, more than limit_gb = .* removed; raise limit_gb"):
            entry = put(store, 1, padding=5 * SIZE)
        assert all(part.exists() for part in entry.parts)
    assert kept(params) == {0}


def test_clear_empties_and_counts_anew(params):
    with Store(params) as store:
        put(store, 0)
        put(store, 1, parts=0)
        store.lookup(name(0))
    with Store(params) as store:
        assert store.clear().entries == 2
        assert store.info() == {
            "directory": str(params.directory),
            "entries": 0,
            "bytes": 0,
            "hits": 0,
            "misses": 0,
            "hit_rate": None,
            "by_stage": {},
        }
    assert kept(params) == set()


def test_info_by_stage(store):
    put(store, 0)
    with store.begin(key("features", 1, {}, "u")) as draft:
        write_part(FRAME, draft.part_path(0))
        store.commit(draft, stage="features", params={}, part_rows=[1000], ledger={})
    info = store.info()
    assert {stage: count["entries"] for stage, count in info["by_stage"].items()} == {"clean": 1, "features": 1}
    assert sum(count["bytes"] for count in info["by_stage"].values()) == info["bytes"]


def test_closed_store_refuses(params):
    store = Store(params)
    store.close()
    store.close()
    assert store.lookup(name(0)) is None
    with pytest.raises(CacheError, match="is closed"):
        store.begin(name(0))
