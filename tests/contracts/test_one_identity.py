"""Invariant 8: one id is one vehicle, in attack, label, split and feature, on every path and in any partitions."""

import csv
import json
from itertools import pairwise

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract_data import join
from vehicle_ids import FORMS, NULLS, number_of, spell, vehicle_of

from cdpipe import attack, clean, features, read
from cdpipe.stages.attacks.offset_const_per_id import OffsetConstPerId
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.features import FeatureParams
from cdpipe.training.split import split

TEXT_FORMS = ("{}", " {}", "{}\r", "\ufeff{}\t", "\xa0{} ")
KEPT = ("metadata_generatedAt", "coreData_id", "coreData_secMark")
OPTIONAL = CleanParams(columns=KEPT, required=())
REQUIRED = CleanParams(columns=KEPT)
ROW = {
    "metadata_generatedAt": "2019-07-31T12:41:59.000Z",
    "coreData_secMark": 59_000,
    "coreData_position_lat": 41.2827318,
    "coreData_elevation": 2179.1,
    "coreData_speed": 7.52,
    "coreData_heading": 82.4375,
}


def write_ids():
    """Ids of 24 vehicles in every form, and of none, in no order."""
    rng = np.random.default_rng(5)
    numbers = [*rng.integers(0, 2**32, 12), 0, 7, 0x45678, 0x10000000, 0x1E10, 2**32, 2**64 - 1, 2**70 + 1]
    texts = [form.format(int(number)) for number in numbers for form in FORMS]
    texts += [form.format(name) for name in ("veh-1", "VEH-1", "5.00E+07", "0xg") for form in TEXT_FORMS]
    texts += NULLS
    return [texts[i] for i in rng.permutation(len(texts))]


IDS = write_ids()


def messages(ids, first):
    """Messages of some vehicles, each somewhere else: its longitude tells it."""
    rows = [
        {**ROW, "coreData_id": text, "coreData_position_long": -105 - (first + i) / 1e4} for i, text in enumerate(ids)
    ]
    return pd.DataFrame(rows).astype({"coreData_id": "str"})


def write_csv(path, frame):
    frame.to_csv(path, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC if "1" in path.name else 0)


def write_json_lines(path, frame):
    def record(row):
        position = {"latitude": row["coreData_position_lat"], "longitude": row["coreData_position_long"]}
        core = {"id": row["coreData_id"], "secMark": 59_000, "speed": 7.52, "heading": 82.4375}
        core["position"] = position | {"elevation": 2179.1}
        metadata = {"recordGeneratedAt": row["metadata_generatedAt"]}
        return json.dumps({"metadata": metadata, "payload": {"data": {"coreData": core}}})

    path.write_text("\n".join(map(record, frame.to_dict("records"))) + "\n", encoding="utf-8")


def write_parquet(path, frame, **options):
    pq.write_table(pa.Table.from_pandas(frame), path, **options)


FILES = {
    "csv": ("csv", write_csv),
    "json lines": ("jsonl", write_json_lines),
    "parquet, plain pages": ("parquet", lambda path, frame: write_parquet(path, frame, use_dictionary=False)),
    "parquet, dictionary pages": ("parquet", write_parquet),
    "parquet, labels": ("parquet", lambda path, frame: write_parquet(path, frame.astype({"coreData_id": "category"}))),
}


def of_files(kind, pieces, folder):
    suffix, write = FILES[kind]
    for i, piece in enumerate(pieces):
        write(folder / f"{i}.{suffix}", piece)
    return read(str(folder / f"*.{suffix}"))[0]


def lay(pieces):
    return dd.from_delayed([dask.delayed(piece) for piece in pieces], meta=pieces[0].iloc[:0], verify_meta=False)


FRAMES = {
    "pandas, text": lambda pieces, _: pd.concat(pieces, ignore_index=True),
    "pandas, objects": lambda pieces, _: pd.concat(pieces, ignore_index=True).astype({"coreData_id": object}),
    "pandas, labels": lambda pieces, _: pd.concat(pieces, ignore_index=True).astype({"coreData_id": "category"}),
    "dask, text": lambda pieces, _: lay(pieces),
    "dask, labels": lambda pieces, _: dd.from_pandas(
        pd.concat(pieces, ignore_index=True).astype({"coreData_id": "category"}), npartitions=len(pieces), sort=False
    ),
}
PATHS = {
    **{kind: lambda pieces, folder, kind=kind: of_files(kind, pieces, folder) for kind in FILES},
    **FRAMES,
}  # fmt: skip


