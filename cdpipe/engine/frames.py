"""The public face of gathering and of each stage: one at a time, on files and on pandas or Dask DataFrames."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import uuid4

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.delayed import Delayed

from cdpipe.columns import DERIVED, ROW_NUMBER
from cdpipe.engine.graph import Keep, Raw, first_rows, lay_chain, lay_facts, split_outcomes, sum_outcomes
from cdpipe.engine.rejects import join_rejects
from cdpipe.engine.session import Session, SessionParams, open_session
from cdpipe.engine.sources import Format, SourceError, absent_columns, available_columns, cut, find_sources, read_block
from cdpipe.stages import BY_NAME
from cdpipe.stages.attacks import AttackParams
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.features import FeatureParams
from cdpipe.stages.gather import NAME as GATHER
from cdpipe.stages.gather import Gathered, GatherParams, gather_table
from cdpipe.stages.ledger import Ledger, add_ledgers
from cdpipe.stages.params import Params

Frame: TypeAlias = Any
"""A pandas or a Dask DataFrame."""
_MB: Final = 1_000_000


def read(
    paths: str | Path | Sequence[str | Path], params: GatherParams | None = None, *, format_: Format | None = None
) -> tuple[dd.DataFrame, Delayed]:
    """Read messages from CSV, Parquet or ODE JSON lines as a Dask DataFrame, lazily.

    Parameters
    ----------
    paths
        Files, globs, Parquet folders or fsspec URLs, in the order of their rows.
    params
        Which columns (by default all that the files have and the vocabulary knows), and how large a partition is.
    format_
        Format of all of them; by default each file's suffix says it.

    Returns
    -------
    frame
        Typed messages with `row_number`; nulls and "unavailable" codes are NaN, NaT or masked.
    ledger
        Lazily, the account of rows read and rejected.

    Raises
    ------
    SourceError
        If nothing is found, or a file is not what its suffix claims. Records that cannot be read are counted rejects.
    """
    params = params or GatherParams()
    sources, _absent = plan_sources(_texts(paths), params, format_=format_)
    run = uuid4().hex[:8]
    load = dask.delayed(_read, pure=False)
    starts = first_rows([source.block for source in sources], run=run)
    gathered = [
        load(source, *start, dask_key_name=f"read-{run}-{index}")
        for index, (source, start) in enumerate(zip(sources, starts, strict=True))
    ]
    columns = sources[0].columns
    return _split(gathered, _empty(columns), f"read-{run}")


def gather(
    paths: str | Path | Sequence[str | Path],
    out: str | Path,
    params: GatherParams | None = None,
    *,
    format_: Format | None = None,
    session: Session | None = None,
) -> Ledger:
    """Stream messages from files into a typed, partitioned Parquet data set.

    Parameters
    ----------
    paths, params, format_
        As for `read`.
    out
        Folder to make; it must not exist. It appears complete, or not at all. Records that could not be read are in
        its `rejects.jsonl`.
    session
        Where to run; threads by default.

    Returns
    -------
    Ledger
        Rows read and rejected, by reason.

    Raises
    ------
    FileExistsError
        If `out` is there already.
    SourceError
        If nothing is found, or a file is not what its suffix claims.
    """
    target = Path(out)
    if target.exists():
        raise FileExistsError(f"{target}: is there already; remove it or choose another folder")
    params = params or GatherParams()
    sources, _absent = plan_sources(_texts(paths), params, format_=format_)
    beside = target.with_name(f".{target.name}.{uuid4().hex}")
    beside.mkdir(parents=True)
    try:
        sources = [source._replace(rejects=beside) for source in sources]
        outcomes, _surveys = split_outcomes(lay_chain(sources, [Keep(GATHER, beside)]))
        if session is not None:
            accounts = session.run(outcomes)
        else:
            with open_session(SessionParams()) as own:
                accounts = own.run(outcomes)
        join_rejects(beside)
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return sum_outcomes(accounts).ledgers[GATHER]


def clean(frame: Frame, params: CleanParams | None = None) -> tuple[Frame, Any]:
    """Clean messages; see `cdpipe.stages.clean.apply`.

    Parameters
    ----------
    frame
        pandas or Dask DataFrame of messages; one without `row_number` is numbered in the order of its rows.
    params
        What to keep.

    Returns
    -------
    frame
        Of the same sort; a Dask one is not computed.
    ledger
        A `Ledger`, or for a Dask frame a `Delayed` of it. `dask.compute(frame.to_delayed(), ledger)` computes both
        at once; one after the other does the work twice.
    """
    return apply_stage("clean", frame, params or CleanParams())


def attack(frame: Frame, params: AttackParams) -> tuple[Frame, Any]:
    """Attack clean messages; see `cdpipe.stages.attack.apply`, and `clean` for what it takes and gives."""
    return apply_stage("attack", frame, params)


def features(frame: Frame, params: FeatureParams | None = None) -> tuple[Frame, Any]:
    """Select features of attacked messages; see `cdpipe.stages.features.apply`, and `clean` for what it takes."""
    return apply_stage("features", frame, params or FeatureParams())


def apply_stage(name: str, frame: Frame, params: Params) -> tuple[Frame, Any]:
    """Take a pandas or Dask DataFrame through the stage of that name; a Dask one lazily, its global step too."""
    stage = BY_NAME[name]
    if isinstance(frame, pd.DataFrame):
        if ROW_NUMBER not in frame.columns:
            frame = number_rows(frame, 0)
        return stage.apply(frame, params, _facts(name, frame, params))
    meta = frame._meta.iloc[:0]
    run = uuid4().hex[:8]
    parts = looked = frame.to_delayed()
    whole = stage.facts_needed(params)
    if ROW_NUMBER not in meta.columns:
        parts = looked = _number(parts, run)
        meta = number_rows(meta, 0)
    elif whole is not None and set(whole.inputs(params)) <= set(meta.columns):
        # A frame from Parquet is read twice, first these columns alone; else all partitions would wait in memory.
        looked = frame[list(whole.inputs(params))].to_delayed()
    facts: Any = None
    if whole is not None:
        look = dask.delayed(_survey, pure=False)
        facts = lay_facts([look(name, part, params) for part in looked], name, params)
    apply = dask.delayed(stage.apply, pure=False)
    done = [apply(part, params, facts, dask_key_name=f"{name}-{run}-{i}") for i, part in enumerate(parts)]
    empty, _ledger = stage.apply(meta, params, _facts(name, meta, params))
    return _split(done, empty, f"{name}-{run}")


def rehearse(columns: Sequence[str], params: Mapping[str, Params]) -> None:
    """Take a frame without rows through all stages, so that what cannot fit together fails before any work.

    Parameters
    ----------
    columns
        Columns that are read.
    params
        Of each stage, by its name.

    Raises
    ------
    ValueError
        Naming the stage and what it lacks.
    """
    frame = _empty(columns)
    for name, stage in BY_NAME.items():
        try:
            frame, _ledger = stage.apply(frame, params[name], _facts(name, frame, params[name]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"[{name}]: {error.args[0]}") from None


def number_rows(frame: pd.DataFrame, first_row: int) -> pd.DataFrame:
    """Return the frame with `row_number` from `first_row` on."""
    return frame.assign(**{ROW_NUMBER: np.arange(first_row, first_row + len(frame), dtype=np.int64)})


def plan_sources(
    paths: Sequence[str],
    params: GatherParams,
    *,
    needed: Callable[[Sequence[str]], Sequence[str]] | None = None,
    format_: Format | None = None,
) -> tuple[list[Raw], dict[str, tuple[str, ...]]]:
    """Find the sources, choose the columns to read of them, and cut them into blocks.

    Parameters
    ----------
    paths, params, format_
        As for `read`.
    needed
        (columns that all files have) -> the columns that later stages need; by default all of them.

    Returns
    -------
    sources
        A block each, in the order of their rows.
    absent
        By column that is read as null because some file lacks it: those files.
    """
    files = find_sources(paths, format_=format_)
    available = available_columns(files)
    made = {column.name for column in DERIVED}
    every = tuple(name for name in available if name not in made)
    try:
        columns = params.wanted(needed(available) if needed else (every if params.columns is None else ()))
    except KeyError as error:
        raise SourceError(f"{files[0].path}: {error.args[0]}") from None
    absent = absent_columns(files, columns)
    blocks = [block for file in files for block in cut(file, block_bytes=int(params.block_mb * _MB))]
    return [Raw(block, columns) for block in blocks], absent


def _empty(columns: Sequence[str]) -> pd.DataFrame:
    table = pd.DataFrame(dict.fromkeys(columns, ()))
    return gather_table(table, file="", columns=columns, first_row=0, first_line=1).frame


def _texts(paths: str | Path | Sequence[str | Path]) -> list[str]:
    return [str(paths)] if isinstance(paths, str | Path) else [str(path) for path in paths]


def _read(source: Raw, first_row: int, rows_before_file: int) -> tuple[pd.DataFrame, Ledger]:
    gathered: Gathered = read_block(
        source.block, columns=source.columns, first_row=first_row, rows_before_file=rows_before_file
    )
    return gathered.frame, gathered.ledger


def _facts(name: str, frame: pd.DataFrame, params: Params) -> Any:  # noqa: ANN401 - each stage has its own
    whole = BY_NAME[name].facts_needed(params)
    return None if whole is None else whole.conclude(whole.survey(frame, params), params)


def _survey(name: str, frame: pd.DataFrame, params: Params) -> Any:  # noqa: ANN401
    whole = BY_NAME[name].facts_needed(params)
    return None if whole is None else whole.survey(frame, params)


def _number(parts: Sequence[Delayed], run: str) -> list[Delayed]:
    """Give partitions of unknown length row numbers: each begins where the one before ended."""
    length, number = dask.delayed(len, pure=False), dask.delayed(number_rows, pure=False)
    numbered, before = [], dask.delayed(0)
    for place, part in enumerate(parts):
        numbered.append(number(part, before, dask_key_name=f"number-{run}-{place}"))
        before = before + length(part)
    return numbered


def _split(done: Sequence[Delayed], meta: pd.DataFrame, name: str) -> tuple[dd.DataFrame, Delayed]:
    """Part lazy (frame, ledger) pairs into one Dask DataFrame and one lazy account."""
    frames = dd.from_delayed([each[0] for each in done], meta=meta, prefix=name, verify_meta=False)
    return frames, dask.delayed(add_ledgers, pure=False)([each[1] for each in done])
