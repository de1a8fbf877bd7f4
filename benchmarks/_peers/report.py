"""The comparison as a table and as JSON."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from benchmarks._peers import stages as s

LIBRARIES: Final = ("cdpipe", "polars", "duckdb", "pandas", "dask", "numba", "pyarrow", "numpy")
_DIGITS: Final = 3
_WIDEST: Final = 400


def describe(rows: int, stages: Sequence[Mapping[str, Any]], *, repeats: int) -> dict[str, Any]:
    """Return the whole report: where, when and in which versions these stages were measured."""
    from cdpipe.reports.run_report import describe_machine

    return {
        "machine": describe_machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": rows,
        "repeats": repeats,
        "versions": {name: version(name) for name in LIBRARIES},
        "stages": list(stages),
    }


def write_json(report: Mapping[str, Any], path: Path) -> None:
    """Write the report; the file appears whole, or not at all."""
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        beside.rename(path)
    finally:
        beside.unlink(missing_ok=True)


def show(report: Mapping[str, Any]) -> None:
    """Print the report."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    machine = report["machine"]
    title = (
        f"{report['rows']:,} rows, medians of {report['repeats']} interleaved rounds, on {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_gb']} GB, {report['date'][:10]}"
    )
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("stage", no_wrap=True)
    for name in ("Mrows/s: cdpipe", *s.PEERS, "of the limit", "peak MB: cdpipe", *s.PEERS):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("cdpipe is", no_wrap=True)
    for line in report["stages"]:
        speeds, peaks = ([line[key].get(name) for name in (s.OURS, *s.PEERS)] for key in ("mrows_per_s", "peak_mb"))
        share = line.get("share_of_limit")
        limit = "" if share is None else f"{100 * share:.{0 if share >= 0.1 else 1}f} %"
        table.add_row(line["stage"], *map(_digits, speeds), limit, *map(_whole, peaks), verdict(line))
    console = Console()
    wide = console.options.update(width=_WIDEST)
    console.width = max(console.width, console.measure(table, options=wide).maximum)
    console.print(table)


def verdict(line: Mapping[str, Any]) -> str:
    """Return how a stage of the report compares, in words."""
    if line["fastest_peer"] is not None:
        spread = f"({line['low']:.2f} to {line['high']:.2f})"
        return f"{line['ratio_to_fastest_peer']:.2f} x {line['fastest_peer']} {spread}"
    if "ratio_to_offset_rand" in line:
        own = line["ratio_to_offset_rand"]
        return f"{own['median']:.2f} x own offset_rand ({own['low']:.2f} to {own['high']:.2f})"
    (share, *_), (graph, *_) = (
        list(line[key].values()) for key in ("share_of_ideal_scaling", "share_of_graph_and_scheduling")
    )
    return (
        f"{share['median']:.2f} of ideal ({share['low']:.2f} to {share['high']:.2f}), "
        f"graph and scheduling {graph['median']:.1%}"
    )


def _digits(value: float | None) -> str:
    """Return three digits of a number, none for what was not measured."""
    if value is None:
        return ""
    return f"{value:.{_DIGITS}g}" if value < 10**_DIGITS else f"{value:.0f}"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
