"""Growth of time with rows, against SciPy's regression and power laws made for the test."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cdpipe.perf.analysis.scaling import ORDERS, Judgement, fit_exponent, growth_factors, judge, measure_scaling
from cdpipe.perf.results.cells import Cell, Figure


def cell(stage, rows, seconds, variant=(), **others):
    figures = {"seconds": seconds, **others}
    return Cell(stage, variant, rows, str(rows), {name: Figure(v, None, "b", ()) for name, v in figures.items()})


def law(exponent, rows=(1e5, 1e6, 5e6, 1e7), noise=0.0):
    wobble = [1 + noise, 1 - noise, 1 + noise, 1 - noise, 1 + noise]
    return [(int(each), each**exponent * shake) for each, shake in zip(rows, wobble, strict=False)]


def judged(points, order):
    return judge(points, fit_exponent(points), order)


@given(st.floats(0.2, 3.0), st.floats(1e-9, 1e-3), st.integers(2, 6))
def test_a_power_law_is_found_again(exponent, factor, count):
    points = [(10**k, factor * 10 ** (k * exponent)) for k in range(3, 3 + count)]
    fit = fit_exponent(points)
    assert fit.exponent == pytest.approx(exponent, rel=1e-9)
    if count == 2:
        assert fit.interval is None
    else:
        assert fit.interval == pytest.approx((exponent, exponent), abs=1e-6)


def test_the_interval_is_that_of_linear_regression():
    points = [(10_000, 0.011), (100_000, 0.09), (1_000_000, 1.2), (5_000_000, 5.1), (10_000_000, 13.0)]
    x, y = np.log(np.array(points)).T
    line = stats.linregress(x, y)
    margin = stats.t.ppf(0.975, len(points) - 2) * line.stderr
    fit = fit_exponent(points)
    assert fit.exponent == pytest.approx(line.slope, rel=1e-12)
    assert fit.interval == pytest.approx((line.slope - margin, line.slope + margin), rel=1e-9)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(7)
    rows = np.array([1e4, 1e5, 1e6, 1e7])
    hits = 0
    for _ in range(400):
        seconds = 1e-6 * rows**1.2 * np.exp(generator.normal(0, 0.1, 4))
        low, high = fit_exponent(list(zip(rows.tolist(), seconds.tolist(), strict=True))).interval
        hits += low <= 1.2 <= high
    assert 0.92 <= hits / 400 <= 0.98


def test_one_size_has_no_exponent():
    assert fit_exponent([(1000, 1.0)]) is None
    assert growth_factors([(1000, 1.0)]) == ()


@pytest.mark.parametrize(
    ("rows", "compared"),
    [
        ((1_000_000, 5_000_000, 10_000_000), [1, 5, 10]),
        ((10_000, 50_000, 100_000, 1_000_000, 5_000_000, 10_000_000), [1, 5, 10]),
        ((5_000_000, 10_000_000, 15_000_000), [1, 2, 3]),
        ((1000, 4000), [1, 4]),
    ],
)
def test_sizes_are_compared_by_factor(rows, compared):
    points = [(r, r * 1e-6) for r in rows]
    growth = growth_factors(points)
    assert [g.rows_factor for g in growth] == compared
    assert [g.factor for g in growth] == pytest.approx(compared)


def test_the_largest_base_with_all_three_sizes_is_taken():
    points = [(10_000, 1.0), (50_000, 2.0), (100_000, 3.0), (1_000_000, 10.0), (5_000_000, 60.0), (10_000_000, 150.0)]
    assert [g.factor for g in growth_factors(points)] == [1.0, 6.0, 15.0]


def test_stages_and_variants_are_followed_apart():
    cells = [
        cell("a", 1000, 1.0), cell("a", 2000, 2.0),
        cell("a", 1000, 1.0, (("m", "x"),)), cell("a", 4000, 16.0, (("m", "x"),)),
        cell("b", 1000, 1.0), cell("c", None, 1.0), cell("d", 1000, 0.0), cell("d", 2000, 0.0),
    ]  # fmt: skip
    followed = {scaling.title: scaling.fit.exponent for scaling in measure_scaling(cells)}
    assert followed == {"a": pytest.approx(1.0), "a (m=x)": pytest.approx(2.0)}
    assert not any(math.isnan(value) for value in followed.values())


@pytest.mark.parametrize(
    ("exponent", "order", "expected"),
    [
        (1.0, "linear", Judgement.HOLDS),
        (1.07, "linearithmic", Judgement.HOLDS),
        (1.2, "linear", Judgement.ABOVE),
        (0.8, "linear", Judgement.BELOW),
        (0.02, "constant", Judgement.HOLDS),
        (0.3, "constant", Judgement.ABOVE),
        (2.0, "quadratic", Judgement.HOLDS),
    ],
)
def test_an_exponent_is_held_against_the_declared_order(exponent, order, expected):
    assert judged(law(exponent, noise=0.01), order)[0] is expected


def test_an_interval_that_leaves_both_open_is_no_finding():
    assert judged(law(1.2, noise=0.6), "linear")[0] is Judgement.OPEN


@pytest.mark.parametrize(
    ("points", "order", "reason"),
    [
        (law(2.0, rows=(1e5, 1e6, 1e7)), "linear", "3 sizes over 2.0 decades; needs 4 sizes over 1.5 decades"),
        (law(2.0, rows=(1e6, 5e6, 1e7, 1.5e7)), "linear", "4 sizes over 1.2 decades; needs 4 sizes over 1.5 decades"),
        (law(2.0), "", "no cdpipe_order"),
        (law(2.0), "fast", "cdpipe_order is 'fast'; it can be " + ", ".join(ORDERS)),
    ],
)
def test_what_cannot_be_judged_says_why(points, order, reason):
    assert judged(points, order) == (Judgement.NOT_JUDGED, reason)


def test_an_exponent_of_the_declared_order_is_seldom_called_steeper():
    generator = np.random.default_rng(8)
    rows = np.array([1e5, 1e6, 5e6, 1e7])
    alarms = 0
    for _ in range(400):
        seconds = 1e-6 * rows * np.exp(generator.normal(0, 0.1, 4))
        points = list(zip(rows.astype(int).tolist(), seconds.tolist(), strict=True))
        alarms += judged(points, "linear")[0] is Judgement.ABOVE
    assert alarms / 400 < 0.025


def test_memory_is_followed_beside_time_and_the_tree_s_peak_before_the_process_s():
    cells = [cell("a", rows, 1.0, tree_peak_bytes=2.0 * rows, peak_bytes=1.0) for rows in (1000, 2000)]
    assert [(each.figure, each.fit.exponent) for each in measure_scaling(cells)] == [
        ("seconds", pytest.approx(0.0)),
        ("tree_peak_bytes", pytest.approx(1.0)),
    ]
    alone = [cell("a", rows, 1.0, peak_bytes=1.0) for rows in (1000, 2000)]
    assert [each.figure for each in measure_scaling(alone)] == ["seconds", "peak_bytes"]


def test_both_peaks_are_not_followed_where_time_is_not():
    cells = [cell("a", rows, 0.0, tree_peak_bytes=2.0 * rows, peak_bytes=1.0) for rows in (1000, 2000)]
    assert [each.figure for each in measure_scaling(cells)] == ["tree_peak_bytes"]


@pytest.mark.parametrize("rows", [(10, 32, 100, 320), (100, 320, 1000, 3200), (1e5, 1e6, 5e6, 1e7)])
@pytest.mark.parametrize(
    ("order", "exact"), [("linearithmic", lambda n: n * math.log(n)), ("logarithmic", lambda n: 1e-6 * math.log(n))]
)
def test_what_grows_exactly_as_declared_is_not_accused(rows, order, exact):
    assert judged([(int(each), exact(each)) for each in rows], order)[0] in {Judgement.HOLDS, Judgement.OPEN}
    assert judged([(int(each), exact(each) * each**0.5) for each in rows], order)[0] is Judgement.ABOVE


def test_sizes_next_to_each_other_are_fitted_whatever_comes_out():
    (found,) = measure_scaling([cell("a", 65536, 1.0), cell("a", 65537, 0.5)])
    assert found.fit.exponent == pytest.approx(math.log(0.5) / math.log(65537 / 65536))
    assert found.judgement is Judgement.NOT_JUDGED
