"""The figures that a stage can have, by name, with their units."""

from collections.abc import Mapping
from typing import Final

from cdpipe.perf.quantities import format_quantity, format_significant
from cdpipe.perf.shares import PREFIX, SHARES

FIGURES: Final[Mapping[str, str]] = {
    "seconds": "s",
    "peak_bytes": "B",
    "tree_peak_bytes": "B",
    "cpu_percent": "%",
    "memory_percent": "%",
    "read_bytes": "B",
    "write_bytes": "B",
    "disk_busy": "share",
    "ready_queue_max": "tasks",
    "tasks": "tasks",
    "hit_rate": "share",
    "lookup_seconds": "s",
    "baseline_seconds": "s",
    "kernel_seconds": "s",
    "in_memory_seconds": "s",
    "graph_seconds": "s",
    "help_seconds": "s",
    **{PREFIX + name: "share" for name in SHARES},
    "samples": "samples",
    "cores": "cores",
    "wall_seconds": "s",
    "cpu_seconds": "s",
    "task_seconds_p50": "s",
    "task_seconds_mean": "s",
    "task_seconds_max": "s",
    "queue_mean": "tasks",
    "spilled_bytes": "B",
    "network_bytes": "B",
    "page_cache_share": "share",
}
"""What a benchmark's `cdpipe_figure` may be, with its unit."""

BESIDE: Final = frozenset(
    {
        "hit_rate",
        "lookup_seconds",
        "baseline_seconds",
        "kernel_seconds",
        "in_memory_seconds",
        "graph_seconds",
        "help_seconds",
    }
)
"""Figures that say nothing of what bounds a stage: what has no other is no stage to classify."""


def format_figure(name: str, value: float) -> str:
    """Write a figure's value as people read it: counts with thousands separators, percent with its sign."""
    unit = FIGURES.get(name, "")
    if unit in {"tasks", "cores", "samples"}:
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    if unit == "%":
        return f"{format_significant(value)} %"
    return format_quantity(value, unit) if unit else format_significant(value)
