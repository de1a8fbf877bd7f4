"""The public face of gathering: files to a lazy frame, or to a typed data set."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pandas as pd

from cdpipe.columns import BY_NAME, DERIVED, RECEIVED_AT
from cdpipe.engine.api.stages import empty_frame
from cdpipe.engine.api.traces import tell_traces
from cdpipe.engine.files.first_records import map_columns, settle_convention
from cdpipe.engine.files.packed import temporary_folder
from cdpipe.engine.files.paths import SourceError
from cdpipe.engine.files.rejects import join_rejects
from cdpipe.engine.files.sources import (
    Format,
    SourceFile,
    absent_columns,
    available_columns,
    cut,
    find_sources,
    weigh_columns,
)
from cdpipe.engine.graph.partition import lay_chain, read_raw, sum_outcomes
from cdpipe.engine.graph.row_numbers import Start, add_starts
from cdpipe.engine.graph.steps import Keep, Raw
from cdpipe.engine.sessions.base import Session
from cdpipe.engine.sessions.open import open_session
from cdpipe.engine.sessions.params import SessionParams
from cdpipe.stages.gather.column_map import VEREMI_TABLE, Mapped, add_preset, make_map
from cdpipe.stages.gather.conventions import ConventionParams
from cdpipe.stages.gather.gather import NAME as GATHER
from cdpipe.stages.gather.gather import GatherParams
from cdpipe.stages.ledger import Ledger

if TYPE_CHECKING:
    import dask.dataframe as dd
    from dask.delayed import Delayed

_MB: Final = 1_000_000


def read(
    paths: str | Path | Sequence[str | Path],
    params: GatherParams | None = None,
    *,
    format_: Format | None = None,
    conventions: ConventionParams | None = None,
) -> tuple[dd.DataFrame, Delayed]:
    """Read messages from CSV, Parquet or ODE JSON lines as a Dask DataFrame, lazily.

    Packed files (.gz, .bz2, .xz, .zst, members of .zip and .tar) are unpacked at once, to a temporary folder of this
    process: workers on other machines do not see it.

    Parameters
    ----------
    paths
        Files, globs, Parquet folders or fsspec URLs, in the order of their rows.
    params
        Which columns, and how large a partition is. By default all columns that each file has once are read.
    format_
        Format of all of them; by default each file's suffix says it.
    conventions
        How the files write their values; by default each file's first records show it.

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

    Examples
    --------
    >>> frame, ledger = read("bsm.csv")
    >>> len(frame), ledger.compute().rows_out
    (2000, 2000)
    >>> frame.columns[0], float(frame["coreData_speed"].max().compute()) > 0
    ('row_number', True)
    """
    # Dask's frames cost 0.6 s at start-up, which a run that streams partitions need not pay.
    from cdpipe.engine.graph.dask_frames import Partitions, forget_labels  # noqa: PLC0415

    params = params or GatherParams()
    sources, _absent = plan_sources(_texts(paths), params, format_=format_, conventions=conventions)
    laid = Partitions("read")
    starts = add_starts(laid, [source.block for source in sources])
    for source, start in zip(sources, starts, strict=True):
        laid.make(_read, source, *start[:2])
    return laid.split(forget_labels(empty_frame(sources[0].columns)))


def gather(
    paths: str | Path | Sequence[str | Path],
    out: str | Path,
    params: GatherParams | None = None,
    *,
    format_: Format | None = None,
    conventions: ConventionParams | None = None,
    session: Session | None = None,
) -> Ledger:
    """Stream messages from files into a typed, partitioned Parquet data set.

    Parameters
    ----------
    paths, params, format_, conventions
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

    Examples
    --------
    >>> ledger = gather("bsm.csv", "typed")
    >>> ledger.rows_in, ledger.rows_out
    (2000, 2000)
    >>> len(read("typed")[0])
    2000
    """
    target = Path(out)
    if target.exists():
        raise FileExistsError(f"{target}: is there already; remove it or choose another folder")
    params = params or GatherParams()
    beside = target.with_name(f".{target.name}.{uuid4().hex}")
    unpacked = beside.with_name(f"{beside.name}-unpacked")

    def folder() -> Path:
        unpacked.mkdir(parents=True, exist_ok=True)
        return unpacked

    try:
        sources, _absent = plan_sources(_texts(paths), params, format_=format_, conventions=conventions, folder=folder)
        beside.mkdir(parents=True)
        sources = [source._replace(rejects=beside) for source in sources]
        outcomes = lay_chain(sources, [Keep(GATHER, beside)])
        if session is not None:
            accounts = session.run(outcomes)
        else:
            with open_session(SessionParams()) as own:
                accounts = own.run(outcomes)
        ledger = sum_outcomes(accounts).ledgers[GATHER]
        join_rejects(beside, ledger)
        beside.rename(target)
    finally:
        for made in (beside, unpacked):
            shutil.rmtree(made, ignore_errors=True)
    return ledger


def plan_sources(
    paths: Sequence[str],
    params: GatherParams,
    *,
    needed: Callable[[Sequence[str]], Sequence[str]] | None = None,
    format_: Format | None = None,
    folder: Callable[[], Path] = temporary_folder,
    conventions: ConventionParams | None = None,
) -> tuple[list[Raw], dict[str, tuple[str, ...]]]:
    """Find the sources, choose the columns to read of them, and cut them into blocks.

    Parameters
    ----------
    paths, params, format_, conventions
        As for `read`.
    needed
        (columns that all files have) -> the columns that later stages need; by default all of them.
    folder
        Returns the folder that packed files are unpacked to; called if there is one.

    Returns
    -------
    sources
        A block each, in the order of their rows.
    absent
        By column that is read as null because some file lacks it: those files.
    """
    how = conventions or ConventionParams()
    found = find_sources(paths, format_=format_, folder=folder)
    if format_ == "veremi":
        found = tell_traces(found, folder, takes=how.messages)
    files = [map_columns(file, _name_columns(file, how, is_veremi=format_ == "veremi")) for file in found]
    available = available_columns(files)
    made = {column.name for column in DERIVED}
    nameless = {name for file in files for name in file.doubled or () if name not in BY_NAME}
    # Folders have names for other reasons too: what they tell is read if the vocabulary has it, or if it is asked for.
    told = {name for file in files for name, _ in file.keys if name not in BY_NAME}
    every = tuple(name for name in available if name not in made | nameless | told)
    try:
        columns = params.wanted(needed(available) if needed else (every if params.columns is None else ()))
    except KeyError as error:
        raise SourceError(f"{files[0].path}: {error.args[0]}") from None
    fills_times = params.missing_time == "received"
    absent = absent_columns(files, (*columns, *((RECEIVED_AT,) * (fills_times and RECEIVED_AT not in columns))))
    settled = [settle_convention(file, how, read=columns) for file in files]
    weighed = [weigh_columns(file, columns) for file in settled]
    blocks = [block for file in weighed for block in cut(file, block_bytes=int(params.block_mb * _MB))]
    return [Raw(block, columns, required=params.must, fills_times=fills_times) for block in blocks], absent


def _name_columns(file: SourceFile, how: ConventionParams, *, is_veremi: bool) -> tuple[Mapped, ...]:
    """Return the columns that a file has under other names: those told, and those that tables of VeReMi have."""
    is_table = is_veremi and file.format != "veremi"
    return make_map(add_preset(how.columns, VEREMI_TABLE, file.columns) if is_table else how.columns)


def _texts(paths: str | Path | Sequence[str | Path]) -> list[str]:
    return [str(paths)] if isinstance(paths, str | Path) else [str(path) for path in paths]


def _read(source: Raw, starts: Sequence[Start], place: int) -> tuple[pd.DataFrame, Ledger]:
    gathered = read_raw(source, starts[place])
    return gathered.frame, gathered.ledger
