"""Folders of processes go with them, those of dead ones at the next look, and nobody else's ever."""

import multiprocessing
import os
import signal

import pytest

from cdpipe.engine.files.locks import is_held
from cdpipe.engine.files.own_folders import OWNER, own_folder, remove_dead

SPAWN = multiprocessing.get_context("spawn")
PREFIX = ".scratch-"


def hold(parent, ready):
    with own_folder(parent, PREFIX) as made:
        (made / "deep").mkdir()
        (made / "deep" / "file").write_text("x")
        ready.set()
        signal.pause()


def test_a_folder_is_there_for_the_block(tmp_path):
    with own_folder(tmp_path, PREFIX) as made:
        assert made.parent == tmp_path
        assert is_held(made / OWNER)
        (made / "file").write_text("x")
        with own_folder(tmp_path, PREFIX) as other:
            assert other != made
        assert (made / "file").exists()
    assert list(tmp_path.iterdir()) == []


def test_that_of_a_killed_process_goes_and_that_of_a_living_one_stays(tmp_path):
    ready = SPAWN.Event()
    process = SPAWN.Process(target=hold, args=(tmp_path, ready))
    process.start()
    assert ready.wait(120)
    remove_dead(tmp_path, PREFIX)
    (folder,) = tmp_path.iterdir()
    assert (folder / "deep" / "file").exists()
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    remove_dead(tmp_path, PREFIX)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["notes", "12345678", "0" * 31, "g" * 32, "0" * 33])
def test_folders_of_other_names_stay_though_they_are_empty(tmp_path, name):
    (tmp_path / f"{PREFIX}{name}").mkdir()
    remove_dead(tmp_path, PREFIX)
    assert (tmp_path / f"{PREFIX}{name}").exists()


def test_an_empty_one_of_our_form_goes_and_one_with_somebody_s_file_stays(tmp_path):
    for digit in "01":
        (tmp_path / f"{PREFIX}{digit * 32}").mkdir()
    (tmp_path / f"{PREFIX}{'1' * 32}" / "mine").write_text("x")
    remove_dead(tmp_path, PREFIX)
    assert [path.name for path in tmp_path.iterdir()] == [f"{PREFIX}{'1' * 32}"]


def test_a_link_is_not_followed(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / OWNER).write_text("")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"{PREFIX}{'0' * 32}").symlink_to(mine)
    remove_dead(tmp_path / "in", PREFIX)
    assert (mine / OWNER).exists()
