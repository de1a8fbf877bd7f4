"""What a run's files are as it begins, and whether they still are when they were read."""

import mmap
import os
from pathlib import Path

import pytest

from cdpipe.engine.cache.identity import WHOLE_FILE_BYTES, IdentityError
from cdpipe.engine.files.sources import SourceError, SourceFile, find_sources
from cdpipe.engine.run.inputs import Inputs, find_unseen, require_visible
from cdpipe.stages.gather.conventions import Convention


@pytest.fixture
def files(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(f"coreData_id\n{name}\n")
    return tmp_path


def key_of(*paths):
    inputs = Inputs(list(map(str, paths)), cached=True)
    return tuple(inputs.keys({path: SourceFile(path, "csv", 0, ()) for path in inputs.paths}).values())


def test_files_and_their_order_are_the_key(files):
    a, b = files / "a.csv", files / "b.csv"
    keys = [key_of(a), key_of(b), key_of(a, b), key_of(b, a)]
    assert len(set(keys)) == len(keys)
    assert key_of(files / "*.csv") == key_of(a, b)


def test_how_a_file_is_read_is_of_the_key(files):
    path = str(files / "a.csv")
    inputs, file = Inputs([path], cached=True), SourceFile(path, "csv", 0, ())
    others = [file._replace(convention=each) for each in (Convention(format="json"), Convention(whole_seconds=False))]
    others.append(file._replace(format="json"))
    assert len({inputs.keys({path: each})[path] for each in (file, *others)}) == 4


def test_a_file_keeps_its_key_whatever_files_stand_beside_it(files):
    a, b = files / "a.csv", files / "b.csv"
    assert key_of(a, b) == (*key_of(a), *key_of(b))
    assert key_of(b, a) == (*key_of(b), *key_of(a))


def test_a_file_that_is_named_twice_is_refused(files):
    with pytest.raises(SourceError, match=r"a\.csv: is named twice, by .*\*\.csv' and .*a\.csv'; name each file once"):
        key_of(files / "*.csv", files / "a.csv")


def test_a_file_that_changes_is_named(files):
    inputs = Inputs([str(files / "*.csv")], cached=True)
    inputs.require_unchanged()
    status = (files / "b.csv").stat()
    (files / "b.csv").write_text("coreData_id\nb.CSV\n")
    os.utime(files / "b.csv", ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(SourceError, match=r"b\.csv: changed while it was read; run again when nothing writes to it"):
        inputs.require_unchanged()


def test_a_file_that_is_gone_is_one_that_changed(files):
    inputs = Inputs([str(files / "a.csv")], cached=True)
    (files / "a.csv").unlink()
    with pytest.raises(SourceError, match="changed while it was read"):
        inputs.require_unchanged()


def test_what_cannot_tell_whether_it_changed_is_read_but_not_kept(files):
    os.mkfifo(files / "pipe.csv")
    with pytest.raises(IdentityError, match="no regular file"):
        Inputs([str(files / "pipe.csv")], cached=True)
    twice = [Inputs([str(files / "pipe.csv")], cached=False) for _ in range(2)]
    for each in twice:
        each.require_unchanged()
    pipe = str(files / "pipe.csv")
    first, second = (each.keys({pipe: SourceFile(pipe, "csv", 0, ())}) for each in twice)
    assert first != second


def test_a_file_that_is_missing_is_left_to_who_looks_into_it(files):
    assert Inputs([str(files / "none.csv")], cached=True).paths == [str(files / "none.csv")]


class Elsewhere:
    """A session whose worker has another folder."""

    def __init__(self, folder):
        self.folder = folder

    def each_process(self, function):
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            return {"tcp://worker": function()}
        finally:
            os.chdir(before)


def test_workers_that_do_not_have_the_files_are_named(files, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(files)
    found = find_sources(["a.csv"])
    require_visible(Elsewhere(files), found)
    with pytest.raises(SourceError, match=r"a\.csv: is not the same for tcp://worker; .* absolute path"):
        require_visible(Elsewhere(tmp_path / "other"), found)
    (tmp_path / "other" / "a.csv").write_text("coreData_id\nanother\n")
    with pytest.raises(SourceError, match="is not the same"):
        require_visible(Elsewhere(tmp_path / "other"), found)
    absolute = find_sources([str(files / "a.csv")])
    require_visible(Elsewhere(tmp_path / "other"), absolute)
    assert find_unseen({}) == ""


def test_by_content_a_rewrite_through_a_memory_map_is_a_change_and_a_touch_is_none(files):
    path = files / "a.csv"
    path.write_bytes(bytes(2 * WHOLE_FILE_BYTES))
    with path.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as mapped:
        mapped[70_000] = 1
        inputs = Inputs([str(path)], cached=True, content=True)
        os.utime(path, (1, 1))
        inputs.require_unchanged()
        mapped[70_000] = 2
        with pytest.raises(SourceError, match=r"a\.csv: changed while it was read"):
            inputs.require_unchanged()
