"""The whole comparison: data, memory, a checked first run of everyone, rounds, and what they say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks._peers import stages as s
from benchmarks._peers.agreement import Referee
from benchmarks._peers.implementation import Implementation
from benchmarks._peers.implementations import BY_NAME
from benchmarks._peers.limits import limit_work
from benchmarks._peers.memory import WARM_UP_ROWS, apart, peak_mb
from benchmarks._peers.messages import make
from benchmarks._peers.rounds import Sample, Spread, measure, median_s, ratio
from benchmarks._peers.scaling import ALL, ONE_FRAME, Scaling, measure_scaling

OFFSET_RAND: Final = "offset_rand"
"""Our own, beside the attacks that the peers do not do."""


@dataclass
class Line:
    """What was measured of one stage.

    Attributes
    ----------
    stage
        Which.
    samples
        By implementation, `limit` and `offset_rand` a sample of each round.
    peak_mb
        By implementation.
    rows_out
        By implementation, of the checked run.
    complaints
        What is wrong with results.
    scaling
        By function, of `dask/scaling` alone.
    """

    stage: s.Stage
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    peak_mb: dict[str, float | None] = field(default_factory=dict)
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


def compare(
    rows: int, stages: Sequence[s.Stage], *, repeats: int, tell: Callable[[str], None] = lambda _: None
) -> Iterator[Line]:
    """Measure stages, one after the other.

    Parameters
    ----------
    rows
        Of the data set; it is made if it is not there.
    stages
        Which.
    repeats
        How many rounds.
    tell
        Is told what is being done.

    Yields
    ------
    Line
        Of each stage as soon as it is measured. Whoever uses them must look at `complaints`.

    Raises
    ------
    OSError
        If the data set cannot be made.
    """
    tell(f"{rows:,} messages")
    apart(make, WARM_UP_ROWS)
    csv, parquet = apart(make, rows)
    referee = Referee(parquet)
    with ExitStack() as stack:
        everyone = {}
        for name, each in BY_NAME.items():
            scratch = stack.enter_context(TemporaryDirectory(prefix="cdpipe-peers-"))
            everyone[name] = each(csv, parquet, Path(scratch))
        for stage in stages:
            yield _measure(stage, everyone, referee, rows=rows, repeats=repeats, tell=tell)


def _measure(
    stage: s.Stage,
    everyone: Mapping[str, Implementation],
    referee: Referee,
    *,
    rows: int,
    repeats: int,
    tell: Callable[[str], None],
) -> Line:
    tell(f"{stage.name}: time")
    line = Line(stage)
    if stage.task == "scaling":
        line.scaling = measure_scaling(everyone[s.OURS], repeats=repeats)
        line.samples = {s.OURS: line.scaling[ALL].partitions, ONE_FRAME: line.scaling[ALL].one_frame}
        return line
    _race(line, everyone, referee, rows=rows, repeats=repeats)
    tell(f"{stage.name}: memory")
    for name in stage.implementations:
        if stage.input:
            everyone[name].store(stage.input)
        line.peak_mb[name] = apart(peak_mb, stage.name, name, rows, everyone[name].scratch)
    return line


def _race(line: Line, everyone: Mapping[str, Implementation], referee: Referee, *, rows: int, repeats: int) -> None:
    stage, works = line.stage, {}
    for name in stage.implementations:
        one = everyone[name]
        works[name] = one.prepare(stage)
        result = works[name]()
        line.rows_out[name], wrong = referee.judge(stage, one, result)
        line.complaints += wrong
        one.discard(result)
        del result
    if not stage.has_peers:
        own = replace(s.CHAIN_ATTACK, local=stage.local)
        works[OFFSET_RAND] = everyone[s.OURS].prepare(own)
    if stage.limit is not None:
        works[s.LIMIT] = limit_work(stage, everyone[s.OURS], rows=rows)
    for name in set(works) - set(stage.implementations):
        works[name]()
    discard = {name: everyone[name].discard for name in stage.implementations}
    line.samples = measure(works, discard=discard, repeats=repeats)


def as_dict(line: Line, rows: int) -> dict[str, Any]:
    """Return a line as it stands in JSON; None is what was not measured."""
    shown = [name for name in line.samples if name not in (s.LIMIT, OFFSET_RAND)]
    peer, own, limit = (line.against(name) for name in (line.fastest_peer, OFFSET_RAND, s.LIMIT))
    found: dict[str, Any] = {
        "stage": line.stage.name,
        "ratio_to_fastest_peer": peer.median if peer else None,
        "low": peer.low if peer else None,
        "high": peer.high if peer else None,
        "fastest_peer": line.fastest_peer,
        "mrows_per_s": {name: rows / median_s(line.samples[name]) / 1e6 for name in shown},
        "peak_mb": line.peak_mb,
        "seconds": {name: [sample.wall_s for sample in samples] for name, samples in line.samples.items()},
        "rows_out": line.rows_out,
        "complaints": line.complaints,
    }
    if own is not None:
        found["ratio_to_offset_rand"] = own._asdict()
    if limit is not None:
        found["limit"] = {"of": line.stage.limit, "mrows_per_s": rows / median_s(line.samples[s.LIMIT]) / 1e6}
        found["share_of_limit"] = limit.median
    if line.scaling:
        found["share_of_ideal_scaling"] = {name: each.share._asdict() for name, each in line.scaling.items()}
        found["share_of_graph_and_scheduling"] = {name: each.graph._asdict() for name, each in line.scaling.items()}
    return found
