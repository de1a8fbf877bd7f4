"""Results on an object store: a manifest names all of one run, and nobody else's objects are touched."""

import json
import os
import platform
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import fsspec
import psutil
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from cdpipe.engine.files.digests import DamageError, Kept, hash_file
from cdpipe.engine.files.seals import FILES, open_seal
from cdpipe.engine.outputs import object_outputs as objectoutputs
from cdpipe.engine.outputs.object_outputs import ObjectFolder
from cdpipe.engine.outputs.object_store import ObjectStore, StoreError
from cdpipe.engine.outputs.output_folder import OutputError
from cdpipe.interrupts import heeding_interrupts

DEAD = f"run-{'d' * 32}"


@pytest.fixture
def url():
    return f"memory://bucket-{uuid4().hex}/study"


@pytest.fixture
def store(url):
    return ObjectStore(url)


@pytest.fixture
def parts(tmp_path):
    def made(*contents):
        kept = []
        for index, content in enumerate(contents):
            path = tmp_path / f"part-{index:06d}.parquet"
            path.write_bytes(content)
            kept.append(Kept(path, hash_file(path)))
        return kept

    return made


def names(store):
    return sorted(store.find("")) if store.folders() else []


class Run:
    """A run's part in this: begins, makes results, and ends."""

    def __init__(self, url):
        self.place = ObjectFolder(url)
        self.ending = ExitStack()

    def __enter__(self):
        self.results = self.place.results(self.place.take(self.ending, self.ending))
        return self

    def __exit__(self, *_):
        self.ending.close()

    def make(self, parts, said=b"{}"):
        self.results.add_dataset(parts)
        (self.results.folder / "report.json").write_bytes(said)
        return self

    def name(self, *names):
        return sorted(f"{self.place.run}/{name}" for name in names)


def test_what_is_there_is_what_the_manifest_names(url, store, parts):
    with Run(url) as run:
        run.make(parts(b"one", b"two"))
        assert store.read("manifest.json") is None
        run.results.put()
    data = store.read("manifest.json")
    said = open_seal(data)
    assert said["run"] == run.place.run
    assert said["bytes"] == {"dataset/part-000000.parquet": 3, "dataset/part-000001.parquet": 3, "report.json": 2}
    assert set(said[FILES]) == set(said["bytes"])
    assert names(store) == sorted(["manifest.json", *run.name(*said["bytes"])])
    assert store.read(f"{run.place.run}/dataset/part-000001.parquet") == b"two"
    assert run.results.locate("dataset", failed=False) == f"{url}/{run.place.run}/dataset"


def test_the_run_before_goes_when_the_next_is_named(url, store, parts):
    with Run(url) as first:
        first.make(parts(b"one", b"two")).results.put()
    with Run(url) as second:
        second.make(parts(b"three"))
        assert open_seal(store.read("manifest.json"))["run"] == first.place.run
        second.results.put()
    assert names(store) == ["manifest.json", *second.name("dataset/part-000000.parquet", "report.json")]


def test_a_run_that_fails_leaves_the_one_before(url, store, parts):
    with Run(url) as first:
        first.make(parts(b"one")).results.put()
    with Run(url) as second:
        second.make(parts(b"two"))
    kept = ["manifest.json", *first.name("dataset/part-000000.parquet", "report.json")]
    assert names(store) == kept
    with Run(url) as empty:
        empty.make([], b"nothing is left").results.put_failed()
    assert names(store) == sorted(["failed-run.json", *kept, *empty.name("report.json")])
    with Run(url) as again:
        again.make([], b"nothing again").results.put_failed()
    assert names(store) == sorted(["failed-run.json", *kept, *again.name("report.json")])
    with Run(url) as third:
        third.make(parts(b"three")).results.put()
    assert names(store) == ["manifest.json", *third.name("dataset/part-000000.parquet", "report.json")]


def test_a_data_set_that_is_made_anew_replaces_the_first_try(url, store, parts):
    with Run(url) as run:
        run.make(parts(b"one", b"two"))
        run.make(parts(b"other")).results.put()
    assert open_seal(store.read("manifest.json"))["bytes"] == {"dataset/part-000000.parquet": 5, "report.json": 2}
    assert names(store) == ["manifest.json", *run.name("dataset/part-000000.parquet", "report.json")]


def test_what_is_damaged_is_not_sent(url, store, parts):
    kept = parts(b"one", b"two")
    kept[1].path.write_bytes(b"twp")
    with Run(url) as run, pytest.raises(DamageError):
        run.make(kept)
    assert names(store) == []


def test_what_was_lost_meanwhile_is_not_named(url, store, parts):
    with Run(url) as run:
        run.make(parts(b"one"))
        store.remove([f"{run.place.run}/dataset/part-000000.parquet"])
        with pytest.raises(OutputError, match=r"part-000000.parquet: is not there any more"):
            run.results.put()
    assert names(store) == []


