"""What a person types: the options of `cdpipe bottlenecks`."""

import json
import re

import pytest
from click.testing import CliRunner

from cdpipe.cli import main

from .results_writing import write_history


@pytest.fixture
def call(writer):
    write_history(writer, 4)

    def call(*options):
        return CliRunner().invoke(main, ["bottlenecks", "--results", str(writer.path), *options])

    return call


def test_classes_are_by_attribution_unless_the_thresholds_are_asked_for(call):
    assert re.search(r"gather +10M +disk +disk 75, compute 22", call().output)
    said = call("--rules", "report", "--all").output
    assert "Classes by thresholds" in said
    assert json.loads(call("--rules", "report", "--format", "json").output)["rules"] == "report"


def test_history_is_as_long_as_asked(call):
    data = json.loads(call("--history", "2", "--format", "json").output)
    assert len(data["subjects"][0]["history"]["commits"]) == 2
    assert "One commit only: there is nothing to compare." in call("--history", "1", "--all").output


@pytest.mark.parametrize("wrong", [("--rules", "guess"), ("--history", "0")])
def test_what_makes_no_sense_is_refused(call, wrong):
    done = call(*wrong)
    assert done.exit_code == 2
    assert wrong[1] in done.output


def test_text_keeps_to_a_hundred_columns_where_there_is_no_terminal(call):
    assert max(map(len, call().output.splitlines())) <= 100


def test_the_text_is_brief_and_names_the_file_with_the_rest(call, writer):
    said = call().output
    assert len(said.splitlines()) <= 45
    file = writer.path.parent / "bottlenecks.md"
    assert str(file) in said.replace("\n", "")
    rest = file.read_text()
    assert "## Remedies" in rest
    assert "## Growth" in rest
    assert len(call("--all").output.splitlines()) > 100


def test_a_file_that_is_another_s_is_left_alone(call, writer):
    file = writer.path.parent / "bottlenecks.md"
    file.write_text("# My notes\n")
    assert "--all prints it" in call().output
    assert file.read_text() == "# My notes\n"


def test_settings_that_cannot_be_are_refused_by_file_and_key(call, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('[[targets]]\ncode = "X"\ntitle = "x"\nfigure = "second"\nbelow = 1\n')
    done = call("--settings", str(path))
    assert done.exit_code != 0
    assert "own.toml" in done.output
    assert "targets[0].figure" in done.output
    assert "'second'" in done.output
