"""Replay: an attacker says, one after the other, what another vehicle said."""

from typing import ClassVar, Literal

import numpy as np

from cdpipe.columns import X_POS, Y_POS
from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.hearing import follow_others
from cdpipe.stages.attacks.sequence import HEADING, SPEED, Claims, SequenceAttack, Stream, take_heard


class Replay(SequenceAttack):
    """Position, speed and heading of a vehicle drawn by vehicle, as long after its first message; then all over."""

    hears: ClassVar[Literal["", "messages", "vehicles"]] = "vehicles"
    claimed: ClassVar[tuple[str, ...]] = (X_POS, Y_POS, SPEED, HEADING)

    kind: Literal["replay"] = "replay"

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers claim; the truth where nobody else was heard."""
        if heard is None or not heard.key.size:
            return Claims()
        since_us = stream.time_us - stream.first_us - round(self.onset_s * 1e6)
        places, alone = follow_others(heard, stream.vehicle, stream.vehicle, since_us, seed=self.seed)
        said = take_heard(heard, places, self.claimed)
        return Claims({name: np.where(alone, stream.column(name), value) for name, value in said.items()})
