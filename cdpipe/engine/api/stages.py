"""The public face of each stage: one at a time, on pandas and Dask DataFrames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, overload

import pandas as pd

from cdpipe.columns import ROW_NUMBER
from cdpipe.spelling import word_choice
from cdpipe.stages import BY_NAME, apply_whole
from cdpipe.stages.attacks import KINDS, AttackParams
from cdpipe.stages.clean import CleanParams
from cdpipe.stages.features import FeatureParams
from cdpipe.stages.frames.assembly import number_rows
from cdpipe.stages.gather.gather import gather_table
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.params import Params, choose_params

if TYPE_CHECKING:
    import dask.dataframe as dd
    from dask.delayed import Delayed

_KINDS: Final = {kind.model_fields["kind"].default: kind for kind in KINDS}


@overload
def clean(frame: pd.DataFrame, params: CleanParams | None = None, **given: object) -> tuple[pd.DataFrame, Ledger]: ...
@overload
def clean(frame: dd.DataFrame, params: CleanParams | None = None, **given: object) -> tuple[dd.DataFrame, Delayed]: ...
def clean(frame: Any, params: CleanParams | None = None, **given: object) -> tuple[Any, Any]:
    """Clean messages; see `cdpipe.stages.clean.apply`.

    Parameters
    ----------
    frame
        pandas or Dask DataFrame of messages; one without `row_number` is numbered in the order of its rows.
    params
        What to keep.
    given
        Keys of `CleanParams`, instead of `params`.

    Returns
    -------
    frame
        Of the same sort; a Dask one is not computed.
    ledger
        A `Ledger`, or for a Dask frame a `Delayed` of it. `dask.compute(frame.to_delayed(), ledger)` computes both
        at once; one after the other does the work twice.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If a key or its value is none.

    Examples
    --------
    >>> from cdpipe import read
    >>> frame, _ = read("bsm.csv")
    >>> cleaned, ledger = clean(frame.compute(), coordinates="local", centre={"latitude": 41.5, "longitude": -106.1})
    >>> ledger.rows_in, ledger.rows_out == len(cleaned)
    (2000, True)
    """
    return apply_stage("clean", frame, choose_params(CleanParams, params, given))


@overload
def attack(
    frame: pd.DataFrame, params: AttackParams | str | None = None, **given: object
) -> tuple[pd.DataFrame, Ledger]: ...
@overload
def attack(
    frame: dd.DataFrame, params: AttackParams | str | None = None, **given: object
) -> tuple[dd.DataFrame, Delayed]: ...
def attack(frame: Any, params: AttackParams | str | None = None, **given: object) -> tuple[Any, Any]:
    """Attack clean messages; see `cdpipe.stages.attack.apply`, and `clean` for what it takes and gives.

    Who is chosen by vehicle depends on all messages. Computing a Dask frame of `read` and `clean` therefore holds every
    clean partition until the last one was looked at; `cdpipe.run` streams them through a kept data set instead.

    Parameters
    ----------
    frame
        pandas or Dask DataFrame of clean messages.
    params
        The attack: its parameters, or its kind, by default "offset_rand".
    given
        Keys of that kind's parameters.

    Examples
    --------
    >>> from cdpipe.synthetic.generator import SynthParams, synthesize_frame
    >>> cleaned, _ = clean(synthesize_frame(SynthParams(rows=500, vehicles=10)))
    >>> attacked, ledger = attack(cleaned, "offset_rand", ratio=0.3, min_m=10, max_m=20)
    >>> int(attacked.groupby("coreData_id").isAttacker.first().sum())
    3
    """
    if params is None or isinstance(params, str):
        kind = "offset_rand" if params is None else params
        if kind not in _KINDS:
            raise ValueError(f"kind = {kind!r}: {word_choice(kind, _KINDS)}")
        return apply_stage("attack", frame, choose_params(_KINDS[kind], None, given))
    return apply_stage("attack", frame, choose_params(type(params), params, given))


@overload
def features(
    frame: pd.DataFrame, params: FeatureParams | None = None, **given: object
) -> tuple[pd.DataFrame, Ledger]: ...
@overload
def features(
    frame: dd.DataFrame, params: FeatureParams | None = None, **given: object
) -> tuple[dd.DataFrame, Delayed]: ...
def features(frame: Any, params: FeatureParams | None = None, **given: object) -> tuple[Any, Any]:
    """Select features of attacked messages; see `cdpipe.stages.features.apply`, and `clean` for what it takes.

    Examples
    --------
    >>> from cdpipe.synthetic.generator import SynthParams, synthesize_frame
    >>> cleaned, _ = clean(synthesize_frame(SynthParams(rows=500, vehicles=10)))
    >>> attacked, _ = attack(cleaned, "swap_rand")
    >>> selected, _ = features(attacked, columns=["x_pos", "y_pos", "coreData_speed"])
    >>> [name for name in selected.columns if name.endswith("pos")]
    ['x_pos', 'y_pos']
    """
    return apply_stage("features", frame, choose_params(FeatureParams, params, given))


def apply_stage(name: str, frame: Any, params: Params) -> tuple[Any, Any]:  # noqa: ANN401 - of pandas or of Dask
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
