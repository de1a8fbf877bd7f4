"""Sides that training draws, and those that places and attacks make."""

import numpy as np
import pytest
from contract_data import read_dataset

from cdpipe import run
from cdpipe.config.model import ConfigError, parse_config
from cdpipe.synthetic.generator import SynthParams, synthesize


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("messages") / "bsm.csv"
    synthesize(path, SynthParams(rows=3_000, vehicles=60))
    return path


@pytest.fixture
def ran(source, tmp_path):
    """Run a configuration; the report and the data set."""

    def made(name="out", *, block_mb=32, **tables):
        given = {
            "input": {"paths": [str(source)]},
            "gather": {"block_mb": block_mb},
            "cache": {"enabled": False},
            "output": {"directory": str(tmp_path / name)},
        }
        report = run(parse_config({**given, **tables}))
        return report, read_dataset(tmp_path / name / "dataset")[0]

    return made


TREE = {"classifiers": ["DecisionTree"]}
PLACES = {
    "filters": {
        "places": {
            "centres": [
                {"latitude": 41.5, "longitude": -106.2, "radius_m": 18_000},
                {"latitude": 41.6, "longitude": -105.95, "radius_m": 14_000},
            ]
        }
    }
}


def test_messages_know_their_place_and_a_place_tests(ran):
    report, frame = ran(clean=PLACES, train=TREE | {"split": "place", "test_places": [2]})
    counts = frame["place"].value_counts()
    assert set(counts.index) == {1, 2}
    assert report.ledgers["clean"].dropped["outside all places"] > 0
    assert (report.trained.train_rows, report.trained.test_rows) == (counts[1], counts[2])


def test_places_are_those_of_circles(ran):
    both = ran("both", clean=PLACES, train=None)[1]
    for number, circle in enumerate(PLACES["filters"]["places"]["centres"], 1):
        alone = ran(f"alone-{number}", clean={"filters": {"within": circle}}, train=None)[1]
        rows = set(alone["row_number"])
        if number == 1:
            assert set(both[both["place"] == 1]["row_number"]) == rows
        assert set(both[both["place"] == number]["row_number"]) <= rows


@pytest.mark.parametrize("shares", [[0.8, 0.2], [0.25, 0.75], [1.0, 0.0]])
def test_places_have_their_shares_of_messages(ran, shares):
    report, frame = ran(clean=PLACES, train=TREE | {"split": "row", "place_shares": shares})
    counts = frame["place"].value_counts()
    most = min(counts[place] / share for place, share in enumerate(shares, 1) if share)
    kept = sum(int(share * most) for share in shares)
    assert report.trained.train_rows + report.trained.test_rows == kept
    assert kept > 100


def test_exactly_so_many_messages_train_and_test(ran):
    report, _ = ran(train=TREE | {"split": "row", "train_rows": 800, "test_rows": 200})
    assert (report.trained.train_rows, report.trained.test_rows) == (800, 200)
    with pytest.raises(ValueError, match=r"train_rows is 8,000 and train\.test_rows 200, but there are"):
        ran(train=TREE | {"split": "row", "train_rows": 8_000, "test_rows": 200})


def test_all_messages_train_and_test(ran):
    report, frame = ran(train=TREE | {"split": "all_data"})
    assert report.trained.train_rows == report.trained.test_rows == len(frame)
    assert report.trained.fitted[0].metrics.accuracy > 0.99  # a full tree recalls what it has learnt


