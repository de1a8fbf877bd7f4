"""What a person types: the options of `cdpipe bottlenecks`."""

import json

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
    assert "disk-bound" in call().output
    said = call("--rules", "report").output
    assert "Classes by thresholds" in said
    assert json.loads(call("--rules", "report", "--format", "json").output)["rules"] == "report"


def test_history_is_as_long_as_asked(call):
    data = json.loads(call("--history", "2", "--format", "json").output)
    assert len(data["subjects"][0]["history"]["commits"]) == 2
    assert "One commit only: there is nothing to compare." in call("--history", "1").output


@pytest.mark.parametrize("wrong", [("--rules", "guess"), ("--history", "0")])
def test_what_makes_no_sense_is_refused(call, wrong):
    done = call(*wrong)
    assert done.exit_code == 2
    assert wrong[1] in done.output


def test_text_keeps_to_a_hundred_columns_where_there_is_no_terminal(call):
    assert max(map(len, call().output.splitlines())) <= 100
