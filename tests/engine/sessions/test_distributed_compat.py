"""Each private part of distributed does what cdpipe has it do: the test that fails names the one that broke."""

import logging

import pytest

from cdpipe.engine.sessions.distributed_compat import (
    client,
    core,
    nprocesses_nthreads,
    scheduler,
    silence_logging_cmgr,
)


def test_messages_are_pickled_by_a_module_that_can_be_put_in_its_place():
    assert core.pickle.loads(core.pickle.dumps({"a": 1})) == {"a": 1}


@pytest.mark.parametrize(("module", "name"), [(client, "serialize"), (scheduler, "deserialize")])
def test_graphs_are_packed_by_a_function_of_the_module(module, name):
    assert callable(getattr(module, name))


@pytest.mark.parametrize("cores", [1, 2, 7, 64])
def test_processes_and_threads_take_all_cores(cores):
    processes, threads = nprocesses_nthreads(cores)
    assert cores <= processes * threads < 2 * cores


def test_warnings_are_silent_in_the_block_and_heard_after_it(caplog):
    logger = logging.getLogger("distributed")
    with caplog.at_level(logging.WARNING, "distributed"):
        before = [handler.level for handler in logger.handlers]
        with silence_logging_cmgr(logging.CRITICAL):
            assert all(handler.level == logging.CRITICAL for handler in logger.handlers)
        assert [handler.level for handler in logger.handlers] == before
