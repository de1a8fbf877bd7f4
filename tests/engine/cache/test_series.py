"""Series of entries, and bytes on disk that several entries have in common."""

import os

from making import FRAME, kept, name, put

from cdpipe.engine.cache.series import add_to_series, forget_in_series, read_series
from cdpipe.engine.cache.store import Store
from cdpipe.engine.files.parts import write_part

SERIES = "a" * 64


def join(store, number, *, size=0, shared=None):
    """Commit an entry of the series, with a file that it has in common with another entry."""
    with store.begin(name(number)) as draft:
        write_part(FRAME, draft.part_path(0))
        if size:
            (draft.directory / "own.bin").write_bytes(bytes(size))
        if shared:
            os.link(shared, draft.directory / "shared.bin")
        return store.commit(draft, stage="gather", params={}, part_rows=[1000], ledger={}, series=SERIES)


def test_relatives_are_the_newest_entries_of_their_series_alone(store):
    put(store, 99)
    for number in (*range(10), 3):
        join(store, number)
    found = [entry.manifest.key for entry in store.relatives(SERIES)]
    assert found == [name(number) for number in (3, 9, 8, 7, 6, 5, 4, 2)]
    assert list(store.relatives("b" * 64)) == []
    assert store.info()["hit_rate"] is None


def test_a_relative_that_is_gone_is_passed_over_and_forgotten(params):
    with Store(params) as store:
        join(store, 0)
        join(store, 1)
        store.forget([name(1)])
    with Store(params) as store:
        assert [entry.manifest.key for entry in store.relatives(SERIES)] == [name(0)]
        assert read_series(params.directory, SERIES) == [name(0)]
    with Store(params) as store:
        store.clear()
    assert not (params.directory / "series" / SERIES).exists()


def test_a_relative_that_is_in_use_is_not_evicted(params):
    with Store(params) as store:
        join(store, 0)
    with Store(params) as user:
        assert len(list(user.relatives(SERIES))) == 1
        with Store(params) as other:
            other.clear()
        assert kept(params) == {0}


def test_torn_and_foreign_lines_are_passed_over(tmp_path):
    add_to_series(tmp_path, SERIES, name(0))
    with (tmp_path / "series" / SERIES).open("ab") as stream:
        stream.write(name(1)[:20].encode())
    add_to_series(tmp_path, SERIES, name(2))
    with (tmp_path / "series" / SERIES).open("ab") as stream:
        stream.write(b"../../etc\n\xff\n")
    assert read_series(tmp_path, SERIES) == [name(2), name(0)]
    forget_in_series(tmp_path, [name(2)])
    assert (tmp_path / "series" / SERIES).read_bytes() == name(0).encode() + b"\n"
    assert read_series(tmp_path, SERIES) == [name(0)]


def test_a_file_that_several_entries_have_counts_once_and_goes_with_the_last(params):
    size = 100_000
    with Store(params) as store:
        shared = join(store, 0, size=size).directory / "own.bin"
        join(store, 1, shared=shared)
        put(store, 2)
        assert size < store.info()["bytes"] < 2 * size
        assert sum(each["bytes"] for each in store.info()["by_stage"].values()) == store.info()["bytes"]
    with Store(params.model_copy(update={"limit_gb": size / 2 / 1e9})) as store:
        removal = store.evict()
        assert kept(params) == {2}
        assert removal.entries == 2
        assert size < removal.bytes < 2 * size


def test_removing_an_entry_whose_files_others_have_makes_no_room(params):
    """Its parts stay on the disk, so another entry has to go too."""
    size = 100_000
    with Store(params) as store:
        shared = join(store, 0, size=size).directory / "own.bin"
        join(store, 1, shared=shared)
        for number in (2, 3):
            put(store, number, padding=size)
    with Store(params.model_copy(update={"limit_gb": 2.9 * size / 1e9})) as store:
        removal = store.evict()
        assert kept(params) == {2, 3}
        on_disk = sum(path.stat().st_size for path in params.directory.glob("??/*/*"))
        assert removal.bytes_left == on_disk <= store.limit_bytes
