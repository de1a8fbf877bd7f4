"""Files as agencies publish them go through; what is no message of ours is a counted reject or a clear error.

The files are of the tests' own making. Recorded ones, which are in no repository of ours, are tried where they are.
"""

from pathlib import Path

import made_files
import pandas as pd
import pytest
from command_runs import BY_ROW, TINY, command_run
from contract_data import assert_identical, config_of, read_dataset, read_rejects

from cdpipe import run

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data"
RECORDED_ROWS = {
    "wydot_2020/wydot_obu_20200220_335bsm_wydotcsv.csv": 335,
    "ode/bsmLogDuringEvent.json": 222,
    "ode/bsmTx.json": 16,
}
MADE = {
    "dot.csv": (made_files.write_dot_csv, made_files.DOT_ROWS),
    "ode.json": (made_files.write_ode_json, made_files.EVENT_ROWS),
}
FILES = [*MADE, *(name for name in RECORDED_ROWS if (RECORDED / name).exists())]


@pytest.fixture(params=[name if name in MADE else pytest.param(name, marks=pytest.mark.slow) for name in FILES])
def published(request, tmp_path):
    """A file, and how many messages it holds."""
    name = request.param
    if name in RECORDED_ROWS:
        return RECORDED / name, RECORDED_ROWS[name]
    write, rows = MADE[name]
    return write(tmp_path / name), rows


def test_published_messages_go_through_and_the_second_run_is_a_hit(published, tmp_path):
    source, rows = published
    config = config_of([source], tmp_path, train=TINY, attack=BY_ROW)
    first = run(config)
    assert first.ledgers["gather"].rows_in == rows
    assert not first.ledgers["gather"].dropped
    for ledger in (*first.ledgers.values(), first.trained.ledger):
        assert ledger.rows_in == ledger.rows_out + sum(ledger.dropped.values())
    assert first.ledgers["features"].rows_out > 0.9 * rows
    assert first.cache["features"] == "miss"
    frame, _ = read_dataset(tmp_path / "out" / "dataset")
    second = run(config)
    assert second.cache == {"features": "hit"}
    assert second.ledgers == first.ledgers
    assert [each.metrics for each in second.trained.fitted] == [each.metrics for each in first.trained.fitted]
    assert second.trained.majority_rate == first.trained.majority_rate
    assert_identical(frame, read_dataset(tmp_path / "out" / "dataset")[0])


@pytest.mark.parametrize("published", [name for name in FILES if name.endswith(".csv")], indirect=True)
def test_published_messages_keep_their_values(published, tmp_path):
    source, _ = published
    run(config_of([source], tmp_path, train=None, attack={"ratio": 0}))
    frame, _ = read_dataset(tmp_path / "out" / "dataset")
    truth = pd.read_csv(source, dtype={"coreData_id": "str"}).iloc[frame["row_number"]].reset_index(drop=True)
    assert frame["x_pos"].tolist() == truth["coreData_position_long"].tolist()
    assert frame["y_pos"].tolist() == truth["coreData_position_lat"].tolist()
    assert frame["coreData_speed"].tolist() == truth["coreData_speed"].tolist()
    times = pd.to_datetime(truth["metadata_generatedAt"]).astype("datetime64[us]").astype("int64")
    assert frame["time_us"].tolist() == times.tolist()
    assert frame["vehicle"].nunique() == truth["coreData_id"].nunique() == 2


def test_the_command_prints_rows_metrics_and_hits(tmp_path):
    source = made_files.write_ode_json(tmp_path / "ode.json")
    for word in ("miss", "hit"):
        done = command_run(tmp_path, source)
        assert done.exit_code == 0, done.output
        for shown in (str(made_files.EVENT_ROWS), "commoner class", "KNeighbors", word):
            assert shown in done.output


def test_malformed_records_are_counted_and_kept(tmp_path):
    source = made_files.write_broken_json(tmp_path / "broken.json")
    # Without its own timestamp a record cannot be cleaned unless that is asked for; some tell when they were received.
    required = {"timestamp_parts": False, "required": []}
    read = {"missing_time": "received", "required": ["coreData_speed", "coreData_id", "coreData_position_lat"]}
    report = run(config_of([source], tmp_path, train=None, attack=BY_ROW, clean=required, gather=read))
    ledger, rejects = report.ledgers["gather"], read_rejects(tmp_path / "out")
    expected = made_files.make_broken_lines()
    assert ledger.rows_in == len(expected)
    assert ledger.rows_in - ledger.rows_out == len(rejects) == sum(ledger.dropped.values())
    assert [(each["line"], each["code"]) for each in rejects] == [
        (2 * index + 1, code) for index, (_, code) in enumerate(expected) if code
    ]
    for each in rejects:
        assert expected[each["line"] // 2][0].startswith(each["text"][:50])
    assert ["foo" in each["reason"] for each in rejects if "speed" in each["code"]] == [True]


def test_records_none_of_which_can_be_used_are_an_error_that_says_why(tmp_path):
    lines = [line for line, code in made_files.make_broken_lines() if code or "recordGeneratedAt" not in line]
    (tmp_path / "hopeless.json").write_text("\n".join(lines))
    done = command_run(tmp_path, tmp_path / "hopeless.json")
    assert done.exit_code == 1
    for why in ("3: not a BSM", "coreData_speed: not a number", "null in metadata_generatedAt"):
        assert why in done.output.replace("\n", " ")
    assert len(read_rejects(tmp_path / "out" / "failed-run")) == 8


def test_raw_j2735_integers_are_no_dot_csv_and_the_error_says_what_is_missing(tmp_path):
    done = command_run(tmp_path, made_files.write_raw_csv(tmp_path / "raw.csv"))
    assert done.exit_code == 1
    assert "cleaning needs a position, coreData_position_lat and coreData_position_long" in done.output


@pytest.mark.parametrize("name", ["simulated.csv.gz", "simulated.csv"])
def test_another_data_set_s_csv_is_refused_by_its_columns(tmp_path, name):
    done = command_run(tmp_path, made_files.write_simulated_csv(tmp_path / name))
    assert done.exit_code == 1
    assert "needs a position" in done.output
