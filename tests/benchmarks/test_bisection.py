"""Bisection names a commit only where the ends, and then the commit itself, can be told from noise."""

import json
from pathlib import Path

import pytest

from benchmarks import _bisection
from benchmarks._bisection import FOUND, NOT_FOUND, NOT_MEASURED

CULPRIT = "1f0e2d3c"
ENDS, STEP = ("good", "bad"), (f"{CULPRIT}^", CULPRIT)


class Commands:
    """Stands in for cdpipe and asv: answers to comparisons by their ends, and what `asv find` prints."""

    def __init__(self, answers, *, find=(0, f"· Greatest regression found: {CULPRIT} <main~3>\n")):
        self.answers, self.find, self.called = answers, find, []

    def __call__(self, command):
        self.called.append(command[:2])
        if command[0] == "asv":
            assert command[-2:] == ["good..bad", "clean.Spatial.time_run"]
            return self.find
        status, grown = self.answers[tuple(command[2:4])]
        if grown is not None:
            row = {"is_regression": grown == "slower", "accepted": "meant" if grown == "accepted" else None}
            data = {"headline": f"{grown} between {command[2]} and {command[3]}", "benchmarks": [row]}
            Path(command[command.index("--json") + 1]).write_text(json.dumps(data))
        return status, "what it printed"


def search(commands):
    said = []
    status = _bisection.bisect("clean.Spatial.time_run", "good", "bad", run=commands, say=said.append)
    return status, "\n".join(said)


def test_a_step_that_is_clear_at_both_ends_and_at_the_commit_is_named():
    commands = Commands({ENDS: (1, "slower"), STEP: (1, "slower")})
    status, said = search(commands)
    assert status == FOUND
    assert f"Found: {CULPRIT}" in said
    assert commands.called == [["cdpipe", "compare"], ["asv", "find"], ["cdpipe", "compare"]]


def test_a_regression_that_was_meant_is_found_all_the_same():
    assert search(Commands({ENDS: (0, "accepted"), STEP: (0, "accepted")}))[0] == FOUND


@pytest.mark.parametrize(("status", "expected"), [(0, NOT_FOUND), (3, NOT_MEASURED), (2, NOT_MEASURED)])
def test_ends_that_noise_hides_stop_the_search_before_it_starts(status, expected):
    commands = Commands({ENDS: (status, "slower" if status == 3 else "no change")})
    found, said = search(commands)
    assert found == expected
    assert "noise forbids a verdict" in said
    assert ("quiet" in said) == (status == 3)
    assert commands.called == [["cdpipe", "compare"]]


def test_a_commit_whose_own_step_noise_hides_is_not_blamed():
    status, said = search(Commands({ENDS: (1, "slower"), STEP: (0, "no change")}))
    assert status == NOT_FOUND
    assert "cannot be told from noise" in said
    assert "Found" not in said


def test_what_could_not_be_measured_is_said_with_its_output():
    status, said = search(Commands({ENDS: (2, None)}))
    assert status == NOT_MEASURED
    assert "what it printed" in said


@pytest.mark.parametrize("find", [(1, "No commit hashes selected"), (0, "nothing of the kind")])
def test_a_search_that_names_no_commit_says_what_asv_said(find):
    status, said = search(Commands({ENDS: (1, "slower")}, find=find))
    assert status == NOT_MEASURED
    assert find[1] in said


def test_commands_are_those_of_this_environment():
    assert _bisection.start(["python", "-c", "import sys; print(sys.prefix); sys.exit(4)"])[0] == 4
    status, output = _bisection.start(["python", "-c", "import sys; print(sys.executable)"])
    assert status == 0
    assert "python" in output
