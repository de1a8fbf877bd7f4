"""Disruption: every message of an attacker says what a message of another vehicle said."""

from typing import ClassVar, Literal

import numpy as np

from cdpipe.columns import X_POS, Y_POS
from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.sequence import (
    HEADING,
    SPEED,
    Claims,
    SequenceAttack,
    Stream,
    hear_others,
    take_heard,
)


class Disruptive(SequenceAttack):
    """Position, speed and heading of a message drawn by row number from those of other vehicles."""

    hears: ClassVar[Literal["", "messages", "vehicles"]] = "messages"
    claimed: ClassVar[tuple[str, ...]] = (X_POS, Y_POS, SPEED, HEADING)

    kind: Literal["disruptive"] = "disruptive"

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers claim; the truth where nobody else was heard."""
        if heard is None:
            return Claims()
        places = hear_others(stream.vehicle, stream.row_number.astype(np.uint64), heard, seed=self.seed)
        said = take_heard(heard, places, self.claimed)
        return Claims({name: np.where(places < 0, stream.column(name), value) for name, value in said.items()})
