"""Files of machine code: damaged, hostile or in others' hands they cost a compilation, and run nothing."""

import errno
import hashlib
import os
import pickle
from pathlib import Path

import numba
import pytest

from cdpipe.kernels.compiling import disk_cache
from cdpipe.kernels.compiling.disk_cache import SUFFIX, find_place
from cdpipe.kernels.compiling.jit import is_kept, jit, why_unkept

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")


def triple(x):
    return 3 * x


def fivefold(x):
    return 5 * x


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder for machine code, made anew."""
    chosen = tmp_path / "kernels"
    keep_in(chosen, monkeypatch)
    yield chosen
    find_place.cache_clear()


def keep_in(folder, monkeypatch):
    """Have machine code kept below a folder, as in a process that starts with it in NUMBA_CACHE_DIR."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder))
    find_place.cache_clear()
    disk_cache._sweep.cache_clear()


def use(function=triple):
    """Call a kernel as a new process would; returns how often machine code was found on disk."""
    kernel = jit(function)
    assert kernel(7) == function(7)
    return sum(kernel.stats.cache_hits.values())


def files(folder):
    return sorted(folder.rglob(f"*{SUFFIX}"))


class Hostile:
    """What creates a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def forge(path: Path, trace: Path) -> None:
    """Write a file as it should be, but for what it holds."""
    payload = pickle.dumps((Hostile(trace),))
    path.write_bytes(disk_cache._HEAD + disk_cache._digest(path.name, payload) + payload)


def test_machine_code_is_kept_and_found(folder):
    assert not is_kept(jit(triple))
    assert [use(), use()] == [0, 1]
    assert is_kept(jit(triple))
    (kept,) = files(folder)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o022 == 0
    assert why_unkept() is None
    jit(triple).recompile()
    assert len(files(folder)) == 0


def test_a_flipped_bit_or_a_missing_end_is_found_and_mended(folder):
    use()
    (kept,) = files(folder)
    whole = kept.read_bytes()
    size = len(whole)
    damaged = [whole[:length] for length in (0, 1, disk_cache._HEAD_BYTES, size // 2, size - 1)]
    places = (0, 20, disk_cache._HEAD_BYTES, size // 2, size - 1)
    damaged += [whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :] for place in places]
    for content in [*damaged, whole + b"\0", pickle.dumps("of Numba's own")]:
        kept.write_bytes(content)
        assert [use(), use()] == [0, 1]


def test_a_file_under_another_name_is_not_taken(folder):
    use()
    (kept,) = files(folder)
    use(fivefold)
    (other,) = set(files(folder)) - {kept}
    kept.write_bytes(other.read_bytes())
    assert [use(), use()] == [0, 1]


def test_a_file_that_does_not_fit_this_process_is_not_taken(folder):
    use()
    (kept,) = files(folder)
    payload = pickle.dumps(("of", "another", "kind"))
    kept.write_bytes(disk_cache._HEAD + hashlib.sha256(kept.name.encode() + b"\0" + payload).digest() + payload)
    assert [use(), use()] == [0, 1]


def test_a_hostile_file_is_not_unpickled(folder, tmp_path):
    use()
    (kept,) = files(folder)
    payload = pickle.dumps((Hostile(tmp_path / "ran"),))
    for content in (payload, disk_cache._HEAD + bytes(32) + payload):
        kept.write_bytes(content)
        assert use() == 0
    assert not (tmp_path / "ran").exists()
    pickle.loads(payload)
    assert (tmp_path / "ran").exists()


def test_a_forged_file_in_a_private_folder_would_run(folder, tmp_path):
    """So that the tests below would see one that runs."""
    use()
    forge(files(folder)[0], tmp_path / "ran")
    use()
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("hand", ["open folder", "open way", "linked folder", "linked file", "open file", "pipe"])
def test_what_others_may_have_written_is_not_unpickled(folder, tmp_path, monkeypatch, hand):
    use()
    (kept,) = files(folder)
    forge(kept, tmp_path / "ran")
    if hand == "open folder":
        kept.parent.chmod(0o777)
    elif hand == "open way":
        folder.chmod(0o777)
    elif hand == "linked folder":
        kept.parent.rename(tmp_path / "theirs")
        kept.parent.symlink_to(tmp_path / "theirs")
    elif hand == "linked file":
        kept.rename(tmp_path / "theirs")
        kept.symlink_to(tmp_path / "theirs")
    elif hand == "open file":
        kept.chmod(0o666)
    else:
        kept.unlink()
        os.mkfifo(kept)
    keep_in(folder, monkeypatch)
    assert use() == 0
    assert not (tmp_path / "ran").exists()
    if "file" in hand or hand == "pipe":
        assert use() == 1  # it was replaced
    else:
        assert use() == 0
        assert str(folder) in find_place(Path(__file__).parent).reason


def test_another_user_s_file_is_not_unpickled(folder, tmp_path, monkeypatch):
    use()
    (kept,) = files(folder)
    forge(kept, tmp_path / "ran")
    find_place(Path(__file__).parent)  # the folder is this user's
    monkeypatch.setattr(disk_cache.os, "geteuid", lambda: os.getuid() + 1)
    assert use() == 0
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("place", ["/dev/null/kernels", "/proc/nowhere"])
def test_without_a_folder_kernels_are_compiled_in_memory(place, monkeypatch):
    keep_in(place, monkeypatch)
    assert [use(), use()] == [0, 0]
    assert not is_kept(jit(triple))
    assert why_unkept().startswith(f"{place}/compiling_")


def test_a_folder_that_cannot_be_written_is_read(folder, monkeypatch):
    use()
    kept = files(folder)
    keep_in(folder, monkeypatch)
    monkeypatch.setattr(disk_cache.os, "access", lambda *_: False)
    assert use() == 1
    assert files(folder) == kept
    assert why_unkept().endswith("cannot be written")


def test_the_first_of_the_usual_folders_that_can_be_written_is_taken(tmp_path, monkeypatch):
    sources = tmp_path / "package"
    sources.mkdir()
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert find_place(sources) == (sources / "__pycache__", "")
    find_place.cache_clear()
    (sources / "__pycache__").chmod(0o777)
    found = find_place(sources)
    assert found.folder.parent == tmp_path / "home" / "numba"
    assert found.reason == ""
    find_place.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", "~/.cache")  # so it is where no user is known
    assert find_place(sources) == (None, f"others can write to {sources}/__pycache__")


def test_sources_in_a_folder_without_a_readable_name_have_a_place(tmp_path):
    sources = Path(os.fsdecode(os.fsencode(tmp_path) + b"/not utf-8 \xff"))
    assert find_place(sources).folder is not None


def test_a_full_disk_costs_a_compilation_and_leaves_nothing(folder, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Path, "replace", full)
        assert use() == 0
    (made,) = folder.iterdir()
    assert list(made.iterdir()) == []


def test_what_killed_processes_left_goes_and_nothing_else(folder, monkeypatch):
    use()
    (kept,) = files(folder)
    left = [kept.with_name(f"{kept.name}.{name}.unfinished") for name in ("old", "new")]
    others = kept.with_name("notes.unfinished")
    for path in (*left, others):
        path.write_bytes(b"half")
    for path in (left[0], others):
        os.utime(path, (0, 0))
    keep_in(folder, monkeypatch)
    use(fivefold)
    assert [path.exists() for path in (*left, others, kept)] == [False, True, True, True]
