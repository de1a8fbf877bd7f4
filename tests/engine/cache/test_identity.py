import json
import math
import mmap
import os
import shutil
import subprocess
import sys

import fsspec
import numpy as np
import pytest
from clusters import environment
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.engine.cache.identity import WHOLE_FILE_BYTES, IdentityError, identify, key

# Keys

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
parameters = st.dictionaries(st.text(), values, max_size=4)


def canonical(value):
    return json.dumps(value, sort_keys=True)


@given(first=parameters, second=parameters)
def test_keys_are_equal_exactly_if_parameters_are(first, second):
    same = canonical(first) == canonical(second)
    assert (key("s", 1, first, "u") == key("s", 1, second, "u")) == same


@given(params=parameters, stage=st.text(), upstream=st.text())
def test_key_ignores_the_order_of_parameters(params, stage, upstream):
    turned = dict(reversed(params.items()))
    found = key(stage, 3, params, upstream)
    assert found == key(stage, 3, turned, upstream)
    assert len(found) == 64
    assert set(found) <= set("0123456789abcdef")


def test_parts_of_a_key_do_not_run_into_each_other():
    keys = [
        key("a_b", 1, {}, "c"),
        key("a", 1, {}, "b_c"),
        key("a_b", 1, {"c": 1}, ""),
        key("a", 1, {"b_c": 1}, ""),
        key("a", 11, {}, "b_c"),
        key("a", 1, {"x": [1, 2]}, ""),
        key("a", 1, {"x": [[1], 2]}, ""),
        key("a", 1, {"x": "1"}, ""),
        key("a", 1, {"x": 1}, ""),
        key("a", 1, {"x": True}, ""),
        key("a", 1, {"x": None}, ""),
    ]
    assert len(set(keys)) == len(keys)


def test_neighbouring_floats_have_different_keys():
    radius_m = 2000.0
    assert key("c", 1, {"r": radius_m}, "u") != key("c", 1, {"r": math.nextafter(radius_m, 3000)}, "u")
    assert key("c", 1, {"r": 0.1 + 0.2}, "u") != key("c", 1, {"r": 0.3}, "u")


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}, [{1: 2}], {3}, object(), b"bytes", np.int64(1)])
def test_what_is_no_json_is_refused(value):
    with pytest.raises(IdentityError):
        key("clean", 1, {"value": value}, "u")


@pytest.mark.slow
def test_key_is_the_same_in_every_process():
    script = "from cdpipe.engine.cache.store import key; print(key('clean', 2, {'b': 0.1, 'a': ['ü', None]}, 'u'))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script], env=environment(PYTHONHASHSEED=seed), capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {f"{key('clean', 2, {'a': ['ü', None], 'b': 0.1}, 'u')}\n".encode()}


# Identity of inputs


@pytest.mark.parametrize("size", [0, 1000, WHOLE_FILE_BYTES, WHOLE_FILE_BYTES + 1, 3 * WHOLE_FILE_BYTES + 17])
def test_identity_stays_while_nothing_changes(tmp_path, size):
    file = tmp_path / "file.csv"
    file.write_bytes(os.urandom(size))
    first = identify(file)
    file.read_bytes()
    assert identify(str(file)) == first
    assert identify(f"file://{file}") == first