def cut(partitions):
    bounds = np.linspace(0, len(IDS), partitions + 1).astype(int)
    return [messages(IDS[a:b], a) for a, b in pairwise(bounds)]


def computed(frame, ledgers):
    if isinstance(frame, pd.DataFrame):
        return frame, ledgers
    *parts, accounts = dask.compute(*frame.to_delayed(), ledgers, scheduler="sync")
    return join(parts), accounts


def run(frame, params):
    """Clean, attack and make features of a frame; return them with the ledgers of all three."""
    cleaned, first = clean(frame, params)
    attacked, second = attack(cleaned, OffsetConstPerId(ratio=0.4))
    made, third = features(attacked, FeatureParams(columns=("coreData_id", "x_pos", "y_pos")))
    return computed(made, [first, second, third])


def judge(made, ids):
    """Check every message against its id, by Python's own means."""
    spelt = pd.Series([spell(text) for text in ids])
    assert made["vehicle"].tolist() == [vehicle_of(text) for text in ids]
    numbers = [number_of(text) for text in ids]
    expected = [None if number is None or number >= 2**64 else number for number in numbers]
    assert [None if pd.isna(number) else number for number in made["coreData_id"]] == expected
    keys = {name: made[name].to_numpy() for name in ("row_number", "vehicle", "time_us")}
    tests = split(by="vehicle", test_ratio=0.3, seed=3, **keys)
    vehicles = made.assign(test=tests).groupby(spelt)
    for name in ("isAttacker", "test", "vehicle"):
        assert (vehicles[name].min() == vehicles[name].max()).all(), name
    count = spelt.nunique()
    assert vehicles["isAttacker"].first().sum() == round(0.4 * count)
    assert vehicles["test"].first().sum() == round(0.3 * count)
    assert made["vehicle"].nunique() == count


def moved_from(made, ids):
    """How far each message was moved, north and east: one offset a vehicle."""
    start = -105 - made["row_number"] / 1e4
    return pd.DataFrame({"x": made["x_pos"] - start, "y": made["y_pos"] - 41.2827318}).groupby([spell(t) for t in ids])


@pytest.mark.parametrize("partitions", [1, 3, 7])
@pytest.mark.parametrize("path", PATHS)
def test_one_id_is_one_vehicle_in_attack_split_and_feature(path, partitions, tmp_path):
    frame = PATHS[path](cut(partitions), tmp_path)
    made, ledgers = run(frame, OPTIONAL)
    assert made["row_number"].tolist() == list(range(len(IDS)))
    judge(made, IDS)
    offsets = moved_from(made, IDS)
    assert (offsets.max() - offsets.min()).max(axis=None) < 1e-8
    without = sum(number is None or number >= 2**64 for number in map(number_of, IDS))
    assert ledgers[2].notes == {"ids that are no hexadecimal number of 64 bits": without}


@pytest.mark.parametrize("path", PATHS)
def test_an_id_that_says_nothing_is_null_and_dropped_where_ids_are_required(path, tmp_path):
    made, ledgers = run(PATHS[path](cut(3), tmp_path), REQUIRED)
    named = [text for text in IDS if spell(text)]
    assert len(IDS) - len(named) == len(NULLS)
    assert ledgers[0].dropped == {"null in coreData_id": len(NULLS)}
    assert made["row_number"].tolist() == [row for row, text in enumerate(IDS) if spell(text)]
    judge(made, named)


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_frames_that_were_never_cleaned_have_the_same_vehicles(dtype):
    rows = np.arange(len(IDS))
    frame = pd.DataFrame({"row_number": rows, "x_pos": -105 - rows / 1e4, "y_pos": 41.2827318})
    frame["metadata_generatedAt"] = np.datetime64("2019-07-31T12:41:59", "us")
    frame["coreData_id"] = pd.Series(IDS, dtype="str").astype(dtype)
    attacked, _ = attack(frame, OffsetConstPerId(ratio=0.4))
    made, _ = features(attacked, FeatureParams(columns=("coreData_id", "x_pos", "y_pos")))
    judge(made, IDS)
    expected = run(PATHS["pandas, text"](cut(1), None), OPTIONAL)[0]
    marked = ["time_is_coarse"]  # this frame has no second marks
    pd.testing.assert_frame_equal(made.drop(columns=marked), expected.drop(columns=marked), check_exact=True)
