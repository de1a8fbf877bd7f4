"""The twelve wrong answers of the pipeline that people use today: each would fail here if it came back.

Found by running it: seeds, axes, units, boxes, cache keys, singletons, splits, parsing, bearings, dead keys, caps.
"""

import json
import math
import os
from itertools import pairwise

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from pyproj import Geod

from cdpipe import RunConfig, attack, clean, features, gather, read, run
from cdpipe.engine.cache.store import CacheParams, Store, identify, key
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.stages import STAGES
from cdpipe.stages.attacks import ATTACKS
from cdpipe.stages.attacks.offset_const import OffsetConst
from cdpipe.stages.attacks.offset_const_per_id import OffsetConstPerId
from cdpipe.stages.attacks.offset_rand import OffsetRand
from cdpipe.stages.attacks.override_const import OverrideConst
from cdpipe.stages.clean import CleanParams, Filters
from cdpipe.stages.features import FeatureParams
from cdpipe.stages.filters import BoundingBox, Dates, Within
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.synthetic.generator import SynthParams, synthesize
from cdpipe.training.split import split
from cdpipe.training.train import TrainParams, train

GEOD = Geod(ellps="WGS84")
CENTRE = {"latitude": 41.5430216, "longitude": -106.0831353}
MILLIMETRE = 1e-3


def messages(lon, lat, *, ids=None, times="2019-07-01T06:00:00", **columns):
    """Messages at these places, one vehicle each unless ids are given."""
    rows = np.size(lon)
    return pd.DataFrame(
        {
            "metadata_generatedAt": pd.to_datetime(pd.Series([times] * rows if isinstance(times, str) else times)),
            "coreData_id": pd.Series([f"{i:08X}" for i in range(rows)] if ids is None else ids, dtype="str"),
            "coreData_position_lat": np.broadcast_to(np.asarray(lat, float), rows),
            "coreData_position_long": np.broadcast_to(np.asarray(lon, float), rows),
            "coreData_elevation": 2_000.0,
            "coreData_speed": 10.0,
            "coreData_heading": 90.0,
            **columns,
        }
    )


PLAIN = CleanParams(columns=("metadata_generatedAt", "coreData_id"), required=("coreData_id",))


def cleaned(frame, **changed):
    return clean(frame, CleanParams(**{**PLAIN.model_dump(exclude_unset=True), **changed}))[0]


def in_partitions(frame, partitions):
    bounds = np.linspace(0, len(frame), partitions + 1).astype(int)
    pieces = [dask.delayed(frame.iloc[a:b]) for a, b in pairwise(bounds)]
    return dd.from_delayed(pieces, meta=frame.iloc[:0], verify_meta=False)


def attacked_in_partitions(frame, params, partitions):
    return attack(in_partitions(frame, partitions), params)[0].compute(scheduler="threads").reset_index(drop=True)


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    path = tmp_path_factory.mktemp("synthetic") / "bsm.csv"
    synthesize(path, SynthParams(rows=3_000, vehicles=40, dirty_share=0))
    return path


@pytest.fixture(scope="module")
def synthetic(csv):
    return clean(read(csv)[0].compute(scheduler="sync"))[0]


def tables(csv, out, **changed):
    given = {
        "input": {"paths": [str(csv)]},
        "cache": {"directory": str(out / "cache")},
        "output": {"directory": str(out / "out")},
        "train": {"trees": 3, "classifiers": ["DecisionTree"]},
    }
    return {**given, **{k: {**given.get(k, {}), **v} if isinstance(v, dict) else v for k, v in changed.items()}}


def data_set(out):
    parts = sorted((out / "out" / "dataset").glob("*.parquet"))
    return pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)


# 1


