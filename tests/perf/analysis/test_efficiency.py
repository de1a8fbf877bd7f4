"""Curves against cores and partition sizes."""

import pytest

from cdpipe.perf.analysis.efficiency import measure_cores, measure_partitions
from cdpipe.perf.results.cells import Cell, Figure


def cell(seconds, *variant, interval=None, rows="5M"):
    return Cell("clean", variant, 5_000_000, rows, {"seconds": Figure(seconds, interval, "b", ())})


def test_efficiency_and_the_serial_share_are_those_of_amdahl():
    serial, work = 0.2, 0.8
    cells = [cell(serial + work / cores, ("cores", str(cores))) for cores in (4, 1, 2, 8)]
    (curve,) = measure_cores(cells)
    assert [point.cores for point in curve.points] == [1, 2, 4, 8]
    assert curve.points[0].serial_share is None
    assert [point.serial_share for point in curve.points[1:]] == [pytest.approx(serial)] * 3
    assert [point.efficiency for point in curve.points] == [
        pytest.approx(1 / (cores * (serial + work / cores))) for cores in (1, 2, 4, 8)
    ]


def test_curves_differ_in_one_parameter_only():
    cells = [
        cell(4.0, ("cores", "1"), ("mode", "a")), cell(2.0, ("cores", "2"), ("mode", "a")),
        cell(9.0, ("cores", "1"), ("mode", "b")), cell(3.0, ("cores", "2"), ("mode", "a"), rows="10M"),
        cell(1.0), cell(1.0, ("cores", "all")),
    ]  # fmt: skip
    (curve,) = measure_cores(cells)
    assert (curve.title, curve.rows_text) == ("clean (mode=a)", "5M")
    assert [point.seconds for point in curve.points] == [4.0, 2.0]


def test_the_best_partition_is_named_with_what_cannot_be_told_from_it():
    known = {"50k": (4.0, (3.9, 4.1)), "250k": (2.2, (2.1, 2.35)), "1M": (2.4, (2.3, 2.6)), "2M": (2.5, (2.4, 2.6))}
    cells = [cell(value, ("partition_rows", rows), interval=interval) for rows, (value, interval) in known.items()]
    (curve,) = measure_partitions(cells)
    assert curve.best_rows == 250_000
    assert curve.as_good == (250_000, 1_000_000)
    assert [point.partition_rows for point in curve.points] == [50_000, 250_000, 1_000_000, 2_000_000]


def test_without_intervals_the_best_stands_alone():
    cells = [cell(2.0, ("partition_rows", "1k")), cell(2.01, ("partition_rows", "2k"))]
    assert measure_partitions(cells)[0].as_good == (1000,)


def test_one_point_is_no_curve():
    assert measure_cores([cell(1.0, ("cores", "2"))]) == ()
    assert measure_partitions([cell(1.0)]) == ()
