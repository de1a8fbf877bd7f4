"""Tasks that only hand on their result become one."""

from operator import add, neg

import pandas as pd
import pytest
from dask.local import get_sync
from dask.task_spec import List, Task, TaskRef
from hypothesis import given
from hypothesis import strategies as st

from cdpipe import clean, read
from cdpipe.engine.daskframes import Partitions
from cdpipe.engine.threads import flatten_graph, fuse_chains
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.gather import GatherParams
from cdpipe.stages.ledger import Ledger
from cdpipe.synth import SynthParams, synthesize


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