@pytest.mark.parametrize("shares", [(0.4, 0.1), (0.3, 0.0), (0.0, 0.5)])
def test_sides_of_vehicles_have_exactly_their_share_of_attackers(ran, shares):
    _, frame = ran(
        attack={"ratio": shares[0], "test_ratio": shares[1]}, train=TREE | {"split": "vehicle"} if shares[0] else None
    )
    by_vehicle = frame.groupby("vehicle")[["isAttacker", "is_test"]].agg(["min", "max"])
    assert (by_vehicle["isAttacker"]["min"] == by_vehicle["isAttacker"]["max"]).all()
    assert (by_vehicle["is_test"]["min"] == by_vehicle["is_test"]["max"]).all()
    tests = by_vehicle["is_test"]["max"] == 1
    assert tests.sum() == round(0.2 * len(tests))
    for side, share in ((~tests, shares[0]), (tests, shares[1])):
        assert by_vehicle["isAttacker"]["max"][side].sum() == round(share * side.sum())


def test_training_takes_the_sides_that_the_attack_was_made_for(ran):
    report, frame = ran(attack={"ratio": 0.4, "test_ratio": 0.1}, train=TREE | {"split": "row", "test_ratio": 0.3})
    tests = int(frame["is_test"].sum())
    assert (report.trained.train_rows, report.trained.test_rows) == (len(frame) - tests, tests)
    assert tests / len(frame) == pytest.approx(0.3, abs=0.04)
    shares = frame.groupby("is_test")["isAttacker"].mean()
    assert shares[0] == pytest.approx(0.4, abs=0.12)
    assert shares[1] == pytest.approx(0.1, abs=0.08)
    assert set(frame[(frame["is_test"] == 1) & (frame["isAttacker"] == 1)]["vehicle"]) <= set(
        frame[(frame["is_test"] == 0) & (frame["isAttacker"] == 1)]["vehicle"]
    )


def test_a_place_can_be_attacked_alone(ran):
    _, frame = ran(
        clean=PLACES,
        attack={"ratio": 0.5, "test_ratio": 0.0},
        train=TREE | {"split": "place", "test_places": [2]},
    )
    assert frame[frame["place"] == 2]["isAttacker"].sum() == 0
    assert frame[frame["place"] == 1]["isAttacker"].sum() > 0
    assert (frame["is_test"] == (frame["place"] == 2)).all()


@pytest.mark.parametrize("split", ["row", "vehicle", "place"])
def test_sides_and_places_do_not_depend_on_partitions(ran, split):
    tables = {
        "clean": PLACES,
        "attack": {"kind": "swap_rand", "ratio": 0.4, "test_ratio": 0.2},
        "train": TREE | {"split": split} | ({"test_places": [1]} if split == "place" else {}),
    }
    whole, parts = (ran(f"out-{block}", block_mb=block, **tables) for block in (32, 0.05))
    assert whole[0].trained.fitted[0].metrics == parts[0].trained.fitted[0].metrics
    assert whole[1].equals(parts[1])


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"train": {"split": "place"}}, "split = 'place' and test_places go together"),
        ({"train": {"test_places": [1]}}, "split = 'place' and test_places go together"),
        ({"train": {"train_rows": 5}}, "train_rows and test_rows go together"),
        ({"train": {"train_rows": 5, "test_rows": 5}}, "are of split = 'row', not of 'vehicle'"),
        ({"train": {"place_shares": [0.5, 0.4]}}, "add up to 0.9"),
        ({"attack": {"test_ratio": 0.1}, "train": {"split": "time"}}, "test_ratio needs a train.split of"),
        ({"clean": {"filters": {"places": {"centres": []}}}}, "must list at least 2"),
    ],
)
def test_what_does_not_go_together_is_said(tables, message):
    with pytest.raises(ConfigError, match=message):
        parse_config({"input": {"paths": ["a.csv"]}, **tables})


def test_places_that_are_not_there_are_said(ran):
    with pytest.raises(ValueError, match=r"the messages are of none: set clean\.filters\.places"):
        ran(train=TREE | {"split": "place", "test_places": [1]})
    with pytest.raises(ValueError, match="0 in testing"):
        ran("other", clean=PLACES, train=TREE | {"split": "place", "test_places": [3]})
    assert np.isfinite(ran("fine", clean=PLACES, train=TREE)[0].trained.majority_rate)
