"""Folders that nobody else can write: what leads to them counts, and links are followed no further than is safe."""

import os
import types

import pytest

from cdpipe.kernels.compiling import private_folder
from cdpipe.kernels.compiling.private_folder import UntrustedFolderError, require_private


@pytest.fixture
def base(tmp_path):
    """A private folder, without links on its way."""
    return tmp_path.resolve()


def make(path, mode=0o755):
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    return path


def refuse(path, why):
    with pytest.raises(UntrustedFolderError, match=why):
        require_private(str(path))


def test_a_private_folder_is_itself(base):
    assert require_private(str(make(base / "a" / "b"))) == str(base / "a" / "b")
    assert require_private(f"{base}//a/./b/../b/") == str(base / "a" / "b")


def test_one_that_others_can_write_is_refused(base):
    refuse(make(base / "open", 0o757), f"others can write to {base}/open")
    refuse(make(base / "sticky", 0o1777), f"others can write to {base}/sticky")


def test_one_below_a_folder_that_others_can_write_is_refused_unless_it_is_sticky(base):
    below = make(base / "shared" / "mine")
    make(base / "shared", 0o777)
    refuse(below, f"others can write to {base}/shared")
    make(base / "shared", 0o1777)
    assert require_private(str(below)) == str(below)


def test_what_another_user_owns_is_refused(base, monkeypatch):
    folder = make(base / "mine")
    monkeypatch.setattr(private_folder.os, "geteuid", lambda: os.getuid() + 1)
    refuse(folder, "another user's|no folder of this user's")


def test_a_link_is_no_folder_but_may_lead_to_one(base):
    folder = make(base / "far" / "mine")
    (base / "link").symlink_to(folder)
    refuse(base / "link", "is a link")
    (base / "near").symlink_to(base / "far")
    (base / "relative").symlink_to("far/../far")
    assert require_private(str(base / "near" / "mine")) == str(folder)
    assert require_private(str(base / "relative" / "mine")) == str(folder)


def test_a_link_through_a_folder_that_others_can_write_is_refused(base):
    make(base / "far" / "mine")
    shared = make(base / "shared", 0o777)
    (shared / "theirs").symlink_to(base / "far")
    (base / "near").symlink_to(shared / "theirs")
    refuse(base / "near" / "mine", f"others can write to {shared}")


def test_links_in_a_circle_end(base):
    (base / "a").symlink_to("b")
    (base / "b").symlink_to("a")
    refuse(base / "a" / "mine", "is a link")


def test_a_file_is_no_folder(base):
    (base / "file").write_text("")
    refuse(base / "file", "no folder")
    with pytest.raises(OSError, match="No such file"):
        require_private(str(base / "none"))


@pytest.mark.parametrize(
    ("name", "members", "accepted"),
    [("me", [], True), ("me", ["me"], True), ("me", ["me", "them"], False), ("staff", [], False)],
)
def test_a_group_of_this_user_alone_is_this_user(base, monkeypatch, name, members, accepted):
    folder = make(base / "mine", 0o775)
    gid = folder.stat().st_gid
    monkeypatch.setattr(private_folder.pwd, "getpwuid", lambda _: types.SimpleNamespace(pw_name="me", pw_gid=gid))
    monkeypatch.setattr(private_folder.grp, "getgrgid", lambda _: types.SimpleNamespace(gr_name=name, gr_mem=members))
    if accepted:
        assert require_private(str(folder)) == str(folder)
        monkeypatch.setattr(private_folder.os, "getxattr", lambda *_: b"a list", raising=False)
    refuse(folder, f"others can write to {folder}")


def test_a_group_that_nobody_knows_is_others(base, monkeypatch):
    def unknown(_):
        raise KeyError

    monkeypatch.setattr(private_folder.grp, "getgrgid", unknown)
    refuse(make(base / "mine", 0o775), "others can write")