def test_fault_01_the_same_seed_in_every_partition():
    """4,000 attackers in 8 partitions had 500 distinct offsets, and labels that repeated in every partition."""
    frame = cleaned(messages(np.full(4_000, -106.0), 41.5))
    for kind in (OffsetRand, OffsetConstPerId):
        moved = attacked_in_partitions(frame, kind(ratio=1.0), 8)
        assert len(moved[["x_pos", "y_pos"]].drop_duplicates()) == 4_000
    for by in ("row", "vehicle"):
        labels = attacked_in_partitions(frame, OffsetRand(choose_by=by), 8)["isAttacker"].to_numpy().reshape(8, 500)
        assert len({row.tobytes() for row in labels}) == 8


# 2


@pytest.mark.parametrize("kind", ATTACKS)
@pytest.mark.parametrize("by", ["vehicle", "row"])
def test_fault_02_results_depend_on_partitioning_and_row_order(synthetic, kind, by):
    params = kind(choose_by=by, centre=CENTRE)
    whole, _ = attack(synthetic, params)
    for partitions in (1, 3, 16):
        pd.testing.assert_frame_equal(attacked_in_partitions(synthetic, params, partitions), whole, check_exact=True)
    mixed, _ = attack(synthetic.sample(frac=1, random_state=1), params)
    mixed = mixed.sort_values("row_number", ignore_index=True)
    pd.testing.assert_frame_equal(mixed, whole, check_exact=True)


# 3


@pytest.mark.parametrize(
    ("bearing", "place"), [(0, (0, 1_000)), (90, (1_000, 0)), (180, (0, -1_000)), (270, (-1_000, 0))]
)
def test_fault_03_xy_conversion_swapped_latitude_and_longitude(bearing, place):
    """1,000 m north became (0, 277), and east and west the same point."""
    lon, lat, _ = GEOD.fwd(CENTRE["longitude"], CENTRE["latitude"], bearing, 1_000)
    local = cleaned(messages([lon], [lat]), coordinates="local", centre=CENTRE)
    assert local[["x_pos", "y_pos"]].to_numpy()[0] == pytest.approx(place, abs=MILLIMETRE)


def test_fault_03_a_circle_of_2000_m_was_a_folded_ellipse():
    bearings = np.arange(0, 360, 5.0)
    ones = np.ones_like(bearings)
    lon, lat, _ = GEOD.fwd(CENTRE["longitude"] * ones, CENTRE["latitude"] * ones, bearings, 2_000 * ones)
    local = cleaned(messages(lon, lat), coordinates="local", centre=CENTRE)
    assert np.hypot(local["x_pos"], local["y_pos"]).to_numpy() == pytest.approx(2_000, abs=MILLIMETRE)
    turned = np.degrees(np.arctan2(local["x_pos"], local["y_pos"])) % 360
    assert turned.to_numpy() == pytest.approx(bearings, abs=1e-4)


def test_fault_03_geographic_positions_are_longitude_and_latitude():
    placed = cleaned(messages([-106.25], [41.5]))
    assert placed[["x_pos", "y_pos"]].to_numpy().tolist() == [[-106.25, 41.5]]
    point = messages([0.0], [0.0], coreData_position=pd.Series(["POINT (-106.25 41.5)"], dtype="str"))
    assert cleaned(point, position="point")[["x_pos", "y_pos"]].to_numpy().tolist() == [[-106.25, 41.5]]


# 4


def test_fault_04_degrees_were_converted_to_radians_before_a_geodesic_that_expects_degrees(synthetic):
    """An offset of 1,000 m became 23 m."""
    moved, _ = attack(synthetic, OffsetConst(ratio=1.0, distance_m=1_000, bearing_deg=30))
    bearing, _, distance = GEOD.inv(synthetic["x_pos"], synthetic["y_pos"], moved["x_pos"], moved["y_pos"])
    assert np.asarray(distance) == pytest.approx(1_000, abs=MILLIMETRE)
    assert np.asarray(bearing) == pytest.approx(30, abs=1e-6)


