"""Offset, constant per vehicle: each attacking vehicle has one offset of its own."""

from typing import Literal

from cdpipe.kernels.draws.keyed import OFFSET, bearings_and_distances
from cdpipe.stages.attacks.base import DistanceRange, Pool, Positions, Targets


class OffsetConstPerId(DistanceRange):
    """The true position moved by a random distance and bearing, drawn by vehicle id."""

    kind: Literal["offset_const_per_id"] = "offset_const_per_id"

    def displace(self, targets: Targets, pool: Pool | None) -> Positions:
        """Return the positions that the attackers claim, shape (n,) each."""
        del pool
        bearing_deg, distance_m = bearings_and_distances(
            targets.vehicle(), seed=self.seed, purpose=OFFSET, min_m=self.min_m, max_m=self.max_m
        )
        return self.move(targets.position(), bearing_deg, distance_m)
