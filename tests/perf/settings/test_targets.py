"""The targets table: each target, its edge, and what counts as not measured."""

import pytest

from cdpipe.perf.results.cells import Cell, Figure
from cdpipe.perf.settings.targets import Outcome, check_targets

from ..results_writing import OWN

M = 1_000_000


def cell(stage, rows, **figures):
    text = f"{rows // M}M" if rows else ""
    return Cell(stage, (), rows, text, {name: Figure(v, None, f"{stage}.{name}", ()) for name, v in figures.items()})


def outcome(code, *cells):
    return next(check for check in check_targets(cells, OWN.targets) if check.target.code == code)


@pytest.mark.parametrize(
    ("code", "measured", "expected"),
    [
        ("T1", cell("clean/spatial", 10 * M, seconds=4.99), Outcome.MET),
        ("T1", cell("clean/spatial", 10 * M, seconds=5.0), Outcome.MISSED),
        ("T1", cell("clean/spatial", 5 * M, seconds=1.0), Outcome.NOT_MEASURED),
        ("T1", cell("clean/basic", 10 * M, seconds=1.0), Outcome.NOT_MEASURED),
        ("T2", cell("features", M, seconds=49.0), Outcome.MET),
        ("T2", cell("features", M, seconds=50.0), Outcome.MISSED),
        ("T2", cell("features", None, seconds=50.0), Outcome.NOT_MEASURED),
        ("T3", cell("attack/offset_rand", 15 * M, seconds=9.9), Outcome.MET),
        ("T3", cell("attack/choose", 15 * M, seconds=10.1), Outcome.MISSED),
        ("T3", cell("attack/offset_rand", 10 * M, seconds=1.0), Outcome.NOT_MEASURED),
        ("T4", cell("gather", 15 * M, tree_peak_bytes=39e9), Outcome.MET),
        ("T4", cell("gather", 15 * M, tree_peak_bytes=41e9, peak_bytes=1e9), Outcome.MISSED),
        ("T4", cell("gather", 15 * M, peak_bytes=1e9), Outcome.MET),
        ("T4", cell("gather", 15 * M, seconds=1.0), Outcome.NOT_MEASURED),
        ("T5", cell("cache", None, hit_rate=0.851), Outcome.MET),
        ("T5", cell("cache", None, hit_rate=0.85), Outcome.MISSED),
        ("T6", cell("cache", None, lookup_seconds=0.099), Outcome.MET),
        ("T6", cell("cache", None, lookup_seconds=0.1), Outcome.MISSED),
        ("T7", cell("clean/basic", 5 * M, seconds=1.0, baseline_seconds=2.0), Outcome.MET),
        ("T7", cell("clean/basic", 5 * M, seconds=1.0, baseline_seconds=1.9), Outcome.MISSED),
        ("T7", cell("clean/basic", M, seconds=1.0, baseline_seconds=9.0), Outcome.NOT_MEASURED),
        ("T7", cell("clean/basic", 5 * M, baseline_seconds=9.0), Outcome.NOT_MEASURED),
        ("T8", cell("kernel/within_radius", 10 * M, kernel_seconds=0.299), Outcome.MET),
        ("T8", cell("kernel/within_radius", 10 * M, kernel_seconds=0.3), Outcome.MISSED),
        ("T8", cell("kernel/within_radius", M, kernel_seconds=0.01), Outcome.NOT_MEASURED),
        ("T9", cell("attack/swap_rand", 15 * M, in_memory_seconds=0.99, seconds=9.0), Outcome.MET),
        ("T9", cell("attack/swap_rand", 15 * M, in_memory_seconds=1.0, seconds=0.1), Outcome.MISSED),
        ("T9", cell("attack/swap_rand", 10 * M, in_memory_seconds=0.1), Outcome.NOT_MEASURED),
        ("T9", cell("attack/swap_rand", 15 * M, seconds=0.1), Outcome.NOT_MEASURED),
        ("T10", cell("features", 10 * M, in_memory_seconds=0.099, seconds=9.0), Outcome.MET),
        ("T10", cell("features", 10 * M, in_memory_seconds=0.1, seconds=0.01), Outcome.MISSED),
        ("T10", cell("features", M, in_memory_seconds=1.0), Outcome.NOT_MEASURED),
        ("T10", cell("features", 10 * M, seconds=0.01), Outcome.NOT_MEASURED),
        ("T11", cell("import", None, seconds=0.15), Outcome.MET),
        ("T11", cell("import", None, seconds=0.151), Outcome.MISSED),
        ("T11", cell("gather", None, seconds=0.151), Outcome.NOT_MEASURED),
        ("T12", cell("import", None, help_seconds=0.3), Outcome.MET),
        ("T12", cell("import", None, help_seconds=0.301), Outcome.MISSED),
    ],
)
def test_a_target_s_edge(code, measured, expected):
    assert outcome(code, measured).outcome is expected


def test_the_worst_reading_decides_and_is_named():
    cells = [
        cell("attack/a", 15 * M, seconds=1.0),
        cell("attack/b", 15 * M, seconds=12.0),
        cell("x", 15 * M, seconds=99.0),
    ]
    check = outcome("T3", *cells)
    assert (check.outcome, check.count, check.where) == (Outcome.MISSED, 2, "attack/b at 15M")
    assert (check.worst.value, check.worst.benchmarks) == (12.0, ("attack/b.seconds",))


def test_a_speedup_rests_on_both_benchmarks():
    check = outcome("T7", cell("features", 10 * M, seconds=2.0, baseline_seconds=10.0))
    assert check.worst.value == 5.0
    assert check.worst.benchmarks == ("features.seconds", "features.baseline_seconds")


def test_nothing_measured_is_every_target_not_measured():
    checks = check_targets([], OWN.targets)
    assert [check.outcome for check in checks] == [Outcome.NOT_MEASURED] * len(OWN.targets)
    assert [check.target.code for check in checks] == [f"T{place}" for place in range(1, 13)]


def test_a_time_that_misses_while_others_had_the_cores_decides_nothing():
    late = cell("attack/offset_rand", 15 * M, seconds=20.0, share_contention=0.8, tree_peak_bytes=41e9)
    checks = {check.target.code: check.outcome for check in check_targets([late], OWN.targets, disturbed=0.6)}
    assert checks["T3"] is Outcome.DISTURBED
    assert checks["T4"] is Outcome.MISSED  # memory is the run's own
    early = cell("attack/offset_rand", 15 * M, seconds=2.0, share_contention=0.8)
    checks = {check.target.code: check.outcome for check in check_targets([early], OWN.targets, disturbed=0.6)}
    assert checks["T3"] is Outcome.MET
