"""Laying a graph counts as laying a graph: neither as the work, nor as slots that have nothing to do."""

import time
from contextlib import nullcontext

import pytest

from benchmarks import _stage
from cdpipe import SessionParams, open_session
from cdpipe.probe.probe import probe

LAYING_S = 0.4


class Lazy:
    """A task of next to no work, in a graph that takes long to lay."""

    def build(self, rows):
        import dask

        del rows
        time.sleep(LAYING_S)
        return dask.delayed(sum)([1, 2])

    work = _stage.Stage.work


def test_a_stage_lays_its_graph_where_the_probe_counts_it():
    with open_session(SessionParams()) as session, probe(session) as result:
        Lazy().work("2k")
    assert LAYING_S <= result.graph_seconds <= result.wall_seconds


def test_a_commit_without_such_a_block_is_measured_all_the_same(monkeypatch):
    monkeypatch.delattr("cdpipe.probe.recording.task_recorder.building_graph")
    assert isinstance(_stage.laying_graph(), nullcontext)
    monkeypatch.setattr(_stage, "find_spec", lambda _name: None)
    assert isinstance(_stage.laying_graph(), nullcontext)


def test_what_fails_while_it_is_laid_is_not_hidden():
    with pytest.raises(ZeroDivisionError), _stage.laying_graph():
        raise ZeroDivisionError
