import hashlib
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyproj
import pytest
from pydantic import ValidationError

from cdpipe.columns import BY_NAME
from cdpipe.stages.gather.json_lines import parse_json_lines
from cdpipe.synthetic import generator
from cdpipe.synthetic.generator import SynthParams, fleet_of, synthesize, synthesize_frame
from cdpipe.synthetic.writers import COLUMNS

GEOD = pyproj.Geod(ellps="WGS84")
LAT, LON = "coreData_position_lat", "coreData_position_long"
SPEED, HEADING, YAW = "coreData_speed", "coreData_heading", "coreData_accelset_accelYaw"


@pytest.fixture(scope="module")
def clean():
    """Clean messages of 40 vehicles."""
    return synthesize_frame(SynthParams(rows=10_000, dirty_share=0))


def make(path, **params):
    report = synthesize(path, SynthParams(**params))
    return report, path.read_bytes()


def test_the_bytes_are_these_on_any_machine(tmp_path):
    digests = {
        suffix: hashlib.sha256(make(tmp_path / f"x{suffix}", rows=5_000)[1]).hexdigest()[:16]
        for suffix in (".csv", ".jsonl")
    }
    assert digests == {".csv": "fb6f05f54d75d330", ".jsonl": "8fd37d0f786234f9"}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_same_parameters_same_bytes_and_another_seed_others(tmp_path, suffix):
    first, again, other = (
        make(tmp_path / f"{name}{suffix}", rows=3_000, seed=seed)[1] for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(("rows", "vehicles"), [(9_990, 11), (7_501, 11), (2_500, 30), (777, 11), (710, 7)])
def test_chunks_make_no_difference(tmp_path, monkeypatch, rows, vehicles):
    whole = make(tmp_path / "whole.csv", rows=rows, vehicles=vehicles)[1]
    monkeypatch.setattr(generator, "_CHUNK_ROWS", 1)
    assert make(tmp_path / "parts.csv", rows=rows, vehicles=vehicles)[1] == whole


def test_fewer_rows_are_the_beginning_of_more(tmp_path):
    more = make(tmp_path / "more.csv", rows=9_000, vehicles=15)[1]
    fewer = make(tmp_path / "fewer.csv", rows=5_003, vehicles=15)[1]
    assert fewer == b"".join(more.splitlines(keepends=True)[:5_004])


def test_csv_is_written_as_the_published_files_are(tmp_path):
    report, data = make(tmp_path / "x.csv", rows=20_000, dirty_share=0)
    lines = data.decode().splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    row = re.compile(
        r"\d\d/\d\d/\d{4} (0[1-9]|1[0-2]):[0-5]\d:[0-5]\d [AP]M,bsm(Tx|LogDuringEvent),"
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12},\d+,\d+,\d+,\d+,"
        r"\d\d/\d\d/\d{4} (0[1-9]|1[0-2]):[0-5]\d:[0-5]\d [AP]M,[0-9A-F]{8},\d{1,3},\d{1,5},"
        r"(?P<lat>-?\d+\.\d{7}),(?P<lon>-?\d+\.\d{7}),\d+\.\d,\d\.\d\d,\d\.\d\d,-?\d+\.\d\d,"
        r"\d+\.\d\d,\d+\.\d{4},POINT \((?P=lon) (?P=lat)\)"
    )
    assert [line for line in lines[1:] if not row.fullmatch(line)] == []
    assert (report.rows, report.bytes) == (20_000, len(data))
    assert len(lines) == 20_001


@pytest.mark.parametrize("start", ["2019-12-31T23:59:50", "2020-02-29T11:45:00.250"])
def test_times_are_what_pandas_reads_and_cross_noon_and_new_year(tmp_path, start):
    make(tmp_path / "x.csv", rows=12_000, vehicles=10, start=start, dirty_share=0)
    read = pd.read_csv(tmp_path / "x.csv", dtype=str)
    frame = synthesize_frame(SynthParams(rows=12_000, vehicles=10, start=start, dirty_share=0))
    for name in ("metadata_generatedAt", "metadata_receivedAt"):
        times = pd.to_datetime(read[name], format="%m/%d/%Y %I:%M:%S %p").astype("datetime64[us]")
        pd.testing.assert_series_equal(times, frame[name])
    assert (frame["metadata_receivedAt"] >= frame["metadata_generatedAt"]).all()


