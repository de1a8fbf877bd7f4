"""Comparing two commits: neither crying wolf nor sleeping, and saying why when it cannot tell."""

import math
from collections import Counter

import numpy as np
import pytest

from cdpipe.perf.analysis.comparison import Change, Criteria, compare_runs
from cdpipe.perf.results.model import Benchmark, Header, Measurement, Run, State


def measure(name, samples, *, unit="seconds", state=State.MEASURED):
    described = Benchmark(name, "time", unit, (), (), "v1", "", "")
    value = float(np.median(samples)) if len(samples) else math.nan
    return Measurement(described, (), state, value, None, tuple(map(float, samples)))


def run(*measurements, machine="box", environment="py3.11", path=None):
    return Run(Header(path, machine, "a" * 40, 0, environment), measurements, (), (), ())


def compare(before, after, **criteria):
    differences = compare_runs(run(*before), run(*after), criteria=Criteria(**criteria))
    return {difference.benchmark: difference for difference in differences}


def noise(seed, scale=1.0, count=10, spread=0.01):
    return scale * np.exp(np.random.default_rng(seed).normal(0, spread, count))


@pytest.mark.parametrize(
    ("unit", "scale", "change"),
    [
        ("seconds", 1.5, Change.SLOWER), ("seconds", 0.6, Change.FASTER), ("seconds", 1.0, Change.NONE),
        ("bytes", 1.5, Change.LARGER), ("bytes", 0.6, Change.SMALLER), ("bytes", 1.0, Change.NONE),
    ],
)  # fmt: skip
def test_a_change_is_named_by_its_unit(unit, scale, change):
    before, after = measure("b", noise(1), unit=unit), measure("b", noise(2, scale), unit=unit)
    difference = compare([before], [after])["b"]
    assert difference.change is change
    assert difference.interval[0] <= difference.ratio <= difference.interval[1]
    assert difference.ratio == pytest.approx(scale, rel=0.03)
    assert (difference.before, difference.after) == (before.value, after.value)


def test_a_certain_but_tiny_difference_is_no_change():
    difference = compare([measure("b", noise(1, spread=1e-4))], [measure("b", noise(2, 1.02, spread=1e-4))])["b"]
    assert difference.p_corrected < 0.05
    assert difference.change is Change.NONE
    assert compare(
        [measure("b", noise(1, spread=1e-4))], [measure("b", noise(2, 1.02, spread=1e-4))], smallest_factor=1.01
    )["b"].change is Change.SLOWER  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (measure("b", []), measure("b", [1.0]), "none recorded"),
        (measure("b", [1.0, 1.1, 1.2]), measure("b", [2.0, 2.1, 2.2]), "too few samples: 3 and 3"),
        (measure("b", noise(1, spread=1.0)), measure("b", noise(2, 1.3, spread=1.0)), "too noisy"),
        (measure("b", [], state=State.FAILED), measure("b", [1.0]), "failed before"),
        (measure("b", [1.0]), measure("b", [], state=State.FAILED), "failed after"),
        (measure("b", [0.0] * 9), measure("b", [1.0] * 9), "a sample is 0"),
    ],
)
def test_what_cannot_be_told_says_why(before, after, reason):
    difference = compare([before], [after])["b"]
    assert difference.change is Change.UNKNOWN
    assert reason in difference.reason


def test_benchmarks_on_one_side_only_are_listed():
    found = compare([measure("old", noise(1))], [measure("new", noise(1))])
    assert (found["old"].reason, found["new"].reason) == ("not measured after", "not measured before")
    assert math.isnan(found["new"].before)


def test_skipped_benchmarks_and_units_without_direction_are_left_out():
    skipped = measure("s", [], state=State.SKIPPED)
    percent = measure("p", noise(1), unit="percent")
    assert compare([skipped, percent], [skipped, percent]) == {}


def test_many_benchmarks_without_a_change_raise_no_alarm():
    before = [measure(f"b{i}", noise(i, spread=0.1)) for i in range(300)]
    after = [measure(f"b{i}", noise(1000 + i, spread=0.1)) for i in range(300)]
    changes = Counter(difference.change for difference in compare(before, after).values())
    assert changes.keys() <= {Change.NONE, Change.UNKNOWN}
    uncorrected = sum(difference.p_value < 0.05 for difference in compare(before, after).values())
    assert uncorrected >= 5  # what would have been cried without the correction


def test_one_real_change_among_many_is_found():
    before = [measure(f"b{i:03}", noise(i)) for i in range(200)]
    after = [measure(f"b{i:03}", noise(1000 + i, 1.1 if i == 77 else 1.0)) for i in range(200)]
    found = [d.benchmark for d in compare(before, after).values() if d.change is Change.SLOWER]
    assert found == ["b077"]


def test_too_few_samples_for_so_many_benchmarks_is_said_not_passed_over():
    before = [measure(f"b{i}", noise(i, count=6)) for i in range(50)]
    after = [measure(f"b{i}", noise(100 + i, 1.5, count=6)) for i in range(50)]
    differences = compare(before, after).values()
    assert {difference.change for difference in differences} == {Change.UNKNOWN}
    assert all("too few samples: 6 and 6" in difference.reason for difference in differences)


def test_interleaved_rounds_are_compared_in_pairs():
    weather = np.repeat(noise(1, count=12, spread=1.0), 2)
    before = measure("b", weather * noise(2, count=24))
    after = measure("b", 1.1 * weather * noise(3, count=24))
    paired = compare([before], [after], rounds=12)["b"]
    assert (paired.paired, paired.change) == (True, Change.SLOWER)
    assert paired.ratio == pytest.approx(1.1, rel=0.02)
    apart = compare([before], [after])["b"]
    assert (apart.paired, apart.change) == (False, Change.UNKNOWN)


@pytest.mark.parametrize(("first", "second"), [(24, 22), (25, 25), (4, 4)])
def test_samples_that_do_not_make_rounds_are_not_paired(first, second):
    found = compare([measure("b", noise(1, count=first))], [measure("b", noise(2, count=second))], rounds=12)
    assert not found["b"].paired


@pytest.mark.parametrize("difference", [{"machine": "other"}, {"environment": "py3.12"}])
def test_other_machines_and_environments_are_not_compared(difference):
    with pytest.raises(ValueError, match=f"{next(iter(difference))}s .* cannot be compared"):
        compare_runs(run(), run(**difference))
