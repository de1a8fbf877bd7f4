"""Files of other layouts, with labels of their own: named columns, units, metres, and what becomes of labels."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdpipe.config.model import ConfigError, parse_config
from cdpipe.engine.files.parts import read_part
from cdpipe.engine.files.paths import SourceError
from cdpipe.pipeline import run

COLUMNS = {
    "time": "sendTime",
    "id": "sender",
    "x": "pos_x",
    "y": "pos_y",
    "speed": ["spd_x", "spd_y"],
    "heading": ["hed_x", "hed_y"],
}


def traffic(rows=600, vehicles=30, seed=3):
    """Messages as VeReMi's tables have them: seconds, metres, vectors, a label for each."""
    rng = np.random.default_rng(seed)
    sender = rng.integers(0, vehicles, rows)
    way = rng.uniform(0, 2 * np.pi, rows)
    return pd.DataFrame(
        {
            "sendTime": 28_800 + np.sort(rng.uniform(0, 600, rows)).round(6),
            "sender": 10_001 + 6 * sender,
            "messageID": np.arange(rows),
            "pos_x": rng.normal(1_000, 300, rows),
            "pos_y": rng.normal(900, 300, rows),
            "spd_x": 12 * np.sin(way),
            "spd_y": 12 * np.cos(way),
            "hed_x": np.sin(way),
            "hed_y": np.cos(way),
            "nttack": (sender % 3 == 0).astype(int),
        }
    )


def configure(paths, out, **tables):
    given = {
        "input": {"paths": [str(path) for path in paths], "columns": COLUMNS},
        "labels": {"column": "nttack"},
        "train": None,
        "output": {"directory": str(out)},
        "cache": {"enabled": False},
        "session": {"threads_per_worker": 1},
    }
    for name, table in tables.items():
        given[name] = table if table is None or name not in given else {**(given[name] or {}), **table}
    return parse_config({name: table for name, table in given.items() if table is not None or name == "train"})


def dataset(out):
    parts = sorted((out / "dataset").rglob("*.parquet"))
    return pd.concat(map(read_part, parts), ignore_index=True)


