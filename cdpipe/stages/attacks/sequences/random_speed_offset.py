"""Speed offset, random: every message of an attacker has an offset of its own."""

from typing import Literal

import numpy as np
from pydantic import Field

from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.sequence import SPEED, Claims, SpeedRange, Stream


class RandomSpeedOffset(SpeedRange):
    """The true speed and an amount drawn by row number, up or down; never below 0."""

    kind: Literal["random_speed_offset"] = "random_speed_offset"
    min_mps: float = Field(2.0, ge=0, le=1000, description="least speed, metres per second")
    max_mps: float = Field(10.0, ge=0, le=1000, description="greatest speed, metres per second")

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers claim."""
        del heard
        return Claims({SPEED: self.change(stream.column(SPEED), stream.row_number.astype(np.uint64))})
