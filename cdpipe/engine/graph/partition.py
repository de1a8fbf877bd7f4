"""Stages laid over partitions: each partition goes through its whole chain of steps in one task, lazily."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from dask.delayed import Delayed
from dask.task_spec import TaskRef

from cdpipe.columns import GENERATED_AT, RECEIVED_AT, ROW_NUMBER
from cdpipe.engine.files.parts import Written, read_part, read_types, write_part
from cdpipe.engine.files.rejects import write_rejects
from cdpipe.engine.files.sources import Block, read_block
from cdpipe.engine.graph.global_step import survey
from cdpipe.engine.graph.layers import Layer
from cdpipe.engine.graph.row_numbers import FIRST, Start, add_starts
from cdpipe.engine.graph.simplify import hands_on
from cdpipe.stages import BY_NAME
from cdpipe.stages.gather.gather import MUST, Gathered, fill_times
from cdpipe.stages.gather.gather import NAME as GATHER
from cdpipe.stages.ledger import Ledger, add_ledgers
from cdpipe.stages.params import Params


class Stored(NamedTuple):
    """A partition that a task reads from disk.

    Attributes
    ----------
    path
        Its file.
    columns
        The columns wanted of it (None: all).
    dropped
        What the first stage would drop of it, where that is known to be every row: then none is read.
    block, gathered
        Of a part of gathering, what it was gathered from (how many row numbers the block takes is known), and its
        account: its rows are numbered from the first of their file on (see `Keep.by_file`).
    known
        What was written there, and must still be there (None: nobody noted it).
    """

    path: Path
    columns: tuple[str, ...] | None = None
    dropped: Ledger | None = None
    block: Block | None = None
    gathered: Ledger | None = None
    known: Written | None = None


class Raw(NamedTuple):
    """A block of a source file that a task reads and types.

    Attributes
    ----------
    block, columns
        What is read.
    rejects
        The folder its rejects go to (None: they are only counted).
    required
        Columns in which an unreadable cell rejects the record.
    fills_times
        Whether a message without a time gets the one at which it was received.
    """

    block: Block
    columns: tuple[str, ...]
    rejects: Path | None = None
    required: tuple[str, ...] = MUST
    fills_times: bool = False


class Apply(NamedTuple):
    """Step: take the partition through a stage."""

    stage: str
    params: Params


class Keep(NamedTuple):
    """Step: write the partition as it now is, and go on with it.

    Attributes
    ----------
    stage, folder
        Whose output it is, and where it goes.
    by_file
        Number its rows from the first of their file on there: then the part serves wherever the file stands among
        others. A stored part of gathering is one already, and is not written.
    """

    stage: str
    folder: Path
    by_file: bool = False


class Look(NamedTuple):
    """Step: survey the partition for the global step of a stage to come."""

    stage: str
    params: Params


Step = Apply | Keep | Look


class Outcome(NamedTuple):
    """What one partition's task gives back: accounts, never rows.

    Attributes
    ----------
    ledgers
        By stage.
    seconds
        Time spent, by stage; writing counts to the stage whose output is written.
    rows
        Rows that came in.
    read_bytes
        Bytes of the source.
    numbers
        Row numbers that the partition takes, where it is one of the input: those of rejected records too.
    survey
        What a `Look` found.
    written
        By stage, what a `Keep` wrote.
    """

    ledgers: dict[str, Ledger]
    seconds: dict[str, float]
    rows: int
    read_bytes: int
    numbers: int = 0
    survey: Any = None
    written: Mapping[str, Written] = {}


def part_name(index: int) -> str:
    """Return the file name of a partition: names sort as the rows do."""
    return f"part-{index:06d}.parquet"


def lay_chain(
    sources: Sequence[Raw | Stored], steps: Sequence[Step], *, facts: Mapping[str, Any] | None = None
) -> list[Delayed]:
    """Lay steps over partitions: one task each, and nothing computed yet.

    Parameters
    ----------
    sources
        The partitions, in the order of their rows.
    steps
        What each goes through.
    facts
        By stage, what its global step concluded (as `Session.broadcast` returned it).

    Returns
    -------
    list of Delayed
        An `Outcome` each.
    """
    name = steps[-1].stage if steps else GATHER
    layer = Layer(name)
    starts = iter(add_starts(layer, [source.block for source in sources if source.block is not None]))
    chain = []
    for index, source in enumerate(sources):
        start = () if source.block is None else next(starts)
        chain.append(layer.add(name, index, run_chain, source, tuple(steps), index, *start, **(facts or {})))
    return layer.wrap(chain)


def run_chain(
    source: Raw | Stored,
    steps: Sequence[Step],
    index: int,
    starts: Sequence[Start] = FIRST,
    place: int = 0,
    **facts: Any,  # noqa: ANN401
) -> Outcome:
    """Take one partition through its steps; this is the body of every task.

    Fails with a `DamageError` if a stored partition is not what was written.

    `starts` has the start of its block at `place`, and that of what follows behind it.
    """
    clock = time.perf_counter
    start = clock()
    outcome, frame = _load(source, index, starts[place])
    start += sum(outcome.seconds.values())  # what gathering took is counted; reading a part is the first step's
    ledgers, seconds = dict(outcome.ledgers), dict(outcome.seconds)
    found = None
    written: dict[str, Written] = {}
    before = starts[place].rows_before_file
    for step in steps:
        match step:
            case Keep(stage, by_file=True) if isinstance(source, Stored):
                if source.known is not None:
                    written[stage] = source.known
                continue
            case Keep(stage, folder, True):
                written[stage] = write_part(_shift(frame, -before), folder / part_name(index))
            case Apply(stage, params):
                frame, ledger = BY_NAME[stage].apply(frame, params, facts.get(stage))
                ledgers[stage] = add_ledgers([ledger, ledgers[stage]]) if stage in ledgers else ledger
            case Keep(stage, folder):
                written[stage] = write_part(frame, folder / part_name(index))
            case Look(stage, params):
                found = survey(stage, frame, params)
        seconds[step.stage] = seconds.get(step.stage, 0.0) + clock() - start
        start = clock()
    numbers = starts[place + 1].row - starts[place].row
    return outcome._replace(ledgers=ledgers, seconds=seconds, numbers=numbers, survey=found, written=written)


def _shift(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return the frame with row numbers greater by `rows`, its other columns shared."""
    return frame.assign(**{ROW_NUMBER: frame[ROW_NUMBER] + rows}) if rows else frame


