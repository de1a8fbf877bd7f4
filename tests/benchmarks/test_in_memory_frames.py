"""Benchmarks on rows in memory: all rows are there, nothing is read while they work, and they are those of targets."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmarks import _data, _sizes, frames
from benchmarks._peers import ours
from cdpipe.perf.settings.settings import read_settings

SETTINGS = Path(__file__).parents[2] / "benchmarks" / "bottlenecks.toml"
EACH = (frames.OffsetRand, frames.SwapRand, frames.Extended)


@pytest.mark.parametrize("one", EACH)
@pytest.mark.parametrize("label", ["1k", "2k"])
def test_all_rows_are_in_memory_in_their_order_with_ids_as_labels(one, label, data_folder, monkeypatch):
    folder = _data.need(one.data[0], label)
    monkeypatch.setattr(ours, "PARTITION_ROWS", 300)
    parts = ours.partitions(one().prepare(label))
    assert 1 < len(parts) <= 4
    assert all(isinstance(part["coreData_id"].dtype, pd.CategoricalDtype) for part in parts)
    whole = pd.concat([part.assign(coreData_id=part["coreData_id"].astype("str")) for part in parts], ignore_index=True)
    expected = pd.concat([pq.read_table(file).to_pandas() for file in sorted(folder.iterdir())], ignore_index=True)
    pd.testing.assert_frame_equal(whole, expected, check_dtype=False)


@pytest.mark.parametrize("one", EACH)
def test_work_in_memory_reads_nothing_and_gives_all_rows(one, data_folder, monkeypatch):
    _data.need(one.data[0], "2k")
    given = one().prepare("2k")
    made = []
    compute = ours.compute
    monkeypatch.setattr(ours, "compute", lambda *lazy: made.extend(compute(*lazy)))
    monkeypatch.setattr(pq, "read_table", None)
    monkeypatch.setattr(_data, "place", None)
    one().call(given)
    assert sum(len(part) for part in made) == 2_000
    assert all("isAttacker" in part for part in made)


@pytest.mark.parametrize(("code", "stage"), [("T9", "attack"), ("T10", "features")])
def test_targets_of_work_in_memory_have_a_benchmark_of_their_size(code, stage, described):
    target = next(each for each in read_settings(SETTINGS).targets if each.code == code)
    least = target.rows or target.rows_min
    (each,) = (each for each in described if each["name"] == "frames.time_frames")
    assert each["cdpipe_figure"] == "in_memory_seconds"
    assert any(name.strip("'").startswith(stage) for name in each["params"][1])
    assert any(_sizes.count_rows(label.strip("'")) >= least for label in each["params"][0])
    if target.rows:
        assert target.rows in {_sizes.count_rows(label) for label in _sizes.FAMILIES["frames"].full}
