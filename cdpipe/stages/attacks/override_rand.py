"""Override, random: every message of an attacker claims a random position around the centre."""

from typing import Literal

from pydantic import Field

from cdpipe.kernels.draws.keyed import OVERRIDE, bearings_and_distances
from cdpipe.stages.attacks.base import Centred, DistanceRange, Pool, Positions, Targets


class OverrideRand(DistanceRange, Centred):
    """The centre moved by a random distance along a random bearing, drawn by row number."""

    kind: Literal["override_rand"] = "override_rand"
    max_m: float = Field(default=2_000.0, ge=0, le=20_000_000, description="greatest distance, metres")

    def displace(self, targets: Targets, pool: Pool | None) -> Positions:
        """Return the positions that the attackers claim, shape (n,) each."""
        del pool
        bearing_deg, distance_m = bearings_and_distances(
            targets.row_number(), seed=self.seed, purpose=OVERRIDE, min_m=self.min_m, max_m=self.max_m
        )
        return self.move(self.origin(len(targets)), bearing_deg, distance_m)
