"""Stop, eventual: from the onset on, an attacker claims to stand where it was then."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from cdpipe.columns import X_POS, Y_POS
from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.sequence import SPEED, Claims, SequenceAttack, Stream


class EventualStop(SequenceAttack):
    """The position of the onset, and speed 0."""

    claimed: ClassVar[tuple[str, ...]] = (X_POS, Y_POS, SPEED)

    kind: Literal["eventual_stop"] = "eventual_stop"
    onset_s: float = Field(10.0, ge=0, le=1e9, description="seconds after a vehicle's first message when it begins")

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers claim."""
        del heard
        x, y = stream.position()
        return Claims({X_POS: x[stream.onset], Y_POS: y[stream.onset], SPEED: np.zeros(len(stream))})
