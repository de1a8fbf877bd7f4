"""A cache folder is marked as one, and nothing that cdpipe has not made is ever removed from it or elsewhere."""

import multiprocessing

import pytest
from making import kept, name, put

from cdpipe.engine.cache.cache_folder import TAG, claim_folder
from cdpipe.engine.cache.store import CacheError, CacheParams, Store

THEIRS = (
    "drafts/novel/chapter",
    "trash/x",
    "pins/list",
    "ab/photos/a.jpg",
    f"ab/{'c' * 64}/x",
    f"ab/ab{'c' * 61}/x",
    f"ab/ab{'c' * 62}",  # a file, which no entry is
    "notes",
)


def write_theirs(folder):
    """Write files of somebody's own under the names of a cache's rooms, and an entry's name that is a file."""
    for path in THEIRS:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("mine")


def assert_theirs(folder):
    assert [(folder / path).read_text() for path in THEIRS] == ["mine"] * len(THEIRS)


@pytest.mark.parametrize("tag", [None, b"Signature: 8a477f597d28d172789f06886806bc55\n# of another program\n"])
def test_a_folder_that_holds_anything_else_is_refused_and_left_alone(tmp_path, tag):
    write_theirs(tmp_path / "mine")
    if tag:
        (tmp_path / "mine" / TAG).write_bytes(tag)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CacheError, match=r"mine is not empty and no cache of cdpipe.*name an empty or a new folder"):
        Store(CacheParams(directory=tmp_path / "mine"))
    assert sorted(tmp_path.rglob("*")) == before
    assert_theirs(tmp_path / "mine")


def test_an_empty_folder_and_a_new_one_are_marked_once(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "new" / "folder"):
        Store(CacheParams(directory=folder)).close()
        mark = (folder / TAG).read_bytes()
        assert mark.startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")
        assert b"cdpipe" in mark
        Store(CacheParams(directory=folder)).close()
        assert (folder / TAG).read_bytes() == mark


def test_what_somebody_puts_into_a_cache_outlives_eviction_and_clearing(params):
    with Store(params) as store:
        put(store, 0)
        write_theirs(params.directory)
        (params.directory / "trash" / ("0" * 32)).mkdir()
    with Store(params.model_copy(update={"limit_gb": 1e-9})) as store:
        assert store.evict().entries == 1
        assert store.info()["entries"] == 0
        store.clear()
    assert kept(params) == set()
    assert not (params.directory / "trash" / ("0" * 32)).exists()
    assert_theirs(params.directory)


def test_a_cache_of_before_there_were_marks_is_marked_unless_it_holds_anything_else(params):
    with Store(params) as store:
        put(store, 0)
        store.lookup("0" * 64)
    (params.directory / TAG).unlink()
    (params.directory / "ab" / "photos").mkdir(parents=True)
    with pytest.raises(CacheError, match="no cache of cdpipe"):
        Store(params)
    (params.directory / "ab" / "photos").rmdir()
    with Store(params) as store:
        assert store.lookup(name(0)) is not None
    assert (params.directory / TAG).exists()


def claim(folder, barrier):
    barrier.wait()
    claim_folder(folder)


@pytest.mark.slow
def test_processes_that_claim_a_new_folder_at_once_agree(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    processes = [context.Process(target=claim, args=(tmp_path / "cache", barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 4
