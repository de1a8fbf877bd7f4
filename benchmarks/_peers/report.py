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
_WIDTH: Final = 100


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
    """Print the report: whole jobs, then stages, each table within 100 columns."""
    from rich.console import Console

    console = Console()
    console.width = min(console.width, _WIDTH) if console.is_terminal else _WIDTH
    machine, jobs = report["machine"], {stage.name for stage in s.STAGES if stage.task == "job"}
    console.print(
        f"medians of {report['repeats']} interleaved rounds, on {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, {report['date'][:10]}",
        highlight=False,
    )
    if found := [line for line in report["stages"] if line["stage"] in jobs]:
        seconds = [{name: _median(each) for name, each in line["seconds"].items()} for line in found]
        title = f"{found[0]['rows']:,} rows, whole processes, file to file: seconds"
        _show(console, title, (s.OURS, *s.JOB_PEERS), found, seconds)
        _show(console, "peak MB of the processes", (s.OURS, *s.JOB_PEERS), found)
    if found := [line for line in report["stages"] if line["stage"] not in jobs]:
        title = f"{found[0]['rows']:,} rows: million rows a second"
        _show(console, title, (s.OURS, *s.PEERS), found, [line["mrows_per_s"] for line in found])
        _show(console, "peak MB above what was there before", (s.OURS, *s.PEERS), found)


def _show(
    console: Any,
    title: str,
    names: Sequence[str],
    lines: Sequence[Mapping[str, Any]],
    figures: Sequence[Mapping[str, float]] | None = None,
) -> None:
    """Print one figure of all implementations, a line a stage, and how ours compares; without `figures` the peaks."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("stage", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    if figures is not None:
        table.add_column("of limit", justify="right", no_wrap=True)
        table.add_column("cdpipe is")
    for place, line in enumerate(lines):
        if figures is None:
            table.add_row(line["stage"], *(_whole(line["peak_mb"].get(name)) for name in names))
            continue
        share = line.get("share_of_limit")
        limit = "" if share is None else f"{100 * share:.{0 if share >= 0.1 else 1}f} %"
        table.add_row(line["stage"], *(_digits(figures[place].get(name)) for name in names), limit, verdict(line))
    console.print(table)


def _median(values: Sequence[float]) -> float:
    import numpy as np

    return float(np.median(values))


def verdict(line: Mapping[str, Any]) -> str:
    """Return how a stage of the report compares, in words."""
    if line["stage"] == "history":
        return ", ".join(
            f"{each['median']:.2f} x {name} ({each['low']:.2f} to {each['high']:.2f})"
            for name, each in line["ratios"].items()
        )
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
