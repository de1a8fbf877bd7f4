"""Offset, random: every message of an attacker is moved by a draw of its own."""

from typing import Literal

from cdpipe.kernels.draws.keyed import OFFSET, bearings_and_distances
from cdpipe.stages.attacks.base import DistanceRange, Pool, Positions, Targets


class OffsetRand(DistanceRange):
    """The true position moved by a random distance along a random bearing, drawn by row number."""

    kind: Literal["offset_rand"] = "offset_rand"

    def displace(self, targets: Targets, pool: Pool | None) -> Positions:
        """Return the positions that the attackers claim, shape (n,) each."""
        del pool
        bearing_deg, distance_m = bearings_and_distances(
            targets.row_number(), seed=self.seed, purpose=OFFSET, min_m=self.min_m, max_m=self.max_m
        )
        return self.move(targets.position(), bearing_deg, distance_m)
