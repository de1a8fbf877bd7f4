"""The report's tables of growth with rows, of efficiency against cores, and of partition sizes."""

from cdpipe.perf.analysis.efficiency import CoreCurve, PartitionCurve
from cdpipe.perf.analysis.findings import Subject
from cdpipe.perf.analysis.scaling import JUDGED_DECADES, JUDGED_SIZES, Judgement, Scaling
from cdpipe.perf.report.document import NONE, Item, Section, tabulate
from cdpipe.perf.report.stages import name_size
from cdpipe.perf.wording.units import format_count, format_percent, format_quantity

_WHAT = {"seconds": "time", "tree_peak_bytes": "memory", "peak_bytes": "memory"}


def lay_scaling(subject: Subject, name: str) -> Section | None:
    """Lay out how time and memory grow, and which stages leave their order; None where nothing has two sizes."""
    if not subject.scalings:
        return None
    title = f"Growth on {name}"
    lines = tuple(
        f"{s.code}: {_WHAT[s.figure]} of {s.title} grows as {s.size_name}^{s.fit.text}, {s.reason}; "
        "compare profiles of the smallest and the largest size."
        for s in subject.scalings
        if s.code
    )
    columns = (
        ("Stage", False), ("Of", False), ("Sizes", True), ("Exponent [95 %]", False), ("Verdict", False),
        ("At size", False), ("Grows", False),
    )  # fmt: skip
    enough = f"{JUDGED_SIZES} sizes over {JUDGED_DECADES} decades"
    note = f"The exponent b of size^b is judged from {enough} on, where the benchmark declares cdpipe_order."
    return Section(title, lines, tabulate(columns, map(_scaling_row, subject.scalings)), notes=(note,))


def _scaling_row(scaling: Scaling) -> tuple[Item, ...]:
    verdict = str(scaling.judgement)
    if scaling.order and scaling.judgement is not Judgement.NOT_JUDGED:
        verdict = f"{scaling.order}: {verdict}"
    return (
        Item(scaling.title, None, scaling.benchmark),
        Item(_WHAT[scaling.figure]),
        Item(str(len(scaling.points))),
        Item(scaling.fit.text),
        Item(verdict),
        Item(" ".join(format_quantity(growth.rows_factor, "x") for growth in scaling.growth[1:])),
        Item(" ".join(format_quantity(growth.factor, "x") for growth in scaling.growth[1:])),
    )


def lay_cores(subject: Subject, name: str) -> Section | None:
    """Lay out what more cores bring; None where no benchmark has a parameter `cores`."""
    if not subject.core_curves:
        return None
    columns = (
        ("Stage", False),
        (name_size(subject.cells), True),
        ("Cores", False),
        ("Time", False),
        ("Efficiency", False),
        ("Serial", True),
    )
    notes = (
        "Serial: what more cores do not shorten, of the time with the fewest (Karp and Flatt), at the most cores.",
    )
    rows = tabulate(columns, map(_core_row, subject.core_curves))
    return Section(f"Efficiency against cores on {name}", (), rows, notes=notes)


def _core_row(curve: CoreCurve) -> tuple[Item, ...]:
    serial = curve.points[-1].serial_share
    return (
        Item(curve.title, None, curve.benchmark),
        Item(curve.rows_text or NONE),
        Item(", ".join(str(point.cores) for point in curve.points)),
        Item(", ".join(format_quantity(point.seconds, "s") for point in curve.points)),
        Item(", ".join(format_percent(point.efficiency) for point in curve.points)),
        Item(NONE if serial is None else format_percent(max(serial, 0.0))),
    )


def lay_partitions(subject: Subject, name: str) -> Section | None:
    """Lay out the best partition size of each stage; None where no benchmark has a parameter `partition_rows`."""
    if not subject.partition_curves:
        return None
    size = name_size(subject.cells)
    columns = (("Stage", False), (size, True), ("Best partition", False), ("As good", False), ("Curve", False))
    notes = ("As good: sizes whose 99 % interval reaches the best one's.",)
    rows = tabulate(columns, map(_partition_row, subject.partition_curves))
    return Section(f"Partition sizes on {name}", (), rows, notes=notes)


def _partition_row(curve: PartitionCurve) -> tuple[Item, ...]:
    others = [format_count(rows) for rows in curve.as_good if rows != curve.best_rows]
    points = (f"{format_count(p.partition_rows)} {format_quantity(p.seconds, 's')}" for p in curve.points)
    return (
        Item(curve.title, None, curve.benchmark),
        Item(curve.rows_text or NONE),
        Item(f"{format_count(curve.best_rows)} rows"),
        Item(", ".join(others) or NONE),
        Item(", ".join(points)),
    )
