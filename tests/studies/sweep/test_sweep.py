import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from cdpipe import run
from cdpipe.config.file import ConfigError
from cdpipe.config.model import parse_config
from cdpipe.engine.outputs.output_folder import OutputError
from cdpipe.studies.sweep import work as work_room
from cdpipe.studies.sweep.params import StudyParams, load_study
from cdpipe.studies.sweep.sweep import sweep
from cdpipe.studies.sweep.template import example_study
from cdpipe.synthetic.generator import SynthParams, synthesize


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("messages") / "bsm.csv"
    synthesize(path, SynthParams(rows=2_000, vehicles=40))
    return path


@pytest.fixture
def study(source, tmp_path):
    """Make the parameters of a small study."""

    def made(**changes):
        base = {
            "input": {"paths": [str(source)]},
            "gather": {"block_mb": 0.05},
            "cache": {"directory": str(tmp_path / "cache")},
            "features": {"columns": ["x_pos", "y_pos", "coreData_speed"]},
        }
        given = {
            "base": base,
            "directory": str(tmp_path / "study"),
            "attacks": [
                {"kind": "offset_rand", "variants": [{"min_m": 10, "max_m": 20}, {"min_m": 100, "max_m": 200}]},
                {"name": "swap", "kind": "swap_rand", "ratio": 0.4},
            ],
            "seeds": [1, 2],
            "classifiers": ["DecisionTree", "KNeighbors"],
        }
        return StudyParams(**{**given, **changes})

    return made


@pytest.fixture
def counted(monkeypatch):
    """Count fits: the keys of works that were really done."""
    keys, find = [], work_room._find

    def counting(work, *rest):
        keys.append(work.key)
        return find(work, *rest)

    monkeypatch.setattr(work_room, "_find", counting)
    return keys


@pytest.mark.parametrize("history", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_cell_finds_what_a_run_of_its_configuration_finds(study, source, tmp_path, history):
    base = {**study().base, "features": {"columns": ["x_pos", "y_pos", "coreData_speed"], "history": history}}
    cells = sweep(study(transfer=False, base=base)).tables["cells"]
    assert len(cells) == 3 * 2 * 2
    for attack, variant, tables in [
        ("offset_rand", 2, {"kind": "offset_rand", "min_m": 100, "max_m": 200}),
        ("swap", 1, {"kind": "swap_rand", "ratio": 0.4}),
    ]:
        config = {
            **base,
            "seed": 2,
            "attack": tables,
            "train": {"classifiers": ["DecisionTree", "KNeighbors"]},
            "output": {"directory": str(tmp_path / f"run-{attack}")},
            "cache": {"enabled": False},
        }
        trained = run(parse_config(config)).trained
        for fitted in trained.fitted:
            here = cells[(cells["attack"] == attack) & (cells["variant"] == variant) & (cells["seed"] == 2)]
            (row,) = here[here["classifier"] == fitted.classifier].to_dict("records")
            assert {name: row[name] for name in fitted.metrics.as_dict()} == fitted.metrics.as_dict()
            assert (row["train_rows"], row["test_rows"]) == (trained.train_rows, trained.test_rows)


def test_a_second_run_fits_nothing_and_says_the_same(study, counted):
    first = sweep(study())
    assert len(counted) == first.fitted == 3 * 2 * 2 + 2 * 2 * 2
    again = sweep(study())
    assert (len(counted), again.fitted) == (first.fitted, 0)
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])


def test_only_what_is_new_is_fitted(study, counted):
    sweep(study(transfer=False))
    before = len(counted)
    sweep(study(transfer=False, seeds=[2, 1, 3]))
    assert len(counted) - before == 3 * 2
    sweep(study(transfer=False, attacks=[{"name": "renamed", "kind": "swap_rand", "ratio": 0.4}]))
    assert len(counted) - before == 3 * 2


def test_a_damaged_record_is_made_again(study, counted, tmp_path):
    first = sweep(study(transfer=False))
    before = len(counted)
    damaged = sorted((tmp_path / "study" / "cells").glob("*.json"))[:2]
    damaged[0].write_text(damaged[0].read_text().replace("0.", "1.", 1))
    damaged[1].write_text("")
    again = sweep(study(transfer=False))
    assert len(counted) - before == again.fitted == 2
    timings = ["fit_s", "predict_s"]
    pd.testing.assert_frame_equal(
        first.tables["cells"].drop(columns=timings), again.tables["cells"].drop(columns=timings)
    )


def test_a_transfer_to_itself_is_the_cell(study):
    tables = sweep(study()).tables
    transfer, summary = tables["transfer"], tables["summary"].query("variant == 1")
    assert set(zip(transfer["trained_on"], transfer["tested_on"], strict=True)) == {
        (one, other) for one in ("offset_rand", "swap") for other in ("offset_rand", "swap")
    }
    own = transfer[transfer["trained_on"] == transfer["tested_on"]]
    for row in own.to_dict("records"):
        (cell,) = summary.query("attack == @row['trained_on'] and classifier == @row['classifier']").to_dict("records")
        assert row["mcc_mean"] == cell["mcc_mean"]
        assert row["mcc_low"] == cell["mcc_low"]


def test_tables_are_written_whole_and_the_report_vouches_for_them(study, tmp_path):
    report = sweep(study())
    folder = tmp_path / "study"
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "cells.parquet"), report.tables["cells"])
    assert len(pd.read_csv(folder / "cells.csv")) == len(report.tables["cells"])
    said = json.loads((folder / "report.json").read_text())
    assert said["study"]["seeds"] == [1, 2]
    assert set(said["sha256_of_files"]) == {
        *("cells.parquet", "cells.csv", "summary.csv", "summary.tex", "transfer.csv", "transfer.tex")
    }
    tex = (folder / "summary.tex").read_text()
    assert r"offset\_rand" in tex
    assert tex.count(r"\\") == len(report.tables["summary"]) + 1


