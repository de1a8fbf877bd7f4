"""Files of an evaluation, made from one small training."""

import csv
import io
import json

import pandas as pd
import pytest
from matplotlib.image import imread
from rich.console import Console
from training.evaluation.test_evaluate import messages

from cdpipe.engine.outputs.object_outputs import _OBJECT
from cdpipe.reports.evaluation_data import describe_evaluation
from cdpipe.reports.evaluation_files import EVALUATION_FILES, write_evaluation
from cdpipe.reports.evaluation_tables import Table, format_cell, format_csv, format_latex
from cdpipe.reports.training_notes import write_notes
from cdpipe.terminal.reports import show_report
from cdpipe.training.evaluation.intervals import Estimate
from cdpipe.training.params import TrainParams
from cdpipe.training.train import train


@pytest.fixture(scope="module")
def trained():
    params = TrainParams(classifiers=("DecisionTree", "KNeighbors"), evaluation={"resamples": 200, "repeats": 2})
    return train(messages(900, 24, own=30.0, told=0.0), params)


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    made = tmp_path_factory.mktemp("evaluation")
    assert sorted(write_evaluation(trained.evaluation, made)) == sorted(EVALUATION_FILES)
    return made


def test_all_files_are_there_and_may_go_to_an_object_store(folder):
    assert {path.name for path in folder.iterdir()} == set(EVALUATION_FILES)
    assert all(_OBJECT.fullmatch(name) for name in EVALUATION_FILES)
    assert all(imread(path).std() > 0.05 for path in folder.glob("*.png"))


def test_predictions_have_a_row_for_each_message_classifier_and_repeat(folder, trained):
    frame = pd.read_parquet(folder / "predictions.parquet")
    assert len(frame) == 900 * 2 * 2
    assert set(frame["classifier"]) == {"DecisionTree", "KNeighbors"}
    for name, result in zip(("DecisionTree", "KNeighbors"), trained.evaluation.classifiers, strict=True):
        mine = frame[frame["classifier"] == name]
        right = (mine["label"] == mine["alarm"]).mean()
        assert right == pytest.approx(result.rates["accuracy"].value)
        assert mine["row_number"].tolist() == sorted(range(900)) * 2
        assert mine.groupby(["repeat", "vehicle"])["fold"].nunique().eq(1).all()


def test_the_csv_has_every_digit_and_the_latex_three(folder, trained):
    rows = list(csv.DictReader((folder / "evaluation_metrics.csv").read_text().splitlines()))
    found = next(row for row in rows if (row["unit"], row["figure"]) == ("message", "mcc"))
    expected = trained.evaluation.classifiers[0].rates["mcc"]
    assert tuple(float(found[f"DecisionTree{end}"]) for end in ("", "_low", "_high")) == expected
    text = (folder / "evaluation_metrics.tex").read_text()
    assert f"message & mcc & {format_cell(expected)} & " in text
    assert text.count(r"\\") == len(rows) + 1
    curves = pd.read_csv(folder / "evaluation_curves.csv")
    assert curves.groupby(["classifier", "curve"])["x"].apply(lambda x: x.is_monotonic_increasing).all()


def test_what_latex_would_take_for_a_command_is_escaped_and_nothing_is_a_dash():
    table = Table(
        "t",
        ("a_b", "50 %"),
        (("x & {y}", None), ("\\end", Estimate(None, None, None)), ("", Estimate(0.5, 0.25, None))),
    )
    lines = format_latex(table).splitlines()
    assert lines[3] == r"a\_b & 50 \% \\"
    assert lines[5] == r"x \& \{y\} & -- \\"
    assert lines[6] == r"/end & -- \\"
    assert lines[7] == r" & 0.500 [0.250, --] \\"
    assert list(csv.reader(io.StringIO(format_csv(table))))[1:] == [
        ["x & {y}", "", "", ""],
        ["\\end", "", "", ""],
        ["", "0.5", "0.25", ""],
    ]


def test_the_report_is_strict_json_with_null_for_what_is_undefined():
    few = train(messages(200, 4), TrainParams(classifiers=("DecisionTree",), evaluation={"folds": 2})).evaluation
    plain = json.loads(json.dumps(describe_evaluation(few), allow_nan=False))
    assert plain["classifiers"][0]["messages"]["mcc"]["interval"] is None
    assert plain["classifiers"][0]["messages"]["mcc"]["value"] is not None
    assert plain["classifiers"][0]["messages"]["tpr_at_1_percent_fpr"] == {"value": None, "interval": None}
    assert plain["vehicles"] == 4
    assert [rung["rung"] for rung in plain["classifiers"][0]["ladder"]] == ["row", "vehicle", "time", "place"]


def test_notes_name_the_leak_and_what_is_not_shown(trained):
    notes = "\n".join(write_notes(trained, attack="offset_const"))
    assert "DecisionTree: a row split is a leak: MCC " in notes
    assert "holds 0: it is not shown to tell attackers from others" in notes
    assert "offset_const moves all of a vehicle's messages alike: history features see only changes" in notes
    assert "moves all" not in "\n".join(write_notes(trained, attack="offset_rand"))


def test_notes_of_what_is_learnt_name_nothing():
    found = train(
        messages(2_000, 60, told=4.0),
        TrainParams(classifiers=("KNeighbors",), evaluation={"resamples": 200, "importance": False}),
    )
    notes = write_notes(found, attack="offset_const")
    assert not [note for note in notes if "leak" in note or "holds 0" in note or "alike" in note]


def test_notes_of_one_split_warn_of_rows_and_of_few_vehicles():
    frame = messages(300, 12)
    few = train(frame, TrainParams(classifiers=("DecisionTree",)))
    assert write_notes(few) == ("no intervals: they need 3 attackers and 3 honest vehicles that test",)
    by_row = train(messages(), TrainParams(classifiers=("DecisionTree",), split="row"))
    assert any(
        "a split by row has messages of one vehicle on both sides" in each for each in write_notes(by_row, split="row")
    )


def test_the_terminal_shows_the_tables_in_80_columns(trained):
    import dataclasses

    from terminal.test_reports import REPORT

    stream = io.StringIO()
    report = dataclasses.replace(REPORT, trained=trained, notes=("a note",))
    show_report(report, Console(file=stream, width=80))
    lines = stream.getvalue().splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("evaluation: 5 folds"))
    assert lines[start] == "evaluation: 5 folds of vehicles, 2 times; 95 % intervals over 24 vehicles"
    shown = lines[start : start + 12]
    assert max(map(len, shown)) <= 80
    mcc = format_cell(trained.evaluation.classifiers[1].rates["mcc"], 2)
    assert any(line.startswith("KNeighbors") and mcc in line for line in shown)
    assert "a note" in lines


def test_without_evaluation_nothing_is_said_of_one():
    plain = train(messages(3_000, 120), TrainParams(classifiers=("DecisionTree",)))
    assert plain.evaluation is None
    assert plain.fitted[0].estimates["mcc"].low < plain.fitted[0].estimates["mcc"].high
