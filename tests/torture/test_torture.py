"""That the torture can be trusted: faults come where they should, and what goes wrong is seen."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .crashpoints import CrashPoints, Fault
from .ground import OURS, Ended, Place, Reference, digest_results, judge_state, open_ground
from .kills import kill_at_points, spread
from .tally import Tally, write_table

ROOT = Path(__file__).resolve().parents[2]
WRITING = """
import os, sys
from pathlib import Path
from tests.torture.crashpoints import CrashPoints, Fault
folder, action, point = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
points = CrashPoints(Fault(action, str(folder), point))
points.install()
(folder / "made").mkdir()                       # 0: makes a folder
with (folder / "a").open("wb", buffering=0) as stream:  # 1: makes a file
    written = stream.write(b"x" * 1000)         # 2: writes
    os.fsync(stream.fileno())                   # 3: flushes
(folder / "a").rename(folder / "b")             # 4: renames
(folder.parent / "elsewhere").write_text("x")
(folder / "b").unlink()                         # 5: removes
print(*(each.partition(" ")[0] for each in points.seen) if points.seen else (written,))
"""


def run_writing(folder, action, point):
    folder.mkdir()
    return subprocess.run(
        [sys.executable, "-c", WRITING, str(folder), action, str(point)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_change_of_the_disk_is_a_point(tmp_path):
    done = run_writing(tmp_path / "a", "count", 0)
    assert done.stdout.split() == ["os.mkdir", "make", "write", "flush", "os.rename", "os.remove"], done.stderr


@pytest.mark.parametrize(
    ("point", "left"), [(0, {}), (2, {"a": 500, "made": 0}), (4, {"a": 1000, "made": 0}), (5, {"b": 1000, "made": 0})]
)
def test_a_kill_comes_before_the_change_and_in_the_middle_of_a_write(tmp_path, point, left):
    folder = tmp_path / "a"
    assert run_writing(folder, "kill", point).returncode == -signal.SIGKILL
    assert {each.name: each.stat().st_size if each.is_file() else 0 for each in folder.iterdir()} == left


@pytest.mark.parametrize(("point", "named"), [(0, "made"), (1, "a"), (2, None), (3, None)])
def test_a_full_disk_is_an_error_as_the_system_would_raise_it(tmp_path, point, named):
    done = run_writing(tmp_path / "a", "full once", point)
    said = done.stderr.strip().splitlines()[-1]
    assert said == f"OSError: [Errno {errno.ENOSPC}] {os.strerror(errno.ENOSPC)}" + (
        f": '{tmp_path / 'a' / named}'" if named else ""
    )


def test_a_full_disk_stays_full_unless_it_is_so_once(tmp_path):
    points = CrashPoints(Fault("full", str(tmp_path), 1))
    inside = str(tmp_path / "x")
    points.reach("os.remove", inside)  # needs no room, so it is no point
    points.reach("make", inside)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            points.reach("write", inside)
    points.reach("write", "/elsewhere")


def test_a_short_write_is_the_half_of_one_and_says_so(tmp_path):
    done = run_writing(tmp_path / "a", "short", 0)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["500"]


@pytest.fixture
def place(tmp_path):
    return Place(None, tmp_path / "place")


def test_what_is_left_and_what_is_touched_is_seen(place):
    assert place.find_leftovers(()) == []
    assert place.find_touched() == []
    for name in ("out/.scratch-1", "out/dataset/part-000000.parquet", "cache/drafts/x.1", "tmp/cdpipe-spill-1"):
        path = place.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    left = ["cache/drafts/x.1", "out/.scratch-1", "tmp/cdpipe-spill-1"]
    assert place.find_leftovers(["out/dataset", "out/dataset/part-000000.parquet"]) == left
    (place.out / "notes.txt").unlink()
    (place.out / "confusion_mine.png").write_text("replaced")
    assert place.find_touched() == ["out/confusion_mine.png", "out/notes.txt"]
    assert place.find_touched() == []


def test_a_forgotten_cache_keeps_its_mark_and_the_users_own_files(place):
    entry = place.cache / "ab" / ("ab" + "0" * 62)
    entry.mkdir(parents=True)
    (entry / "manifest.json").write_text("{}")
    place.forget()
    kept = {path.relative_to(place.root).as_posix() for path in place.cache.rglob("*") if path.is_file()}
    assert kept == {name for name in OURS if name.startswith("cache/")} | {"cache/CACHEDIR.TAG", "cache/lock"}


def test_old_and_new_results_mixed_are_seen(place):
    def publish(dataset, rejects):
        (place.out / "dataset").mkdir(exist_ok=True)
        (place.out / "dataset" / "part-000000.parquet").write_bytes(dataset)
        (place.out / "rejects.jsonl").write_bytes(rejects)
        return Reference(digest_results(place.out), (), place.out)

    old, new = publish(b"old", b"old"), publish(b"new", b"new")
    assert judge_state(place, old, new) == []
    publish(b"new", b"old")
    [said] = judge_state(place, old, new)
    assert said == "of the old results ['rejects.jsonl'], of the new ['dataset/part-000000.parquet'], missing []"


def test_a_run_explains_itself_in_one_sentence_and_nothing_less():
    assert Ended(1, 0.1, False, "cdpipe: a.csv: there is no such file\n").explains_itself
    assert not Ended(1, 0.1, False, "Traceback (most recent call last):\ncdpipe: x").explains_itself
    assert not Ended(-9, 0.1, False, "cdpipe: x").explains_itself
    assert not Ended(1, 0.1, False, "Killed").explains_itself


def test_the_table_has_a_line_a_kind_and_tells_what_went_wrong():
    tally = Tally("kill", tries=3)
    tally.note("wrong", [], "point 1")
    assert tally.is_clean
    tally.note("leftovers", ["a", "b"], "point 2")
    assert not tally.is_clean
    assert tally.said == ["kill, point 2: leftovers: a; b"]
    assert write_table([tally]).splitlines()[1].split() == ["kill", "3", "0", "0", "1", "0", "0"]


def test_every_scene_has_its_part_of_the_tries():
    assert dict(spread(("a", "b", "c"), 7)) == {"a": 2, "b": 2, "c": 3}


@pytest.mark.slow
def test_killed_runs_are_followed_by_right_ones():
    with open_ground(seed=1) as ground:
        tally = kill_at_points(ground, 3, deadline=float("inf"))
    assert tally.tries == 3
    assert (tally.unnoticed, tally.twice) == (0, 0), tally.said
