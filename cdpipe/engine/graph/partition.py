"""Stages laid over partitions: each partition goes through its whole chain of steps in one task, lazily."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from dask.delayed import Delayed
from dask.task_spec import TaskRef
from numpy.typing import NDArray

from cdpipe.columns import GENERATED_AT, RECEIVED_AT, ROW_NUMBER
from cdpipe.engine.buckets.chunks import Chunk, find_place, join_chunks, read_chunk, write_buckets
from cdpipe.engine.files.parts import Written, read_part, read_types, write_part
from cdpipe.engine.files.rejects import write_rejects
from cdpipe.engine.files.sources import Block, read_block
from cdpipe.engine.graph.global_step import survey
from cdpipe.engine.graph.layers import Layer
from cdpipe.engine.graph.passing_parts import SUFFIX as PASSING
from cdpipe.engine.graph.passing_parts import read_passing, write_passing
from cdpipe.engine.graph.row_numbers import FIRST, Counted, Start, add_starts
from cdpipe.engine.graph.simplify import hands_on
from cdpipe.engine.graph.steps import (
    Apply,
    Bucket,
    Keep,
    Look,
    Outcome,
    Raw,
    Scatter,
    Source,
    Step,
    Stored,
    bucket_name,
    part_name,
)
from cdpipe.stages import BY_NAME, order
from cdpipe.stages.gather.gather import NAME as GATHER
from cdpipe.stages.gather.gather import Gathered, fill_times
from cdpipe.stages.ledger import Ledger, add_ledgers
from cdpipe.stages.params import Params


def lay_chain(
    sources: Sequence[Source], steps: Sequence[Step], *, facts: Mapping[str, Any] | None = None, keep_text: bool = False
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
    keep_text
        Whether they run in this process: then the text of a block that was counted is kept until it is read.

    Returns
    -------
    list of Delayed
        An `Outcome` each.
    """
    name = steps[-1].stage if steps else GATHER
    layer = Layer(name)
    blocks = [block for block in map(_block, sources) if block is not None]
    starts = iter(add_starts(layer, blocks, keep_text=keep_text))
    chain: list[TaskRef] = []
    given = dict(facts or {})
    for index, source in enumerate(sources):
        start = () if _block(source) is None else next(starts)
        if isinstance(source, Bucket) and source.after is not None:
            before = layer.add("state", index - 1, _state, chain[-1])
            chain[-1] = layer.add("stateless", index - 1, _stateless, chain[-1])
            chain.append(layer.add(name, index, resume_chain, before, source, tuple(steps), index, **given))
        else:
            chain.append(layer.add(name, index, run_chain, source, tuple(steps), index, *start, **given))
    return layer.wrap(chain)


def resume_chain(
    state: Mapping[str, Any],
    source: Bucket,
    steps: Sequence[Step],
    index: int,
    **facts: Any,  # noqa: ANN401
) -> Outcome:
    """Take a bucket through its steps, from the state in which the one before left its stages."""
    return run_chain(source, steps, index, state=state, **facts)


def _block(source: Source) -> Block | None:
    return None if isinstance(source, Bucket) else source.block


def run_chain(
    source: Source,
    steps: Sequence[Step],
    index: int,
    starts: Sequence[Start] = FIRST,
    place: int = 0,
    counted: Counted | None = None,
    *,
    state: Mapping[str, Any] | None = None,
    **facts: Any,  # noqa: ANN401
) -> Outcome:
    """Take one partition through its steps; this is the body of every task.

    Fails with a `DamageError` if a stored partition is not what was written.

    `starts` has the start of its block at `place`, and that of what follows behind it; `counted` may have its text.
    """
    clock = time.perf_counter
    start = clock()
    outcome, frame = _load(source, index, starts[place], None if counted is None else counted.take(place))
    start += sum(outcome.seconds.values())  # what gathering took is counted; reading a part is the first step's
    ledgers, seconds = dict(outcome.ledgers), dict(outcome.seconds)
    found = None
    written: dict[str, Written] = {}
    left: dict[str, Any] = {}
    before = starts[place].rows_before_file
    for step in steps:
        match step:
            case Keep(stage, by_file=True) if isinstance(source, Stored):
                if source.known is not None:
                    written[stage] = source.known
                continue
            case Keep(stage, by_file=True):
                written[stage] = _write(_shift(frame, -before), step, index)
            case Apply(stage, params):
                given = (state or {}).get(stage)
                frame, ledger, left[stage] = _apply(stage, frame, params, facts.get(stage), source, given)
                ledgers[stage] = add_ledgers([ledger, ledgers[stage]]) if stage in ledgers else ledger
            case Keep(stage):
                written[stage] = _write(frame, step, index)
            case Scatter(folder, buckets, flush):
                frame, ledgers[order.NAME] = order.apply(frame)
                path = folder / bucket_name(index)
                written[order.NAME] = write_buckets(frame, path, buckets=buckets, flush=flush)
            case Look(stage, params):
                found = survey(stage, frame, params)
        seconds[step.stage] = seconds.get(step.stage, 0.0) + clock() - start
        start = clock()
    numbers = starts[place + 1].row - starts[place].row
    return outcome._replace(
        ledgers=ledgers, seconds=seconds, numbers=numbers, survey=found, written=written, state=left
    )


