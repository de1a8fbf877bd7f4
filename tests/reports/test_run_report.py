import json
import math
from importlib import metadata
from pathlib import Path

import numpy as np
import psutil
import pytest

from cdpipe.engine.files.seals import FILES, SEAL
from cdpipe.reports.run_report import RunReport, describe_machine, describe_versions
from cdpipe.stages.gather.conventions import Convention
from cdpipe.stages.ledger import Ledger
from cdpipe.training.metrics import measure
from cdpipe.training.train import Fitted, Trained

DEGENERATE = measure(np.zeros(4, np.int8), np.zeros(4, np.int8))


def report(**changed):
    made = {
        "config": {"seed": 1},
        "ledgers": {"clean": Ledger("clean", 5, 4, {"no position": 1})},
        "cache": {"features": "miss"},
        "seconds": {"clean": 0.5},
        "wall_s": 1.5,
        "used": {"cpu_percent": None},
        "projections": (("streaming", 10, 20),),
        "trained": Trained(
            (Fitted("KNeighbors", DEGENERATE, 0.1, 0.2),), Ledger("train", 4, 4), ("x_pos",), 3, 1, 1, 1.0
        ),
        "absent": {"coreData_heading": ("a.csv",)},
        "conventions": {"a.csv": Convention(("coreData_speed",), whole_seconds=False, format="csv")},
        "outputs": {"report": Path("out/report.json")},
        "versions": describe_versions(),
        "machine": describe_machine(),
    }
    return RunReport(**(made | changed))


def test_the_file_is_strict_json_with_null_for_a_rate_over_nothing(tmp_path):
    report().write(tmp_path / "report.json")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]

    def refuse(name):
        raise AssertionError(name)

    read = json.loads((tmp_path / "report.json").read_text(), parse_constant=refuse)
    assert {name: said for name, said in read.items() if name not in (FILES, SEAL)} == report().as_dict()
    classifier = read["training"]["classifiers"][0]
    assert (classifier["precision"], classifier["recall"], classifier["accuracy"]) == (None, None, 1.0)
    assert set(classifier) == {"name", "fit_s", "predict_s", "intervals", *DEGENERATE.as_dict()}
    assert read["ledgers"] == [
        {"stage": "clean", "rows_in": 5, "rows_out": 4, "dropped": {"no position": 1}, "notes": {}}
    ]
    assert read["projections"] == [{"what": "streaming", "needed_bytes": 10, "limit_bytes": 20}]
    assert read["absent_columns"] == {"coreData_heading": ["a.csv"]}
    assert read["conventions"] == {
        "a.csv": {
            "counted": ["coreData_speed"],
            "whole_seconds": False,
            "time_zone": "UTC",
            "format": "csv",
            "mapped": [],
        }
    }
    assert read["outputs"] == {"report": "out/report.json"}


def test_a_run_without_training_says_so():
    assert report(trained=None).as_dict()["training"] is None


def test_a_report_that_cannot_be_written_leaves_the_one_before(tmp_path):
    report().write(tmp_path / "report.json")
    before = (tmp_path / "report.json").read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        report(wall_s=math.nan).write(tmp_path / "report.json")
    assert (tmp_path / "report.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_versions_are_those_installed():
    versions = describe_versions()
    assert len(versions) > 6
    for name in set(versions) - {"python"}:
        assert versions[name] == metadata.version(name)


def test_the_machine_is_this_one():
    machine = describe_machine()
    assert machine["memory_gb"] == pytest.approx(psutil.virtual_memory().total / 1e9, abs=0.1)
    assert machine["cores"] == len(psutil.Process().cpu_affinity())
    assert machine["processor"]
    assert machine["system"]
