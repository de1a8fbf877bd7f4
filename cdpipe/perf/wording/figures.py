"""Figures as people read them."""

from cdpipe.figures import UNITS
from cdpipe.perf.wording.units import format_quantity, format_significant


def format_figure(name: str, value: float) -> str:
    """Write a figure's value as people read it: counts with thousands separators, percent with its sign."""
    unit = UNITS.get(name, "")
    if unit in {"tasks", "cores", "samples"}:
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    if unit == "%":
        return f"{format_significant(value)} %"
    return format_quantity(value, unit) if unit else format_significant(value)
