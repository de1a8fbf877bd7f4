"""Graphs of fewer tasks that do the same: no second names, tasks in a line become one; and what takes no time."""

import threading
from operator import add, neg

import dask
import dask.dataframe as dd
import pandas as pd
import pytest
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.local import get_sync
from dask.task_spec import Alias, DataNode, List, Task, TaskRef
from hypothesis import given
from hypothesis import strategies as st

from cdpipe import clean, read
from cdpipe.engine.graph.dask_frames import Partitions
from cdpipe.engine.graph.simplify import flatten_graph, fuse_chains, hands_on, skip_aliases
from cdpipe.engine.sessions.open import open_session
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.stages.ledger import Ledger
from cdpipe.synthetic.generator import SynthParams, synthesize


def test_a_line_of_tasks_becomes_one_named_after_its_end():
    graph = {"a": Task("a", int, 3), "b": Task("b", neg, TaskRef("a")), "c": Task("c", neg, TaskRef("b"))}
    fused = fuse_chains(graph, ["c"])
    assert list(fused) == ["c"]
    assert get_sync(fused, "c") == 3
    assert list(fuse_chains(graph, ["b", "c"])) == ["b", "c"]


def test_what_two_tasks_need_and_what_needs_two_stays_apart():
    graph = {
        "a": Task("a", int, 1),
        "b": Task("b", neg, TaskRef("a")),
        "c": Task("c", neg, TaskRef("a")),
        "d": Task("d", add, TaskRef("b"), TaskRef("c")),
    }
    assert set(fuse_chains(graph, ["d"])) == set(graph)


@given(
    needs=st.lists(st.sets(st.integers(0, 11), max_size=3), min_size=1, max_size=12),
    wanted=st.sets(st.integers(0, 11), min_size=1),
)
def test_any_graph_gives_the_same_in_no_more_tasks(needs, wanted):
    graph = {
        place: Task(place, sum, List(1, *(TaskRef(need) for need in sorted(each) if need < place)))
        for place, each in enumerate(needs)
    }
    keys = sorted(wanted & set(graph)) or [0]
    fused = fuse_chains(graph, keys)
    assert set(fused) <= set(graph)
    assert set(keys) <= set(fused)
    assert get_sync(fused, keys) == get_sync(graph, keys)


@given(
    needs=st.lists(
        st.one_of(st.sets(st.integers(0, 11), max_size=3), st.integers(0, 11), st.just("data")), min_size=1, max_size=12
    ),
    wanted=st.lists(st.integers(0, 11), min_size=1),
)
def test_without_second_names_any_graph_gives_the_same_under_those_that_are_wanted(needs, wanted):
    graph = {}
    for place, each in enumerate(needs):
        if each == "data":
            graph[place] = DataNode(place, 10 + place)
        elif isinstance(each, int) and each < place:
            graph[place] = Alias(place, each)
        else:
            some = each if isinstance(each, set) else ()
            graph[place] = Task(place, sum, List(1, *(TaskRef(need) for need in sorted(some) if need < place)))
    keys = sorted(set(wanted) & set(graph)) or [0]
    skipped = skip_aliases(graph, keys)
    assert len(skipped) <= len(graph)
    assert get_sync(skipped, keys) == get_sync(graph, keys)
    left = {key for key, task in skipped.items() if isinstance(task, Alias)}
    assert left <= set(keys)
    assert all(not task.dependencies & left for task in skipped.values())


def test_lists_and_dicts_of_what_has_a_second_name_are_as_before():
    frame = dd.from_pandas(pd.DataFrame({"a": range(9)}), npartitions=3).persist()
    parts = frame.to_delayed()
    together = dask.delayed(list(parts))
    with open_session() as session:
        assert session.run([dask.delayed(len)(together), dask.delayed(len)(dask.delayed({"x": parts[0]}))]) == [3, 1]
        assert len(session.run([dask.delayed([parts[0]])])[0][0]) == 3
        assert session.run([dask.delayed(len)(dask.delayed([parts[0]]))]) == [1]
        assert len(session.run([together[1]])[0]) == 3


def test_what_is_wanted_under_a_second_name_alone_is_one_task():
    graph = {"a": Task("a", int, 3), "b": Alias("b", "a"), "c": Alias("c", "b")}
    assert list(skip_aliases(graph, ["c"])) == ["c"]
    assert isinstance(skip_aliases(graph, ["c"])["c"], Task)
    assert set(skip_aliases(graph, ["a", "c"])) == {"a", "c"}
    assert set(skip_aliases(graph, ["b", "c"])) == {"a", "b", "c"}


@hands_on
def _tell_thread_at_once(_):
    return threading.get_ident()


def _tell_thread(_):
    return threading.get_ident()


def test_a_task_that_takes_no_time_is_done_by_the_thread_that_hands_out_the_others():
    graph = {
        "made": Task("made", _tell_thread, 0),
        "part": Task("part", _tell_thread_at_once, TaskRef("made")),
        "same": Alias("same", "made"),
        "more": Task("more", _tell_thread, TaskRef("made")),
    }
    whole = HighLevelGraph({"layer": graph}, {"layer": set()})
    with open_session() as session:
        made, part, same, more = session.run([Delayed(key, whole, layer="layer") for key in graph])
    assert part == threading.get_ident()
    assert threading.get_ident() not in (made, more)
    assert same == made


@hands_on
def _fail_at_once(_):
    raise LookupError("nothing there")


def test_what_fails_at_once_fails_as_any_task_does():
    graph = {"made": Task("made", int, 3), "part": Task("part", _fail_at_once, TaskRef("made"))}
    whole = HighLevelGraph({"layer": graph}, {"layer": set()})
    with open_session() as session, pytest.raises(LookupError, match="nothing there"):
        session.run([Delayed(key, whole, layer="layer") for key in graph])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("chains") / "m.csv"
    synthesize(path, SynthParams(rows=900, vehicles=12))
    return path


def test_partitions_of_read_and_clean_take_few_tasks(source, threads):
    frame, gathered = read(source, GatherParams(block_mb=0.01))
    cleaned, account = clean(frame, CleanParams())
    laid = fuse_chains(flatten_graph([gathered, account]), [gathered.key, account.key])
    counted = 2 * -(-frame.npartitions // 16) - 1  # the first starts need nothing but their count
    # A partition is read, its account taken, and cleaned; an account is the sum of all.
    assert len(laid) == 3 * frame.npartitions + counted + 2
    assert [each.rows_in for each in threads.run([gathered, account])] == [900, 900]
    assert len(flatten_graph(cleaned.to_delayed())) == 4 * frame.npartitions + counted + 1


class Rows:
    """Stands for a partition's frame, and says how many are alive at once."""

    alive, most = 0, 0

    def __init__(self):
        Rows.alive += 1
        Rows.most = max(Rows.most, Rows.alive)

    def __del__(self):
        Rows.alive -= 1


def test_an_account_holds_no_partition_for_longer_than_it_takes(threads):
    """All pairs of frame and account until the last is there would be the whole data set in memory."""
    partitions = Partitions("made")
    for place in range(40):
        partitions.make(lambda rows: (Rows(), Ledger("made", rows, rows)), place)
    frame, account = partitions.split(pd.DataFrame({"a": [1.0]}).iloc[:0])
    assert frame.npartitions == 40
    [ledger] = threads.run([account])
    assert ledger.rows_in == sum(range(40))
    assert 0 < Rows.most <= 2 * threads.threads
    Rows.most = 0
    assert get_sync(dict(account.__dask_graph__()), account.key) == ledger
    assert 0 < Rows.most <= 2
