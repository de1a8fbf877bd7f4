"""Figures as people read them."""

from collections.abc import Mapping
from typing import Final

from cdpipe.figures import PREFIX, UNITS
from cdpipe.perf.wording.units import format_quantity, format_significant

_NAMES: Final[Mapping[str, str]] = {
    "cpu_percent": "processor use",
    "memory_percent": "memory use",
    "disk_busy": "how busy the disk was",
    "ready_queue_max": "the deepest queue of tasks",
    "seconds": "time",
    "peak_bytes": "peak memory",
    "tree_peak_bytes": "peak memory",
}


def name_figure(name: str) -> str:
    """Name a figure in words: `cpu_percent` is `processor use`."""
    if name.startswith(PREFIX):
        return f"share of {name.removeprefix(PREFIX)}"
    return _NAMES.get(name, name.replace("_", " "))


def format_figure(name: str, value: float) -> str:
    """Write a figure's value as people read it: counts with thousands separators, percent with its sign."""
    unit = UNITS.get(name, "")
    if unit in {"tasks", "cores", "samples"}:
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    if unit == "%":
        return f"{format_significant(value)} %"
    return format_quantity(value, unit) if unit else format_significant(value)
