import numpy as np
import pandas as pd
import pytest

from cdpipe.engine.buckets.chunks import list_chunks, read_schema, write_buckets
from cdpipe.engine.graph.bucket_plan import cut_group, find_bounds, group_buckets
from cdpipe.engine.graph.partition import read_bucket
from cdpipe.stages import order
from cdpipe.stages.order import Key

SECOND = 1_000_000


def write(folder, file, frame, buckets):
    path = folder / f"part-{file:06d}.buckets"
    return [*list_chunks(path, write_buckets(frame, path, buckets=buckets))], read_schema(path)


def messages(vehicle, time_us, file=0):
    rows = len(vehicle)
    frame = pd.DataFrame(
        {
            "row_number": np.arange(rows) + file * rows,
            "coreData_id": pd.Categorical([f"{number:016X}" for number in vehicle]),
            "metadata_generatedAt": np.asarray(time_us, np.int64).view("M8[us]"),
        }
    )
    return order.apply(frame.assign(time_is_coarse=np.zeros(rows, np.int8)))[0]


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(1)
    hashes = rng.integers(0, 2**64, 40, np.uint64)
    written = [
        write(tmp_path, file, messages(rng.choice(hashes, 300), rng.integers(0, 10**9, 300), file), 16)
        for file in range(5)
    ]
    return [chunk for chunks, _ in written for chunk in chunks], written[0][1]


def test_groups_are_of_buckets_that_follow_each_other_and_of_about_one_size(files):
    chunks, _ = files
    whole = sum(chunk.bytes for chunk in chunks)
    groups = list(group_buckets(chunks, wanted_bytes=whole // 5))
    numbers = [sorted({chunk.bucket for chunk in group}) for group, _ in groups]
    assert [number for group in numbers for number in group] == sorted({chunk.bucket for chunk in chunks})
    assert 5 <= len(groups) <= 11
    assert all(pieces == 1 for _, pieces in groups)
    assert sorted(chunk for group, _ in groups for chunk in group) == sorted(chunks)


@pytest.mark.parametrize("pieces", [1, 2, 7, 50])
def test_pieces_have_every_message_once_and_in_order(files, monkeypatch, pieces):
    chunks, schema = files
    monkeypatch.setattr("cdpipe.engine.graph.bucket_plan._SAMPLED", 8)
    bounds = find_bounds(chunks, pieces)
    assert len(bounds) == pieces - 1
    assert all(bound.time_us % SECOND == 0 for bound in bounds)
    frames = [read_bucket(bucket)[0] for bucket in cut_group(chunks, bounds, schema)]
    assert sum(map(len, frames)) == 1500
    assert sorted(row for frame in frames for row in frame["row_number"]) == list(range(1500))
    keys = [key for frame in frames for key in zip(frame["vehicle"], frame["time_us"], strict=True)]
    assert keys == sorted(keys)


def test_what_is_all_of_one_second_is_one_piece(tmp_path):
    chunks, _ = write(tmp_path, 0, messages([5] * 3000, range(3000)), 1)
    assert find_bounds(chunks, 9) == []


def test_no_message_at_all_is_one_empty_bucket(tmp_path):
    chunks, schema = write(tmp_path, 0, messages([], []), 4)
    ((group, pieces),) = group_buckets(chunks, wanted_bytes=100)
    (bucket,) = cut_group(group, (), schema)
    frame, size = read_bucket(bucket)
    assert (pieces, len(frame), size) == (1, 0, 0)
    assert list(frame) == schema.names


def test_a_bucket_that_is_too_large_is_to_be_cut(tmp_path):
    chunks, _ = write(tmp_path, 0, messages([5] * 3000, np.arange(3000) * SECOND), 1)
    ((_, pieces),) = group_buckets(chunks, wanted_bytes=chunks[0].bytes // 4)
    assert pieces in (4, 5)
    bounds = find_bounds(chunks, pieces)
    assert bounds == sorted(bounds)
    assert all(isinstance(bound, Key) and bound.vehicle == chunks[0].first.vehicle for bound in bounds)
