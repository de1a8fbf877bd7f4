"""Evaluation within a run: files beside the data set, vouched for by the report, replaced by the next run."""

import json

import pytest

from cdpipe.engine.files.seals import FILES
from cdpipe.engine.run.memory_projection import project_training
from cdpipe.pipeline import run
from cdpipe.reports.evaluation_files import EVALUATION_FILES
from cdpipe.synthetic.generator import SynthParams, synthesize
from cdpipe.training.evaluation.memory import find_need
from cdpipe.training.evaluation.params import EvaluationParams


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("messages") / "bsm.csv"
    synthesize(path, SynthParams(rows=4_000, seed=3))
    return path


def test_files_of_an_evaluation_come_and_go_with_their_run(source, configure_run, tmp_path):
    train = {
        "classifiers": ["DecisionTree"],
        "evaluation": {"folds": 2, "resamples": 200, "importance": False, "ladder": ["row"]},
    }
    report = run(configure_run(source, block_mb=0.2, train=train))
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    missing = {"evaluation_importance.csv", "evaluation_importance.tex"}
    assert set(written[FILES]) >= set(EVALUATION_FILES) - missing
    assert {path.name for path in (tmp_path / "out").glob("evaluation_*")} == {
        name for name in EVALUATION_FILES if name.startswith("evaluation_") and name not in missing
    }
    assert written["training"]["evaluation"]["folds"] == 2
    assert written["training"]["notes"] == list(report.notes)
    assert report.outputs["predictions.parquet"] == tmp_path / "out" / "predictions.parquet"
    assert report.outputs["metrics.csv"].read_text().startswith("unit,figure,DecisionTree,")
    again = run(configure_run(source, block_mb=0.1, train=train))
    assert str(again.trained.evaluation) == str(report.trained.evaluation)
    plain = run(configure_run(source, block_mb=0.2))
    assert plain.trained.evaluation is None
    assert not list((tmp_path / "out").glob("evaluation_*"))
    assert not (tmp_path / "out" / "predictions.parquet").exists()


def test_an_evaluation_is_projected_to_need_more():
    assert find_need(EvaluationParams(), features=5, classifiers=3) == (0, 0)
    one, more = (find_need(EvaluationParams(repeats=n), features=5, classifiers=3) for n in (1, 4))
    assert 0 < one.row < more.row
    assert 0 < one.fixed < more.fixed
    plain = project_training(rows=1_000, features=5, trees=1, limit_bytes=10**12)
    further = project_training(
        rows=1_000, features=5, trees=1, limit_bytes=10**12, further_row_bytes=one.row, further_bytes=one.fixed
    )
    assert further.needed_bytes == plain.needed_bytes + 1_000 * one.row + one.fixed


def test_predictions_can_be_left_out_and_a_vehicle_is_decided_by_the_share_asked_for(source, configure_run, tmp_path):
    found = {}
    for share in (0.05, 0.95):
        how = {"folds": 2, "resamples": 200, "importance": False, "ladder": [], "predictions": False}
        train = {"classifiers": ["DecisionTree"], "evaluation": {**how, "vehicle_share": share}}
        found[share] = run(configure_run(source, block_mb=0.2, train=train)).as_dict()["training"]["evaluation"]
        assert not (tmp_path / "out" / "predictions.parquet").exists()
    assert found[0.05]["classifiers"] != found[0.95]["classifiers"]
