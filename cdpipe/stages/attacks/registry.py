"""The attacks on the position of each message by itself. A new one is a module here and a line in `ATTACKS`."""

from typing import Final

from cdpipe.stages.attacks.base import AttackParams
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
