import errno
import json
import math
import os
import resource

import pandas as pd
import pytest
from making import FRAME, LEDGER, kept, name, put
from pydantic import ValidationError

from cdpipe.engine.cache import entry
from cdpipe.engine.cache.identity import key
from cdpipe.engine.cache.manifest import seal
from cdpipe.engine.cache.store import CacheError, CacheParams, CacheWarning, Store
from cdpipe.engine.files.digests import hash_bytes
from cdpipe.engine.files.parts import read_part, write_part

# Parameters


def test_params_are_closed_and_frozen():
    with pytest.raises(ValidationError):
        CacheParams(limit=3)
    with pytest.raises(ValidationError):
        CacheParams(limit_gb=0)
    with pytest.raises(ValidationError):
        CacheParams(limit_gb=math.inf)
    with pytest.raises(ValidationError, match=r"'claen' is no stage .*There are gather, clean"):
        CacheParams(stages=("gather", "claen"))
    assert all(field.description for field in CacheParams.model_fields.values())


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    with Store() as store:
        assert store.directory == tmp_path / "xdg" / "cdpipe"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for meaningless in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", meaningless)
        assert Store(CacheParams(enabled=False)).directory == tmp_path / "home" / ".cache" / "cdpipe"


def test_turned_off_touches_nothing(tmp_path):
    with Store(CacheParams(enabled=False, directory=tmp_path / "cache")) as store:
        assert store.lookup(name(0)) is None
        with pytest.raises(CacheError, match=r"cache.enabled"):
            store.begin(name(0))
        assert store.info()["entries"] == 0
    assert not (tmp_path / "cache").exists()


# Entries


def test_entry_comes_back_as_it_was(store):
    assert store.lookup(name(7)) is None
    put(store, 7, parts=3)
    entry = store.lookup(name(7))
    assert [part.name for part in entry.parts] == [f"part-{index:06d}.parquet" for index in range(3)]
    for part in entry.parts:
        pd.testing.assert_frame_equal(read_part(part), FRAME)
    manifest = entry.manifest
    assert (manifest.stage, manifest.key, manifest.params) == ("clean", name(7), {"number": 7})
    assert (manifest.rows, [part.rows for part in manifest.parts]) == (3000, [1000] * 3)
    assert manifest.bytes == sum(part.stat().st_size for part in entry.parts)
    assert manifest.ledger == LEDGER
    assert pd.Timestamp(manifest.created).tz is not None
    assert {"hits": 1, "misses": 1, "hit_rate": 0.5}.items() <= store.info().items()


def test_empty_entry(store):
    put(store, 1, parts=0)
    assert store.lookup(name(1)).parts == ()


def test_draft_is_dropped_unless_committed(store, params):
    with store.begin(name(0)) as draft:
        write_part(FRAME, draft.part_path(0))
    assert store.lookup(name(0)) is None
    assert list((params.directory / "drafts").iterdir()) == []


def test_missing_part_is_not_committed(store):
    with store.begin(name(0)) as draft:
        write_part(FRAME, draft.part_path(0))
        with pytest.raises(CacheError, match=r"part-000001.parquet of 2 parts was never written"):
            store.commit(draft, stage="clean", params={}, part_rows=[1000, 1000], ledger={})
    assert store.lookup(name(0)) is None


def test_half_written_files_of_dead_workers_do_not_stay(store):
    with store.begin(name(0)) as draft:
        write_part(FRAME, draft.part_path(0))
        write_part(FRAME, draft.part_path(5))
        draft.part_path(0).with_name(".part-000001.parquet.123").write_bytes(b"half")
        (draft.directory / "rejects.jsonl").write_text("{}\n")
        entry = store.commit(draft, stage="clean", params={}, part_rows=[1000], ledger={})
    names = {file.name for file in entry.directory.iterdir()}
    assert names == {"part-000000.parquet", "rejects.jsonl", "manifest.json"}
    assert [file.name for file in entry.manifest.attachments] == ["rejects.jsonl"]


def lose(entry):
    entry.parts[1].unlink()


def shorten(entry):
    os.truncate(entry.parts[0], 100)


def lose_manifest(entry):
    (entry.directory / "manifest.json").unlink()


def spoil_manifest(entry):
    (entry.directory / "manifest.json").write_text('{"stage": "clean"')


def add_to_manifest(entry):
    file = entry.directory / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"colour": 1}))


def exchange_manifest(entry):
    other = entry.manifest.model_copy(update={"key": name(99)})
    (entry.directory / "manifest.json").write_bytes(seal(other))


