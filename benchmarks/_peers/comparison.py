"""The whole comparison: data, memory, a checked first run of everyone, rounds, and what they say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks._peers import stages as s
from benchmarks._peers.agreement import Referee
from benchmarks._peers.history import race as history
from benchmarks._peers.implementation import Implementation
from benchmarks._peers.implementations import BY_NAME
from benchmarks._peers.jobs.race import Race
from benchmarks._peers.limits import limit_work
from benchmarks._peers.line import OFFSET_RAND, Line
from benchmarks._peers.memory import WARM_UP_ROWS, apart, peak_mb
from benchmarks._peers.messages import make
from benchmarks._peers.rounds import measure
from benchmarks._peers.scaling import ALL, ONE_FRAME, measure_scaling


def compare(
    rows: int,
    stages: Sequence[s.Stage],
    *,
    repeats: int,
    job_rows: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
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
    job_rows
        Of the data set that whole jobs read; as many as `rows` by default.
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
    ProgramError
        If a program that does a whole job fails.
    """
    jobs, others = ([stage for stage in stages if (stage.task == "job") == is_job] for is_job in (True, False))
    if jobs:
        yield from _compare_jobs(job_rows or rows, jobs, repeats=repeats, tell=tell)
    for stage in others:
        if stage.task == "history":
            tell(f"{stage.name}: time, on one thread")
            yield history.run(stage, rows=rows, repeats=repeats)
    others = [stage for stage in others if stage.task != "history"]
    if not others:
        return
    tell(f"{rows:,} messages")
    apart(make, WARM_UP_ROWS)
    csv, parquet = apart(make, rows)
    referee = Referee(parquet)
    with ExitStack() as stack:
        everyone = {}
        for name, each in BY_NAME.items():
            scratch = stack.enter_context(TemporaryDirectory(prefix="cdpipe-peers-"))
            everyone[name] = each(csv, parquet, Path(scratch))
        for stage in others:
            yield _measure(stage, everyone, referee, rows=rows, repeats=repeats, tell=tell)


def _compare_jobs(rows: int, jobs: Sequence[s.Stage], *, repeats: int, tell: Callable[[str], None]) -> Iterator[Line]:
    tell(f"{rows:,} messages")
    csv, parquet = apart(make, rows)
    with ExitStack() as stack:
        race = Race(csv, parquet, stack)
        for stage in jobs:
            tell(f"{stage.name}: whole processes")
            yield race.run(stage, rows=rows, repeats=repeats)


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
    line = Line(stage, rows)
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