def test_fault_04_a_radius_filter_kept_everything():
    bearings = np.linspace(0, 359, 500)
    distances = np.linspace(10, 100_000, 500)
    origin = np.full(500, CENTRE["longitude"]), np.full(500, CENTRE["latitude"])
    lon, lat, _ = GEOD.fwd(*origin, bearings, distances)
    kept = cleaned(messages(lon, lat), filters=Filters(within=Within(**CENTRE, radius_m=20_000)))
    assert kept["row_number"].tolist() == np.flatnonzero(distances <= 20_000).tolist()


# 5


@pytest.mark.parametrize("lat0", [0.0, 41.5, 60.0, 70.0, 85.0, 89.99, 90.0, -60.0, -90.0])
@pytest.mark.parametrize("lon0", [-106.0, 0.0, 179.99, -179.99, 180.0])
def test_fault_05_a_box_before_the_exact_test_lost_valid_points(lat0, lon0):
    """A quarter at 60 degrees north, half at 70; it divided by zero at one latitude and broke at the antimeridian."""
    radius = 2_000.0
    bearings = np.repeat(np.arange(0, 360, 3.0), 4)
    distances = np.tile([radius - 2 * MILLIMETRE, radius + 2 * MILLIMETRE, 1_000.0, 2_500.0], 120)
    lon, lat, _ = GEOD.fwd(np.full(480, lon0), np.full(480, lat0), bearings, distances)
    within = Within(latitude=lat0, longitude=lon0, radius_m=radius)
    kept = cleaned(messages(lon, lat), filters=Filters(within=within))["row_number"]
    assert kept.tolist() == np.flatnonzero(distances <= radius).tolist()


def test_fault_05_a_box_may_cross_the_antimeridian():
    box = BoundingBox(south=-10, north=10, west=179, east=-179)
    kept = cleaned(messages([179.5, -179.5, 0.0, 178.9], 0.0), filters=Filters(bbox=box))
    assert kept["row_number"].tolist() == [0, 1]


def test_fault_05_haversine_was_metres_off(synthetic):
    """At 2 km a sphere is 2 to 5 m off: between such points the filter must decide as the ellipsoid does."""
    lon, lat, _ = GEOD.fwd([0.0] * 4, [45.0] * 4, [0, 0, 90, 90], [1_999.9, 2_000.1, 1_999.9, 2_000.1])
    inside = Filters(within=Within(latitude=45, longitude=0, radius_m=2_000))
    assert cleaned(messages(lon, lat), filters=inside)["row_number"].tolist() == [0, 2]
    sphere = 6_371_008.8 * np.radians(abs(np.asarray(lat)[:2] - 45))
    assert (sphere < 2_000).tolist() != [True, False]


# 6


def test_fault_06_the_cache_key_left_out_the_data(tmp_path, csv):
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    text = csv.read_text()
    one.write_text(text)
    other.write_text(text.replace("2154.6", "2154.7"))
    assert one.stat().st_size == other.stat().st_size
    run(RunConfig(**tables(one, tmp_path, train=None)))
    found = run(RunConfig(**tables(other, tmp_path, train=None)))
    assert set(found.cache.values()) == {"miss"}
    assert set(data_set(tmp_path)["coreData_elevation"]) & {2154.7}


def test_fault_06_the_cache_key_left_out_the_columns(tmp_path, csv):
    """A second cleaner got the rows of the first."""
    run(RunConfig(**tables(csv, tmp_path, train=None)))
    narrow = {"columns": ["x_pos", "coreData_accelset_accelYaw"]}
    found = run(RunConfig(**tables(csv, tmp_path, train=None, features=narrow)))
    assert found.cache["features"] == "miss"
    assert "coreData_accelset_accelYaw" in data_set(tmp_path)


def test_fault_06_joined_parts_collided():
    assert key("a_b", 1, {}, "c") != key("a", 1, {}, "b_c")
    assert key("a", 1, {"x": "1_2"}, "") != key("a", 1, {"x": "1", "2": ""}, "")
    assert key("a", 1, {"x": 1}, "") != key("a", 1, {"x": "1"}, "")
    assert key("a", 11, {}, "") != key("a", 1, {}, "1")


