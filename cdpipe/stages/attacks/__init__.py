"""Attacks on positions, and labels that the input gives. A new attack is a module here and a line in `ATTACKS`."""

from typing import Final

from cdpipe.stages.attacks.base import AttackParams, Pool, Positions, Targets
from cdpipe.stages.attacks.given import Given
from cdpipe.stages.attacks.offset_const import OffsetConst
from cdpipe.stages.attacks.offset_const_per_id import OffsetConstPerId
from cdpipe.stages.attacks.offset_rand import OffsetRand
from cdpipe.stages.attacks.override_const import OverrideConst
from cdpipe.stages.attacks.override_rand import OverrideRand
from cdpipe.stages.attacks.swap_rand import SwapRand

ATTACKS: Final[tuple[type[AttackParams], ...]] = (
    OffsetConst,
    OffsetRand,
    OffsetConstPerId,
    SwapRand,
    OverrideConst,
    OverrideRand,
)
KINDS: Final[tuple[type[AttackParams | Given], ...]] = (*ATTACKS, Given)
"""What `attack.kind` may be."""

__all__ = [
    "ATTACKS",
    "KINDS",
    "AttackParams",
    "Given",
    "OffsetConst",
    "OffsetConstPerId",
    "OffsetRand",
    "OverrideConst",
    "OverrideRand",
    "Pool",
    "Positions",
    "SwapRand",
    "Targets",
]
