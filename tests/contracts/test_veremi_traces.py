"""VeReMi's traces from end to end: labels by the sender's file or a ground truth, rejects, any blocks."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cdpipe.config.model import ConfigError, parse_config
from cdpipe.engine.files.parts import read_part
from cdpipe.engine.files.paths import SourceError
from cdpipe.pipeline import run

PASSED = "positions of the receiver itself (type 2), no messages, passed over"
GIVEN = Path(__file__).parents[2].parent / "shared" / "data" / "veremi"


def own(time, x=0.0, y=0.0):
    zero = [0.0, 0.0, 0.0]
    return {"type": 2, "rcvTime": time, "pos": [x, y, 0.0], "pos_noise": zero, "spd": [1.0, 0.0, 0.0]}


def received(sender, number, time, x=0.0, y=0.0, **more):
    record = {
        "type": 3,
        "rcvTime": time + 0.0001,
        "sendTime": time,
        "sender": sender,
        "senderPseudo": 10_000 + sender,
        "messageID": number,
        "pos": [x, y, 1.5],
        "pos_noise": [3.0, -4.0, 0.0],
        "spd": [3.0, 4.0, 0.0],
        "spd_noise": [0.3, 0.4, 0.0],
        "acl": [0.6, 0.8, 0.0],
        "acl_noise": [0.0, 0.0, 0.0],
        "hed": [0.6, 0.8, 0.0],
        "hed_noise": [6.0, 8.0, 0.0],
    }
    return {**record, **more}


def write(path, records, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
    path.write_text("".join(f"{line}{end}" for line in lines))
    return path


def traces(folder, vehicles=12, each=20, seed=5):
    """A run of which every third vehicle attacks: each trace holds messages of the others."""
    rng = np.random.default_rng(seed)
    sent = []
    for vehicle in range(vehicles):
        kind = 4 if vehicle % 3 == 0 else 0
        records = []
        for step in range(each):
            sender = int(rng.integers(0, vehicles))
            number = len(sent)
            x, y = rng.normal(0, 100, 2).round(6).tolist()
            records += [own(28_800.0 + step), received(sender, number, 28_800.25 + step, x, y)]
            sent.append((sender, number, x, y))
        write(folder / f"traceJSON-{vehicle}-{vehicle + 500}-A{kind}-28800-8.json", records)
    return pd.DataFrame(sent, columns=["sender", "number", "x", "y"])


def configure(paths, out, **tables):
    given = {
        "input": {"paths": [str(path) for path in paths], "format": "veremi"},
        "train": None,
        "output": {"directory": str(out)},
        "cache": {"enabled": False},
        "session": {"threads_per_worker": 1},
    }
    for name, table in tables.items():
        given[name] = {**(given.get(name) or {}), **table}
    return parse_config(given)


def dataset(out):
    return pd.concat(map(read_part, sorted((out / "dataset").rglob("*.parquet"))), ignore_index=True)


def rejects(out):
    return [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]


def test_received_messages_are_labelled_by_the_files_of_their_senders_and_learnt_from(tmp_path):
    sent = traces(tmp_path / "run")
    config = configure([tmp_path / "run" / "*.json"], tmp_path / "out", train={"classifiers": ["DecisionTree"]})
    report = run(config)
    made = dataset(tmp_path / "out")
    order = sent["sender"].to_numpy()
    # A glob's files come in the order of their names.
    by_name = np.concatenate([np.arange(20) + 20 * int(v) for v in sorted(map(str, range(12)))])
    np.testing.assert_array_equal(made["x_pos"], sent["x"].to_numpy()[by_name])
    np.testing.assert_array_equal(made["isAttacker"], (order % 3 == 0)[by_name])
    np.testing.assert_array_equal(made["isFalse"], made["isAttacker"])
    assert set(made["coreData_speed"]) == {5.0}
    np.testing.assert_allclose(made["coreData_heading"], np.degrees(np.arctan2(0.6, 0.8)))
    assert report.ledgers["gather"].notes == {PASSED: 240}
    assert report.trained.features == ("x_pos", "y_pos", "coreData_speed", "coreData_heading")


@pytest.mark.parametrize("block_mb", [0.001, 0.004])
def test_the_answer_is_the_same_in_any_blocks(tmp_path, block_mb):
    traces(tmp_path / "run", vehicles=4)
    paths = [tmp_path / "run" / "*.json"]
    run(configure(paths, tmp_path / "one"))
    run(configure(paths, tmp_path / "many", gather={"block_mb": block_mb}))
    assert len(list((tmp_path / "many" / "dataset").iterdir())) > len(list((tmp_path / "one" / "dataset").iterdir()))
    pd.testing.assert_frame_equal(dataset(tmp_path / "many"), dataset(tmp_path / "one"), check_exact=True)


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_or_an_archive_of_traces_is_one_run(tmp_path, packed):
    traces(tmp_path / "run", vehicles=3, each=4)
    given = tmp_path / "run"
    if packed:
        with zipfile.ZipFile(tmp_path / "run.zip", "w") as archive:
            for path in sorted(given.iterdir()):
                archive.write(path, f"results/{path.name}")
        given = f"zip://results/*.json::{tmp_path / 'run.zip'}"
    run(configure([given], tmp_path / "out"))
    made = dataset(tmp_path / "out")
    assert made.groupby("vehicle")["isAttacker"].first().sum() == 1
    assert made["vehicle"].nunique() == 3


def test_a_sender_whose_file_is_nowhere_has_no_label_and_one_beside_the_input_counts(tmp_path):
    write(
        tmp_path / "run" / "traceJSON-1-7-A0-0-0.json", [received(2, 1, 5.0), received(3, 2, 6.0), received(4, 3, 7.0)]
    )
    write(tmp_path / "run" / "traceJSON-2-8-A13-0-0.json", [own(1.0)])
    write(tmp_path / "run" / "traceJSON-4-9-A0-0-0.json", [own(1.0)])
    report = run(configure([tmp_path / "run" / "traceJSON-1-*.json"], tmp_path / "out"))
    assert dataset(tmp_path / "out")["isAttacker"].tolist() == [1, 0]
    assert report.ledgers["clean"].dropped == {"null in given_isAttacker": 1}
    (tmp_path / "run" / "traceJSON-2-8-A13-0-0.json").unlink()
    (tmp_path / "run" / "traceJSON-4-9-A0-0-0.json").unlink()
    with pytest.raises(ValueError, match=r"nothing says who attacks: .*those of the senders, or a ground truth"):
        run(configure([tmp_path / "run" / "traceJSON-1-*.json"], tmp_path / "none"))


def test_the_ground_truth_of_2018_says_who_attacks_and_which_message_lies(tmp_path):
    def sent(sender, number, kind, x):
        return {
            "type": 4,
            "time": 5.0,
            "sender": sender,
            "attackerType": kind,
            "messageID": number,
            "pos": [x, 0.0, 0.0],
        }

    records = [received(13, 1, 5.0, x=100.0), received(13, 2, 6.0, x=105.0), received(19, 3, 7.0, x=500.0)]
    for record in records:
        del record["acl"], record["hed"], record["acl_noise"], record["hed_noise"]
    write(tmp_path / "JSONlog-0-7-A0.json", [own(1.0), *records])
    write(
        tmp_path / "GroundTruthJSONlog.json", [sent(13, 1, 16, 100.0), sent(13, 2, 16, 400.0), "{", sent(19, 3, 0, 1.0)]
    )
    report = run(configure([tmp_path / "*.json"], tmp_path / "out"))
    made = dataset(tmp_path / "out")
    assert made["isAttacker"].tolist() == [1, 1, 0]
    assert made["isFalse"].tolist() == [0, 1, 0]  # within the noise of its position, claims and truth are the same
    np.testing.assert_allclose(made["coreData_heading"], np.degrees(np.arctan2(3, 4)))
    assert report.ledgers["gather"].notes["records of the ground truth (type 4), no messages, passed over"] == 3
    assert [(each["line"], Path(each["file"]).name) for each in rejects(tmp_path / "out")] == [
        (3, "GroundTruthJSONlog.json")
    ]


def test_what_was_sent_is_a_message_where_no_trace_is_read_beside_it(tmp_path):
    sent = [{**received(sender, number, 5.0), "type": 4} for number, sender in enumerate((1, 2, 1))]
    write(tmp_path / "traceGroundTruthJSON-8.json", sent)
    write(tmp_path / "traceJSON-1-7-A13-0-0.json", [received(2, 1, 5.0)])
    write(tmp_path / "traceJSON-2-8-A0-0-0.json", [own(1.0)])
    run(configure([tmp_path / "traceGroundTruthJSON-8.json"], tmp_path / "sent"))
    assert dataset(tmp_path / "sent")["isAttacker"].tolist() == [1, 0, 1]
    run(configure([tmp_path / "*.json"], tmp_path / "all"))
    assert dataset(tmp_path / "all")["isAttacker"].tolist() == [0]


def test_positions_of_the_receiver_are_messages_if_they_are_asked_for(tmp_path):
    write(tmp_path / "traceJSON-6-7-A13-0-0.json", [own(3.5, x=9.0), received(6, 1, 5.0)])
    run(configure([tmp_path / "*.json"], tmp_path / "out", input={"messages": ["own", "received"]}))
    made = dataset(tmp_path / "out")
    assert made[["x_pos", "isAttacker", "isFalse", "time_us"]].to_numpy().tolist() == [[9, 1, 0, 3.5e6], [0, 1, 1, 5e6]]
    assert len(set(made["vehicle"])) == 1
    for wrong in (["mine"], []):
        with pytest.raises(ConfigError, match=r"^configuration: \[input\]: messages = .*received, sent, own$"):
            configure(["a.json"], tmp_path / "out", input={"messages": wrong})


def test_what_cannot_be_read_is_rejected_with_its_line_and_value(tmp_path):
    bad = [
        received(2, 1, 5.0),
        "",
        "{not json",
        {"type": 7},
        "[1, 2]",
        received(2, 2, 5.0, pos=[1.0, "far", 0.0]),
        received(2, 3, 5.0, sendTime=None),
        received(2, 4, 5.0, sendTime="soon"),
        received(True, 5, 5.0),
        received(2, 6, 5.0, spd=[1.0]),
        received(2, 7, 5.0, acl="none"),
        '{"type": 3, "sendTime": 1e999, "sender": 2, "pos": [0, 0, 0], "spd": [1, 1, 0], "hed": [1, 0, 0]}',
    ]
    write(tmp_path / "traceJSON-2-7-A0-0-0.json", bad, end="\r\n")
    report = run(configure([tmp_path / "*.json"], tmp_path / "out"))
    told = {each["line"]: each["reason"] for each in rejects(tmp_path / "out")}
    assert sorted(told) == [3, 4, 5, 6, 8, 9, 10, 12]
    assert told[4].startswith("no VeReMi record: type 7")
    assert told[6] == "pos: \"[1.0, 'far', 0.0]\" is not a vector of two or three numbers"
    assert told[8] == "sendTime: 'soon' is not a time"
    assert told[9] == "sender: 'True' is not a whole number or text"
    assert told[10] == "spd: '[1.0]' is not a vector of two or three numbers"
    assert report.ledgers["clean"].dropped == {"null in metadata_generatedAt": 1}
    assert len(dataset(tmp_path / "out")) == 2
    assert report.ledgers["gather"].rows_in == 11


def test_vehicles_of_several_runs_are_others_and_labelled_by_their_own(tmp_path):
    for name, kind in (("one", 0), ("two", 5)):
        write(tmp_path / name / f"traceJSON-3-7-A{kind}-0-0.json", [received(3, 1, 5.0)])
    run(configure([tmp_path / "*" / "*.json"], tmp_path / "out"))
    made = dataset(tmp_path / "out")
    assert made["isAttacker"].tolist() == [0, 1]
    assert made["vehicle"].nunique() == 2
    write(tmp_path / "one" / "traceJSON-3-7-A9-3600-1.json", [received(3, 1, 5.0)])
    with pytest.raises(
        SourceError, match=r"traceJSON-3-7-A9-3600-1\.json: says attack 9 of vehicle 3, and .*A0.* says 0"
    ):
        run(configure([tmp_path / "one" / "*.json"], tmp_path / "again"))


@pytest.mark.parametrize("indent", [None, 2])
def test_arrays_of_nextgen_are_read_with_their_own_labels(tmp_path, indent):
    def message(number, sender, attacker, speed):
        said = {"pos": "100.5,-20.25,1.0", "pos_noise": "0,0,0", "spd": speed, "acl": -0.5, "hed": 270.0}
        times = {"rcvTime": 5_000_000_100 + number, "sendTime": 5_000_000_000 + number * 500_000_000}
        ids = {"sender_id": f"veh_{sender}", "sender_alias": 77, "messageID": number}
        return {**times, **ids, "attacker": attacker, "receiver": {"pos": "0,0,0"}, "sender": said}

    records = [message(1, 3, 0, 10.0), message(2, 3, 1, 11.0), message(3, 4, 0, 12.0)]
    (tmp_path / "veh_9.json").write_text(json.dumps(records, indent=indent))
    run(configure([tmp_path / "veh_9.json"], tmp_path / "out"))
    made = dataset(tmp_path / "out")
    names = ["x_pos", "y_pos", "coreData_speed", "coreData_heading", "isAttacker", "isFalse"]
    assert made[names].to_numpy().tolist() == [
        [100.5, -20.25, 10, 270, 1, 0],
        [100.5, -20.25, 11, 270, 1, 1],
        [100.5, -20.25, 12, 270, 0, 0],
    ]
    assert made["time_us"].tolist() == [5_500_000, 6_000_000, 6_500_000]


def test_all_that_a_trace_holds_can_be_kept(tmp_path):
    write(tmp_path / "traceJSON-2-7-A0-0-0.json", [received(2, 5, 5.0)])
    names = ["coreData_elevation", "coreData_accelset_accelLong", "coreData_accelset_accelLat", "speed_noise"]
    names += ["coreData_accuracy_semiMajor", "coreData_accuracy_semiMinor", "heading_noise"]
    run(configure([tmp_path / "*.json"], tmp_path / "out", features={"columns": names}))
    assert dataset(tmp_path / "out")[names].to_numpy().tolist() == [[1.5, 1.0, 0.0, 0.5, 4.0, 3.0, 10.0]]


def test_a_trace_is_attacked_like_any_input(tmp_path):
    traces(tmp_path / "run", vehicles=4)
    attack = {"kind": "offset_const", "distance_m": 50.0, "ratio": 0.5}
    run(configure([tmp_path / "run" / "*.json"], tmp_path / "out", attack=attack))
    made = dataset(tmp_path / "out")
    assert made.groupby("vehicle")["isAttacker"].first().sum() == 2
    np.testing.assert_array_equal(made["isFalse"], made["isAttacker"])


def test_labels_kept_of_a_file_follow_the_names_beside_it(tmp_path):
    """The kept output of gathering is not taken for another label of the sender."""
    trace = write(tmp_path / "traceJSON-1-7-A0-0-0.json", [received(2, 1, 5.0)])
    cache = {"enabled": True, "directory": str(tmp_path / "cache")}
    for kind, expected in ((0, 0), (3, 1)):
        beside = write(tmp_path / f"traceJSON-2-8-A{kind}-0-0.json", [own(1.0)])
        run(configure([trace], tmp_path / f"out{kind}", cache=cache))
        beside.unlink()
        assert dataset(tmp_path / f"out{kind}")["isAttacker"].tolist() == [expected]


@pytest.mark.skipif(not GIVEN.is_dir(), reason="needs ../shared/data/veremi")
def test_the_published_files_go_from_end_to_end(tmp_path):
    train = {"classifiers": ["DecisionTree"]}
    report = run(configure([GIVEN / "*.csv.gz"], tmp_path / "table", train=train))
    assert report.ledgers["features"].rows_out == 35_768
    assert dataset(tmp_path / "table").groupby("vehicle")["isAttacker"].agg(["min", "max"]).sum().tolist() == [111, 111]
    attacked = run(configure([GIVEN / "trace*.json"], tmp_path / "traces", attack={"kind": "offset_rand"}, train=train))
    assert attacked.ledgers["gather"].as_dict()["notes"] == {PASSED: 94}
    assert attacked.ledgers["features"].rows_out == 266
    own_ = run(configure([GIVEN / "trace*.json"], tmp_path / "own", input={"messages": ["own"]}, train=train))
    assert own_.ledgers["features"].rows_out == 94