def test_fault_06_a_cleaned_data_set_was_keyed_by_the_name_of_the_pipeline(tmp_path, csv):
    """A distance of 500 returned 10,000 stale rows for 247 true ones."""
    rows = []
    for radius in (15_000.0, 8_000.0, 15_000.0):
        within = {"filters": {"within": {**CENTRE, "radius_m": radius}}}
        report = run(RunConfig(**tables(csv, tmp_path, train=None, clean=within)))
        rows.append((report.ledgers["clean"].rows_out, len(data_set(tmp_path)), report.cache["features"]))
    assert rows[0][0] > rows[1][0] > 0
    assert all(counted == stored for counted, stored, _ in rows)
    assert [cache for _, _, cache in rows] == ["miss", "miss", "hit"]
    assert rows[0][0] == rows[2][0]


def test_fault_06_a_stale_parquet_beside_a_replaced_csv_was_read(tmp_path, csv):
    source = tmp_path / "a.csv"
    lines = csv.read_text().splitlines(keepends=True)
    source.write_text("".join(lines[:1001]))
    run(RunConfig(**tables(source, tmp_path, train=None)))
    stamp = source.stat()
    source.write_text("".join([lines[0], *lines[1001:2001]]))
    os.utime(source, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    found = run(RunConfig(**tables(source, tmp_path, train=None)))
    assert set(found.cache.values()) == {"miss"}
    run(RunConfig(**tables(source, tmp_path / "fresh", train=None)))
    pd.testing.assert_frame_equal(data_set(tmp_path), data_set(tmp_path / "fresh"))


def test_fault_06_the_identity_of_a_file_follows_its_content_and_its_name_s_target(tmp_path):
    (tmp_path / "a").write_text("one")
    before = identify(tmp_path / "a")
    assert identify(tmp_path / "a") == before
    (tmp_path / "a").write_text("two")
    assert identify(tmp_path / "a") != before


def test_fault_06_the_format_of_a_file_is_part_of_what_it_is(tmp_path, csv):
    (tmp_path / "a.csv").write_bytes(csv.read_bytes())
    (tmp_path / "a.json").symlink_to(tmp_path / "a.csv")
    run(RunConfig(**tables(tmp_path / "a.csv", tmp_path, train=None)))
    with pytest.raises(ValueError, match="not JSON"):
        run(RunConfig(**tables(tmp_path / "a.json", tmp_path, train=None)))


# 7


def test_fault_07_process_wide_singletons_ignored_a_second_configuration(tmp_path, csv):
    reports = {
        seed: run(RunConfig(**tables(csv, tmp_path / str(seed), seed=seed, session={"threads_per_worker": seed})))
        for seed in (1, 2)
    }
    assert [each.config["attack"]["seed"] for each in reports.values()] == [1, 2]
    assert not data_set(tmp_path / "1").equals(data_set(tmp_path / "2"))
    for seed in (1, 2):
        assert (tmp_path / str(seed) / "cache").is_dir()
        with open_session(SessionParams(threads_per_worker=seed)) as session:
            assert session.threads == seed
    stores = [Store(CacheParams(directory=tmp_path / f"cache-{gb}", limit_gb=gb)) for gb in (1, 2)]
    assert [store.limit_bytes for store in stores] == [10**9, 2 * 10**9]
    assert stores[0].directory != stores[1].directory
    for store in stores:
        store.close()


# 8


def featured(synthetic, **attacked):
    return features(attack(synthetic, OffsetRand(**attacked))[0])[0]


def test_fault_08_a_random_split_was_head_and_tail(synthetic):
    """With rows sorted by label, head and tail would leave one class to learn, and the split must not care."""
    frame = featured(synthetic)
    by_label = frame.sort_values("isAttacker", kind="stable", ignore_index=True)
    trained = train(by_label, TrainParams(split="row", classifiers=["DecisionTree"]))
    assert trained.test_rows == round(0.2 * len(frame))
    counts = trained.fitted[0].metrics
    attackers = counts.true_positives + counts.false_negatives
    share = frame["isAttacker"].mean()
    assert attackers / trained.test_rows == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 600))


