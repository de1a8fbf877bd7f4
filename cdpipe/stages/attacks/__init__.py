"""Attacks on messages and on sequences of them, and labels that the input gives: what `attack.kind` may be."""

from typing import Final

from cdpipe.stages.attacks.base import AttackParams, Pool, Positions, Targets
from cdpipe.stages.attacks.given import Given
from cdpipe.stages.attacks.mix import Mix
from cdpipe.stages.attacks.offset_const import OffsetConst
from cdpipe.stages.attacks.offset_const_per_id import OffsetConstPerId
from cdpipe.stages.attacks.offset_rand import OffsetRand
from cdpipe.stages.attacks.override_const import OverrideConst
from cdpipe.stages.attacks.override_rand import OverrideRand
from cdpipe.stages.attacks.registry import ATTACKS
from cdpipe.stages.attacks.sequence import SequenceAttack
from cdpipe.stages.attacks.sequences import SEQUENCES
from cdpipe.stages.attacks.swap_rand import SwapRand

KINDS: Final[tuple[type[AttackParams | Given], ...]] = (*ATTACKS, *SEQUENCES, Mix, Given)
"""What `attack.kind` may be."""

__all__ = [
    "ATTACKS",
    "KINDS",
    "SEQUENCES",
    "AttackParams",
    "Given",
    "Mix",
    "OffsetConst",
    "OffsetConstPerId",
    "OffsetRand",
    "OverrideConst",
    "OverrideRand",
    "Pool",
    "Positions",
    "SequenceAttack",
    "SwapRand",
    "Targets",
]
