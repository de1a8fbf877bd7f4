"""Drift: an attacker's position goes away from the truth, slowly and ever further."""

from typing import Literal

import numpy as np
from pydantic import Field

from cdpipe.columns import X_POS, Y_POS
from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.sequence import Claims, SequenceAttack, Stream


class Drift(SequenceAttack):
    """The true position moved by `rate_mps` for each second since the onset, along a bearing drawn by vehicle."""

    kind: Literal["drift"] = "drift"
    rate_mps: float = Field(1.0, gt=0, le=1000, description="metres by which it is off more each second")
    most_m: float = Field(500.0, gt=0, le=20_000_000, description="from there on it is off by as much, metres")

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers claim."""
        del heard
        since_s = (stream.time_us - stream.first_us) / 1e6 - self.onset_s
        distance_m = np.clip(since_s * self.rate_mps, 0.0, self.most_m)
        x, y = self.move(stream.position(), self.draw(stream.vehicle, 0.0, 360.0), distance_m)
        return Claims({X_POS: x, Y_POS: y})
