"""Global steps: facts a stage needs from every partition, made of surveys that are merged two by two."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from dask.delayed import Delayed
from dask.task_spec import TaskRef

from cdpipe.engine.graph.layers import Layer
from cdpipe.stages import BY_NAME
from cdpipe.stages.base import GlobalStep
from cdpipe.stages.params import Params


def survey(stage: str, frame: pd.DataFrame, params: Params) -> Any:  # noqa: ANN401 - a stage's own type
    """Survey one partition for a stage."""
    return _global_step(stage).survey(frame, params)


def lay_facts(surveys: Sequence[Delayed], stage: str, params: Params) -> Delayed:
    """Lay the tree that merges surveys and concludes a stage's facts; nothing is computed yet.

    Parameters
    ----------
    surveys
        A survey of each partition, lazily; at least one.
    stage, params
        Whose global step it is.
    """
    layer = Layer(stage)
    facts = add_merges(layer, [TaskRef(each.key) for each in surveys], stage, params)
    return layer.wrap([facts], surveys)[0]


def add_merges(layer: Layer, surveys: Sequence[TaskRef], stage: str, params: Params) -> TaskRef:
    """Add the tasks that merge surveys, two by two, and conclude a stage's facts.

    Parameters
    ----------
    layer
        Where to.
    surveys
        A survey of each partition; at least one.
    stage, params
        Whose global step it is.
    """
    level, height = list(surveys), 0
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [
            layer.add(f"merge-{height}", place, merge_surveys, *pair, stage, params) if pair[1:] else pair[0]
            for place, pair in enumerate(pairs)
        ]
        height += 1
    return layer.add("facts", 0, conclude, level[0], stage, params)


def merge_surveys(first: Any, second: Any, stage: str, params: Params) -> Any:  # noqa: ANN401
    """Merge two surveys of a stage."""
    return _global_step(stage).merge(first, second, params)


def conclude(whole: Any, stage: str, params: Params) -> Any:  # noqa: ANN401
    """Conclude a stage's facts from the survey of all partitions."""
    return _global_step(stage).conclude(whole, params)


def _global_step(stage: str) -> GlobalStep:
    whole = BY_NAME[stage].whole
    if whole is None:
        raise ValueError(f"stage {stage!r} needs to know nothing of the whole data set")
    return whole