@pytest.mark.parametrize(
    ("rows", "vehicles", "expected"),
    [(1, None, 1), (9, 40, 9), (10_000, None, 40), (5_000, 1, 1), (3_333, 37, 37), (400, 400, 400)],
)
def test_every_vehicle_takes_part_and_ids_differ(tmp_path, rows, vehicles, expected):
    report, _ = make(tmp_path / "x.csv", rows=rows, vehicles=vehicles, dirty_share=0)
    ids = pd.read_csv(tmp_path / "x.csv", dtype=str)["coreData_id"]
    assert report.vehicles == ids.nunique() == expected
    assert len(ids) == rows


def test_default_is_a_vehicle_for_250_rows():
    assert fleet_of(SynthParams(rows=1_000_000)).vehicles == 4_000
    assert fleet_of(SynthParams(rows=100)).vehicles == 10


def test_frame_has_the_vocabularys_types(clean):
    assert list(clean.columns) == ["row_number", *COLUMNS]
    assert {name: str(clean[name].dtype) for name in clean} == {name: BY_NAME[name].dtype for name in clean}
    assert clean["row_number"].tolist() == list(range(len(clean)))
    assert not clean.isna().to_numpy().any()
    assert list(synthesize_frame(SynthParams(rows=3), names=[LAT]).columns) == ["row_number", LAT]
    with pytest.raises(ValueError, match="'nope'"):
        synthesize_frame(SynthParams(rows=3), names=["nope"])


def test_three_formats_and_the_frame_hold_the_same_values(tmp_path):
    params = {"rows": 6_000, "dirty_share": 0.2}
    frame = synthesize_frame(SynthParams(**params)).drop(columns="row_number")
    for suffix in (".csv", ".parquet", ".jsonl"):
        make(tmp_path / f"x{suffix}", **params)
    times = [name for name in COLUMNS if BY_NAME[name].kind == "time"]
    labels = [name for name in COLUMNS if BY_NAME[name].kind == "label"]
    dtypes = {name: "str" if name in (*times, *labels) else BY_NAME[name].dtype for name in COLUMNS}
    csv = pd.read_csv(tmp_path / "x.csv", dtype=dtypes, keep_default_na=False, na_values=[""])
    arrow = pq.read_table(tmp_path / "x.parquet").to_pandas().astype({k: v for k, v in dtypes.items() if v == "Int64"})
    lines = parse_json_lines((tmp_path / "x.jsonl").read_bytes(), first_line=1, columns=COLUMNS, required=COLUMNS)
    assert lines.rejects == []
    for name in times:
        csv[name] = pd.to_datetime(csv[name], format="%m/%d/%Y %I:%M:%S %p").astype("datetime64[us]")
        lines.frame[name] = pd.to_datetime(lines.frame[name]).dt.tz_localize(None).astype("datetime64[us]")
    pd.testing.assert_frame_equal(csv, arrow)
    pd.testing.assert_frame_equal(lines.frame.drop(columns="coreData_position"), csv.drop(columns="coreData_position"))
    for name in COLUMNS:
        if BY_NAME[name].unavailable:
            csv[name] = csv[name].mask(csv[name].isin(BY_NAME[name].unavailable))
    assert {str(frame[name].cat.categories.dtype) for name in labels} == {"str"}
    pd.testing.assert_frame_equal(csv, frame.astype(dict.fromkeys(labels, "str")))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_dirty_share_is_the_share_of_rows_with_a_missing_value(share):
    frame = synthesize_frame(SynthParams(rows=20_000, dirty_share=share))
    assert frame.isna().any(axis=1).mean() == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 20_000))


def test_dirty_rows_have_empty_cells_and_unavailable_codes_of_each_kind(tmp_path):
    make(tmp_path / "x.csv", rows=5_000, dirty_share=1)
    text = pd.read_csv(tmp_path / "x.csv", dtype=str, keep_default_na=False)
    for name, code in {
        LAT: "90.0000001", LON: "180.0000001", SPEED: "163.82", HEADING: "360.0000", "coreData_elevation": "-409.6",
        "coreData_secMark": "65535", "coreData_accuracy_semiMajor": "12.75", "coreData_accuracy_semiMinor": "12.75",
    }.items():  # fmt: skip
        assert (text[name] == code).sum() > 200, name
    for name in (LAT, LON, SPEED, HEADING, "coreData_id", "metadata_generatedAt", "coreData_position", YAW):
        assert (text[name] == "").sum() > 200, name
    recoverable = (text[LAT] == "") & (text["coreData_position"] != "")
    assert recoverable.sum() > 200
    clean = synthesize_frame(SynthParams(rows=5_000, dirty_share=0))
    from_point = text["coreData_position"].str.extract(r"POINT \(\S+ (\S+)\)")[0].astype(float)
    assert (from_point[recoverable] == clean[LAT][recoverable]).all()