def make_folder_of_manifest(entry):
    lose_manifest(entry)
    (entry.directory / "manifest.json").mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        *(lose, shorten, lose_manifest, spoil_manifest, add_to_manifest, exchange_manifest, make_folder_of_manifest),
    ],
)
def test_damaged_entry_is_a_miss_is_reported_and_goes(store, params, damage):
    damage(put(store, 3, parts=2))
    assert sum(count["entries"] for count in store.info()["by_stage"].values()) == 1
    with pytest.warns(CacheWarning, match=f"cache entry {name(3)} was damaged and is gone: "):
        assert store.lookup(name(3)) is None
    assert kept(params) == set()
    assert store.lookup(name(3)) is None
    assert {"hits": 0, "misses": 2}.items() <= store.info().items()
    put(store, 3)
    assert store.lookup(name(3)) is not None


def take_digests_away(entry):
    """Write the manifest as it was before there were digests."""
    file = entry.directory / "manifest.json"
    known = json.loads(file.read_text())
    del known["digest"]
    for each in (*known["parts"], *known["attachments"]):
        each.pop("digest")
        each.pop("footer", None)
    file.write_text(json.dumps(known, indent=1))


def add_to_sealed_manifest(entry):
    changed = seal(entry.manifest).replace(b'"ledger": {', b'"colour": {')
    text = changed[: changed.rindex(b",")]
    file = entry.directory / "manifest.json"
    file.write_bytes(text + b',\n "digest": "%s"\n}\n' % hash_bytes(text).encode())


@pytest.mark.parametrize("change", [take_digests_away, add_to_sealed_manifest])
def test_entry_of_another_version_is_a_miss_and_goes_without_alarm(store, params, change):
    change(put(store, 3, parts=2))
    with pytest.warns(CacheWarning, match=f"cache entry {name(3)} is of another version of cdpipe and is gone: "):
        assert store.lookup(name(3)) is None
    assert kept(params) == set()


def test_commit_replaces_a_damaged_entry(store):
    shorten(put(store, 3))
    put(store, 3)
    pd.testing.assert_frame_equal(read_part(store.lookup(name(3)).parts[0]), FRAME)


def test_stores_with_different_parameters_coexist(tmp_path):
    with Store(CacheParams(directory=tmp_path / "a")) as a, Store(CacheParams(directory=tmp_path / "b")) as b:
        put(a, 1)
        assert (a.lookup(name(1)) is None, b.lookup(name(1)) is None) == (False, True)


# Folders that cannot be used


@pytest.fixture
def unprivileged():
    """Run as somebody to whom permissions apply."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_read_only_folder_says_what_to_do(tmp_path, unprivileged):
    folder = tmp_path / "cache"
    if os.getuid() == 0:
        os.seteuid(0)
        folder.mkdir()
        os.seteuid(65534)
    else:
        folder.mkdir()
        folder.chmod(0o500)
    with pytest.raises(CacheError, match=f"cache {folder} cannot be used .*make it writable.*cache.enabled = false"):
        Store(CacheParams(directory=folder))


def test_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(CacheError, match="cannot be used"):
        Store(CacheParams(directory=tmp_path / "cache"))


def test_full_disk_says_what_to_do(store, monkeypatch):
    """The limit on file sizes stands in for a full disk: it fails the same call at the same place."""
    with store.begin(name(0)) as draft:
        write_part(FRAME, draft.part_path(0))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            with pytest.raises(CacheError, match=r"cannot be used .*File too large"):
                store.commit(draft, stage="clean", params={}, part_rows=[1000], ledger={})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.lookup(name(0)) is None

    def refuse(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with store.begin(name(0)) as draft:
        draft.part_path(0).write_bytes(b"1")
        with pytest.raises(CacheError, match=r"No space left.*free some space"):
            store.commit(draft, stage="clean", params={}, part_rows=[1], ledger={})


# Many entries


def test_lookup_lists_no_folder_however_many_entries_there_are(params, store, monkeypatch):
    entry = put(store, 0)
    names = [name(number) for number in range(2_000)]
    for other in names[1:]:
        folder = params.directory / other[:2] / other
        folder.mkdir(parents=True)
        os.link(entry.parts[0], folder / entry.parts[0].name)
        (folder / "manifest.json").write_bytes(seal(entry.manifest.model_copy(update={"key": other})))
    with monkeypatch.context() as patch:
        for listing in ("listdir", "scandir"):
            patch.setattr(os, listing, lambda *_: pytest.fail("a lookup lists a folder"))
        for other in [*names[::250], "0" * 64]:
            assert (store.lookup(other) is None) == (other == "0" * 64)
    assert store.info()["entries"] == len(names)
    assert store.evict().entries_left == len(names)


def test_a_draft_that_cannot_be_removed_does_not_hide_why_the_run_failed(store, monkeypatch):
    def refuse(folder):
        raise OSError(errno.ENOTEMPTY, "Directory not empty", str(folder))

    monkeypatch.setattr(entry, "delete_folder", refuse)
    with pytest.raises(KeyError), store.begin(key("clean", 1, {}, "file")):
        raise KeyError
    with pytest.raises(OSError, match="not empty"), store.begin(key("clean", 1, {}, "file")):
        pass
