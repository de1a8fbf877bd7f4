"""Stages on Dask DataFrames: laid over their partitions, and nothing computed."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import List, TaskRef

from cdpipe.columns import ROW_NUMBER, VEHICLE, VEHICLE_ID
from cdpipe.engine.buckets.chunks import number_buckets
from cdpipe.engine.graph.dask_compat import UNKNOWN_CATEGORIES, FromGraph, new_collection
from cdpipe.engine.graph.global_step import add_merges, survey
from cdpipe.engine.graph.layers import Layer
from cdpipe.engine.graph.simplify import hands_on
from cdpipe.stages import BY_NAME, apply_whole, order
from cdpipe.stages.base import Stage
from cdpipe.stages.frames.assembly import join_rows, number_rows
from cdpipe.stages.frames.interop import name_canonically, take_rows, view_vehicles
from cdpipe.stages.ledger import Ledger, add_ledgers, chain_ledgers
from cdpipe.stages.params import Params

_KNOWN_TYPES: Final = 64
_UNKNOWN: Final = pd.CategoricalDtype([UNKNOWN_CATEGORIES])

Pair = tuple[pd.DataFrame, Ledger]
Made = pd.DataFrame | Pair
"""A partition as a task gives it: a frame, or a frame of ours with its account, which need no task to part them."""


class Partitions(Layer):
    """The partitions of one of our frames: tasks that give (frame, ledger) each, and what those need."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.what = name
        self.pairs: list[TaskRef] = []

    def make(self, function: Callable[..., Pair], *args: Any) -> None:  # noqa: ANN401
        """Add the task that makes the next partition."""
        self.pairs.append(self.add(self.what, len(self.pairs), function, *args))

    def take(self, frame: dd.DataFrame) -> list[TaskRef]:
        """Take over the graph of a frame; return its partitions, each of them `Made`."""
        ours = _find_ours(frame)
        if ours is not None:
            self.update(ours.data)
            return ours.pairs
        ready = frame.optimize()
        self.update(ready.__dask_graph__())
        return [TaskRef(key) for key in ready.__dask_keys__()]

    def count(self, parts: Sequence[TaskRef]) -> list[Any]:
        """Say where the rows of each partition of unknown length begin: where those of the one before ended."""
        starts: list[Any] = [0]
        for place, part in enumerate(parts[:-1]):
            starts.append(self.add("rows-to", place, _count_on, starts[-1], part))
        return starts

    def split(self, meta: pd.DataFrame) -> tuple[dd.DataFrame, Delayed]:
        """Part the pairs into one Dask DataFrame and one lazy account.

        Parameters
        ----------
        meta
            A partition without rows, its labels unknown.
        """
        account = Layer("ledger")
        # Of each pair its account alone: all pairs together would be the whole data set in memory.
        ledgers = [account.add("account", place, _second, pair) for place, pair in enumerate(self.pairs)]
        whole = account.add("ledger", 0, add_ledgers, List(*ledgers))
        layers = {self.name: self.data, account.name: account.data}
        graph = HighLevelGraph(layers, {self.name: set(), account.name: {self.name}})
        return _Frames(self).wrap_frame(meta), Delayed(whole.key, graph, layer=account.name)


class _Frames(Layer):
    """What a Dask DataFrame of ours is made of: the partitions' tasks, and one each that leaves the account away."""

    def __init__(self, partitions: Partitions) -> None:
        super().__init__(partitions.what)
        self.partitions = partitions
        self.update(partitions.data)
        self.frame_keys = [self.add("frame", place, _first, pair).key for place, pair in enumerate(partitions.pairs)]

    def wrap_frame(self, meta: pd.DataFrame) -> dd.DataFrame:
        """Return the Dask DataFrame."""
        what, unknown = self.partitions.what, (None,) * (len(self.frame_keys) + 1)
        # Without a token Dask would look at every type and index of the empty frame for a name that no other has.
        whole = FromGraph(self, meta, unknown, self.frame_keys, what, _determ_token=self.run)
        return new_collection(whole)


def _find_ours(frame: dd.DataFrame) -> Partitions | None:
    """Return what a frame was split from, if it is one of ours just as it was."""
    layer = frame.expr.operand("layer") if isinstance(frame.expr, FromGraph) else None
    return layer.partitions if isinstance(layer, _Frames) else None


