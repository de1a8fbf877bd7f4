"""Real messages go through end to end; what is no message of ours is a counted reject or a clear error."""

import gzip

import pandas as pd
import pytest
from command_runs import BY_ROW, TINY, command_run
from contract_data import assert_identical, config_of, read_dataset, read_rejects

from cdpipe import run

REAL = {
    "wydot_2020/wydot_obu_20200220_335bsm_wydotcsv.csv": 335,
    "ode/bsmLogDuringEvent.json": 222,
    "ode/bsmTx.json": 16,
}


@pytest.mark.parametrize("name", REAL)
def test_real_messages_go_through_and_the_second_run_is_a_hit(shared_data, tmp_path, name):
    config = config_of([shared_data / name], tmp_path, train=TINY, attack=BY_ROW)
    first = run(config)
    assert first.ledgers["gather"].rows_in == REAL[name]
    assert not first.ledgers["gather"].dropped
    for ledger in (*first.ledgers.values(), first.trained.ledger):
        assert ledger.rows_in == ledger.rows_out + sum(ledger.dropped.values())
    assert first.ledgers["features"].rows_out > 0.9 * REAL[name]
    assert first.cache["features"] == "miss"
    frame, _ = read_dataset(tmp_path / "out" / "dataset")
    second = run(config)
    assert second.cache == {"features": "hit"}
    assert second.ledgers == first.ledgers
    assert [each.metrics for each in second.trained.fitted] == [each.metrics for each in first.trained.fitted]
    assert second.trained.majority_rate == first.trained.majority_rate
    assert_identical(frame, read_dataset(tmp_path / "out" / "dataset")[0])


def test_real_messages_keep_their_values(shared_data, tmp_path):
    source = shared_data / "wydot_2020/wydot_obu_20200220_335bsm_wydotcsv.csv"
    run(config_of([source], tmp_path, train=None, attack={"ratio": 0}))
    frame, _ = read_dataset(tmp_path / "out" / "dataset")
    truth = pd.read_csv(source, dtype={"coreData_id": "str"}).iloc[frame["row_number"]].reset_index(drop=True)
    assert frame["x_pos"].tolist() == truth["coreData_position_long"].tolist()
    assert frame["y_pos"].tolist() == truth["coreData_position_lat"].tolist()
    assert frame["coreData_speed"].tolist() == truth["coreData_speed"].tolist()
    times = pd.to_datetime(truth["metadata_generatedAt"]).astype("datetime64[us]").astype("int64")
    assert frame["time_us"].tolist() == times.tolist()
    assert frame["vehicle"].nunique() == truth["coreData_id"].nunique() == 2


def test_the_command_prints_rows_metrics_and_hits(shared_data, tmp_path):
    for word in ("miss", "hit"):
        done = command_run(tmp_path, shared_data / "ode" / "bsmLogDuringEvent.json")
        assert done.exit_code == 0, done.output
        for shown in ("222", "commoner class", "KNeighbors", word):
            assert shown in done.output


@pytest.mark.parametrize("name", ["cvdp_error_cases.json", "validator_bad.json"])
def test_malformed_records_are_counted_and_kept(shared_data, tmp_path, name):
    source = shared_data / "ode" / name
    # Without its own timestamp no record of the one file can be cleaned; that is an error, and rejects are still kept.
    required = {"timestamp_parts": False, "required": []}
    report = run(config_of([source], tmp_path, train=None, attack=BY_ROW, clean=required))
    ledger, rejects = report.ledgers["gather"], read_rejects(tmp_path / "out")
    lines = source.read_text().split("\n")
    assert ledger.rows_in == sum(bool(line.strip()) for line in lines)
    assert ledger.rows_in - ledger.rows_out == len(rejects) == sum(ledger.dropped.values()) > 0
    assert {each["line"] for each in rejects if each["code"] == "comment"} == {
        place for place, line in enumerate(lines, 1) if line.startswith("#")
    }
    for each in rejects:
        assert lines[each["line"] - 1].startswith(each["text"][:50])
    if name == "cvdp_error_cases.json":
        assert any("foo" in each["reason"] and each["code"] == "coreData_speed: not a number" for each in rejects)


def test_records_none_of_which_can_be_used_are_an_error_that_says_why(shared_data, tmp_path):
    done = command_run(tmp_path, shared_data / "ode" / "cvdp_error_cases.json")
    assert done.exit_code == 1
    for why in ("7: not a BSM", "coreData_speed: not a number", "null in metadata_generatedAt"):
        assert why in done.output.replace("\n", " ")
    assert len(read_rejects(tmp_path / "out")) == 11


def test_raw_j2735_integers_are_no_dot_csv_and_the_error_says_what_is_missing(shared_data, tmp_path):
    done = command_run(tmp_path, shared_data / "wydot_2020" / "wydot_obu_20200220_336bsm_raw_j2735.csv")
    assert done.exit_code == 1
    assert "cleaning needs a position, coreData_position_lat and coreData_position_long" in done.output


def test_another_data_set_s_csv_is_refused_by_its_columns(shared_data, tmp_path):
    packed = shared_data / "veremi" / "VeReMiExt_ConstPos_28800-29400s_unique_msgs.csv.gz"
    (tmp_path / "veremi.csv").write_bytes(gzip.decompress(packed.read_bytes()))
    for source, said in ((packed, "the suffix '.gz' tells no format"), (tmp_path / "veremi.csv", "needs a position")):
        done = command_run(tmp_path, source)
        assert done.exit_code == 1
        assert said in done.output
