"""Speed, random: every message of an attacker claims a speed of its own."""

from typing import Literal

import numpy as np

from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.sequence import SPEED, Claims, SpeedRange, Stream


class RandomSpeed(SpeedRange):
    """A speed drawn by row number."""

    kind: Literal["random_speed"] = "random_speed"

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers claim."""
        del heard
        return Claims({SPEED: self.draw(stream.row_number.astype(np.uint64), self.min_mps, self.max_mps)})
