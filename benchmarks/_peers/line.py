"""Lines of the comparison: what was measured of a stage, and how it stands in JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks._peers import stages as s
from benchmarks._peers.rounds import Sample, Spread, median_s, ratio
from benchmarks._peers.scaling import Scaling

OFFSET_RAND: Final = "offset_rand"
"""Our own, beside the attacks that the peers do not do."""


@dataclass
class Line:
    """What was measured of one stage.

    Attributes
    ----------
    stage, rows
        Which, and messages of the data set.
    samples
        By implementation, `limit` and `offset_rand` a sample of each round.
    peak_mb
        By implementation.
    peaks_mb
        By implementation a peak of each round, where each round is a process of its own.
    rows_out
        By implementation, of the checked run.
    complaints
        What is wrong with results.
    scaling
        By function, of `dask/scaling` alone.
    """

    stage: s.Stage
    rows: int
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    peak_mb: dict[str, float | None] = field(default_factory=dict)
    peaks_mb: dict[str, list[float | None]] = field(default_factory=dict)
    rows_out: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    scaling: Mapping[str, Scaling] = field(default_factory=dict)

    @property
    def fastest_peer(self) -> str | None:
        """The peer of the least median time."""
        there = [name for name in s.PEERS if name in self.samples]
        return min(there, key=lambda name: median_s(self.samples[name])) if there else None

    def against(self, name: str | None) -> Spread | None:
        """Return how many times as fast as `name` ours is, round by round; None if that was not measured."""
        if name not in self.samples:
            return None
        return ratio(self.samples[name], self.samples[s.OURS])


def as_dict(line: Line) -> dict[str, Any]:
    """Return a line as it stands in JSON; None is what was not measured."""
    shown = [name for name in line.samples if name not in (s.LIMIT, OFFSET_RAND)]
    peer, own, limit = (line.against(name) for name in (line.fastest_peer, OFFSET_RAND, s.LIMIT))
    found: dict[str, Any] = {
        "stage": line.stage.name,
        "rows": line.rows,
        "ratio_to_fastest_peer": peer.median if peer else None,
        "low": peer.low if peer else None,
        "high": peer.high if peer else None,
        "fastest_peer": line.fastest_peer,
        "ratios": {name: spread._asdict() for name in s.PEERS if (spread := line.against(name)) is not None},
        "mrows_per_s": {name: line.rows / median_s(line.samples[name]) / 1e6 for name in shown},
        "peak_mb": line.peak_mb,
        "seconds": {name: [sample.wall_s for sample in samples] for name, samples in line.samples.items()},
        "rows_out": line.rows_out,
        "complaints": line.complaints,
    }
    if own is not None:
        found["ratio_to_offset_rand"] = own._asdict()
    if limit is not None:
        found["limit"] = {"of": line.stage.limit, "mrows_per_s": line.rows / median_s(line.samples[s.LIMIT]) / 1e6}
        found["share_of_limit"] = limit.median
    if line.peaks_mb:
        found["peaks_mb"] = line.peaks_mb
    if line.scaling:
        found["share_of_ideal_scaling"] = {name: each.share._asdict() for name, each in line.scaling.items()}
        found["share_of_graph_and_scheduling"] = {name: each.graph._asdict() for name, each in line.scaling.items()}
    return found
