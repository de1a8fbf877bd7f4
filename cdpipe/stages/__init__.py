"""Stages: pure functions of (frame, parameters). A new one is a module here and a line in `STAGES`."""

from functools import reduce
from operator import or_
from typing import Annotated, Final

from pydantic import Field

from cdpipe.stages import attack, clean, features
from cdpipe.stages.attacks import KINDS, OffsetRand
from cdpipe.stages.base import GlobalStep, Stage

STAGES: Final[tuple[Stage, ...]] = (
    Stage(clean.NAME, clean.VERSION, clean.CleanParams, clean.CleanParams, clean.apply, regions=clean.regions),
    Stage(
        attack.NAME,
        attack.VERSION,
        Annotated[reduce(or_, KINDS), Field(discriminator="kind")],
        OffsetRand,
        attack.apply,
        GlobalStep(attack.needs_survey, attack.inputs, attack.survey, attack.merge, attack.conclude, attack.held_bytes),
    ),
    Stage(features.NAME, features.VERSION, features.FeatureParams, features.FeatureParams, features.apply),
)
"""Between gathering and training, in the order in which a message goes through them."""

BY_NAME: Final[dict[str, Stage]] = {stage.name: stage for stage in STAGES}
