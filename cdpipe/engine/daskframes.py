"""Stages on Dask DataFrames: laid over their partitions, and nothing computed."""

from collections import UserDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import uuid4

import dask
import dask.dataframe as dd
import pandas as pd
from dask.dataframe.dask_expr import from_graph
from dask.dataframe.utils import UNKNOWN_CATEGORIES
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import List, Task, TaskRef

from cdpipe.columns import ROW_NUMBER
from cdpipe.engine.facts import add_merges, survey
from cdpipe.engine.frames import find_facts, number_rows
from cdpipe.stages import BY_NAME
from cdpipe.stages.ledger import Ledger, add_ledgers
from cdpipe.stages.params import Params
from cdpipe.stages.stage import Stage

_KNOWN_TYPES: Final = 64


class _Tasks(UserDict[Any, Any]):
    """The graph of a stage over partitions, as Dask's tasks by key.

    Dask names a frame by what it is made of, and would look at every byte of partitions in memory for that; this
    graph goes by its own name, which no other has (a plain dictionary could not: Dask asks those of no name).
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = f"{name}-{uuid4().hex[:8]}"

    def __dask_tokenize__(self) -> str:
        """Return the name."""
        return self.name

    def take(self, frame: dd.DataFrame) -> list[TaskRef]:
        """Take over the graph of a frame; return its partitions."""
        ready = frame.optimize()
        self.update(ready.__dask_graph__())
        return [TaskRef(key) for key in ready.__dask_keys__()]

    def add(self, what: str, function: Callable[..., Any], *args: Any) -> TaskRef:  # noqa: ANN401
        """Add a task; return what others take for its result."""
        key = f"{what}-{self.name}"
        self[key] = Task(key, function, *args)
        return TaskRef(key)

    def number(self, parts: Sequence[TaskRef]) -> list[TaskRef]:
        """Give partitions of unknown length row numbers: each begins where the one before ended."""
        numbered: list[TaskRef] = []
        before: Any = 0
        for place, part in enumerate(parts):
            numbered.append(self.add(f"number-{place}", number_rows, part, before))
            before = self.add(f"rows-to-{place}", _count_on, before, part)
        return numbered

    def find_facts(self, stage: Stage, parts: Sequence[TaskRef], params: Params) -> TaskRef:
        """Survey all partitions for a stage, merge the surveys, and conclude."""
        surveys = [self.add(f"survey-{place}", survey, stage.name, part, params) for place, part in enumerate(parts)]
        return add_merges(self.add, surveys, stage.name, params)

    def split(self, pairs: Sequence[TaskRef], meta: pd.DataFrame) -> tuple[dd.DataFrame, Delayed]:
        """Part (frame, ledger) pairs into one Dask DataFrame and one lazy account."""
        frames = [self.add(f"frame-{place}", _first, pair) for place, pair in enumerate(pairs)]
        ledger = self.add("ledger", _join_ledgers, List(*pairs))
        graph = HighLevelGraph.from_collections(self.name, self.data, ())
        account = Delayed(ledger.key, graph, layer=self.name)
        unknown = (None,) * (len(frames) + 1)
        return from_graph(self, meta, unknown, [frame.key for frame in frames], self.name), account


def lay_stage(stage: Stage, frame: dd.DataFrame, params: Params) -> tuple[dd.DataFrame, Delayed]:
    """Take a Dask DataFrame through a stage, lazily, its global step too.

    Returns
    -------
    frame
        What `stage.apply` gives, a partition for a partition; without `row_number`, rows are numbered in their order.
    ledger
        Lazily, the account of all partitions.
    """
    tasks = _Tasks(stage.name)
    meta = _forget_labels(frame._meta.iloc[:0])
    parts = looked = tasks.take(frame)
    whole = stage.facts_needed(params)
    if ROW_NUMBER not in meta.columns:
        parts = looked = tasks.number(parts)
        meta = number_rows(meta, 0)
    elif whole is not None and set(whole.inputs(params)) <= set(meta.columns):
        # A frame from Parquet is read twice, first these columns alone; else all partitions would wait in memory.
        looked = tasks.take(frame[list(whole.inputs(params))])
    facts = None if whole is None else tasks.find_facts(stage, looked, params)
    pairs = [tasks.add(str(place), stage.apply, part, params, facts) for place, part in enumerate(parts)]
    types = tuple((str(name), dtype) for name, dtype in meta.dtypes.items())
    return tasks.split(pairs, _find_types(stage.name, params, types))


def split_pairs(pairs: Sequence[Delayed], meta: pd.DataFrame, name: str) -> tuple[dd.DataFrame, Delayed]:
    """Part lazy (frame, ledger) pairs into one Dask DataFrame and one lazy account."""
    frames = dd.from_delayed([each[0] for each in pairs], meta=_forget_labels(meta), prefix=name, verify_meta=False)
    return frames, dask.delayed(add_ledgers, pure=False)([each[1] for each in pairs])


@lru_cache(maxsize=_KNOWN_TYPES)
def _find_types(stage: str, params: Params, types: tuple[tuple[str, Any], ...]) -> pd.DataFrame:
    """Return a stage's output without any row, given the columns and types of its input."""
    meta = pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in types})
    empty, _ledger = BY_NAME[stage].apply(meta, params, find_facts(BY_NAME[stage], meta, params))
    return _forget_labels(empty)


def _forget_labels(meta: pd.DataFrame) -> pd.DataFrame:
    """Return the empty frame with unknown labels: each partition has its own, and Dask would hash all."""
    unknown = pd.Categorical([], categories=[UNKNOWN_CATEGORIES])
    labelled = [str(name) for name, dtype in meta.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
    return meta.assign(**dict.fromkeys(labelled, unknown))


def _count_on(before: int, part: pd.DataFrame) -> int:
    return before + len(part)


def _first(pair: tuple[pd.DataFrame, Ledger]) -> pd.DataFrame:
    return pair[0]


def _join_ledgers(pairs: Sequence[tuple[pd.DataFrame, Ledger]]) -> Ledger:
    return add_ledgers(ledger for _, ledger in pairs)
