"""Files whose bytes are hashed as they are written, and checked as they are read."""

import errno
import os
import pickle
import resource
from pathlib import Path

import pytest
import xxhash

from cdpipe.engine.files import digests
from cdpipe.engine.files.digests import (
    DamageError,
    HashingFile,
    Kept,
    copy_kept,
    hash_file,
    move_kept,
    read_kept,
    require_kept,
)
from cdpipe.oserrors import StorageError

DATA = bytes(range(256)) * 9_000  # more than is read at once
READERS = {
    "require": require_kept,
    "read": read_kept,
    "copy": lambda file: copy_kept(file, file.path.with_name("copy")),
    "move": lambda file: move_kept(file, file.path.with_name("moved")),
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return Kept(path, xxhash.xxh3_128(DATA).hexdigest())


@pytest.fixture(params=READERS)
def reader(request):
    return READERS[request.param]


def test_what_was_written_is_read_and_copied(file, tmp_path):
    require_kept(file)
    assert read_kept(file) == DATA
    copy_kept(file, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == DATA
    assert hash_file(file.path) == file.digest


def test_an_empty_file_has_a_digest_too(tmp_path):
    (tmp_path / "empty").touch()
    file = Kept(tmp_path / "empty", hash_file(tmp_path / "empty"))
    assert read_kept(file) == b""
    copy_kept(file, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b""


def test_what_is_written_piece_by_piece_has_the_digest_of_the_whole(tmp_path):
    with HashingFile(tmp_path / "file") as stream:
        for start in range(0, len(DATA), 77_777):
            stream.write(memoryview(DATA)[start : start + 77_777])
        assert stream.digest == xxhash.xxh3_128(DATA).hexdigest()
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_write_that_takes_only_a_part_is_no_success(tmp_path):
    """The system takes what still fits, and says nothing: the rest must not be missing unnoticed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with HashingFile(tmp_path / "file") as stream:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                stream.write(DATA)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "file").stat().st_size == 1000


@pytest.mark.parametrize("place", [0, 1 << 20, len(DATA) - 1])
@pytest.mark.parametrize("bit", [0, 7])
def test_any_flipped_bit_is_damage(file, reader, place, bit):
    damaged = bytearray(DATA)
    damaged[place] ^= 1 << bit
    file.path.write_bytes(damaged)
    with pytest.raises(DamageError, match=r"^file has other bytes than were written there$") as caught:
        reader(file)
    assert caught.value.path == file.path


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda _: b""])
def test_a_byte_too_few_or_too_many_is_damage(file, reader, change):
    file.path.write_bytes(change(DATA))
    with pytest.raises(DamageError, match="other bytes"):
        reader(file)


def test_what_is_gone_or_no_file_is_damage(file, reader):
    file.path.unlink()
    with pytest.raises(DamageError, match=r"^file is missing$"):
        reader(file)
    file.path.mkdir()
    with pytest.raises(DamageError, match=r"^file cannot be read \(Is a directory\)$"):
        reader(file)


def test_a_disk_that_cannot_read_is_damage_and_a_want_of_descriptors_is_not(file, reader, monkeypatch):
    for number, kind in ((errno.EIO, DamageError), (errno.EMFILE, StorageError), (errno.ENOMEM, StorageError)):

        def fail(*_args, number=number, **_kwargs):
            raise OSError(number, "injected")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", fail)
            patch.setattr(Path, "read_bytes", fail)
            with pytest.raises(kind) as caught:
                reader(file)
        assert str(file.path) in (str(caught.value.path) if kind is DamageError else caught.value.filename)


def test_a_copy_that_cannot_be_written_is_no_damage(file, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match=r"copy: the file would be larger than allowed"):
            copy_kept(file, tmp_path / "copy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    require_kept(file)


def test_damage_found_by_a_worker_names_the_file_here_too(file):
    damage = pickle.loads(pickle.dumps(DamageError("wrong", file.path)))
    assert (str(damage), damage.path) == ("wrong", file.path)


def test_a_moved_file_is_there_and_on_the_disk_before(file, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(digests.os, "fsync", lambda _: seen.append([path.name for path in tmp_path.iterdir()]))
    move_kept(file, tmp_path / "moved")
    assert seen == [["file"]]
    assert [path.name for path in tmp_path.iterdir()] == ["moved"]
    assert (tmp_path / "moved").read_bytes() == DATA


def test_a_file_that_is_damaged_is_not_moved(file, tmp_path):
    file.path.write_bytes(DATA[:-1])
    with pytest.raises(DamageError, match="other bytes than were written"):
        move_kept(file, tmp_path / "moved")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_clone_is_taken_where_there_can_be_one_and_checked(file, tmp_path, monkeypatch):
    """Stands in for a file system that shares blocks; of others every call here fails, and the file is copied."""

    def clone(target, request, source):
        assert request == 0x40049409
        os.write(target, os.pread(source, len(DATA), 0))

    monkeypatch.setattr(digests.fcntl, "ioctl", clone)
    monkeypatch.setattr(HashingFile, "write", None)
    copy_kept(file, tmp_path / "clone")
    assert (tmp_path / "clone").read_bytes() == DATA
    file.path.write_bytes(DATA[:-1])
    with pytest.raises(DamageError, match="other bytes than were written"):
        copy_kept(file, tmp_path / "clone")


def test_a_file_may_be_flushed_while_others_are_written(tmp_path):
    with HashingFile(tmp_path / "file") as stream:
        stream.write(DATA)
        stream.begin_flush()
        stream.write(DATA)
    assert (tmp_path / "file").read_bytes() == DATA * 2
