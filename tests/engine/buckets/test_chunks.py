import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cdpipe.engine.buckets.chunks import (
    find_place,
    join_chunks,
    list_chunks,
    number_buckets,
    read_chunk,
    read_schema,
    write_buckets,
)
from cdpipe.engine.files.digests import DamageError
from cdpipe.stages.order import Key


def messages(rows=500, vehicles=90):
    rng = np.random.default_rng(rows)
    vehicle = np.sort(rng.choice(rng.integers(0, 2**64, vehicles, np.uint64), rows))
    return pd.DataFrame(
        {
            "row_number": np.arange(rows),
            "vehicle": vehicle,
            "time_us": np.arange(rows) * 250_000,
            "coreData_id": pd.Categorical([f"{number % 2**32:08X}" for number in vehicle]),
            "type": pd.Categorical(rng.choice(["one", "two"], rows)),
            "coreData_secMark": pd.array(np.where(np.arange(rows) % 7, np.arange(rows), None), "Int64"),
            "text": pd.Series([f"t{at}" for at in range(rows)], dtype="str"),
        }
    )


def texts(frame):
    labels = [name for name, dtype in frame.dtypes.items() if dtype == "category"]
    return frame.astype(dict.fromkeys(labels, "str"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "part-000000.buckets"


@pytest.mark.parametrize("buckets", [1, 8, 31])
@pytest.mark.parametrize("rows", [0, 1, 500])
def test_the_chunks_are_the_messages_by_ranges_of_vehicles(path, rows, buckets):
    frame = messages(rows)
    known = write_buckets(frame, path, buckets=buckets)
    chunks = list_chunks(path, known)
    assert [chunk.bucket for chunk in chunks] == sorted(
        {*number_buckets(frame["vehicle"].to_numpy(), buckets).tolist()}
    )
    assert (known.rows, known.bytes) == (rows, path.stat().st_size)
    assert sum(chunk.rows for chunk in chunks) == rows
    again = join_chunks([read_chunk(chunk) for chunk in chunks], read_schema(path))
    pd.testing.assert_frame_equal(texts(again), texts(frame))
    assert [str(dtype) for dtype in again.dtypes] == [str(dtype) for dtype in frame.dtypes]


def test_buckets_never_fall_and_take_all_hashes():
    hashes = np.sort(np.array([0, 1, 2**32, 2**63, 2**64 - 1, *range(2**61, 2**64, 2**61)], np.uint64))
    for buckets in (1, 3, 8, 31, 1000):
        number = number_buckets(hashes, buckets)
        assert (np.diff(number) >= 0).all()
        assert (number[0], number[-1]) == (0, buckets - 1)


def test_a_chunk_has_no_more_labels_than_its_messages(path):
    write_buckets(messages(), path, buckets=31)
    known = write_buckets(messages(), path, buckets=31)
    for chunk in list_chunks(path, known):
        table = read_chunk(chunk)
        labels = table["coreData_id"].chunk(0).dictionary
        assert len(labels) == pa.compute.count_distinct(table["vehicle"]).as_py()


def test_the_place_of_a_key_is_that_of_the_first_message_not_before_it(path):
    known = write_buckets(messages(), path, buckets=1)
    (chunk,) = list_chunks(path, known)
    table = read_chunk(chunk)
    keys = list(zip(table["vehicle"].to_pylist(), table["time_us"].to_pylist(), strict=True))
    for at in (0, 1, 250, 499):
        vehicle, time_us = keys[at]
        assert find_place(table, Key(vehicle, time_us)) == at
        assert find_place(table, Key(vehicle, time_us + 1)) == sum(key < (vehicle, time_us + 1) for key in keys)
    assert (chunk.first, chunk.last) == (keys[0], keys[-1])


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_damage_of_a_chunk_and_of_the_list_is_said(path, share):
    known = write_buckets(messages(), path, buckets=3)
    chunks = list_chunks(path, known)
    data = bytearray(path.read_bytes())
    at = chunks[1].offset + 20 if share < 1 else len(data) - 30
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamageError, match=r"part-000000\.buckets"):
        [read_chunk(chunk) for chunk in list_chunks(path, known)]
