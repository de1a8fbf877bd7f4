"""Idleness: what keeps slots without work, told from how many tasks a run had and how long they took.

In order: a run with fewer than two tasks a slot has too few. A task that the others waited for explains idle time up to
its length on every other slot. What is left is told by how many tasks ran at once: less than half of one, and the
program was at work outside of them; else they waited for each other.
"""

import math
from collections.abc import Mapping
from typing import Final

UNKNOWN: Final = "A901"
TOO_FEW: Final = "A902"
ONE_LONG: Final = "A903"
CHAINED: Final = "A904"
OUTSIDE: Final = "A905"

_TASKS_A_SLOT: Final = 2
_MUCH_LONGER: Final = 3.0
"""Times as long as half of the tasks at most: a straggler."""

_EXPLAINED: Final = 0.5
"""Of the idle time, that one task must explain."""

_AT_ONCE: Final = 0.5
"""So few tasks at once, and most of the time there was none."""


def find_idle_cause(figures: Mapping[str, float], idle: float) -> str:
    """Return the code of what kept slots without work.

    Parameters
    ----------
    figures
        By name; `cores`, `tasks`, `wall_seconds` and the tasks' seconds decide, as far as they are there.
    idle
        Share of slots x wall without work, 0-1.

    Returns
    -------
    str
        `UNKNOWN` where the figures do not tell.
    """
    slots, tasks = figures.get("cores", math.nan), figures.get("tasks", math.nan)
    if 0 < tasks < _TASKS_A_SLOT * slots:
        return TOO_FEW
    wall_s, mean_s = figures.get("wall_seconds", math.nan), figures.get("task_seconds_mean", math.nan)
    longest_s, middle_s = figures.get("task_seconds_max", math.nan), figures.get("task_seconds_p50", math.nan)
    idle_s = idle * slots * wall_s
    if longest_s >= _MUCH_LONGER * middle_s and longest_s * (slots - 1) >= _EXPLAINED * idle_s:
        return ONE_LONG
    at_once = tasks * mean_s / wall_s if wall_s else math.nan
    if math.isnan(at_once):
        return UNKNOWN
    return OUTSIDE if at_once < _AT_ONCE else CHAINED


def say_at_once(figures: Mapping[str, float]) -> str:
    """Say how many tasks ran at once on average; `""` where that is not known."""
    names = ("tasks", "task_seconds_mean", "wall_seconds", "cores")
    if not all(name in figures for name in names) or not figures["wall_seconds"]:
        return ""
    at_once = figures["tasks"] * figures["task_seconds_mean"] / figures["wall_seconds"]
    return f"{at_once:.2g} tasks ran at once on average, on {figures['cores']:,.0f} slots"
