"""Steps of a series: planted ones are found where they are, and noise, outliers, gaps and drift make none."""

import math

import numpy as np
import pytest
from asv.step_detect import detect_steps

from cdpipe.perf.analysis.steps import LEAST, find_levels

COMMITS = 40
SPREAD = 0.03
SERIES = 100


def draw(steps, seed, *, outliers=0.0):
    generator = np.random.default_rng(seed)
    levels = np.ones(COMMITS)
    for commit, factor in steps:
        levels[commit:] *= factor
    series = levels * np.exp(SPREAD * generator.standard_normal(COMMITS))
    series[generator.random(COMMITS) < outliers] *= 1.5
    return series


def judge(steps, find, *, series=SERIES, **how):
    """Shares of series in which all steps were found, to a commit, and in which there was one that is not."""
    found = false = 0
    for seed in range(series):
        cuts = find(draw(steps, seed, **how))
        near = [min((abs(cut - commit) for commit, _ in steps), default=COMMITS) for cut in cuts]
        found += all(any(abs(cut - commit) <= 1 for cut in cuts) for commit, _ in steps)
        false += any(distance > 1 for distance in near)
    return found / series, false / series


def ours(series):
    return [level.start for level in find_levels(series)][1:]


def asvs(series):
    return [step[0] for step in detect_steps(list(series))][1:]


@pytest.mark.parametrize(
    ("steps", "least_found"),
    [([(20, 1.1)], 0.95), ([(10, 1.15), (30, 1.2)], 0.97), ([(37, 1.5)], 0.97), ([(20, 0.8)], 1.0), ([], 1.0)],
)
def test_planted_steps_are_found_and_no_others(steps, least_found):
    found, false = judge(steps, ours)
    assert found >= least_found
    assert false <= 0.03


def test_more_is_found_than_by_asv_itself():
    steps = [(10, 1.15), (30, 1.2)]
    assert judge(steps, ours, series=10)[0] > judge(steps, asvs, series=10)[0]


def test_single_outliers_are_no_steps():
    assert judge([], ours, outliers=0.03)[1] <= 0.1
    series = np.ones(20)
    series[[4, 11]] = 9.0
    assert len(find_levels(series)) == 1


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_levels_say_where_and_how_high(scale):
    series = scale * np.array([1.0, 1.1, 0.9, 1.0, math.nan, 2.0, 2.2, 1.8, 2.0, 2.1])
    first, second = find_levels(series)
    assert (first.start, first.stop, second.start, second.stop) == (0, 4, 5, 10)
    assert (first.value, first.least) == (pytest.approx(scale), pytest.approx(0.9 * scale))
    assert second.value == pytest.approx(2 * scale)
    assert second.deviation == pytest.approx(0.1 * scale)


@pytest.mark.parametrize("count", range(2 * LEAST))
def test_few_commits_are_one_level(count):
    levels = find_levels(np.linspace(1, 100, count))
    assert [(level.start, level.stop) for level in levels] == ([(0, count)] if count else [])


@pytest.mark.parametrize("series", [np.zeros(30), np.full(30, 7.5), np.full(30, math.nan)])
def test_what_does_not_change_has_no_step(series):
    assert len(find_levels(series)) == int(np.isfinite(series).any())


def test_zeros_and_negative_values_are_cut_as_they_are():
    generator = np.random.default_rng(3)
    series = np.concatenate([np.zeros(15), np.full(15, 5.0)]) + 0.1 * generator.standard_normal(30)
    assert [level.start for level in find_levels(series)] == [0, 15]
