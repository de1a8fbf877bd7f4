"""Stages: a name, parameters, a function of a frame, and the facts it needs of all frames first."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cdpipe.stages.filters import Region
from cdpipe.stages.ledger import Ledger
from cdpipe.stages.params import Params


@dataclass(frozen=True, slots=True)
class GlobalStep:
    """What a stage must know of the whole data set before any partition can go through it.

    Surveys of partitions merge two by two, in any order, into one of bounded size.

    Attributes
    ----------
    needed
        params -> whether these parameters need it.
    inputs
        params -> the columns that the survey reads.
    survey
        (frame, params) -> the survey of one partition.
    merge
        (survey, survey, params) -> the survey of both.
    conclude
        (survey of all, params) -> the facts that `Stage.apply` takes.
    held_bytes
        params -> bytes that surveys and facts take at most in a process, whatever the number of rows.
    """

    needed: Callable[[Any], bool]
    inputs: Callable[[Any], tuple[str, ...]]
    survey: Callable[[pd.DataFrame, Any], Any]
    merge: Callable[[Any, Any, Any], Any]
    conclude: Callable[[Any, Any], Any]
    held_bytes: Callable[[Any], int]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the pipeline.

    Attributes
    ----------
    name
        Name of the stage, and of its table in the configuration.
    version
        Raised when the same input and parameters give another output; part of the cache key.
    params
        Type of the parameters, as pydantic takes it.
    default
        Makes the default parameters.
    apply
        (frame, params, facts) -> (frame, ledger), pure.
    whole
        What it must know of the whole data set, if anything.
    regions
        (params, columns of the input) -> what the filters that it begins with keep, each with the reason it gives for
        the others, in their order: rows outside need not even be read. None if it begins with none.
    is_ordered
        params -> whether `apply` takes whole vehicles in the order of `stages.order`. None: never.
    resume
        (frame, params, facts, state, until) -> (frame, ledger, state): as `apply`, for a vehicle's messages in pieces.
        It goes on from the state that the piece before left (None: there was none), and leaves its own; `until` is the
        `order.Key` where the next piece begins (None: there is none). None: pieces are nothing to it.
    """

    name: str
    version: int
    params: Any
    default: Callable[[], Params]
    apply: Callable[[pd.DataFrame, Any, Any], tuple[pd.DataFrame, Ledger]]
    whole: GlobalStep | None = None
    regions: Callable[[Any, Collection[str]], Sequence[tuple[str, Region]]] | None = None
    is_ordered: Callable[[Any], bool] | None = None
    resume: Callable[..., tuple[pd.DataFrame, Ledger, Any]] | None = None

    def needs_order(self, params: Params) -> bool:
        """Return True if messages must come in the order of `stages.order`, each vehicle's in one piece."""
        return self.is_ordered is not None and self.is_ordered(params)

    def held_bytes(self, params: Params) -> int:
        """Return what the global step holds of the whole data set, at most; 0 where there is none."""
        step = self.facts_needed(params)
        return 0 if step is None else step.held_bytes(params)

    def facts_needed(self, params: Params) -> GlobalStep | None:
        """Return the global step that these parameters need, if any."""
        return self.whole if self.whole is not None and self.whole.needed(params) else None


def find_facts(stage: Stage, frame: pd.DataFrame, params: Params) -> Any:  # noqa: ANN401 - each stage has its own
    """Return what a stage must know of the frame as a whole before it is applied, if anything."""
    whole = stage.facts_needed(params)
    return None if whole is None else whole.conclude(whole.survey(frame, params), params)
