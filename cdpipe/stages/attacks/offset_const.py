"""Offset, constant: every attacker claims to be the same way from where it is."""

from typing import Literal

import numpy as np

from cdpipe.stages.attacks.base import ConstantShift, Pool, Positions, Targets


class OffsetConst(ConstantShift):
    """The true position moved by `distance_m` along `bearing_deg`, the same for all."""

    kind: Literal["offset_const"] = "offset_const"

    def displace(self, targets: Targets, pool: Pool | None) -> Positions:
        """Return the positions that the attackers claim, shape (n,) each."""
        del pool
        rows = len(targets)
        return self.move(targets.position(), np.full(rows, self.bearing_deg), np.full(rows, self.distance_m))