def test_fault_08_attackers_were_chosen_separately_in_train_and_test(synthetic):
    """A vehicle attacks in the whole data set or not at all: 30 % of all vehicles, not of each side."""
    frame = featured(synthetic)
    labels = frame.groupby("vehicle")["isAttacker"]
    assert (labels.min() == labels.max()).all()
    assert labels.max().sum() == round(0.3 * frame["vehicle"].nunique())


@pytest.mark.parametrize("by", ["row", "vehicle", "time"])
def test_fault_08_a_repeated_index_scrambled_row_order(synthetic, by):
    frame = featured(synthetic)
    params = TrainParams(split=by, trees=3, classifiers=["RandomForest", "KNeighbors"])
    expected = [each.metrics for each in train(frame, params).fitted]
    repeated = frame.set_axis(np.arange(len(frame)) % 7)
    assert [each.metrics for each in train(repeated, params).fitted] == expected
    attacked, _ = attack(synthetic.set_axis(np.zeros(len(synthetic), int)), OffsetRand())
    assert attacked["x_pos"].to_numpy().tobytes() == attack(synthetic, OffsetRand())[0]["x_pos"].to_numpy().tobytes()


# 9


def test_fault_09_one_bad_hex_id_nulled_a_whole_partition(synthetic):
    ids = ["A0F1B2C3", "not hex", "0xa1b2c3d4", "0012345678", "12345678.0", "3.145", "FFFFFFFFFFFFFFFF"]
    frame = attack(cleaned(messages([-106.0] * 7, 41.5, ids=ids)), OffsetRand())[0]
    out, ledger = features(frame, FeatureParams(columns=("coreData_id", "x_pos")))
    expected = [0xA0F1B2C3, None, 0xA1B2C3D4, 0x0012345678, 0x12345678, None, 2**64 - 1]
    assert [None if pd.isna(value) else int(value) for value in out["coreData_id"]] == expected
    assert ledger.notes == {"ids that are no hexadecimal number of 64 bits": 2}


def test_fault_09_ids_silently_became_floats(tmp_path):
    """All-digit ids stay text, leading zeros included; ids held as numbers are refused, not guessed."""
    text = "metadata_generatedAt,coreData_id,coreData_position_lat,coreData_position_long\n"
    text += "".join(f"2019-07-01T06:00:00Z,{name},41.5,-106.0\n" for name in ("00000012", "12345678", "1E5", ""))
    (tmp_path / "a.csv").write_text(text)
    frame = read(tmp_path / "a.csv")[0].compute()
    assert frame["coreData_id"].cat.categories.dtype == "str"
    assert frame["coreData_id"].astype(object).where(frame["coreData_id"].notna(), "-").tolist() == [
        "00000012",
        "12345678",
        "1E5",
        "-",
    ]
    numbers = messages([-106.0], 41.5).assign(coreData_id=[12345678.0])
    with pytest.raises(TypeError, match="'coreData_id' must hold text"):
        clean(numbers, PLAIN)


@pytest.mark.parametrize("text", ["31/07/2019 12:41:59 PM", "13/01/2019 01:00:00 AM", "2019-31-07T00:00:00"])
def test_fault_09_a_mixed_format_accepted_day_and_month_swapped(tmp_path, text):
    (tmp_path / "a.csv").write_text(
        "metadata_generatedAt,coreData_id,coreData_position_lat,coreData_position_long\n"
        f"{text},A,41.5,-106.0\n07/08/2019 12:41:59 PM,A,41.5,-106.0\n"
    )
    frame, ledger = read(tmp_path / "a.csv")
    assert ledger.compute().dropped == {"metadata_generatedAt: not a timestamp": 1}
    assert frame.compute()["metadata_generatedAt"].tolist() == [pd.Timestamp("2019-07-08 12:41:59")]


