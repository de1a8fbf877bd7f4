import numpy as np
import pytest

from cdpipe.kernels.sequences.history import NAMES
from cdpipe.stages.history.checks import CHECKS, CheckLimits, check, claims_of

LIMITS = CheckLimits()
ALL = tuple(CHECKS)


def told(**values):
    """One message's history, as it is where nothing is wrong."""
    usual = {"count": 5, "interval_s": 0.1, "displacement_m": 1.0, "interval_mean_s": 0.1} | values
    return np.array([[usual.get(name.removeprefix("history_"), 0.0)] for name in NAMES], np.float32)


def judged(speed=10.0, coarse=False, **values):
    claims = claims_of(np.array([speed]), np.array([coarse]), told(**values), window=10)
    return {name: float(found[0]) for name, found in check(claims, LIMITS, ALL).items()}


def test_what_nothing_speaks_against_is_plausible():
    assert set(judged().values()) == {1.0}
    assert set(judged(count=0, interval_s=0, displacement_m=0, interval_mean_s=0).values()) == {1.0}
    assert judged(speed=np.nan)["check_speed"] == 1.0


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("check_speed", {"speed": 70.0}, 1.0),
        ("check_speed", {"speed": 105.0}, 0.5),
        ("check_speed", {"speed": 200.0}, 0.0),
        ("check_position", {"displacement_m": 1.5 * (70 * 0.1 + 5)}, 0.5),
        ("check_position_speed", {"speed_gap_mps": -1.5 * (5 + 0.5 * 9 * 0.01) / 0.1}, 0.5),
        ("check_position_heading", {"displacement_m": 6.0, "bearing_gap_deg": -45.0}, 0.5),
        ("check_position_heading", {"displacement_m": 4.0, "bearing_gap_deg": -180.0}, 1.0),
        ("check_dead_reckoning", {"along_m": 0.9 * (5.045), "across_m": -1.2 * 5.045}, 0.5),
        ("check_trend", {"trend_m": 1.5 * (5 + 4.5 * 0.25)}, 0.5),
        ("check_acceleration", {"acceleration_mps2": -13.5}, 0.5),
        ("check_turn", {"turn_rate_dps": 90.0}, 0.5),
        ("check_turn", {"turn_rate_dps": 90.0, "displacement_m": 0.1}, 1.0),
        ("check_frequency", {"interval_s": 0.08}, 1.0),
        ("check_frequency", {"interval_s": 0.08 / 1.5}, 0.5),
        ("check_frequency", {"interval_s": 0.0}, 0.0),
        ("check_frequency", {"interval_s": 0.0, "coarse": True}, 1.0),
        ("check_frequency", {"interval_s": 0.0, "count": 0}, 1.0),
    ],
)
def test_each_check_falls_from_its_limit_to_twice_that(name, given, value):
    assert judged(**given)[name] == pytest.approx(value, abs=1e-5)


def test_every_check_is_between_0_and_1_and_finite():
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1000, (len(NAMES), 500)).astype(np.float32)
    values[2] = np.abs(values[2]) * rng.integers(0, 2, 500)
    claims = claims_of(rng.uniform(0, 200, 500), rng.random(500) < 0.5, values, window=10)
    for found in check(claims, LIMITS, ALL).values():
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize(
    ("limit", "value", "check_name", "given"),
    [
        ("speed_mps", 35.0, "check_speed", {"speed": 52.5}),
        ("acceleration_mps2", 3.0, "check_acceleration", {"acceleration_mps2": 4.5}),
        ("turn_rate_dps", 20.0, "check_turn", {"turn_rate_dps": 30.0}),
        ("heading_deg", 10.0, "check_position_heading", {"displacement_m": 6.0, "bearing_gap_deg": -15.0}),
        ("rate_hz", 25.0, "check_frequency", {"interval_s": 0.04 / 1.5}),
        ("tolerance_m", 1.0, "check_position", {"displacement_m": 1.5 * (70 * 0.1 + 1)}),
    ],
)
def test_a_limit_moves_the_score_that_rests_on_it(limit, value, check_name, given):
    speed = given.pop("speed", 10.0) if "speed" in given else 10.0
    claims = claims_of(np.array([speed]), np.array([False]), told(**given), window=10)
    moved = check(claims, CheckLimits(**{limit: value}), ALL)[check_name][0]
    assert moved == pytest.approx(0.5, abs=0.01)
    assert check(claims, LIMITS, ALL)[check_name][0] != pytest.approx(0.5, abs=0.01)