@pytest.mark.parametrize("data", [b"", b"mine", b"[]", b'{"run": "run-1"}', b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("name", ["manifest.json", "failed-run.json"])
def test_a_manifest_of_nobody_s_run_stays(url, store, name, data):
    store.put(name, data)
    with pytest.raises(OutputError, match=f"{name}: is not of a run, or was changed"), Run(url):
        pytest.fail("it would be replaced")
    assert store.read(name) == data
    assert names(store) == [name]


def test_a_manifest_that_was_changed_stays(url, store, parts):
    with Run(url) as run:
        run.make(parts(b"one")).results.put()
    store.put("manifest.json", store.read("manifest.json").replace(b'"bytes"', b'"Bytes"'))
    before = names(store)
    with pytest.raises(OutputError, match="was changed since"), Run(url):
        pytest.fail("it would be replaced")
    assert names(store) == before


OTHERS = [
    "notes.txt",
    f"{DEAD}/mine.txt",
    f"{DEAD}/dataset/mine.parquet",
    "run-1/report.json",
    "dataset/part-000000.parquet",
]


def test_what_others_put_there_stays(url, store, parts):
    for name in OTHERS:
        store.put(name, b"mine")
    with Run(url) as run:
        run.make(parts(b"one")).results.put()
    with Run(url) as run:
        run.make(parts(b"two")).results.put()
    ours = run.name("dataset/part-000000.parquet", "report.json")
    assert names(store) == sorted([*OTHERS, "manifest.json", *ours])


def own(store, run, **changes):
    me = psutil.Process()
    owner = {
        "host": platform.node(),
        "machine": objectoutputs._machine(),
        "process": me.pid,
        "started": objectoutputs.began(me),
    } | changes
    store.put(f"{run}/owner.json", json.dumps(owner).encode())
    store.put(f"{run}/dataset/part-000000.parquet", b"half")


def test_what_a_killed_run_left_goes_at_the_next(url, store):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own(store, DEAD, process=ended.pid)
    own(store, f"run-{'e' * 32}", started=1.0)  # of this process, in an earlier life of its number
    own(store, f"run-{'f' * 32}")  # of this process, which has no such run any more
    with Run(url):
        pass
    assert names(store) == []


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_run_that_was_killed_after_its_manifest_leaves_nothing_either(url, store, parts, monkeypatch, step):
    """Nothing of the run before, which it had not removed yet, and no owner."""
    with Run(url) as first:
        first.make(parts(b"one")).results.put()
    second = Run(url).__enter__()
    second.make(parts(b"two"))
    steps = []

    def die(*_):
        steps.append("died")
        if len(steps) >= step:
            raise SystemExit

    with monkeypatch.context() as patch:
        remove = ObjectStore.remove
        patch.setattr(ObjectStore, "remove", lambda *given: (die(), remove(*given)))
        with suppress(SystemExit):
            second.results.put()
        with suppress(SystemExit):
            second.ending.close()
    objectoutputs._LIVING.discard(second.place.run)
    with Run(url):
        pass
    assert names(store) == ["manifest.json", *second.name("dataset/part-000000.parquet", "report.json")]


def test_a_run_that_lives_here_is_told(url, store, parts):
    with Run(url) as first:
        with pytest.raises(OutputError, match=f"another run writes there \\(process {os.getpid()} on "), Run(url):
            pytest.fail("two at once")
        first.make(parts(b"one")).results.put()
    parent = psutil.Process().parent()
    own(store, DEAD, process=parent.pid, started=objectoutputs.began(parent))
    with pytest.raises(OutputError, match=f"another run writes there \\(process {parent.pid} on "), Run(url):
        pytest.fail("two at once")
    assert open_seal(store.read("manifest.json"))["run"] == first.place.run


def test_a_clock_that_is_set_makes_no_run_dead(url, store, monkeypatch):
    parent = psutil.Process().parent()
    own(store, DEAD, process=parent.pid, started=objectoutputs.began(parent))
    boot = psutil._pslinux.boot_time()
    for module in (psutil, psutil._pslinux):
        monkeypatch.setattr(module, "boot_time", lambda: boot + 5)
    with pytest.raises(OutputError, match="another run writes there"), Run(url):
        pytest.fail("two at once")


def test_a_dead_run_that_nobody_has_waited_for_is_dead(url, store):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    own(store, DEAD, process=child.pid, started=objectoutputs.began(psutil.Process(child.pid)))
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with Run(url):
        pass
    assert names(store) == []
    child.communicate()


def test_a_run_that_is_named_while_another_looks_for_dead_ones_stays(url, store, parts, monkeypatch):
    """Killed right behind its manifest, it was not named yet when the other looked first."""
    second = Run(url).__enter__()
    second.make(parts(b"two"))
    folders = ObjectStore.folders

    def end(self):
        second.results.put()
        objectoutputs._LIVING.discard(second.place.run)
        return folders(self)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "folders", end)
        with Run(url):
            pass
    assert names(store) == ["manifest.json", *second.name("dataset/part-000000.parquet", "report.json")]


def test_a_run_elsewhere_may_end_while_its_objects_are_looked_at(url, store, monkeypatch):
    own(store, DEAD, host="elsewhere")
    changed = ObjectStore.changed

    def end(self, name):
        self.remove([name])
        return changed(self, name)

    monkeypatch.setattr(ObjectStore, "changed", end)
    with Run(url):
        assert not store.find(DEAD)


def test_what_a_manifest_names_is_not_asked_for_its_age(url, store, parts, monkeypatch):
    """That would be a request for each of thousands of objects."""
    with Run(url) as first:
        first.make(parts(b"one", b"two")).results.put()
    asked = []
    monkeypatch.setattr(ObjectStore, "changed", lambda _self, name: asked.append(name))
    with Run(url):
        assert asked == []


def test_an_interrupt_waits_for_the_answer_to_what_was_sent(url, store, parts, monkeypatch):
    """The manifest is sent also if nobody waits, and then names objects that would be removed here."""
    pipe = MemoryFileSystem.pipe_file

    def interrupted(self, path, value, **how):
        if path.endswith("manifest.json"):
            signal.raise_signal(signal.SIGINT)
        return pipe(self, path, value, **how)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts tests may have it ignored
    try:
        with suppress(KeyboardInterrupt), heeding_interrupts(), Run(url) as run:
            run.make(parts(b"one"))
            monkeypatch.setattr(MemoryFileSystem, "pipe_file", interrupted)
            run.results.put()
            pytest.fail("it was not interrupted")
    finally:
        signal.signal(signal.SIGINT, before)
    assert names(store) == ["manifest.json", *run.name("dataset/part-000000.parquet", "report.json")]


@pytest.mark.parametrize("owner", [{"machine": "elsewhere"}, None])
def test_of_a_run_elsewhere_only_what_is_old_goes(url, store, monkeypatch, owner):
    if owner is None:
        store.put(f"{DEAD}/dataset/part-000000.parquet", b"half")
    else:
        own(store, DEAD, **owner)
    before = names(store)
    with Run(url):
        pass
    assert names(store) == before
    yesterday = datetime.now(UTC) - objectoutputs._ABANDONED - timedelta(minutes=1)
    for each in fsspec.filesystem("memory").store.values():
        each.created = each.modified = yesterday
    with Run(url):
        pass
    assert names(store) == []


def test_an_input_that_would_be_removed_is_refused(url):
    place = ObjectFolder(url)
    place.refuse_others([f"{url}/inputs/a.csv", "b.csv", "memory://other/a.csv"], names=())
    with pytest.raises(OutputError, match=r"is an input, and results would replace it"):
        place.refuse_others(["b.csv", f"{url}/{DEAD}/dataset/part-000000.parquet"], names=())


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nothing://bucket/study", "Protocol not known: nothing"),
        ("http://127.0.0.1:9/study", "127.0.0.1"),
    ],
)
def test_where_nothing_can_be_put_is_said_at_the_beginning(url, why):
    with pytest.raises(OutputError, match=r"output\.directory to a folder of this machine") as told, Run(url):
        pytest.fail("nothing can be put there")
    assert why in str(told.value)


def test_a_url_that_leads_nowhere_is_said_before_inputs_are_looked_at():
    with pytest.raises(OutputError, match=r"nothing://b: .*Protocol not known: nothing.*set output\.directory to"):
        ObjectFolder("nothing://b").refuse_others(["a.csv"], names=())


def test_a_first_try_s_objects_are_not_left_in_the_data_set(url, store, parts):
    with Run(url) as run:
        run.make(parts(b"one"))
        store.put(f"{run.place.run}/dataset/part-000009.parquet", b"of a try that was broken off")
        run.results.put()
    assert names(store) == ["manifest.json", *run.name("dataset/part-000000.parquet", "report.json")]


def test_who_may_write_and_not_remove_can_run_again(url, store, parts, monkeypatch):
    def refuse(self, names):
        raise StoreError(f"{self.url}: Access Denied")

    monkeypatch.setattr(ObjectStore, "remove", refuse)
    for content in (b"one", b"two"):
        with Run(url) as run:
            run.make(parts(content)).results.put()
        assert open_seal(store.read("manifest.json"))["run"] == run.place.run
        objectoutputs._LIVING.clear()
