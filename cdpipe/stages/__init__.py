"""Stages: pure functions of (frame, parameters). A new one is a module here and a line in `STAGES`."""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Final

import pandas as pd
from pydantic import Field

from cdpipe.stages import attack, clean, features, order
from cdpipe.stages.attacks import KINDS, OffsetRand
from cdpipe.stages.base import GlobalStep, Stage, find_facts
from cdpipe.stages.frames.interop import name_canonically
from cdpipe.stages.ledger import Ledger, chain_ledgers
from cdpipe.stages.params import Params

STAGES: Final[tuple[Stage, ...]] = (
    Stage(clean.NAME, clean.VERSION, clean.CleanParams, clean.CleanParams, clean.apply, regions=clean.regions),
    Stage(
        attack.NAME,
        attack.VERSION,
        Annotated[reduce(or_, KINDS), Field(discriminator="kind")],
        OffsetRand,
        attack.apply,
        GlobalStep(attack.needs_survey, attack.inputs, attack.survey, attack.merge, attack.conclude, attack.held_bytes),
        is_ordered=attack.is_ordered,
        resume=attack.resume,
    ),
    Stage(
        features.NAME,
        features.VERSION,
        features.FeatureParams,
        features.FeatureParams,
        features.apply,
        is_ordered=features.is_ordered,
        resume=features.resume,
    ),
)
"""Between gathering and training, in the order in which a message goes through them."""

BY_NAME: Final[dict[str, Stage]] = {stage.name: stage for stage in STAGES}


def name_steps(params: Mapping[str, Params]) -> tuple[str, ...]:
    """Return the stages in their order, and between cleaning and the next the ordering of messages, if one needs it."""
    names = tuple(BY_NAME)
    place = names.index(clean.NAME) + 1
    needs = any(stage.needs_order(params[stage.name]) for stage in STAGES)
    return (*names[:place], *((order.NAME,) if needs else ()), *names[place:])


def apply_whole(stage: Stage, frame: pd.DataFrame, params: Params) -> tuple[pd.DataFrame, Ledger]:
    """Take a frame that is the whole data set through a stage, its messages put in order first if it needs that."""
    if not stage.needs_order(params):
        return stage.apply(frame, params, find_facts(stage, frame, params))
    frame, ordered = order.apply(name_canonically(frame))
    made, ledger = stage.apply(frame, params, find_facts(stage, frame, params))
    return made, chain_ledgers(stage.name, ordered, ledger)
