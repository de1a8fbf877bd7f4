"""Locks whose file cannot be written: the error names it, and nothing is left."""

import resource

import pytest

from cdpipe.engine.files.locks import HeldLock, sole
from cdpipe.oserrors import StorageError


@pytest.fixture
def full_disk():
    """No file may have a byte: Python ignores the signal, so writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_sole_lock_that_cannot_be_written_is_named_and_goes(tmp_path, full_disk):
    path = tmp_path / "lock"
    with pytest.raises(StorageError, match=r"lock.*larger than allowed") as caught, sole(path, "held"):
        pass
    assert caught.value.filename == str(path)
    assert not path.exists()


def test_a_line_that_cannot_be_added_names_the_lock(tmp_path, full_disk):
    lock = HeldLock(tmp_path / "lock")
    try:
        with pytest.raises(StorageError) as caught:
            lock.append("a line")
        assert caught.value.filename == str(tmp_path / "lock")
    finally:
        lock.release()


def test_what_is_raised_while_it_is_held_is_left_as_it_is(tmp_path):
    with pytest.raises(OSError, match="of the block") as caught, sole(tmp_path / "lock", "held"):
        raise OSError(28, "of the block")
    assert not isinstance(caught.value, StorageError)
