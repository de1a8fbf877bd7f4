"""Intervals of MCC on null data: features that know vehicles again and say nothing of attacks."""

import numpy as np
import pandas as pd
import pytest

from cdpipe.training.evaluation.intervals import estimate_rates, find_spread, profile_alarms
from cdpipe.training.evaluation.resampling import Resampler
from cdpipe.training.params import TrainParams
from cdpipe.training.train import train

DATA_SETS = 400


def make_null(seed, *, vehicles, attackers):
    """Messages of vehicles with places of their own; who attacks is drawn without a look at them."""
    rng = np.random.default_rng(seed)
    sent = rng.integers(10, 50, vehicles)
    attacks = np.zeros(vehicles, np.int8)
    attacks[rng.permutation(vehicles)[:attackers]] = 1
    code = np.repeat(np.arange(vehicles), sent)
    features = 2 * rng.normal(size=(vehicles, 3))[code] + rng.normal(size=(code.size, 3))
    return pd.DataFrame(
        {
            "row_number": np.arange(code.size),
            "vehicle": rng.integers(0, 2**64, vehicles, dtype=np.uint64)[code],
            "time_us": np.arange(code.size),
            **dict(zip(("x_pos", "y_pos", "coreData_speed"), features.T, strict=True)),
            "isAttacker": attacks[code],
        }
    )


def covers(seed, classifier, *, vehicles, attackers, folds):
    evaluation = {"folds": folds, "importance": False, "ladder": [], "predictions": False, "resamples": 1_000}
    params = TrainParams(classifiers=(classifier,), seed=seed, evaluation=evaluation if folds > 1 else {})
    frame = make_null(seed, vehicles=vehicles, attackers=attackers)
    return train(frame, params, threads=1).fitted[0].estimates["mcc"].holds(0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classifier", "vehicles", "attackers", "folds"),
    [
        ("DecisionTree", 60, 18, 5),
        ("DecisionTree", 100, 10, 5),
        ("KNeighbors", 30, 9, 5),
        ("DecisionTree", 100, 30, 1),
    ],
)
def test_intervals_hold_0_in_92_to_98_of_100_null_data_sets(classifier, vehicles, attackers, folds):
    how = {"vehicles": vehicles, "attackers": attackers, "folds": folds}
    held = sum(covers(seed, classifier, **how) for seed in range(DATA_SETS))
    assert 0.92 <= held / DATA_SETS <= 0.98


def draw_alarms(seed, *, vehicles, attackers, rates):
    """Alarms of vehicles that alarm at rates of their own, about one rate for attackers and one for the others."""
    rng = np.random.default_rng(seed)
    attacks = np.arange(vehicles) < attackers
    rate = np.where(attacks, rates[0], rates[1])
    code = np.repeat(np.arange(vehicles), rng.integers(10, 50, vehicles))
    alarm = rng.random(code.size) < rng.beta(2 * rate, 2 * (1 - rate))[code]
    return attacks, profile_alarms(code, attacks[code].astype(np.int8), alarm, vehicles=vehicles)


@pytest.mark.parametrize(
    ("vehicles", "attackers", "rates"), [(40, 12, (0.3, 0.3)), (40, 12, (0.6, 0.15)), (100, 10, (0.05, 0.05))]
)
def test_intervals_of_independent_vehicles_hold_the_truth(vehicles, attackers, rates):
    """The cheap cousin: no classifier, and a truth that is known, here by very many vehicles at once."""
    caught, false = attackers * rates[0], (vehicles - attackers) * rates[1]
    honest, missed = vehicles - attackers - false, attackers - caught
    spread = np.sqrt((caught + false) * attackers * (vehicles - attackers) * (honest + missed))
    truth = (caught * honest - false * missed) / spread
    held = 0
    for seed in range(150):
        attacks, alarms = draw_alarms(seed, vehicles=vehicles, attackers=attackers, rates=rates)
        drawn = Resampler(attacks, seed, 400).add_up([alarms])[0]
        held += estimate_rates(alarms, drawn, find_spread(vehicles=vehicles, folds=1))["mcc"].holds(truth)
    assert 0.88 <= held / 150 <= 1


def test_intervals_over_messages_would_not_hold_the_truth():
    """Why vehicles are drawn: with each message as a vehicle of its own, intervals are far too sure."""
    held = 0
    for seed in range(100):
        attacks, alarms = draw_alarms(seed, vehicles=40, attackers=12, rates=(0.3, 0.3))
        each = np.repeat(np.tile(np.eye(2), (40, 1)), (alarms.negative + alarms.positive).astype(int).ravel(), axis=0)
        owner = np.repeat(attacks, (alarms.negative + alarms.positive).sum(axis=1).astype(int))
        alone = type(alarms)(each * ~owner[:, np.newaxis], each * owner[:, np.newaxis])
        drawn = Resampler(owner, seed, 200).add_up([alone])[0]
        held += estimate_rates(alone, drawn, find_spread(vehicles=owner.size, folds=1))["mcc"].holds(0)
    assert held < 60
