"""Source distribution: whoever unpacks it can run what README says, `make test` and `make bench` too."""

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The folder that the source distribution unpacks to."""
    build = pytest.importorskip("hatchling.build", reason="hatchling, of the extra `dev`, builds it")
    folder, before = tmp_path_factory.mktemp("sdist"), Path.cwd()
    os.chdir(ROOT)
    try:
        archive = folder / build.build_sdist(str(folder))
    finally:
        os.chdir(before)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (made,) = (each for each in folder.iterdir() if each.is_dir())
    return made


def test_it_has_every_file_that_is_kept(unpacked):
    asked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        pytest.skip("this is no clone, so what is kept is what is here")
    kept = {name for name in asked.stdout.split("\0") if name and (ROOT / name).exists()}
    there = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert there == kept | {"PKG-INFO"}
    for name in kept:
        assert os.access(unpacked / name, os.X_OK) == os.access(ROOT / name, os.X_OK), name


def test_readme_s_make_commands_are_goals_there(unpacked):
    named = re.findall(r"^\$ make (\S+)", (unpacked / "README.md").read_text(), re.MULTILINE)
    assert {"test", "bench"} <= set(named)
    for goal in named:
        done = subprocess.run(["make", "-n", goal], cwd=unpacked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_without_a_commit_bench_says_how_to_make_one(unpacked, tmp_path):
    folder = tmp_path / "apart"
    shutil.copytree(unpacked, folder)
    (folder / ".ci" / "environment").write_text("#!/bin/sh\n")
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path)}
    command = ["make", "bench"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == (
        "asv measures commits, and there is none yet: run git init, git add --all and git commit -m all first"
    )
    assert "fatal" not in done.stderr
