"""One run of a workload under the probe, and what the attribution makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdpipe.figures import PREFIX
from cdpipe.perf.analysis.attribution import attribute
from cdpipe.perf.analysis.bounds import Bound
from cdpipe.probe.probe import ProbeResult, probe

from .ground import Ground, Workload


@dataclass(frozen=True)
class Outcome:
    """What one run was named.

    Attributes
    ----------
    busy
        Whether another program had a core.
    shares
        Fractions of slots x wall.
    """

    workload: Workload
    busy: bool
    bound: Bound
    shares: Mapping[str, float]
    memory_percent: float
    wall_seconds: float
    samples: int

    @property
    def verdict(self) -> str:
        """`right`, `mixed`, `disturbed` (no class, as others had the cores) or `wrong`."""
        if self.bound in self.workload.accepted:
            return "right"
        return {Bound.MIXED: "mixed", Bound.DISTURBED: "disturbed"}.get(self.bound, "wrong")


def read_figures(used: ProbeResult) -> dict[str, float]:
    """Return what the attribution reads of what the probe measured."""
    found: dict[str, Any] = {PREFIX + name: share for name, share in (used.shares or {}).items()}
    beside = {"memory_percent": used.memory_percent, "samples": used.samples}
    return found | {name: value for name, value in beside.items() if value is not None}


def describe_shares(shares: Mapping[str, float]) -> str:
    """Return the shares of 2 % or more, the largest first."""
    largest = sorted(shares.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {share:.0%}" for name, share in largest if share >= 0.02)


def measure(workload: Workload, ground: Ground, *, busy: bool) -> Outcome:
    """Run a workload once under the probe; what it needs is made before.

    Raises
    ------
    Skipped
        If this machine cannot show it.
    """
    made = workload.make(ground)
    with ground.throttled(workload.throttle), probe(ground.session) as used:
        if callable(made):
            made()
        else:
            ground.session.run(made)
    figures = read_figures(used)
    named = attribute(figures)
    return Outcome(
        workload=workload,
        busy=busy,
        bound=Bound.INSUFFICIENT if named is None else named.bound,
        shares=dict(used.shares or {}),
        memory_percent=figures.get("memory_percent", float("nan")),
        wall_seconds=used.wall_seconds or 0.0,
        samples=used.samples or 0,
    )