def lay_stage(stage: Stage, frame: dd.DataFrame, params: Params) -> tuple[dd.DataFrame, Delayed]:
    """Take a Dask DataFrame through a stage, lazily, its global step too.

    Returns
    -------
    frame
        What `stage.apply` gives, a partition for a partition; without `row_number`, rows are numbered in their order.
    ledger
        Lazily, the account of all partitions.
    """
    laid = Partitions(stage.name)
    types = tuple((str(name), _forget_label(dtype)) for name, dtype in frame._meta.dtypes.items())
    names = {name for name, _dtype in types}
    parts = looked = laid.take(frame)
    starts: list[Any] = [None] * len(parts)
    whole = stage.facts_needed(params)
    if ROW_NUMBER not in names:
        starts = laid.count(parts)
        types += ((ROW_NUMBER, np.dtype(np.int64)),)  # as `number_rows` makes it
    elif whole is not None and _find_ours(frame) is None and set(whole.inputs(params)) <= names:
        # A frame from Parquet is read twice, first these columns alone; else all partitions would wait in memory.
        looked = laid.take(frame[list(whole.inputs(params))])
    if stage.needs_order(params):
        parts = looked = _order_parts(laid, parts, starts)
        starts = [None] * len(parts)
    facts = None
    if whole is not None:
        surveys = [
            laid.add("survey", place, _survey, stage.name, part, start, params)
            for place, (part, start) in enumerate(zip(looked, starts, strict=True))
        ]
        facts = add_merges(laid, surveys, stage.name, params)
    for part, start in zip(parts, starts, strict=True):
        laid.make(_apply, stage.name, part, start, params, facts)
    return laid.split(_find_types(stage.name, params, types))


def _order_parts(laid: Partitions, parts: Sequence[TaskRef], starts: Sequence[Any]) -> list[TaskRef]:
    """Add the tasks that put messages in order: as many partitions, of whole vehicles, as there were."""
    scattered = [
        laid.add("scatter", place, _scatter, part, start, len(parts))
        for place, (part, start) in enumerate(zip(parts, starts, strict=True))
    ]
    return [laid.add("order", bucket, _order, List(*scattered), bucket) for bucket in range(len(parts))]


def _scatter(made: Made, first_row: int | None, buckets: int) -> list[pd.DataFrame]:
    """Return a partition's messages by buckets of vehicles."""
    frame = name_canonically(_number(made, first_row))
    codes, hashes = view_vehicles(frame[VEHICLE_ID])
    # What is in order already may have messages under another id than their sender's.
    vehicle = frame[VEHICLE].to_numpy(np.uint64) if VEHICLE in frame.columns else hashes[codes]
    number = number_buckets(vehicle, buckets)
    return [take_rows(frame, np.flatnonzero(number == bucket)) for bucket in range(buckets)]


def _order(scattered: Sequence[Sequence[pd.DataFrame]], bucket: int) -> Pair:
    return order.apply(join_rows([pieces[bucket] for pieces in scattered]))


def _number(made: Made, first_row: int | None) -> pd.DataFrame:
    """Return a partition's frame, its rows numbered if they are not (then `first_row` is where they begin)."""
    frame = made if isinstance(made, pd.DataFrame) else made[0]
    return frame if first_row is None else number_rows(frame, first_row)


def _apply(stage: str, made: Made, first_row: int | None, params: Params, facts: Any) -> Pair:  # noqa: ANN401
    frame, ledger = BY_NAME[stage].apply(_number(made, first_row), params, facts)
    if BY_NAME[stage].needs_order(params) and isinstance(made, tuple):
        return frame, chain_ledgers(stage, made[1], ledger)
    return frame, ledger


def _survey(stage: str, made: Made, first_row: int | None, params: Params) -> Any:  # noqa: ANN401
    return survey(stage, _number(made, first_row), params)


def _count_on(before: int, made: Made) -> int:
    return before + len(_number(made, None))


@hands_on
def _first(pair: Pair) -> pd.DataFrame:
    return pair[0]


@hands_on
def _second(pair: Pair) -> Ledger:
    return pair[1]


@lru_cache(maxsize=_KNOWN_TYPES)
def _find_types(stage: str, params: Params, types: tuple[tuple[str, Any], ...]) -> pd.DataFrame:
    """Return a stage's output without any row, given the columns and types of its input."""
    meta = pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in types})
    empty, _ledger = apply_whole(BY_NAME[stage], meta, params)
    return forget_labels(empty)


def forget_labels(meta: pd.DataFrame) -> pd.DataFrame:
    """Return the empty frame with unknown labels: each partition has its own, and Dask would hash all."""
    return meta.astype({name: _forget_label(dtype) for name, dtype in meta.dtypes.items()})


def _forget_label(dtype: Any) -> Any:  # noqa: ANN401 - any of pandas' types
    return _UNKNOWN if isinstance(dtype, pd.CategoricalDtype) else dtype