def split_outcomes(outcomes: Sequence[Delayed]) -> tuple[list[Delayed], list[Delayed]]:
    """Part outcomes into accounts and surveys, so that surveys are merged where they are and then released."""
    layer = Layer("outcome")
    refs = [TaskRef(each.key) for each in outcomes]
    accounts = [layer.add("account", place, _account, ref) for place, ref in enumerate(refs)]
    surveys = [layer.add("survey", place, _survey, ref) for place, ref in enumerate(refs)]
    laid = layer.wrap([*accounts, *surveys], outcomes)
    return laid[: len(accounts)], laid[len(accounts) :]


class Totals(NamedTuple):
    """The accounts of all partitions together."""

    ledgers: dict[str, Ledger]
    seconds: dict[str, float]
    read_bytes: int


def sum_outcomes(outcomes: Sequence[Outcome]) -> Totals:
    """Add up the accounts of all partitions, given in the order of their rows."""
    seconds: dict[str, float] = {}
    for outcome in outcomes:
        for stage, spent in outcome.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + spent
    stages = dict.fromkeys(stage for outcome in outcomes for stage in outcome.ledgers)
    return Totals(
        {stage: add_ledgers(outcome.ledgers[stage] for outcome in outcomes) for stage in stages},
        seconds,
        sum(outcome.read_bytes for outcome in outcomes),
    )


def read_raw(source: Raw, first: Start) -> Gathered:
    """Read the block of a source whose rows begin there; errors as of `read_block`."""
    fills_times = source.fills_times and GENERATED_AT in source.columns
    gathered = read_block(
        source.block,
        columns=tuple(dict.fromkeys((*source.columns, *((RECEIVED_AT,) * fills_times)))),
        first_row=first.row,
        rows_before_file=first.rows_before_file,
        further=first.further,
        required=source.required,
    )
    if not fills_times:
        return gathered
    convention = source.block.file.convention
    return fill_times(gathered, convention=convention, keep_received=RECEIVED_AT in source.columns)


def _load(source: Raw | Stored, index: int, first: Start) -> tuple[Outcome, pd.DataFrame]:
    start = time.perf_counter()
    if isinstance(source, Stored):
        known = [ledger for ledger in (source.gathered, source.dropped) if ledger is not None]
        ledgers = {ledger.stage: ledger for ledger in known}
        if source.dropped is not None:
            return Outcome(ledgers, {}, source.dropped.rows_in, 0), read_types(source.path, known=source.known)
        frame = _shift(read_part(source.path, source.columns, known=source.known), first.rows_before_file)
        size = source.path.stat().st_size if source.known is None else source.known.bytes
        return Outcome(ledgers, {}, len(frame), size), frame
    gathered = read_raw(source, first)
    if gathered.rejects and source.rejects is not None:
        write_rejects(gathered.rejects, source.rejects, index)
    seconds = {GATHER: time.perf_counter() - start}
    rows = gathered.ledger.rows_in
    return Outcome({GATHER: gathered.ledger}, seconds, rows, source.block.size), gathered.frame


@hands_on
def _account(outcome: Outcome) -> Outcome:
    return outcome._replace(survey=None)


@hands_on
def _survey(outcome: Outcome) -> Any:  # noqa: ANN401
    return outcome.survey
