import gzip
import json
import re
import shutil
import zipfile
from functools import partial
from itertools import pairwise

import made_files
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from observing import observing
from sklearn.metrics import confusion_matrix
from sklearn.tree import DecisionTreeClassifier

from cdpipe import RunConfig, attack, clean, features, pipeline, planning, read, run, train
from cdpipe.config.model import parse_config
from cdpipe.engine.files.parts import read_part
from cdpipe.engine.files.seals import FILES, SEAL, find_own
from cdpipe.engine.files.sources import SourceError
from cdpipe.engine.outputs.output_folder import OutputError
from cdpipe.engine.run.memory_projection import MemoryLimitError
from cdpipe.synthetic.generator import SynthParams, synthesize
from cdpipe.training.split import split

SCHEMA = {
    "failed": type(None),
    "config": dict,
    "inputs": dict,
    "machine": dict,
    "versions": dict,
    "ledgers": list,
    "rejects_further": int,
    "cache": dict,
    "stage_seconds": dict,
    "wall_s": float,
    "used": dict,
    "projections": list,
    "training": dict,
    "conventions": dict,
    "absent_columns": dict,
    "outputs": dict,
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("pipeline") / "m.csv"
    synthesize(path, SynthParams(rows=2_000, vehicles=20, dirty_share=0.1))
    with path.open("ab") as stream:
        stream.write(b"a,bad,line\n")
    return path


@pytest.fixture
def configure(source, configure_run):
    return partial(configure_run, source, block_mb=0.1)


def dataset(out):
    return pd.concat([read_part(path) for path in sorted((out / "dataset").glob("*.parquet"))], ignore_index=True)


def test_a_run_is_its_stages_one_after_another(configure, source, tmp_path):
    config = configure()
    report = run(config)
    frame, ledgers = read(source)[0].compute(scheduler="sync").reset_index(drop=True), {}
    for stage, params in ((clean, config.clean), (attack, config.attack), (features, config.features)):
        frame, ledger = stage(frame, params)
        ledgers[ledger.stage] = ledger
    pd.testing.assert_frame_equal(dataset(tmp_path / "out"), frame)
    for name, ledger in ledgers.items():
        assert report.ledgers[name] == ledger
    expected = train(frame, config.train)
    assert report.trained.fitted[0].metrics == expected.fitted[0].metrics
    assert report.trained.ledger == expected.ledger
    chain = [*report.ledgers.values(), report.trained.ledger]
    for before, after in pairwise(chain):
        assert after.rows_in == before.rows_out


def test_the_metrics_can_be_had_from_the_data_set_with_scikit_learn_alone(configure, tmp_path):
    report = run(configure(train={"classifiers": ["DecisionTree"], "split": "row", "seed": 3}))
    frame = dataset(tmp_path / "out").sort_values("row_number").dropna()
    keys = {name: frame[name].to_numpy() for name in ("row_number", "vehicle", "time_us")}
    test = split(by="row", test_ratio=0.2, seed=3, **keys)
    label = frame["isAttacker"].to_numpy()
    matrix = frame[list(report.trained.features)].to_numpy(np.float32)
    model = DecisionTreeClassifier(random_state=3).fit(matrix[~test], label[~test])
    metrics = report.trained.fitted[0].metrics
    found = [metrics.true_negatives, metrics.false_positives, metrics.false_negatives, metrics.true_positives]
    assert confusion_matrix(label[test], model.predict(matrix[test])).ravel().tolist() == found


def test_the_report_file_has_its_schema_and_says_what_the_report_does(configure, tmp_path):
    config = configure()
    report = run(config)
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert find_own(tmp_path / "out" / "report.json") >= {"report.json", "rejects.jsonl"}
    written = {name: said for name, said in written.items() if name not in (FILES, SEAL)}
    assert written == report.as_dict()
    assert {name: type(value) for name, value in written.items()} == SCHEMA
    assert parse_config(written["config"]) == config
    assert [ledger["stage"] for ledger in written["ledgers"]] == ["gather", "clean", "attack", "features"]
    for ledger in [*written["ledgers"], written["training"]["ledger"]]:
        assert ledger["rows_in"] == ledger["rows_out"] + sum(ledger["dropped"].values())
    assert set(written["stage_seconds"]) == {"gather", "clean", "attack", "features"}
    assert 0 < max(written["stage_seconds"].values()) < 2 * written["wall_s"]
    assert [each["what"].split()[0] for each in written["projections"]] == ["streaming", "training"]
    assert all(0 < each["needed_bytes"] <= each["limit_bytes"] for each in written["projections"])
    for name, path in written["outputs"].items():
        assert (tmp_path / path).exists(), name
    assert not [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_rejects_are_kept_beside_the_data_set(configure, tmp_path):
    report = run(configure())
    (line,) = (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()
    assert json.loads(line)["line"] == 2_002
    assert json.loads(line)["text"] == "a,bad,line"
    assert report.ledgers["gather"].dropped == {"too few fields": 1}


def test_a_second_run_is_a_hit_with_the_same_results(configure, tmp_path):
    first = run(configure())
    before = dataset(tmp_path / "out")
    again = run(configure())
    assert (first.cache, again.cache) == ({"features": "miss", "gather": "miss"}, {"features": "hit"})
    assert again.ledgers == first.ledgers
    assert again.trained.fitted[0].metrics == first.trained.fitted[0].metrics
    pd.testing.assert_frame_equal(dataset(tmp_path / "out"), before)


def test_without_training_or_data_set_there_is_neither(configure, tmp_path):
    report = run(configure(train=None, output={"directory": str(tmp_path / "out"), "dataset": False}))
    assert report.trained is None
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["rejects.jsonl", "report.json"]
    assert report.ledgers["features"].rows_out > 0


def test_progress_and_sentences_are_told(configure):
    seen, said = [], []
    run(configure(), observer=observing(said=said, on_partition=lambda *told: seen.append(told[:3])))
    assert list(dict.fromkeys(label for label, *_ in seen)) == [
        "gather → clean",
        "attack → features",
    ]
    times = "times whole seconds, refined by second marks; without a zone UTC"
    assert said[0].endswith(f"m.csv: csv, values in units; {times}")
    assert re.fullmatch(r"projected memory, streaming: at most [\d.]+ GB of [\d.]+ GB", said[1])
    assert said[2].startswith("projected memory, training on ")


def test_that_kernels_are_compiled_in_each_process_is_told_with_the_way_out(configure, monkeypatch):
    said = []
    monkeypatch.setattr(pipeline, "why_unkept", lambda: "others can write to /shared")
    run(configure(), observer=observing(said=said))
    assert [each for each in said if "kernels" in each] == [
        (
            "kernels are compiled anew in each process: others can write to /shared; name a folder of your own in "
            "NUMBA_CACHE_DIR"
        )
    ]


def test_columns_that_a_file_lacks_are_told(configure, tmp_path):
    synthesize(tmp_path / "short.csv", SynthParams(rows=300, vehicles=10, seed=5))
    text = (tmp_path / "short.csv").read_text().replace("coreData_accelset_accelYaw", "other")
    (tmp_path / "short.csv").write_text(text)
    report = run(configure(input={"paths": [str(tmp_path / "short.csv")]}))
    assert report.absent == {"coreData_accelset_accelYaw": (str(tmp_path / "short.csv"),)}


@pytest.mark.parametrize(
    ("tables", "error", "message"),
    [
        ({"input": {"paths": ["missing.csv"]}}, SourceError, r"missing\.csv: there is no such file"),
        ({"session": {"memory_limit_gb": 0.1}}, MemoryLimitError, r"may use 0\.10 GB; raise that limit"),
        ({"features": {"columns": ["metadata_recordType"]}}, ValueError, r"\[features\]: column 'metadata_recordType'"),
    ],
)
def test_a_run_that_cannot_be_leaves_no_report_and_no_scratch(configure, tmp_path, tables, error, message):
    with pytest.raises(error, match=message):
        run(configure(**tables))
    left = [path.name for path in (tmp_path / "out").glob("*")] if (tmp_path / "out").exists() else []
    assert "report.json" not in left
    assert not [name for name in left if name.startswith(".")]


@pytest.mark.parametrize("name", ["notes.txt", "part-00000-1a2b.snappy.parquet"])
def test_a_data_set_that_no_run_has_made_is_not_replaced(configure, tmp_path, name):
    theirs = tmp_path / "out" / "dataset" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    with pytest.raises(OutputError, match=f"{re.escape(name)}: is not of a run"):
        run(configure())
    assert theirs.read_text() == "theirs"


def test_without_a_data_set_none_of_an_earlier_run_is_left(configure, tmp_path):
    run(configure(train=None))
    assert (tmp_path / "out" / "dataset").is_dir()
    run(configure(train=None, output={"directory": str(tmp_path / "out"), "dataset": False}))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["rejects.jsonl", "report.json"]


@pytest.mark.parametrize("whole", [True, False])
def test_a_file_that_changes_while_it_is_read_is_refused_and_not_kept(configure, source, tmp_path, monkeypatch, whole):
    """First half of a file that somebody writes, then all of it; or another one of the same size in its place."""
    path, text = tmp_path / "growing.csv", source.read_bytes()
    path.write_bytes(text[: len(text) // 2] if whole else text)
    settings = configure(train=None, input={"paths": [str(path)]}, cache={"directory": str(tmp_path / "cache")})

    def finish(*_):
        path.write_bytes(text if whole else text.replace(b"A", b"B"))
        return real_rehearse(*_)

    real_rehearse = planning.rehearse
    monkeypatch.setattr(planning, "rehearse", finish)
    with pytest.raises(SourceError, match=r"growing\.csv: changed while it was read"):
        run(settings)
    monkeypatch.setattr(planning, "rehearse", real_rehearse)
    path.write_bytes(text)
    report = run(settings)
    assert set(report.cache.values()) == {"miss"}
    assert report.ledgers["gather"].rows_in == 2_001


def test_a_file_that_is_named_twice_is_refused_before_anything_is_made(configure, source, tmp_path):
    with pytest.raises(SourceError, match=r"m\.csv: is named twice, by .*m\.csv' and .*\*\.csv'; name each file once"):
        run(configure(input={"paths": [str(source), str(source.parent / "*.csv")]}))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cached", [True, False])
def test_a_packed_file_gives_what_the_plain_one_does_and_its_room_back(configure, source, tmp_path, cached):
    packed, sentences = tmp_path / "m.csv.gz", []
    packed.write_bytes(gzip.compress(source.read_bytes()))
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.write(source, "m.csv")
    found = []
    for path in (str(source), str(packed), f"zip://m.csv::file://{tmp_path / 'm.zip'}"):
        settings = configure(
            train=None, input={"paths": [path]}, cache={"enabled": cached, "directory": str(tmp_path / "cache")}
        )
        report = run(settings, observer=observing(said=sentences))
        found.append((report.ledgers, dataset(tmp_path / "out")))
        assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["dataset", "rejects.jsonl", "report.json"]
    for ledgers, frame in found[1:]:
        assert ledgers == found[0][0]
        pd.testing.assert_frame_equal(frame, found[0][1])
    unpacked = [sentence for sentence in sentences if sentence.startswith("unpacked")]
    assert len(unpacked) == 2
    assert f"{tmp_path / 'out'}/.scratch-" in unpacked[0]
    assert set(run(settings).cache.values()) == ({"hit"} if cached else set())


def test_a_parquet_file_without_row_groups_holds_no_message(configure, tmp_path):
    schema = pa.schema([(name, pa.float64()) for name in ("coreData_position_lat", "coreData_position_long")])
    pq.ParquetWriter(tmp_path / "none.parquet", schema).close()
    with pytest.raises(ValueError, match="no message was read"):
        run(configure(input={"paths": [str(tmp_path / "none.parquet")]}))
    frame, ledger = read(tmp_path / "none.parquet")
    assert (len(frame.compute()), ledger.compute().rows_in) == (0, 0)


def test_results_never_replace_what_a_url_names(configure, source, tmp_path):
    inside = tmp_path / "out" / "dataset" / "m.csv"
    inside.parent.mkdir(parents=True)
    shutil.copyfile(source, inside)
    with pytest.raises(OutputError, match="is an input, and results would replace it"):
        run(configure(input={"paths": [f"file://{inside}"]}))


def test_results_never_replace_what_is_read(configure, source, tmp_path):
    inside = tmp_path / "out" / "dataset" / "m.csv"
    inside.parent.mkdir(parents=True)
    shutil.copyfile(source, inside)
    with pytest.raises(OutputError, match="is an input, and results would replace it"):
        run(configure(input={"paths": [str(inside)]}))
    assert inside.read_bytes() == source.read_bytes()


def test_the_configuration_may_be_made_of_python_values(source, tmp_path):
    report = run(
        RunConfig(
            input={"paths": (str(source),)},
            train=None,
            cache={"enabled": False},
            output={"directory": tmp_path / "out"},
        )
    )
    assert report.cache == {}
    assert report.ledgers["attack"].notes["messages of attackers"] == dataset(tmp_path / "out")["isAttacker"].sum()


@pytest.mark.parametrize("write", [made_files.write_dot_csv, made_files.write_ode_json])
def test_published_files_go_through_end_to_end(configure, tmp_path, write):
    source = write(tmp_path / ("m.csv" if write is made_files.write_dot_csv else "m.json"))
    report = run(
        configure(
            input={"paths": [str(source)]},
            clean={"required": ["metadata_generatedAt", "coreData_id"]},
            features={"columns": ["x_pos", "y_pos"]},
            attack={"kind": "offset_const", "choose_by": "row", "ratio": 0.5},
            train={"classifiers": ["DecisionTree"], "split": "row"},
        )
    )
    rows = source.read_text().count("\n") - (source.suffix == ".csv")
    assert report.ledgers["gather"].rows_in == rows
    assert report.trained.train_rows + report.trained.test_rows == report.ledgers["features"].rows_out > 0
    assert len(dataset(tmp_path / "out")) == report.ledgers["features"].rows_out


def test_a_data_set_that_cannot_be_learnt_from_has_a_report_that_says_why(configure, tmp_path):
    with pytest.raises(ValueError, match=r"training messages, of \d+ vehicles, have isAttacker = 0"):
        run(configure(attack={"ratio": 0.0}))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "isAttacker = 0" in report["failed"]
    assert report["training"] is None
    assert report["ledgers"][-1]["rows_out"] == sum(len(read_part(p)) for p in (tmp_path / "out" / "dataset").iterdir())


def test_no_classifiers_make_a_data_set_and_no_metrics(configure):
    report = run(configure(train={"classifiers": []}))
    assert report.trained is None
    assert report.failed is None


def test_the_vehicles_of_the_test_side_are_counted(configure, tmp_path):
    trained = run(configure()).trained
    parts = sorted((tmp_path / "out" / "dataset").iterdir())
    frame = pd.concat([read_part(path) for path in parts], ignore_index=True)
    test = split(
        by="vehicle",
        test_ratio=0.2,
        seed=42,
        row_number=frame["row_number"].to_numpy(),
        vehicle=frame["vehicle"].to_numpy(),
        time_us=frame["time_us"].to_numpy(),
    )
    assert trained.test_vehicles == frame["vehicle"][test].nunique() == 4
