"""The public face of each stage: one at a time, on pandas and Dask DataFrames."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from cdpipe.columns import ROW_NUMBER
from cdpipe.stages import BY_NAME, apply_whole
from cdpipe.stages.attacks import AttackParams
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.features import FeatureParams
from cdpipe.stages.frames.assembly import number_rows
from cdpipe.stages.gather.gather import gather_table
from cdpipe.stages.params import Params

Frame: TypeAlias = Any
"""A pandas or a Dask DataFrame."""


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
    """Attack clean messages; see `cdpipe.stages.attack.apply`, and `clean` for what it takes and gives.

    Who is chosen by vehicle depends on all messages. Computing a Dask frame of `read` and `clean` therefore holds every
    clean partition until the last one was looked at; `cdpipe.run` streams them through a kept data set instead.
    """
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
        return apply_whole(stage, frame, params)
    # Dask's frames cost 0.6 s at start-up, which a pandas frame need not pay.
    from cdpipe.engine.graph.dask_frames import lay_stage  # noqa: PLC0415

    return lay_stage(stage, frame, params)


def rehearse(columns: Sequence[str], params: Mapping[str, Params]) -> pd.DataFrame:
    """Take a frame without rows through all stages, so that what cannot fit together fails before any work.

    Parameters
    ----------
    columns
        Columns that are read.
    params
        Of each stage, by its name.

    Returns
    -------
    pandas.DataFrame
        What comes of it: the columns of the data set, without rows.

    Raises
    ------
    ValueError
        Naming the stage and what it lacks.
    """
    frame = empty_frame(columns)
    for name, stage in BY_NAME.items():
        try:
            frame, _ledger = apply_whole(stage, frame, params[name])
        except (KeyError, TypeError) as error:
            raise ValueError(f"[{name}]: {error.args[0]}") from None
    return frame


def empty_frame(columns: Sequence[str]) -> pd.DataFrame:
    """Return typed messages of no row."""
    table = pd.DataFrame(dict.fromkeys(columns, ()))
    return gather_table(table, file="", columns=columns, first_row=0, first_line=1).frame
