"""Both sides in this Python: what asv's processes, the canary and the witness give."""

import contextlib
import importlib
from pathlib import Path

import pytest

from cdpipe.perf.gate.measuring import asv_compat
from cdpipe.perf.gate.measuring.asv_compat import HOOK, Processes
from cdpipe.perf.gate.measuring.rounds import Side
from cdpipe.perf.gate.measuring.sides import AsvSides, AsvWitnesses

from .test_asv_compat import project

__all__ = ["project"]


@pytest.fixture
def sides(project):
    """Sides that are the same environment, with all benchmarks of the project but those at 1k rows."""
    path, commit = project
    with contextlib.chdir(path):
        config = asv_compat.load_config(Path("asv.conf.json"))
        repository = asv_compat.open_repository(config)
        env = asv_compat.find_environment(config, path / "gate")
        cells = asv_compat.discover(config, repository, env, commit, r"1M|setup|broken")
        with Processes(config, env) as processes:
            yield AsvSides({cell.name: cell for cell in cells}, dict.fromkeys(Side, processes), {}, "some")


def test_processes_are_timed_and_benchmarks_that_say_nothing_take_three_samples(sides):
    reading = sides.measure("some.time_sized('1M')", Side.HEAD)
    assert 3 <= len(reading.samples) <= 10
    assert 0 < reading.cpu_seconds <= reading.seconds * 64
    assert 0 <= reading.others <= 1
    assert "ValueError: planted" in sides.measure("some.time_broken", Side.BASE).output


def test_the_canary_is_a_time_of_the_environment_s_python(sides):
    (seconds,) = sides.watch_canary(Side.BASE).samples
    assert 0 < seconds < 30


def test_the_witness_sees_calls_through_asv_s_own_runner(sides):
    module, _, name = HOOK.partition(":")
    assert callable(getattr(getattr(importlib.import_module(module), name.split(".")[0]), name.split(".")[1]))
    witnesses = AsvWitnesses(sides)
    seen = witnesses.witness("some.track_setup", Side.BASE)
    assert 0 < seen.figures["wall_seconds"] < 30
    assert seen.figures["tasks"] == 0
    assert witnesses.witness("some.time_broken", Side.BASE) is None


def test_a_smaller_size_is_found_though_it_was_not_selected(sides):
    witnesses = AsvWitnesses(sides)
    assert witnesses.find_smaller("some.time_sized('1M')") == ("some.time_sized('1k')", 1000.0)
    assert witnesses.find_smaller("some.time_sized('1k')") is None
    assert witnesses.find_smaller("some.track_setup") is None
    assert sides.find_cell("some.time_sized('1k')").place == 0
