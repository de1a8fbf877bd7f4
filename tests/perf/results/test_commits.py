"""Names of commits against git itself."""

import subprocess

from cdpipe.perf.results.commits import resolve_commit


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_names_are_resolved_as_git_does(tmp_path, monkeypatch):
    git(tmp_path, "init", "-q", "-b", "trunk")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "one")
    monkeypatch.chdir(tmp_path)
    expected = git(tmp_path, "rev-parse", "HEAD")
    assert [resolve_commit(name) for name in ("HEAD", "trunk", expected[:8])] == [expected] * 3


def test_what_git_does_not_know_stays_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve_commit("deadbeef") == "deadbeef"
    assert resolve_commit("--all") == "--all"