def _apply(
    stage: str,
    frame: pd.DataFrame,
    params: Params,
    facts: Any,  # noqa: ANN401
    source: Source,
    state: Any,  # noqa: ANN401
) -> tuple[pd.DataFrame, Ledger, Any]:
    """Apply a stage to a partition; to a piece of a vehicle from the state that is given, which it gives on."""
    resume, until = BY_NAME[stage].resume, source.until if isinstance(source, Bucket) else None
    if resume is None or (state is None and until is None):
        return *BY_NAME[stage].apply(frame, params, facts), None
    return resume(frame, params, facts, state, until)


def _write(frame: pd.DataFrame, keep: Keep, index: int) -> Written:
    if keep.passes:
        return write_passing(frame, keep.folder / part_name(index, PASSING), flush=keep.flush)
    return write_part(frame, keep.folder / part_name(index), flush=keep.flush)


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


def read_raw(source: Raw, first: Start, text: NDArray[np.uint8] | None = None) -> Gathered:
    """Read the block of a source whose rows begin there; `text` and errors as of `read_block`."""
    fills_times = source.fills_times and GENERATED_AT in source.columns
    gathered = read_block(
        source.block,
        columns=tuple(dict.fromkeys((*source.columns, *((RECEIVED_AT,) * fills_times)))),
        first_row=first.row,
        rows_before_file=first.rows_before_file,
        further=first.further,
        required=source.required,
        text=text,
    )
    if not fills_times:
        return gathered
    convention = source.block.file.convention
    return fill_times(gathered, convention=convention, keep_received=RECEIVED_AT in source.columns)


def _load(source: Source, index: int, first: Start, text: NDArray[np.uint8] | None) -> tuple[Outcome, pd.DataFrame]:
    start = time.perf_counter()
    if isinstance(source, Bucket):
        frame, size = read_bucket(source)
        return Outcome({}, {order.NAME: time.perf_counter() - start}, len(frame), size), frame
    if isinstance(source, Stored):
        known = [ledger for ledger in (source.gathered, source.dropped) if ledger is not None]
        ledgers = {ledger.stage: ledger for ledger in known}
        if source.dropped is not None:
            return Outcome(ledgers, {}, source.dropped.rows_in, 0), read_types(source.path, known=source.known)
        frame = _shift(_read(source), first.rows_before_file)
        size = source.path.stat().st_size if source.known is None else source.known.bytes
        return Outcome(ledgers, {}, len(frame), size), frame
    gathered = read_raw(source, first, text)
    if gathered.rejects and source.rejects is not None:
        write_rejects(gathered.rejects, source.rejects, index)
    seconds = {GATHER: time.perf_counter() - start}
    rows = gathered.ledger.rows_in
    return Outcome({GATHER: gathered.ledger}, seconds, rows, source.block.size), gathered.frame


def read_bucket(source: Bucket) -> tuple[pd.DataFrame, int]:
    """Return the messages of a bucket in their order, or in that of its chunks some columns; and how many bytes it has.

    Fails with a `DamageError` if a chunk is not what was written.
    """
    tables = [_within(chunk, source) for chunk in source.chunks]
    frame = join_chunks(tables, source.schema, columns=source.columns)
    if source.columns is None:
        frame, _ledger = order.apply(frame)
    return frame, sum(chunk.bytes for chunk in source.chunks)


def _within(chunk: Chunk, source: Bucket) -> pa.Table:
    """Return the rows of a chunk that are within the bounds of a bucket."""
    table = read_chunk(chunk)
    if source.after is not None or source.until is not None:
        start = 0 if source.after is None else find_place(table, source.after)
        stop = len(table) if source.until is None else find_place(table, source.until)
        table = table.slice(start, stop - start)
    return table if source.columns is None else table.select(list(source.columns))


@hands_on
def _state(outcome: Outcome) -> Mapping[str, Any]:
    return outcome.state


@hands_on
def _stateless(outcome: Outcome) -> Outcome:
    return outcome._replace(state={})


def _read(source: Stored) -> pd.DataFrame:
    if source.path.suffix == PASSING and source.known is not None:
        return read_passing(source.path, source.columns, known=source.known)
    return read_part(source.path, source.columns, known=source.known)


@hands_on
def _account(outcome: Outcome) -> Outcome:
    return outcome._replace(survey=None)


@hands_on
def _survey(outcome: Outcome) -> Any:  # noqa: ANN401
    return outcome.survey
