"""Parallel efficiency: effects of cores and partition size, from benchmarks with `cores` or `partition_rows`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cdpipe.perf.results.cells import Cell, Figure
from cdpipe.perf.results.sizes import CORES, PARTITION, parse_rows


@dataclass(frozen=True, slots=True)
class CorePoint:
    """Seconds with some cores, beside those with the fewest.

    `speedup` is how many times as fast; `efficiency` is that over how many times as many cores; `serial_share` is the
    part that more cores cannot make shorter, by Karp and Flatt (*Measuring parallel processor performance*, 1990), None
    at the fewest.
    """

    cores: int
    seconds: float
    speedup: float
    efficiency: float
    serial_share: float | None


@dataclass(frozen=True, slots=True)
class CoreCurve:
    """A stage at one size with several numbers of cores, ascending."""

    title: str
    rows_text: str
    benchmark: str
    points: tuple[CorePoint, ...]


@dataclass(frozen=True, slots=True)
class PartitionPoint:
    """Seconds at a partition size; `interval` is asv's 99 % interval, None where asv took a single value."""

    partition_rows: int
    seconds: float
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class PartitionCurve:
    """A stage at one size with several partition sizes, ascending.

    `best_rows` is the fastest; `as_good` are all sizes, the best included, whose interval reaches the best's: those
    cannot be told from it.
    """

    title: str
    rows_text: str
    benchmark: str
    points: tuple[PartitionPoint, ...]
    best_rows: int
    as_good: tuple[int, ...]


def measure_cores(cells: Iterable[Cell]) -> tuple[CoreCurve, ...]:
    """Compare the numbers of cores of every stage, variant and size that was timed with two or more."""
    curves = []
    for title, rows_text, known in _group(cells, CORES):
        least, base = known[0][0], known[0][1].value
        points = tuple(_place(least, base, cores, figure.value) for cores, figure in known)
        curves.append(CoreCurve(title, rows_text, known[0][1].benchmark, points))
    return tuple(curves)


def measure_partitions(cells: Iterable[Cell]) -> tuple[PartitionCurve, ...]:
    """Compare the partition sizes of every stage, variant and size that was timed with two or more."""
    curves = []
    for title, rows_text, known in _group(cells, PARTITION):
        points = tuple(PartitionPoint(rows, figure.value, figure.interval) for rows, figure in known)
        best = min(points, key=lambda point: point.seconds)
        top = best.interval[1] if best.interval else best.seconds
        as_good = tuple(
            point.partition_rows for point in points if (point.interval[0] if point.interval else point.seconds) <= top
        )
        curves.append(PartitionCurve(title, rows_text, known[0][1].benchmark, points, best.partition_rows, as_good))
    return tuple(curves)


def _place(least: int, base: float, cores: int, seconds: float) -> CorePoint:
    times = cores / least
    speedup = base / seconds
    serial = (1 / speedup - 1 / times) / (1 - 1 / times) if times > 1 else None
    return CorePoint(cores, seconds, speedup, speedup / times, serial)


def _group(cells: Iterable[Cell], name: str) -> list[tuple[str, str, Sequence[tuple[int, Figure]]]]:
    """Bring together what differs in one parameter only: title without it, size, and (value, seconds) ascending."""
    grouped: dict[tuple[str, str], dict[int, Figure]] = {}
    for cell in cells:
        given = dict(cell.variant).get(name)
        count = parse_rows(given) if given is not None else None
        seconds = cell.figures.get("seconds")
        if count is None or seconds is None or seconds.value <= 0 or cell.is_time_disturbed:
            continue
        others = Cell(cell.stage, tuple(pair for pair in cell.variant if pair[0] != name), None, "", {})
        grouped.setdefault((others.title, cell.rows_text), {}).setdefault(count, seconds)
    return [(title, text, sorted(known.items())) for (title, text), known in grouped.items() if len(known) > 1]
