"""Which Python `make` takes for its environment, and what it says where there is none: `.ci/environment`.

The Pythons are shell scripts that answer what the script asks, so nothing is installed.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "environment"
TOOLS = ("bash", "cat", "chmod", "env", "mkdir", "rm", "touch")
PYTHON = """#!/usr/bin/env bash
case "$*" in
  *version_info*) echo {version} ;;
  *ensurepip*) {ensurepip} ;;
  "-m venv .venv")
    {venv}
    mkdir -p .venv/bin
    for name in python pip; do cat "$0" >.venv/bin/$name; chmod +x .venv/bin/$name; done ;;
  *install*) echo {version} >>installed; {install} ;;
  --version) ;;
  *) exit 9 ;;
esac
"""
NO_ENSUREPIP = "echo \"ModuleNotFoundError: No module named 'ensurepip'\" >&2; exit 1"
NO_VENV = "mkdir .venv/half; printf 'a\\nno room\\n' >&2; exit 1"
SHIM = "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n"


class Machine:
    """A folder to run the script in, and a PATH of its own."""

    def __init__(self, folder: Path):
        self.folder, self.path = folder, [folder / "bin", folder / "tools"]
        for path in self.path:
            path.mkdir()
        for tool in TOOLS:
            (self.path[1] / tool).symlink_to(shutil.which(tool))
        for name in ("pyproject.toml", "constraints.txt"):
            (folder / name).touch()

    def add(self, name, text, folder="bin"):
        path = self.folder / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(self, **environment):
        path = os.pathsep.join(map(str, self.path))
        return subprocess.run(
            [SCRIPT], cwd=self.folder, env={"PATH": path, **environment}, capture_output=True, text=True, check=False
        )

    def made(self):
        """What the Python of .venv says its version is."""
        python = self.folder / ".venv/bin/python"
        asked = [python, "-c", "sys.version_info"]
        env = {"PATH": str(self.path[1])}
        return subprocess.run(asked, env=env, capture_output=True, text=True, check=True).stdout.strip()

    def installed(self):
        """The versions into which was installed, one after the other."""
        return (self.folder / "installed").read_text().split()


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def python(version, *, ensurepip="exit 0", venv="", install="exit 0"):
    return PYTHON.format(version=version, ensurepip=ensurepip, venv=venv, install=install)


@pytest.mark.parametrize(
    ("pythons", "expected"),
    [
        ({"python3.11": python("3.11")}, "3.11"),
        ({"python3.11": python("3.11"), "python3.12": python("3.12"), "python3.13": python("3.13")}, "3.13"),
        ({"python3": python("3.12")}, "3.12"),
        ({"python3": python("3.13"), "python3.12": python("3.12")}, "3.13"),
        ({"python3": python("3.10"), "python3.11": python("3.11")}, "3.11"),
        ({"python3": python("3.14"), "python3.14": python("3.14"), "python3.12": python("3.12")}, "3.12"),
        ({"python3.13": SHIM, "python3.12": python("3.12")}, "3.12"),
        ({"python3.13": python("3.13", ensurepip=NO_ENSUREPIP), "python3": python("3.11")}, "3.11"),
        ({"python3.13": python("3.13", venv=NO_VENV), "python3.11": python("3.11")}, "3.11"),
    ],
)
def test_newest_python_that_works_is_taken(machine, pythons, expected):
    for name, text in pythons.items():
        machine.add(name, text)
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert machine.made() == expected
    assert machine.installed() == [expected]
    assert not (machine.folder / ".venv/half").exists()


def test_shim_does_not_hide_the_python_behind_it(machine):
    machine.add("python3.13", SHIM)
    machine.add("python3.13", python("3.13"), folder="a folder")
    machine.add("python3.12", python("3.12"))
    machine.path.append(machine.folder / "a folder")
    assert machine.run().returncode == 0
    assert machine.made() == "3.13"


@pytest.mark.parametrize(
    ("pythons", "expected"),
    [
        ({}, "PATH has none that runs: run `apt-get install python3-venv`"),
        (
            {"python3": python("3.10"), "python3.13": SHIM},
            "PATH has none that runs: run `apt-get install python3-venv`",
        ),
        (
            {"python3.12": python("3.12", ensurepip=NO_ENSUREPIP), "python3.11": python("3.11", venv=NO_VENV)},
            "(ModuleNotFoundError: No module named 'ensurepip'): run `apt-get install python3.12-venv`",
        ),
        (
            {"python3": python("3.11", venv=NO_VENV)},
            "cannot make .venv (no room): run `apt-get install python3.11-venv`",
        ),
        ({"python3": python("3.11", venv="exit 0")}, "cannot make .venv ("),
    ],
)
def test_one_sentence_says_what_helps(machine, pythons, expected):
    for name, text in pythons.items():
        machine.add(name, text)
    done = machine.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(".\n")
    assert not (machine.folder / ".venv").exists()


def test_sentence_names_the_package_that_this_system_offers(machine):
    machine.add("apt-cache", '#!/bin/sh\n[ "$2" = python3.11-venv ]\n')
    assert "run `apt-get install python3.11-venv`" in machine.run().stderr


def test_asked_for_python_is_taken(machine):
    machine.add("python3.13", python("3.13"))
    machine.add("python3.14", python("3.14"))
    assert machine.run(PYTHON="python3.14").returncode == 0
    assert machine.made() == "3.14"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SHIM, "PYTHON=mine does not run"),
        (python("3.10"), "PYTHON=mine is 3.10"),
        (python("2.7"), "PYTHON=mine is 2.7"),
        (python("3.13", ensurepip=NO_ENSUREPIP), "Python 3.13 (mine) cannot make .venv ("),
    ],
)
def test_asked_for_python_that_will_not_do_costs_nothing(machine, text, expected):
    machine.add("python3.12", python("3.12"))
    assert machine.run().returncode == 0
    machine.add("mine", text)
    done = machine.run(PYTHON="mine")
    assert done.returncode == 1
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1
    assert machine.made() == "3.12"


def test_environment_that_works_is_kept(machine):
    machine.add("python3.12", python("3.12"))
    assert machine.run().returncode == 0
    machine.add("python3.13", python("3.13"))
    for asked in ({}, {"PYTHON": "python3.12"}):
        done = machine.run(**asked)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.made() == "3.12"
    assert machine.installed() == ["3.12"]
    assert machine.run(PYTHON="python3.13").returncode == 0
    assert machine.made() == "3.13"


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_pins_are_installed(machine, name):
    machine.add("python3.12", python("3.12"))
    assert machine.run().returncode == 0
    later = (machine.folder / ".venv/.made").stat().st_mtime + 1
    os.utime(machine.folder / name, (later, later))
    assert machine.run().returncode == 0
    assert machine.installed() == ["3.12", "3.12"]


@pytest.mark.parametrize("gone", ["python", "pip"])
def test_environment_that_lost_its_python_is_made_anew(machine, gone):
    machine.add("python3.12", python("3.12"))
    assert machine.run().returncode == 0
    (machine.folder / ".venv/bin" / gone).unlink()
    (machine.folder / ".venv/bin" / gone).symlink_to(machine.folder / "was")
    machine.add("python3.13", python("3.13"))
    assert machine.run().returncode == 0
    assert machine.made() == "3.13"


def test_environment_whose_making_was_interrupted_is_made_anew(machine):
    machine.add("python3.12", python("3.12", install="exit 1"))
    assert machine.run().returncode == 1
    assert machine.made() == "3.12"
    machine.add("python3.13", python("3.13"))
    assert machine.run().returncode == 0
    assert machine.made() == "3.13"


def test_environment_of_an_unsupported_python_is_made_anew(machine):
    machine.add("python3.12", python("3.12"))
    assert machine.run().returncode == 0
    machine.add("python", python("3.9"), folder=".venv/bin")
    assert machine.run().returncode == 0
    assert machine.made() == "3.12"
