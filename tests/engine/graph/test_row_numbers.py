import pickle
from threading import BoundedSemaphore

import dask
import pytest
from dask.task_spec import TaskRef

from cdpipe.engine.files.sources import SourceError, count_rows, cut, find_sources, read_block
from cdpipe.engine.graph import row_numbers
from cdpipe.engine.graph.layers import Layer
from cdpipe.engine.graph.row_numbers import Start, add_starts, count_each


def write(folder, *lines_by_file):
    """CSV files of so many lines of ten bytes each, behind their header."""
    for place, lines in enumerate(lines_by_file):
        (folder / f"{place}.csv").write_bytes(b"coreData_id\n" + b"A12345678\n" * lines)
    return find_sources([str(folder / "*.csv")])


def find_starts(layer, found):
    """What each block is told, and how many tasks that took."""
    refs = list(dict.fromkeys(ref.key for ref, *_ in found if isinstance(ref, TaskRef)))
    done = dict(zip(refs, dask.compute(*layer.wrap([TaskRef(key) for key in refs]), scheduler="sync"), strict=True))
    return [(done[ref.key] if isinstance(ref, TaskRef) else ref)[place] for ref, place, _ in found]


@pytest.mark.parametrize("block_bytes", [10, 70, 10_000])
def test_each_block_begins_where_those_before_it_end(tmp_path, block_bytes):
    counts = (41, 1, 0, 33)
    blocks = [block for file in write(tmp_path, *counts) for block in cut(file, block_bytes=block_bytes)]
    layer = Layer("t")
    starts = find_starts(layer, add_starts(layer, blocks))
    expected, row = [], 0
    for block in blocks:
        place = int(block.file.path[-5])
        expected.append(Start(row, sum(counts[:place])))
        row += (block.stop - block.start) // 10
    assert row == sum(counts)
    assert starts == expected


def test_small_blocks_are_counted_together_and_large_ones_alone(tmp_path, monkeypatch):
    [file] = write(tmp_path, 100)
    small = Layer("t")
    add_starts(small, cut(file, block_bytes=10))
    assert len(small) == 2 * 7  # a hundred blocks, at most sixteen by a task
    monkeypatch.setattr("cdpipe.engine.graph.row_numbers._COUNTED_BYTES", 499)
    large = Layer("t")
    blocks = cut(file, block_bytes=250)
    add_starts(large, blocks)
    assert len(large) == 2 * len(blocks) == 8
    ends = [str(task) for task in large if task.startswith("lines")]
    assert len(ends) == len(set(ends)) == 4


def test_files_that_tell_their_rows_need_no_task(tmp_path):
    [file] = write(tmp_path, 9)
    known = [block._replace(rows=3) for block in cut(file, block_bytes=30)]
    layer = Layer("t")
    found = add_starts(layer, known)
    assert len(layer) == 0
    assert find_starts(layer, found) == [Start(0, 0), Start(3, 0), Start(6, 0)]


def test_known_and_counted_files_mix(tmp_path):
    first, second, third = ([*cut(file, block_bytes=1000)] for file in write(tmp_path, 4, 5, 6))
    blocks = [first[0]._replace(rows=4), second[0], third[0]._replace(rows=6)]
    for order, expected in (
        (blocks, [Start(0, 0), Start(4, 4), Start(9, 9)]),
        (blocks[1:], [Start(0, 0), Start(5, 5)]),
    ):
        layer = Layer("t")
        assert find_starts(layer, add_starts(layer, order)) == expected


def test_nothing_starts_nowhere():
    assert add_starts(Layer("t"), []) == []


def test_a_file_that_is_gone_is_named(tmp_path):
    [file] = write(tmp_path, 5)
    layer = Layer("t")
    found = add_starts(layer, cut(file, block_bytes=1000))
    (tmp_path / "0.csv").unlink()
    with pytest.raises(SourceError, match=r"0\.csv: is not there; check the name"):
        find_starts(layer, found)


def test_text_that_was_counted_is_read_once(tmp_path):
    [file] = write(tmp_path, 100)
    blocks = list(cut(file, block_bytes=250))
    counted = count_each(blocks, keep_text=True)
    assert counted.counts == count_each(blocks).counts == [count_rows(block) for block in blocks]
    assert all(type(count.rows) is int for count in counted.counts)  # they go into JSON
    for place, block in enumerate(blocks):
        text = counted.take(place)
        assert text.tobytes() == (tmp_path / "0.csv").read_bytes()[block.start : block.stop]
        assert counted.take(place) is None
        given, read = (
            read_block(block, columns=("coreData_id",), first_row=7, rows_before_file=0, text=each)
            for each in (text, None)
        )
        assert given.frame.equals(read.frame)
        assert given.ledger == read.ledger


def test_text_is_kept_while_there_is_room_and_no_longer_than_it_is_wanted(tmp_path, monkeypatch):
    monkeypatch.setattr(row_numbers, "_ROOM", BoundedSemaphore(2))
    [file] = write(tmp_path, 3)
    [block] = cut(file, block_bytes=1000)
    first, second, third = (count_each([block], keep_text=True) for _ in range(3))
    assert third.take(0) is None
    assert first.take(0) is not None  # which makes room
    fourth = count_each([block], keep_text=True)
    assert fourth.take(0) is not None
    del second  # nobody reads it any more
    kept = [count_each([block], keep_text=True) for _ in range(2)]
    assert all(each.take(0) is not None for each in kept)
    assert first.counts == third.counts == fourth.counts


def test_a_file_that_cannot_be_counted_takes_no_room(tmp_path, monkeypatch):
    monkeypatch.setattr(row_numbers, "_ROOM", BoundedSemaphore(1))
    [file] = write(tmp_path, 3)
    blocks = list(cut(file, block_bytes=1000))
    (tmp_path / "0.csv").rename(tmp_path / "away")
    with pytest.raises(SourceError, match="is not there"):
        count_each(blocks, keep_text=True)
    (tmp_path / "away").rename(tmp_path / "0.csv")
    assert count_each(blocks, keep_text=True).take(0) is not None


def test_text_does_not_travel(tmp_path):
    [file] = write(tmp_path, 3)
    counted = count_each(list(cut(file, block_bytes=1000)), keep_text=True)
    there = pickle.loads(pickle.dumps(counted))
    assert there.counts == counted.counts
    assert there.take(0) is None
