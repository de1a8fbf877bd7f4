"""Runs as one: amounts and the longest part, but no class and no rank next to their own parts."""

from typing import Final

from cdpipe.figures import PREFIX
from cdpipe.perf.analysis.findings import Subject
from cdpipe.perf.report.document import Section
from cdpipe.perf.results.cells import Cell
from cdpipe.perf.wording.units import format_percent, format_quantity, format_significant

_SHOWN: Final = 0.05
_LEAST: Final = 2


def lay_whole(subject: Subject, name: str) -> Section | None:
    """Lay out the run as one; None for benchmarks, and where no part of the run ended well."""
    whole = subject.whole
    if whole is None:
        return None
    parts = tuple(finding.cell for finding in subject.findings)
    spent = _say_amount(whole, len(parts)), _say_longest(whole, parts), _say_shares(whole)
    lines = (*spent, _say_processors(whole), _say_disk(whole))
    note = "Put together from its parts: amounts are sums, the peak is the highest, shares are weighed by slots x wall."
    return Section(f"Whole run on {name}", tuple(f"{line}." for line in lines if line), notes=(note,))


def _say_amount(whole: Cell, parts: int) -> str:
    rows = f"{whole.size} rows" if whole.size else ""
    seconds = _value(whole, "seconds")
    if seconds is None:
        return rows
    taken = f"{format_quantity(seconds, 's')} in {parts} part{'s' if parts != 1 else ''}"
    rate = f": {format_quantity(whole.rows / seconds, 'rows/s')}" if whole.rows and seconds else ""
    return f"{rows} in {taken}{rate}" if rows else taken


def _say_longest(whole: Cell, parts: tuple[Cell, ...]) -> str:
    total = _value(whole, "seconds")
    timed = [(seconds, part) for part in parts if (seconds := _value(part, "seconds")) is not None]
    if not timed or not total:
        return ""
    seconds, longest = max(timed, key=lambda pair: pair[0])
    return f"Longest: {longest.title}, {format_quantity(seconds, 's')}, {format_percent(seconds / total)} of it"


def _say_shares(whole: Cell) -> str:
    """List the shares from the largest on: those of 5 % or more, and at least two."""
    shares = ((figure.value, name) for name, figure in whole.figures.items() if name.startswith(PREFIX))
    ordered = sorted((pair for pair in shares if pair[0] > 0), reverse=True)
    shown = [pair for place, pair in enumerate(ordered) if place < _LEAST or pair[0] >= _SHOWN]
    listed = ", ".join(f"{name.removeprefix(PREFIX)} {format_percent(share)}" for share, name in shown)
    return f"Time goes: {listed} of slots x wall" if listed else ""


def _say_processors(whole: Cell) -> str:
    """Say what it took of processors and memory, as far as that is known."""
    cpu, cores = _value(whole, "cpu_percent"), _value(whole, "cores")
    peak, limit = _value(whole, "tree_peak_bytes"), _value(whole, "memory_percent")
    of_cores = f" of {format_significant(cores)} cores" if cores else ""
    of_limit = f", {format_significant(limit)} % of the limit" if limit is not None else ""
    said = (
        f"CPU {format_significant(cpu)} %{of_cores}" if cpu is not None else "",
        f"peak memory {format_quantity(peak, 'B')}{of_limit}" if peak is not None else "",
    )
    return "; ".join(part for part in said if part)


def _say_disk(whole: Cell) -> str:
    """Say what passed between it and the disk: what the system's cache had is not in it."""
    read, written = _value(whole, "read_bytes"), _value(whole, "write_bytes")
    said = (
        f"read {format_quantity(read, 'B')}" if read is not None else "",
        f"written {format_quantity(written, 'B')}" if written is not None else "",
    )
    known = ", ".join(part for part in said if part)
    return f"Disk: {known}" if known else ""


def _value(cell: Cell, name: str) -> float | None:
    return cell.figures[name].value if name in cell.figures else None
