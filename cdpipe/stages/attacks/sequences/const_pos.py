"""Position, constant: from the onset on, an attacker claims to be at one position."""

from typing import Literal

from cdpipe.columns import X_POS, Y_POS
from cdpipe.kernels.draws.keyed import OFFSET, bearings_and_distances
from cdpipe.stages.attacks.base import DistanceRange, Heard
from cdpipe.stages.attacks.sequence import Claims, SequenceAttack, Stream


class ConstPos(SequenceAttack, DistanceRange):
    """Where it was at the onset, moved by a distance and bearing drawn by vehicle."""

    kind: Literal["const_pos"] = "const_pos"

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers claim."""
        del heard
        x, y = stream.position()
        bearing_deg, distance_m = bearings_and_distances(
            stream.vehicle, seed=self.seed, purpose=OFFSET, min_m=self.min_m, max_m=self.max_m
        )
        to_x, to_y = self.move((x[stream.onset], y[stream.onset]), bearing_deg, distance_m)
        return Claims({X_POS: to_x, Y_POS: to_y})
