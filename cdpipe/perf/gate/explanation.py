"""Explanation of a change: the resource that moved, the functions that grew, and whether order or class changed.

A few further processes of each side run under the witness, in turns. Every resource has its own ratio; the one that is
named is specific before it is general: that a stage reads twice explains why it computes more, and not the other way.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from cdpipe.perf.analysis.attribution import attribute_all, name_bound
from cdpipe.perf.analysis.bounds import Bound
from cdpipe.perf.gate.deciding.series import Series, measure_change
from cdpipe.perf.gate.deciding.verdicts import Decision
from cdpipe.perf.gate.measuring.rounds import Side
from cdpipe.perf.gate.measuring.sighting import Sighting
from cdpipe.perf.gate.outcome import Explanation
from cdpipe.perf.wording.units import format_quantity, format_significant

_PAIRS: Final = 3
_PART: Final = 0.5
"""Of the time's change: a resource that moved less explains little of it."""

_LEAST: Final = 0.03
_NOISE: Final = 3.0
_FUNCTIONS: Final = 3
_ORDER: Final = 0.1
"""Of an exponent: a tenth more is 1.26 times the work at ten times the rows."""


class Witnesses(Protocol):
    """What runs benchmarks under the witness."""

    def witness(self, benchmark: str, side: Side) -> Sighting | None:
        """Run one process; None if it gave nothing."""

    def probe(self, benchmark: str, side: Side) -> Mapping[str, float]:
        """Run one process under the probe and return its figures; none where there is no probe."""

    def find_smaller(self, benchmark: str) -> tuple[str, float] | None:
        """Return the same benchmark at the next smaller size, and how many times as many rows this one has."""


@dataclass(frozen=True, slots=True)
class _Resource:
    """What can move: its unit, the least difference that matters, the words for it, and what to look for."""

    name: str
    unit: str
    least: float
    more: str
    less: str
    advice: str


_SPECIFIC: Final = (
    _Resource("tasks", "tasks", 2, "it cuts the work into more tasks", "it makes fewer tasks", "see partition sizes"),
    _Resource(
        "read_bytes", "B", 1e6, "it reads more", "it reads less", "look for input that is read twice, or not skipped"
    ),
    _Resource("write_bytes", "B", 1e6, "it writes more", "it writes less", "look for a copy on disk"),
    _Resource(
        "serialisation_seconds", "s", 5e-3, "it pickles more", "it pickles less", "look for what tasks hand over"
    ),
    _Resource(
        "kept_bytes", "B", 1e6, "each call keeps more memory", "each call keeps less", "look for a reference that stays"
    ),
    _Resource(
        "peak_bytes", "B", 8e6, "it holds more memory", "it holds less memory", "look for a copy, or a longer life"
    ),
    _Resource("gc_seconds", "s", 5e-3, "it collects more garbage", "it collects less garbage", "look for many objects"),
    _Resource(
        "page_faults", "faults", 2000, "it allocates more", "it allocates less", "look for temporary arrays and copies"
    ),
)
_COMPUTING: Final = _Resource(
    "cpu_seconds", "s", 1e-4, "it computes more", "it computes less", "look for an extra pass or a slower loop"
)
_WAITING: Final = _Resource(
    "wait_seconds", "s", 1e-4, "it waits more", "it waits less", "look for locks, disk, or threads without work"
)
_OPEN: Final = frozenset({Bound.MIXED, Bound.INSUFFICIENT, Bound.DISTURBED})
"""Classes that say nothing of what bounds a benchmark."""

_MEMORY: Final = frozenset({"kept_bytes", "peak_bytes"})


def explain(series: Series, decision: Decision, witnesses: Witnesses) -> Explanation | None:
    """Say why a benchmark changed.

    Parameters
    ----------
    series, decision
        The benchmark and its verdict.
    witnesses
        What runs it under the witness.

    Returns
    -------
    Explanation or None
        None where the witness saw nothing.
    """
    seen = _hear(series.name, witnesses)
    if seen is None:
        return None
    figures = {name: (*values, _unit(name)) for name, values in _take_medians(seen).items()}
    resource = name_resource(seen, change=math.log1p(decision.change), in_bytes=series.unit == "bytes")
    functions = find_functions(seen, grew=decision.change > 0)
    clauses = (
        _word_resource(resource, figures, more=decision.change > 0),
        _word_order(series, decision, witnesses),
        _word_class(series, witnesses),
    )
    sentence = ", and ".join(filter(None, clauses))
    if functions:
        sentence += ": " + "; ".join(f"{name} took {_seconds(a)}, now {_seconds(b)}" for name, a, b in functions)
    if decision.change > 0 and resource is not None:
        sentence += f"; {resource.advice}"
    return Explanation(sentence, resource.name if resource else "", figures, functions)


def _hear(name: str, witnesses: Witnesses) -> dict[Side, list[Sighting]] | None:
    seen: dict[Side, list[Sighting]] = {side: [] for side in Side}
    for pair in range(_PAIRS):
        for side in (Side.BASE, Side.HEAD) if pair % 2 else (Side.HEAD, Side.BASE):
            sighting = witnesses.witness(name, side)
            if sighting is None:
                return None
            waited = max(0.0, sighting.figures.get("wall_seconds", 0.0) - sighting.figures.get("cpu_seconds", 0.0))
            seen[side].append(Sighting({**sighting.figures, "wait_seconds": waited}, sighting.functions))
    return seen