@pytest.mark.parametrize(("lon", "lat"), [(180.0, 0.0), (0.0, 0.0), (-180.0, -80.0), (10.0, 80.0)])
def test_awkward_places_keep_seven_decimals_and_the_range_of_longitude(tmp_path, lon, lat):
    make(tmp_path / "x.csv", rows=3_000, centre_lon_deg=lon, centre_lat_deg=lat, spread_km=0.001, dirty_share=0)
    text = pd.read_csv(tmp_path / "x.csv", dtype=str)
    for name in (LAT, LON):
        assert text[name].str.fullmatch(r"-?\d{1,3}\.\d{7}").all()
    assert text[LON].astype(float).between(-180, 180, inclusive="left").all()
    _, _, distance_m = GEOD.inv(
        np.full(3_000, lon), np.full(3_000, lat), text[LON].astype(float), text[LAT].astype(float)
    )
    assert distance_m.max() < 2_500


def test_decimals_smaller_than_a_millionth_are_spelled_out():
    from cdpipe.synthetic.writers import _decimal_text

    values = np.array([-100, -12, -9, -1, 0, 1, 9, 10, 2**40])
    expected = [f"{value / 1e7:.7f}" for value in values.tolist()]
    assert _decimal_text(values, 7).to_pylist() == expected
    assert _decimal_text(values[4:-1], 7).to_pylist() == expected[4:-1]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"rows": 0}, "greater than or equal to 1.*input_value=0"),
        ({"rows": -5}, "greater than or equal to 1.*input_value=-5"),
        ({"rows": 10, "vehicles": 0}, "vehicles"),
        ({"rows": 10, "dirty_share": 1.5}, "dirty_share"),
        ({"rows": 10, "seed": -1}, "seed"),
        ({"rows": 10, "centre_lat_deg": 89.0}, "less than or equal to 80"),
        ({"rows": 10, "spread_km": float("inf")}, "spread_km"),
        ({"rows": 10, "speeed": 1}, "speeed"),
        ({"rows": 10**8, "vehicles": 10**8, "start": "9800-01-01"}, "ask for fewer vehicles or rows"),
    ],
)
def test_bad_parameters_are_named(bad, words):
    with pytest.raises(ValueError, match=f"(?s){words}"):
        SynthParams(**bad)


def test_parameters_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        SynthParams(rows=1).rows = 2


def test_unwritable_places_are_named_with_a_way_out(tmp_path):
    params = SynthParams(rows=10)
    with pytest.raises(ValueError, match=r"x\.txt.*end its name in one of \.csv, \.parquet, \.jsonl"):
        synthesize(tmp_path / "x.txt", params)
    with pytest.raises(FileNotFoundError, match=r"absent/x\.csv.*choose another"):
        synthesize(tmp_path / "absent" / "x.csv", params)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder\.csv.*name a file in it"):
        synthesize(tmp_path / "folder.csv", params)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match=r"file/x\.csv"):
        synthesize(tmp_path / "file" / "x.csv", params)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_appears_whole_or_not_at_all(tmp_path, monkeypatch, suffix):
    out = tmp_path / f"x{suffix}"
    out.write_text("old")
    monkeypatch.setattr(generator, "_CHUNK_ROWS", 2_500)
    chunks = iter(range(3))
    soil = generator._soil
    monkeypatch.setattr(generator, "_soil", lambda *a: soil(*a) if next(chunks) < 2 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        synthesize(out, SynthParams(rows=20_000))
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.slow
def test_memory_does_not_grow_with_rows(tmp_path):
    code = (
        "import resource, sys; from pathlib import Path; from cdpipe.synthetic.generator import *;"
        "synthesize(Path(sys.argv[1]), SynthParams(rows=int(sys.argv[2])));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    few, many = (
        int(subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.csv"), rows], check=True, capture_output=True,
                           env={**os.environ, "PYTHONPATH": str(Path(generator.__file__).parents[2])}).stdout)
        for rows in ("200000", "600000")
    )  # fmt: skip
    assert many - few < 40_000, f"peak grew from {few} to {many} KB for 400,000 rows more"
