"""The benchmarks' data sets: frozen, whole or absent, made once, and not by the code that is measured."""

import hashlib
import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from benchmarks import _data, _make, _messages

ROOT = Path(_data.__file__).parent
DIGESTS = {
    "csv": "500b4a5b4ff12b85",
    "raw": "500b4a5b4ff12b85",
    "gathered": "f1b061d4de6dbf1c",
    "cleaned": "36002ab51e1568fc",
    "attacked": "525974673fbbca88",
    "features": "442b40bb1e33185a",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CDPIPE_BENCH_DATA", str(tmp_path))
    _data.need.cache_clear()
    yield tmp_path / f"v{_data.VERSION}"
    _data.need.cache_clear()


def digest(table: pa.Table) -> str:
    """Digest of what a table says; Parquet's bytes are another matter and may change with its writer."""
    text = "\n".join(f"{name}: {table[name].type} {table[name].to_pylist()}" for name in table.column_names)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def command(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT.parent, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("kind", _data.KINDS)
def test_rows_are_frozen(kind):
    """Whoever changes what is generated raises `_data.VERSION`, and then these digests."""
    assert digest(_make.MAKERS[kind](7_000, 300)) == DIGESTS[kind]


@pytest.mark.parametrize("kind", _data.KINDS)
def test_rows_do_not_depend_on_where_parts_begin(kind):
    make = _make.MAKERS[kind]
    assert pa.concat_tables([make(0, 370), make(370, 1), make(371, 629)]).equals(make(0, 1_000))


@pytest.mark.parametrize("kind", sorted(set(_data.KINDS) - {"csv"}))
def test_parquet_has_its_rows_in_parts_in_order(kind, folder):
    path = _make.make(kind, "1k")
    assert path == folder / f"{kind}-1k"
    parts = sorted(path.iterdir())
    assert len(parts) == _make.LEAST_PARTS
    whole = pa.concat_tables([pq.read_table(part) for part in parts])
    assert whole.equals(_make.MAKERS[kind](0, 1_000))


def test_csv_has_its_rows_as_text(folder):
    path = _make.make("csv", "1k")
    assert path == folder / "csv-1k" / "messages.csv"
    text = path.read_text(encoding="utf-8").splitlines()
    assert len(text) == 1_001
    assert text[0].startswith("metadata_generatedAt,metadata_recordType,")
    assert text[1].startswith("04/01/2021 12:00:00 AM,bsmTx,00000000,")
    as_text = pa.csv.ConvertOptions(column_types={"coreData_id": pa.string()}, strings_can_be_null=True)
    table = pa.csv.read_csv(path, convert_options=as_text)
    assert table["coreData_id"].to_pylist() == _messages.raw(0, 1_000)["coreData_id"].to_pylist()


def test_parts_are_bounded_whatever_the_rows():
    bounds = list(_make._cut(15_000_000))
    assert max(stop - start for start, stop in bounds) == _make.PART_ROWS
    assert bounds[0][0] == 0
    assert bounds[-1][1] == 15_000_000
    assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(bounds))


def test_messages_are_plausible():
    table = _messages.raw(0, 20_000)
    holes = [table[name].null_count for name in ("coreData_position_lat", "coreData_elevation", "coreData_speed")]
    assert 0.8 * 200 < sum(holes) < 1.2 * 200
    assert min(holes) > 40
    told = _messages.drive(0, 20_000)
    one = told["vehicle"] == told["vehicle"][0]
    north_m = np.diff(told["lat"][one]) * 111_320
    east_m = np.diff(told["lon"][one]) * 111_320 * np.cos(np.radians(told["lat"][one][0]))
    speed = np.hypot(north_m, east_m) / (_messages.TICK_MS / 1000)
    assert np.abs(speed - told["speed"][one][1:]).max() < 0.6
    bearing = np.degrees(np.arctan2(east_m, north_m)) % 360
    assert np.abs(bearing - told["heading"][one][1:]).max() < 1
    assert len(set(table["coreData_id"].to_pylist())) == np.unique(told["vehicle"]).size


def test_one_message_in_twenty_is_near_the_centre():
    told = _messages.drive(0, 200_000)
    north_m = (told["lat"] - _data.LATITUDE_DEG) * 111_320
    east_m = (told["lon"] - _data.LONGITUDE_DEG) * 111_320 * np.cos(np.radians(_data.LATITUDE_DEG))
    assert 0.03 < np.mean(np.hypot(north_m, east_m) < 20_000) < 0.07


def test_only_attackers_are_displaced():
    before, after = _messages.cleaned(0, 200_000), _messages.attacked(0, 200_000)
    hit = after["isAttacker"].to_numpy() == 1
    moved = pc.not_equal(before["y_pos"], after["y_pos"]).to_numpy()
    assert 0.27 < hit.mean() < 0.33
    assert not moved[~hit].any()
    assert moved[hit].mean() > 0.99


def test_needed_data_is_made_by_another_process(folder):
    assert "benchmarks._make" in sys.modules
    path = _data.need("cleaned", "1k")
    assert path == folder / "cleaned-1k"
    assert pyarrow.dataset.dataset(path).count_rows() == 1_000
    stamps = {part: part.stat().st_mtime_ns for part in path.iterdir()}
    _data.need.cache_clear()
    _data.need("cleaned", "1k")
    assert {part: part.stat().st_mtime_ns for part in path.iterdir()} == stamps


def test_making_needs_nothing_of_what_is_measured():
    code = "import sys, benchmarks._make; print([name for name in sys.modules if name.split('.')[0] == 'cdpipe'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_two_makers_make_one_data_set(folder):
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: command("make", "features", "1k"), range(2)))
    assert [each.returncode for each in done] == [0, 0], [each.stderr for each in done]
    assert sorted(path.name for path in folder.iterdir()) == [".features-1k.lock", "features-1k"]


def test_failure_leaves_nothing_behind(folder, monkeypatch):
    def fail(start: int, rows: int) -> pa.Table:
        if start:
            raise OSError("No space left on device")
        return _messages.cleaned(start, rows)

    monkeypatch.setitem(_make.MAKERS, "cleaned", fail)
    with pytest.raises(OSError, match="No space left"):
        _make.make("cleaned", "1k")
    assert [path.name for path in folder.iterdir()] == [".cleaned-1k.lock"]


def test_folder_that_cannot_be_written_is_an_error(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("CDPIPE_BENCH_DATA", str(blocked))
    _data.need.cache_clear()
    with pytest.raises(OSError, match=r"raw-1k: could not be made: benchmarks: .*file"):
        _data.need("raw", "1k")


def test_wanted_data_covers_both_suites():
    assert {("csv", "10M"), ("cleaned", "15M"), ("raw", "10M"), ("features", "100k")} <= set(_data.wanted("full"))
    assert {label for _, label in _data.wanted("quick")} == {"10k", "100k", "1M"}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "usage"),
        (("select",), 2, "usage"),
        (("select", "fast"), 1, "benchmarks: there is no suite 'fast'"),
        (("make", "soup", "1k"), 1, "benchmarks: there is no kind of data 'soup'"),
        (("make", "raw", "many"), 1, "benchmarks: 'many' is no number of rows"),
    ],
)
def test_wrong_command_says_what_is_right(arguments, status, message):
    done = command(*arguments)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
