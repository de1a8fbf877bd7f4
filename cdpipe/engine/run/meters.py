"""Meters of a run: all of it under one probe, or each of its parts under its own."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from cdpipe.engine.sessions.base import Session
from cdpipe.figures import CATALOGUE, Join
from cdpipe.probe.probe import ProbeResult, probe


class Meter(Protocol):
    """Measures a run."""

    def part(self, label: str) -> AbstractContextManager[object]:
        """Return the block in which a part of the run is done."""

    def used(self) -> dict[str, Any] | None:
        """Return what the whole run used, as JSON-able values, None if `missing`; to be called when it is over."""

    @property
    def missing(self) -> str | None:
        """Why that is not known; None if it is."""


class _WholeMeter:
    def __init__(self, result: ProbeResult) -> None:
        self._result = result

    @contextmanager
    def part(self, label: str) -> Iterator[None]:  # noqa: ARG002 - parts are not told apart
        yield

    def used(self) -> dict[str, Any] | None:
        return None if self.missing else plain_figures(self._result)

    @property
    def missing(self) -> str | None:
        return self._result.missing


@contextmanager
def meter_whole(session: Session) -> Iterator[Meter]:
    """Measure a run as one."""
    with probe(session) as result:
        yield _WholeMeter(result)


class PartsMeter:
    """Measures each part of a run under a probe of its own, one after another.

    Probes do not nest: the sampling process of one would count as work under the other.

    Attributes
    ----------
    session
        Where the run's tasks run.
    begun
        Parts that began, in order.
    parts
        Figures of those that ended well, by name.
    unmeasured
        Of those that ended well but could not be measured, by name: why, and the seconds they took.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.begun: list[str] = []
        self.parts: dict[str, dict[str, Any]] = {}
        self.unmeasured: dict[str, tuple[str, float]] = {}

    @contextmanager
    def part(self, label: str) -> Iterator[None]:
        """Measure what is done in the block."""
        self.begun.append(label)
        with probe(self.session) as result:
            start = time.perf_counter()
            yield
            seconds = time.perf_counter() - start
        if result.missing is None:
            self.parts[label] = plain_figures(result)
        else:
            self.unmeasured[label] = result.missing, seconds

    def used(self) -> dict[str, Any] | None:
        """Return what all parts used together, None if that of some part is unknown."""
        return None if self.unmeasured else join_figures(list(self.parts.values()))

    @property
    def missing(self) -> str | None:
        """The first part that could not be measured, and why."""
        return next((f"{name}: {why}" for name, (why, _) in self.unmeasured.items()), None)


def plain_figures(result: ProbeResult) -> dict[str, Any]:
    """Return a probe's figures as JSON has them: lists, no tuples."""
    return {name: list(each) if isinstance(each, tuple) else each for name, each in result.as_dict().items()}


def join_figures(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Put together the figures of parts that were done one after another.

    Amounts are summed, peaks are the highest, means and shares are weighed by time. A figure that some part lacks is
    None. Quantiles of task times and the queue's course cannot be put together and are left out.
    """
    if not parts:
        return {}
    walls = [part["wall_seconds"] for part in parts]
    joined: dict[str, Any] = {}
    for name, figure in CATALOGUE.items():
        if figure.join is Join.MEAN:
            joined[name] = _weigh([part[name] for part in parts], walls)
        elif figure.join is not None:
            joined[name] = _join(parts, name, sum if figure.join is Join.SUM else max)
    slots = [wall * (part["cores"] or 0) for part, wall in zip(parts, walls, strict=True)]
    shares = [part["shares"] for part in parts]
    joined["shares"] = (
        None
        if any(each is None for each in shares)
        else {name: _weigh([each.get(name, 0.0) for each in shares], slots) for name in shares[0]}
    )
    joined["cpu_percent"] = _weigh([part["cpu_percent"] for part in parts], slots)
    joined["page_cache_share"] = _weigh(
        [part["page_cache_share"] for part in parts], [part["syscall_read_bytes"] or 0 for part in parts]
    )
    joined["disk_busy_source"] = parts[0]["disk_busy_source"]
    joined["task_seconds"] = _join_task_seconds(parts)
    return joined


def _join(parts: Sequence[Mapping[str, Any]], name: str, how: Callable[[list[Any]], Any]) -> Any:  # noqa: ANN401
    known = [part[name] for part in parts if part[name] is not None]
    return how(known) if len(known) == len(parts) else None


def _weigh(values: Sequence[float | None], weights: Sequence[float]) -> float | None:
    known = [value for value in values if value is not None]
    total = sum(weights)
    if len(known) != len(values):
        return None
    return sum(value * weight for value, weight in zip(known, weights, strict=True)) / total if total else 0.0


def _join_task_seconds(parts: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
    if any(part["task_seconds"] is None or part["tasks"] is None for part in parts):
        return None
    timed = [(part["task_seconds"], part["tasks"]) for part in parts if part["task_seconds"]]
    mean = _weigh([each["mean"] for each, _ in timed], [tasks for _, tasks in timed])
    if not timed or mean is None:
        return {}
    return {"min": min(each["min"] for each, _ in timed), "max": max(each["max"] for each, _ in timed), "mean": mean}
