"""One run at a time writes to an output folder, and what is not a run's stays there."""

import multiprocessing
import os
import signal

import pytest

from cdpipe.engine.files.locks import TakenError, sole
from cdpipe.engine.outputs.output_folder import OutputError, scratch_folder, sole_run

SPAWN = multiprocessing.get_context("spawn")


def hold(out, held):
    with sole_run(out):
        held.set()
        signal.pause()


@pytest.fixture
def holder(tmp_path):
    held = SPAWN.Event()
    process = SPAWN.Process(target=hold, args=(tmp_path / "out", held))
    process.start()
    assert held.wait(120)
    yield process
    process.kill()
    process.join()


def test_a_second_run_is_told_who_writes_there(tmp_path, holder):
    who = rf"out: another run writes there \(process {holder.pid} on .*, since 20"
    with pytest.raises(OutputError, match=who) as told, sole_run(tmp_path / "out"):
        pytest.fail("two runs write to one folder")
    assert "choose another output.directory" in str(told.value)
    with sole_run(tmp_path / "other"):
        assert (tmp_path / "out").exists()


def test_a_run_that_was_killed_keeps_nobody_out(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with sole_run(tmp_path / "out"):
        pass
    assert list((tmp_path / "out").iterdir()) == []


def try_often(path, counter, inside, overlaps):
    tries = 0
    while tries < 300 or not counter.value:  # the others end some time
        tries += 1
        try:
            with sole(path, "someone"):
                with inside.get_lock():
                    inside.value += 1
                    overlaps.value += inside.value > 1
                with inside.get_lock():
                    inside.value -= 1
                counter.value += 1
        except TakenError:
            continue


@pytest.mark.slow
def test_no_two_processes_ever_hold_the_lock_together(tmp_path):
    inside, overlaps = SPAWN.Value("i", 0), SPAWN.Value("i", 0)
    counters = [SPAWN.Value("i", 0) for _ in range(3)]
    processes = [
        SPAWN.Process(target=try_often, args=(tmp_path / "lock", counter, inside, overlaps)) for counter in counters
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert overlaps.value == 0
    assert all(counter.value > 0 for counter in counters)


def test_folders_of_somebody_s_own_named_like_scratch_stay(tmp_path):
    for name in (".scratch-notes", ".scratch-12345678"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "owner").write_text("mine")
    with scratch_folder(tmp_path) as scratch:
        assert scratch.parent == tmp_path
    assert sorted(path.name for path in tmp_path.iterdir()) == [".scratch-12345678", ".scratch-notes"]