def _take_medians(seen: Mapping[Side, Sequence[Sighting]]) -> dict[str, tuple[float, float]]:
    names = sorted({name for side in seen.values() for each in side for name in each.figures})
    base, head = (
        {name: float(np.median([each.figures.get(name, 0.0) for each in seen[side]])) for name in names}
        for side in (Side.BASE, Side.HEAD)
    )
    return {name: (base[name], head[name]) for name in names}


def name_resource(
    seen: Mapping[Side, Sequence[Sighting]], *, change: float, in_bytes: bool = False
) -> _Resource | None:
    """Name the resource that moved with a benchmark.

    Parameters
    ----------
    seen
        What the witness saw, a few processes a side.
    change
        Logarithm of the benchmark's ratio.
    in_bytes
        Whether the benchmark measures memory: then the resource is one of memory, if one moved.

    Returns
    -------
    _Resource or None
        None where nothing moved with it.
    """
    medians = _take_medians(seen)
    moved: dict[str, float] = {}
    for resource in (*_SPECIFIC, _COMPUTING, _WAITING):
        before, after = medians.get(resource.name, (0.0, 0.0))
        if (after - before) * change <= 0 or abs(after - before) < resource.least:
            continue
        noise = max(
            float(np.ptp([each.figures.get(resource.name, 0.0) for each in seen[side]])) / 2
            for side in (Side.BASE, Side.HEAD)
        )
        ratio = abs(measure_change(max(before, resource.least), max(after, resource.least)))
        if abs(after - before) > _NOISE * noise and ratio >= max(_LEAST, _PART * abs(change)):
            moved[resource.name] = ratio
    if in_bytes and moved.keys() & _MEMORY:
        moved = {name: ratio for name, ratio in moved.items() if name in _MEMORY}
    specific = [resource for resource in _SPECIFIC if resource.name in moved]
    if specific:
        # The first are the most specific; one further down must have moved by much more to be the cause.
        return max(
            specific, key=lambda resource: (moved[resource.name] > 2 * moved[specific[0].name], resource is specific[0])
        )
    return next((each for each in (_COMPUTING, _WAITING) if each.name in moved), None)


def find_functions(seen: Mapping[Side, Sequence[Sighting]], *, grew: bool) -> tuple[tuple[str, float, float], ...]:
    """Return the functions whose seconds grew (or shrank) the most: name, seconds of a call at base and at head."""
    names = {name for side in seen.values() for each in side for name in each.functions}
    rows = []
    for name in sorted(names):
        base, head = ([each.functions.get(name, 0.0) for each in seen[side]] for side in (Side.BASE, Side.HEAD))
        # All of one side beyond all of the other: a function that is looked at by chance does not differ so.
        apart = min(head) > max(base) if grew else max(head) < min(base)
        if apart:
            rows.append((name, float(np.median(base)), float(np.median(head))))
    rows.sort(key=lambda row: -abs(row[2] - row[1]))
    largest = abs(rows[0][2] - rows[0][1]) if rows else 0.0
    return tuple(row for row in rows[:_FUNCTIONS] if abs(row[2] - row[1]) >= largest / 4)


def _word_order(series: Series, decision: Decision, witnesses: Witnesses) -> str:
    """Say by how much the order of growth changed, `""` where it did not or there is no other size."""
    smaller = witnesses.find_smaller(series.name)
    if series.unit != "seconds" or smaller is None or decision.interval is None:
        return ""
    name, factor = smaller
    seen = _hear(name, witnesses)
    if seen is None or factor <= 1:
        return ""
    ratios = [
        measure_change(base.figures["wall_seconds"], head.figures["wall_seconds"])
        for base, head in zip(seen[Side.BASE], seen[Side.HEAD], strict=True)
    ]
    there = float(np.median(ratios))
    low, high = (math.log1p(end) for end in decision.interval)
    # Only what the interval here and the spread there both leave standing.
    gap = low - max(ratios) if decision.change > 0 else min(ratios) - high
    exponent = (math.log1p(decision.change) - there) / math.log(factor)
    if gap <= 0 or abs(exponent) < _ORDER:
        return ""
    return (
        f"its time grows by rows to the power of {abs(exponent):.2f} {'more' if exponent > 0 else 'less'} than before"
    )


def _word_class(series: Series, witnesses: Witnesses) -> str:
    """Say what bounds the benchmark now and did before, by the probe's shares; `""` where that is the same or open."""
    probed = [witnesses.probe(series.name, side) for side in (Side.BASE, Side.HEAD)]
    before, after = attribute_all(probed)
    if before is None or after is None or {before.bound, after.bound} & _OPEN or before.bound is after.bound:
        return ""
    return f"it was {name_bound(before)} and is {name_bound(after)}"


def _word_resource(resource: _Resource | None, figures: Mapping[str, tuple[float, float, str]], *, more: bool) -> str:
    if resource is None:
        return "no single resource moved with it"
    before, after, unit = figures[resource.name]
    values = f"{format_quantity(before, unit)} to {format_quantity(after, unit)}"
    return f"{resource.more if more else resource.less} ({resource.name}: {values})"


def _unit(name: str) -> str:
    units = {each.name: each.unit for each in (*_SPECIFIC, _COMPUTING, _WAITING)}
    return units.get(name, "s")


def _seconds(value: float) -> str:
    return f"{format_significant(value)} s" if value >= 1 else f"{format_significant(value * 1000)} ms"