def rejects(out):
    return [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def table():
    return traffic()


@pytest.fixture(scope="module")
def csv_file(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("labelled") / "messages.csv"
    table.to_csv(path, index=False)
    return path


def test_a_table_of_another_layout_goes_from_end_to_end(table, csv_file, tmp_path):
    train = {"classifiers": ["DecisionTree"]}
    report = run(configure([csv_file], tmp_path / "out", train=train))
    made = dataset(tmp_path / "out")
    assert list(made)[-6:] == ["x_pos", "y_pos", "coreData_speed", "coreData_heading", "isAttacker", "isFalse"]
    np.testing.assert_array_equal(made["x_pos"], table["pos_x"])
    np.testing.assert_array_equal(made["y_pos"], table["pos_y"])
    np.testing.assert_allclose(made["coreData_speed"], 12)
    ways = np.degrees(np.arctan2(table["hed_x"], table["hed_y"])) % 360
    np.testing.assert_allclose(made["coreData_heading"], ways)
    np.testing.assert_array_equal(made["time_us"], np.rint(table["sendTime"] * 1e6))
    np.testing.assert_array_equal(made["isAttacker"], table["nttack"])
    np.testing.assert_array_equal(made["isFalse"], table["nttack"])
    assert made["vehicle"].nunique() == table["sender"].nunique()
    assert report.trained.features == ("x_pos", "y_pos", "coreData_speed", "coreData_heading")
    assert report.ledgers["gather"].rows_out == report.ledgers["features"].rows_out == len(table)


@pytest.mark.parametrize("suffix", ["parquet", "csv.gz"])
@pytest.mark.parametrize("block_mb", [0.01, 0.03])
def test_the_answer_is_the_same_from_parquet_or_packed_and_in_any_blocks(table, csv_file, tmp_path, suffix, block_mb):
    path = tmp_path / f"messages.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path, row_group_size=97)
    else:
        table.to_csv(path, index=False)
    run(configure([csv_file], tmp_path / "one"))
    run(configure([path], tmp_path / "other", gather={"block_mb": block_mb}))
    pd.testing.assert_frame_equal(dataset(tmp_path / "other"), dataset(tmp_path / "one"), check_exact=True)


def test_positions_in_degrees_and_units_may_be_mapped_too(table, tmp_path):
    mapped = {
        "time": {"column": "ms", "unit": "ms"},
        "id": "car",
        "latitude": "lat",
        "longitude": {"column": "lon", "unit": "rad"},
        "speed": {"column": "v", "unit": "km/h"},
        "heading": {"column": "yaw", "unit": "rad_ccw_east"},
        "attacker": "kind",
    }
    rows = pd.DataFrame(
        {
            "ms": [1_564_576_919_500, 1_564_576_920_000],
            "car": ["A1", "B2"],
            "lat": [41.5, 41.6],
            "lon": np.radians([-106.0, -106.1]),
            "v": [36.0, 72.0],
            "yaw": [0.0, np.pi],
            "kind": ["benign", "A13"],
        }
    )
    rows.to_csv(tmp_path / "m.csv", index=False)
    tables = {"input": {"columns": mapped}, "labels": None, "attack": {"kind": "given"}}
    run(configure([tmp_path / "m.csv"], tmp_path / "out", **tables))
    made = dataset(tmp_path / "out")
    np.testing.assert_allclose(made["x_pos"], [-106.0, -106.1])
    np.testing.assert_allclose(made["coreData_speed"], [10, 20])
    np.testing.assert_allclose(made["coreData_heading"], [90, 270])
    assert made["time_us"].tolist() == [1_564_576_919_500_000, 1_564_576_920_000_000]
    assert made["isAttacker"].tolist() == [0, 1]


def test_cells_that_cannot_be_read_are_rejected_by_the_file_s_own_names(table, tmp_path):
    lines = table.head(6).astype(str)
    lines.loc[0, "pos_x"] = "far"
    lines.loc[1, "spd_y"] = "fast"
    lines.loc[2, "sendTime"] = "9e99"
    lines.loc[3, "nttack"] = "perhaps"
    lines.loc[4, "nttack"] = ""
    lines.to_csv(tmp_path / "m.csv", index=False)
    report = run(configure([tmp_path / "m.csv"], tmp_path / "out"))
    told = {each["line"]: each["reason"] for each in rejects(tmp_path / "out")}
    assert told == {
        2: "pos_x: 'far' is not a number",
        3: "spd_y: 'fast' is not a number",
        4: "sendTime: '9e99' is not a time in s since 1970",
        5: "nttack: 'perhaps' is no label: neither a number nor a word such as benign; list what is honest in "
        "labels.honest",
    }
    assert report.ledgers["clean"].dropped == {"null in given_isAttacker": 1}
    assert len(dataset(tmp_path / "out")) == 1


@pytest.mark.parametrize("held", [bool, "int8", "float64", str])
def test_labels_in_parquet_may_be_truths_numbers_or_text_and_ids_numbers(table, tmp_path, held):
    labels = table["nttack"].astype(bool).astype(held)
    pq.write_table(pa.Table.from_pandas(table.assign(nttack=labels), preserve_index=False), tmp_path / "m.parquet")
    run(configure([tmp_path / "m.parquet"], tmp_path / "out"))
    np.testing.assert_array_equal(dataset(tmp_path / "out")["isAttacker"], table["nttack"])


def test_a_second_column_and_a_list_of_honest_values_say_which_message_lies(table, tmp_path):
    kinds = np.where(table["nttack"] == 1, "GridSybil", "cars")
    lies = (table["nttack"] * (table.index % 2)).to_numpy()
    table.assign(kind=kinds, lie=lies).to_csv(tmp_path / "m.csv", index=False)
    labels = {"column": "kind", "false_column": "lie", "honest": ["cars", "0"]}
    run(configure([tmp_path / "m.csv"], tmp_path / "out", labels=labels))
    made = dataset(tmp_path / "out")
    np.testing.assert_array_equal(made["isAttacker"], table["nttack"])
    np.testing.assert_array_equal(made["isFalse"], lies)


def test_labels_of_an_input_are_not_overwritten_without_a_word(table, tmp_path):
    path = tmp_path / "m.csv"
    table.rename(columns={"nttack": "isAttacker"}).to_csv(path, index=False)
    with pytest.raises(
        SourceError, match=r"m\.csv: has a column 'isAttacker'.*attack\.kind = \"given\".*input\.columns"
    ):
        run(configure([path], tmp_path / "out", labels=None))
    run(configure([path], tmp_path / "given", labels=None, attack={"kind": "given"}))
    np.testing.assert_array_equal(dataset(tmp_path / "given")["isAttacker"], table["nttack"])
    aside = {"columns": {**COLUMNS, "attacker": "isAttacker"}}
    report = run(configure([path], tmp_path / "aside", labels=None, input=aside, attack={"kind": "offset_const"}))
    made = dataset(tmp_path / "aside")
    assert made["isAttacker"].sum() == report.ledgers["attack"].notes["messages of attackers"] != table["nttack"].sum()


def test_attacks_in_metres_go_over_messages_in_metres(table, csv_file, tmp_path):
    attack = {"kind": "offset_const", "distance_m": 100, "bearing_deg": 90}
    run(configure([csv_file], tmp_path / "out", labels=None, attack=attack))
    made = dataset(tmp_path / "out")
    np.testing.assert_allclose(made["x_pos"] - table["pos_x"], 100 * made["isAttacker"], atol=1e-9)
    np.testing.assert_array_equal(made["isFalse"], made["isAttacker"])


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"input": {"columns": {"sped": "v"}}}, r"\[input\.columns\]: 'sped' is nothing.*did you mean 'speed'"),
        ({"input": {"columns": {"x": ["a", "b"]}}}, r"x = \['a', 'b'\]: is one column; speed and heading take two"),
        ({"input": {"columns": {"speed": {"column": "v", "unit": "mach"}}}}, r"unit = 'mach': use m/s, km/h"),
        ({"input": {"columns": {"x": "a", "y": "a"}}}, "the file's column 'a' is named by x and by y"),
        ({"input": {"columns": {"speed": "a", "coreData_speed": "b"}}}, "speed and coreData_speed are the same column"),
        ({"input": {"columns": {"speed": 5}}}, "speed = 5: must be a column of the file"),
        ({"input": {"columns": "sendTime"}}, "must be a table such as"),
        ({"attack": {"kind": "swap_rand"}}, "labels are taken with attack.kind = \"given\", not 'swap_rand'"),
        ({"clean": {"centre": {"latitude": 1, "longitude": 1}}}, "have their own plane.*leave centre out"),
        ({"clean": {"coordinates": "geographic"}}, 'set clean.coordinates = "local"'),
        ({"attack": {"kind": "given", "ratio": 0.5}}, r"\[attack\]: unknown key 'ratio'.*while given takes"),
        ({"labels": {"columns": "a"}}, r"\[labels\]: unknown key 'columns'; did you mean 'column'"),
    ],
)
def test_what_a_configuration_says_wrongly_is_named_with_the_way_out(tables, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        configure(["m.csv"], tmp_path / "out", **tables)


def test_a_filter_in_degrees_is_refused_for_metres(tmp_path):
    within = {"filters": {"within": {"latitude": 1, "longitude": 1, "radius_m": 5}}}
    with pytest.raises(ConfigError, match=r"filters\.within is in degrees, and the positions are metres; leave it out"):
        configure(["m.csv"], tmp_path / "out", clean=within)


def test_a_column_that_the_file_lacks_is_named_with_one_that_is_like_it(table, tmp_path):
    table.rename(columns={"pos_x": "pos_X"}).to_csv(tmp_path / "m.csv", index=False)
    with pytest.raises(SourceError, match=r"m\.csv: has no column 'pos_x', .*for position_x; did you mean 'pos_X'"):
        run(configure([tmp_path / "m.csv"], tmp_path / "out"))
    (tmp_path / "m.json").write_text("{}\n")
    with pytest.raises(SourceError, match=r"m\.json: input\.columns and labels are for CSV and Parquet files"):
        run(configure([tmp_path / "m.json"], tmp_path / "out"))


def test_a_configuration_with_a_map_comes_back_from_what_it_says_of_itself(csv_file, tmp_path):
    config = configure([csv_file], tmp_path / "out")
    assert parse_config(config.model_dump(exclude_unset=True)) == config
    assert json.loads(json.dumps(config.model_dump(mode="json")))["input"]["columns"]["x"] == {"column": ["pos_x"]}
