import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdpipe.probe.recording.duration_histogram import Durations
from cdpipe.probe.recording.queue_depth import Depth


def note(values):
    found = Durations()
    for value in values:
        found.note(value)
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-7, 1e4), min_size=1, max_size=200), st.sampled_from([0.05, 0.5, 0.95, 1.0]))
def test_quantiles_within_one_percent_of_numpy(values, share):
    truth = float(np.quantile(values, share, method="inverted_cdf"))
    assert note(values).quantile(share) == pytest.approx(truth, rel=0.0101)


def test_least_most_and_mean_are_exact_also_in_parts():
    values = [0.25, 0.5, 4.0, 1e-12, 0.0]
    whole = Durations.join([note(values[:2]), note([]), note(values[2:])])
    assert whole.summarise() == note(values).summarise()
    assert whole.summarise()["min"] == 0.0
    assert whole.summarise()["max"] == 4.0
    assert whole.summarise()["mean"] == pytest.approx(4.75 / 5)
    assert whole.count == 5


def test_of_none():
    assert note([]).summarise() == {}
    assert math.isnan(note([]).quantile(0.5))


def test_many_take_little_room():
    found = note(np.random.default_rng(1).lognormal(size=50_000))
    assert found.count == 50_000
    assert len(found.copy().bins) < 600
    assert len(found._new) < 5_000


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now_s = 100.0

        def __call__(self):
            return self.now_s

    clock = Clock()
    monkeypatch.setattr("cdpipe.probe.recording.queue_depth.time.perf_counter", clock)
    return clock


def test_depth_over_time(clock):
    queue = Depth()
    for depth, seconds in [(4, 1.0), (8, 1.0), (0, 2.0)]:
        queue.note(depth)
        clock.now_s += seconds
    mean, points = queue.finish()
    assert (queue.most, mean) == (8, pytest.approx(3.0))
    assert len(points) == 64
    assert points[:16] == pytest.approx([4] * 16)
    assert points[16:32] == pytest.approx([8] * 16)
    assert points[32:] == pytest.approx([0] * 32)


def test_depth_keeps_its_mean_with_many_changes(clock):
    queue = Depth()
    for step in range(100_000):
        queue.note(step % 7)
        clock.now_s += 0.001
    mean, points = queue.finish()
    assert mean == pytest.approx(3.0, rel=1e-3)
    assert np.mean(points) == pytest.approx(3.0, rel=0.2)
    assert len(queue._changes) <= 4096


def test_depth_of_no_time(clock):
    mean, points = Depth().finish()
    assert mean == 0
    assert set(points) == {0}