@pytest.mark.parametrize("size", [1000, 3 * WHOLE_FILE_BYTES])
def test_edit_of_one_byte_with_size_and_time_restored(tmp_path, size):
    file = tmp_path / "file.csv"
    file.write_bytes(bytes(size))
    for place in (0, size // 3, size - 1):
        status = file.stat()
        before = identify(file)
        with file.open("r+b") as stream:
            stream.seek(place)
            stream.write(b"1")
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert (file.stat().st_size, file.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
        assert identify(file) != before


def test_edit_right_after_is_noticed(tmp_path):
    """File systems stamp with a clock that ticks every few milliseconds; no edit may hide within a tick."""
    file = tmp_path / "file.csv"
    file.write_bytes(bytes(3 * WHOLE_FILE_BYTES))
    status = file.stat()
    seen = {identify(file)}
    for number in range(1, 6):
        with file.open("r+b") as stream:
            stream.seek(WHOLE_FILE_BYTES + 100_003)  # between the sampled blocks
            stream.write(bytes([number]))
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        seen.add(identify(file))
    assert len(seen) == 6


def test_replaced_and_appended_files(tmp_path):
    file, other = tmp_path / "file.csv", tmp_path / "other.csv"
    file.write_bytes(b"a,b\n1,2\n")
    first = identify(file)
    other.write_bytes(b"a,b\n1,3\n")
    status = file.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)
    second = identify(file)
    with file.open("ab") as stream:
        stream.write(b"5,6\n")
    assert len({first, second, identify(file)}) == 3


def test_folder_changes_with_each_of_its_files(tmp_path):
    (tmp_path / "set").mkdir()
    for number in range(3):
        (tmp_path / "set" / f"part-{number}.parquet").write_bytes(bytes(100))
    seen = {identify(tmp_path / "set")}
    (tmp_path / "set" / "part-1.parquet").write_bytes(b"1" * 100)
    seen.add(identify(tmp_path / "set"))
    (tmp_path / "set" / "part-2.parquet").rename(tmp_path / "set" / "part-3.parquet")
    seen.add(identify(tmp_path / "set"))
    (tmp_path / "set" / "part-3.parquet").unlink()
    seen.add(identify(tmp_path / "set"))
    assert len(seen) == 4
    assert identify(tmp_path / "set") in seen


def test_identity_of_what_is_not_there_or_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        identify(tmp_path / "absent.csv")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(IdentityError, match="no regular file"):
        identify(tmp_path / "pipe")


def test_url_follows_what_the_store_says():
    store = fsspec.filesystem("memory")
    store.pipe("/cdpipe-test/a.csv", b"1")
    first = identify("memory://cdpipe-test/a.csv")
    assert identify("memory://cdpipe-test/a.csv") == first
    store.pipe("/cdpipe-test/a.csv", b"2")
    assert identify("memory://cdpipe-test/a.csv") != first
    store.rm("/cdpipe-test", recursive=True)


def test_url_without_any_mark_is_refused(monkeypatch):
    store = fsspec.filesystem("memory")
    monkeypatch.setattr(store, "info", lambda path: {"name": path, "size": 3, "type": "file"})
    with pytest.raises(IdentityError, match="gives no ETag"):
        identify("memory://cdpipe-test/a.csv")


# Identity by content


def test_by_content_a_rewrite_through_a_memory_map_is_seen(tmp_path):
    """A page that is written to already is written to again without a change of any time."""
    file, place = tmp_path / "file.csv", WHOLE_FILE_BYTES + 100_003  # between the blocks that are sampled
    file.write_bytes(bytes(3 * WHOLE_FILE_BYTES))
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as mapped:
        seen = set()
        for value in range(4):
            mapped[place] = value
            seen.add(identify(file, content=True))
            assert identify(file, content=True) in seen
    assert len(seen) == 4


def test_by_content_a_copy_is_the_same_and_any_other_byte_is_not(tmp_path):
    file, copy = tmp_path / "a.csv", tmp_path / "b.csv"
    file.write_bytes(os.urandom(WHOLE_FILE_BYTES + 5))
    shutil.copyfile(file, copy)
    copy.chmod(0o600)
    first = identify(file, content=True)
    assert identify(copy, content=True) == identify(f"file://{copy}", content=True) == first
    assert identify(copy) != identify(file)
    with copy.open("ab") as stream:
        stream.write(b"1")
    assert identify(copy, content=True) != first
    assert identify(file) != first


def test_by_content_a_folder_is_its_files_and_their_names(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            (tmp_path / folder / name).write_text(name)
    first = identify(tmp_path / "one", content=True)
    assert identify(tmp_path / "two", content=True) == first
    (tmp_path / "two" / "b").rename(tmp_path / "two" / "c")
    assert identify(tmp_path / "two", content=True) != first


def test_by_content_a_store_need_not_tell_when_a_file_changes(monkeypatch):
    store = fsspec.filesystem("memory")
    monkeypatch.setattr(store, "info", lambda path: {"name": path, "size": 3, "type": "file"})
    seen = set()
    for text in (b"1", b"2", b"1"):
        store.pipe("/cdpipe-test/a.csv", text)
        seen.add(identify("memory://cdpipe-test/a.csv", content=True))
    assert len(seen) == 2
    monkeypatch.undo()
    store.rm("/cdpipe-test", recursive=True)


def test_by_content_a_folder_of_a_store_is_all_its_files():
    store = fsspec.filesystem("memory")
    seen = []
    for name, text in (("a", b"1"), ("b", b"1"), ("b", b"2"), ("b", b"1")):
        store.pipe(f"/cdpipe-test/set/{name}", text)
        seen.append(identify("memory://cdpipe-test/set", content=True))
    assert len(set(seen)) == 3
    assert seen[3] == seen[1]
    store.rm("/cdpipe-test", recursive=True)


def test_by_content_a_member_changes_with_its_archive(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"1")
    first = identify(f"zip://m.csv::{tmp_path / 'a.zip'}", content=True)
    os.utime(tmp_path / "a.zip", (1, 1))
    assert identify(f"zip://m.csv::{tmp_path / 'a.zip'}", content=True) == first
    (tmp_path / "a.zip").write_bytes(b"2")
    assert identify(f"zip://m.csv::{tmp_path / 'a.zip'}", content=True) != first