def test_intervals_are_student_s(study):
    row = sweep(study(transfer=False, classifiers=["DecisionTree"], attacks=[{"kind": "swap_rand"}])).tables["summary"]
    cells = sweep(study(transfer=False, classifiers=["DecisionTree"], attacks=[{"kind": "swap_rand"}])).tables["cells"]
    one, other = cells["accuracy"]
    assert row["accuracy_mean"][0] == pytest.approx((one + other) / 2)
    reach = 12.706204736 * abs(one - other) / 2  # t of one degree of freedom
    assert row["accuracy_low"][0] == pytest.approx(max(0, (one + other) / 2 - reach))


def test_a_cell_that_cannot_be_done_is_said_and_stops_nothing(study):
    report = sweep(study(attacks=[{"kind": "offset_rand", "ratio": 0.0}, {"kind": "swap_rand"}], transfer=False))
    assert len(report.failed) == 2 * 2
    assert all("isAttacker = 0" in why for why in report.failed.values())
    assert report.tables["summary"]["seeds"].tolist() == [0, 0, 2, 2]


def test_what_no_study_made_stays(study, source, tmp_path):
    config = {
        "input": {"paths": [str(source)]},
        "train": {"classifiers": []},
        "output": {"directory": str(tmp_path / "study")},
    }
    run(parse_config(config | {"cache": {"enabled": False}}))
    with pytest.raises(OutputError, match="holds the results of a run"):
        sweep(study())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "cells.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"cells\.csv: is not of a run"):
        sweep(study(directory=tmp_path / "other"))
    assert (tmp_path / "other" / "cells.csv").read_text() == "mine"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attacks": []}, "list at least 1"),
        ({"seeds": [1, 1]}, "has a value twice"),
        ({"sedes": [1]}, "unknown key 'sedes'; did you mean 'seeds'"),
        ({"base": {"seed": 3, "input": {"paths": ["a"]}}}, "has seed, which is for the study to say"),
        ({"base": {"train": {"split": "row"}, "input": {"paths": ["a"]}}}, "leave it out, and set splits"),
    ],
)
def test_a_wrong_study_is_said(study, tmp_path, changes, message):
    said = study().model_dump(mode="json") | changes
    (tmp_path / "s.json").write_text(json.dumps(said))
    with pytest.raises(ConfigError, match=message):
        load_study(tmp_path / "s.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attacks": [{"kind": "teleport"}]}, "attack teleport, variant 1.*kind = 'teleport'"),
        ({"attacks": [{"kind": "swap_rand"}, {"kind": "swap_rand"}]}, "is there twice; give each a name"),
        ({"attacks": [{"kind": "swap_rand", "variants": 3}]}, "must be a list of tables"),
        ({"splits": ["moon"]}, "split = 'moon'"),
    ],
)
def test_a_wrong_cell_is_named(study, changes, message):
    with pytest.raises(ConfigError, match=message):
        sweep(study(**changes))


def test_the_example_is_a_study_and_a_base_can_be_a_file(source, tmp_path):
    (tmp_path / "run.toml").write_text(f'[input]\npaths = ["{source}"]\n')
    text = example_study()
    (tmp_path / "example.toml").write_text(text)
    assert load_study(tmp_path / "example.toml").seeds == (1, 2, 3, 4, 5)
    (tmp_path / "study.toml").write_text('base = "run.toml"\nattacks = [{ kind = "swap_rand" }]\n')
    assert load_study(tmp_path / "study.toml").base["input"]["paths"] == [str(source)]


COMMAND = (sys.executable, "-c", "from cdpipe.cli import main; main()", "sweep")


def start(study, tmp_path):
    (tmp_path / "study.json").write_text(json.dumps(study.model_dump(mode="json")))
    return subprocess.Popen(
        [*COMMAND, str(tmp_path / "study.json")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for_records(folder, number):
    end = time.monotonic() + 120
    while len(list(folder.glob("*.json"))) < number and time.monotonic() < end:
        time.sleep(0.02)
    return len(list(folder.glob("*.json")))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_whatever_ends_a_study_what_was_done_is_kept(study, counted, tmp_path, number, status):
    chosen = study(transfer=False, seeds=list(range(30)))
    process = start(chosen, tmp_path)
    done = wait_for_records(tmp_path / "study" / "cells", 20)
    os.kill(process.pid, number)
    said, _ = process.communicate()
    assert process.returncode == status, said
    kept = len(list((tmp_path / "study" / "cells").glob("*.json")))
    assert 20 <= done <= kept < 180
    if number == signal.SIGINT:
        assert f"{kept} of 180 cells are done and kept; run it again to go on" in said
    report = sweep(chosen)
    assert len(counted) == report.fitted == 180 - kept


@pytest.mark.slow
def test_a_cluster_finds_the_same(study, tmp_path):
    here = sweep(study()).tables
    base = {**study().base, "session": {"scheduler": "local", "workers": 2, "threads_per_worker": 1}}
    there = sweep(study(base=base, directory=tmp_path / "there")).tables
    timings = ["fit_s", "predict_s"]
    pd.testing.assert_frame_equal(here["cells"].drop(columns=timings), there["cells"].drop(columns=timings))
    pd.testing.assert_frame_equal(here["transfer"], there["transfer"])