def test_fault_09_a_date_range_across_months_kept_nothing():
    times = pd.date_range("2019-06-15", "2020-02-15", freq="12h")
    kept = cleaned(
        messages(np.full(len(times), -106.0), 41.5, times=times),
        filters=Filters(dates=Dates(first="2019-07-30", last="2020-01-02")),
    )
    expected = (times >= "2019-07-30") & (times < "2020-01-03")
    assert kept["row_number"].tolist() == np.flatnonzero(expected).tolist()
    assert expected.sum() == 2 * 157


# 10


@pytest.mark.parametrize("kind", [OffsetConst, OverrideConst])
@pytest.mark.parametrize("bearing", [0.0, 45.0, 90.0, 135.0, 270.0])
def test_fault_10_angles_went_two_ways_round(kind, bearing):
    """Counter-clockwise from east in one mode, clockwise from north in the other; both must agree, and with pyproj."""
    frame = messages([CENTRE["longitude"]], [CENTRE["latitude"]])
    expected = GEOD.fwd(CENTRE["longitude"], CENTRE["latitude"], bearing, 1_000)[:2]
    how = {"ratio": 1.0, "bearing_deg": bearing, "distance_m": 1_000, "centre": CENTRE}
    moved = attack(cleaned(frame), kind(**how))[0]
    _, _, gap_m = GEOD.inv(moved["x_pos"].iloc[0], moved["y_pos"].iloc[0], *expected)
    assert gap_m < MILLIMETRE
    local = attack(cleaned(frame, coordinates="local", centre=CENTRE), kind(**how, coordinates="local"))[0]
    truth = 1_000 * math.sin(math.radians(bearing)), 1_000 * math.cos(math.radians(bearing))
    assert local[["x_pos", "y_pos"]].to_numpy()[0] == pytest.approx(truth, abs=MILLIMETRE)


# 11: tests/contracts/test_fault_11_config_keys.py, a test for each key


# 12


def test_fault_12_default_input_was_silently_capped_at_100_000_rows(tmp_path):
    synthesize(tmp_path / "a.csv", SynthParams(rows=130_001, dirty_share=0))
    report = run(RunConfig(**tables(tmp_path / "a.csv", tmp_path, train=None)))
    assert [ledger.rows_out for ledger in report.ledgers.values()] == [130_001] * (1 + len(STAGES))
    assert data_set(tmp_path)["row_number"].tolist() == list(range(130_001))
    assert gather(tmp_path / "a.csv", tmp_path / "gathered", GatherParams()).rows_out == 130_001


# Learned nothing


def test_learned_nothing_the_majority_rate_stands_beside_every_score(csv, tmp_path):
    """Classifiers on single messages scored the majority rate (0.70), and nobody could see it."""
    every = {"classifiers": ["RandomForest", "DecisionTree", "KNeighbors"]}
    report = run(RunConfig(**tables(csv, tmp_path, attack={"min_m": 10.0, "max_m": 20.0}, train=every)))
    written = json.loads((tmp_path / "out" / "report.json").read_text())["training"]
    assert written["majority_rate"] == report.trained.majority_rate
    for each in report.trained.fitted:
        counts = each.metrics
        positives = (counts.true_positives + counts.false_negatives) / report.trained.test_rows
        assert report.trained.majority_rate == pytest.approx(max(positives, 1 - positives))


def test_learned_nothing_no_vehicle_is_on_both_sides_by_default(synthetic):
    frame = featured(synthetic)
    assert TrainParams().split == "vehicle"
    keys = {name: frame[name].to_numpy() for name in ("row_number", "vehicle", "time_us")}
    test = split(by="vehicle", test_ratio=0.2, seed=42, **keys)
    assert not set(frame["vehicle"][test]) & set(frame["vehicle"][~test])
    assert frame["vehicle"][test].nunique() == round(0.2 * frame["vehicle"].nunique())
    by_time = split(by="time", test_ratio=0.2, seed=42, **keys)
    assert frame["time_us"][by_time].min() >= frame["time_us"][~by_time].max()
