import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpipe.training.evaluation.decisions import count_waits, estimate_waits, profile_decisions, profile_waits
from cdpipe.training.evaluation.intervals import find_spread, profile_alarms
from cdpipe.training.evaluation.resampling import Resampler

NEVER = np.iinfo(np.int64).max
SAID = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.booleans()), min_size=1, max_size=80)


@given(SAID)
def test_waits_are_those_counted_one_by_one(said):
    code, label, alarm = (np.array(each) for each in zip(*sorted(said, key=lambda each: each[0]), strict=True))
    attacks = np.bincount(code, weights=label, minlength=6) > 0
    found = count_waits(alarm.astype(np.int8), label.astype(np.int8), code, attacks=attacks)
    for vehicle in range(6):
        counted = [a for v, own, a in zip(code, label, alarm, strict=True) if v == vehicle and own == attacks[vehicle]]
        expected = next((place for place, a in enumerate(counted, 1) if a), NEVER) if counted else 0
        assert found[vehicle] == expected


@given(SAID, st.sampled_from([0.0, 0.3, 0.5]))
def test_a_vehicle_is_judged_by_the_share_of_its_alarms(said, share):
    code, label, alarm = (np.array(each) for each in zip(*said, strict=True))
    attacks = np.bincount(code, weights=label, minlength=6) > 0
    alarms = profile_alarms(code, label.astype(np.int8), alarm, vehicles=6)
    found = profile_decisions(alarms, attacks=attacks, share=share)
    for vehicle in range(6):
        mine = alarm[code == vehicle]
        side, other = (found.positive, found.negative) if attacks[vehicle] else (found.negative, found.positive)
        judged = mine.size > 0 and mine.sum() > share * mine.size
        assert side[vehicle].tolist() == ([0.0, 0.0] if mine.size == 0 else [float(not judged), float(judged)])
        assert other[vehicle].tolist() == [0.0, 0.0]


def test_waits_of_half_and_nine_tenths_with_those_never_alarmed():
    attacks = np.array([True] * 10 + [False] * 5)
    waits = np.array([1, 1, 2, 3, 4, 5, 6, 7, NEVER, NEVER, 1, 1, 1, NEVER, NEVER])
    profiles, lengths = profile_waits([waits], attacks)
    found = estimate_waits(profiles, lengths, None, None)
    assert found.median.value == 4
    assert found.ninth_decile.value is None
    resampler = Resampler(attacks, 1, 1_000)
    found = estimate_waits(profiles, lengths, resampler.add_up([profiles])[0], find_spread(vehicles=15, folds=1))
    assert found.median.low <= 4
    assert found.ninth_decile == (None, pytest.approx(found.ninth_decile.low), None)
    assert found.ninth_decile.low >= found.median.low


def test_many_different_waits_are_put_together_and_none_is_shortened():
    attacks = np.ones(2_000, bool)
    waits = np.arange(1, 2_001)
    profiles, lengths = profile_waits([waits], attacks)
    assert lengths.size <= 256
    assert lengths[-1] == 2_000
    value = estimate_waits(profiles, lengths, None, None).median.value
    assert 1_000 <= value <= 1_020
