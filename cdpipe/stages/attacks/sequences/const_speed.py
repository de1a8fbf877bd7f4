"""Speed, constant: an attacker claims one speed whatever it drives."""

from typing import Literal

from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.sequence import SPEED, Claims, SpeedRange, Stream


class ConstSpeed(SpeedRange):
    """A speed drawn by vehicle."""

    kind: Literal["const_speed"] = "const_speed"

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers claim."""
        del heard
        return Claims({SPEED: self.draw(stream.vehicle, self.min_mps, self.max_mps)})
