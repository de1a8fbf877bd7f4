"""Override, constant: every attacker claims the same position."""

from typing import Literal

import numpy as np

from cdpipe.stages.attacks.base import Centred, ConstantShift, Pool, Positions, Targets


class OverrideConst(ConstantShift, Centred):
    """The point `distance_m` from the centre along `bearing_deg`, the same for all."""

    kind: Literal["override_const"] = "override_const"

    def displace(self, targets: Targets, pool: Pool | None) -> Positions:
        """Return the positions that the attackers claim, shape (n,) each."""
        del pool
        x, y = self.move(self.origin(1), np.array([self.bearing_deg]), np.array([self.distance_m]))
        return np.full(len(targets), x[0]), np.full(len(targets), y[0])
