"""Replay by sybils: an attacker makes up vehicles that say what other vehicles said."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from cdpipe.columns import X_POS, Y_POS
from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.hearing import follow_others
from cdpipe.stages.attacks.sequence import (
    HEADING,
    SPEED,
    Added,
    Claims,
    SequenceAttack,
    Stream,
    number_within,
    take_heard,
)


class ReplaySybil(SequenceAttack):
    """Beside each message those of `ghosts` made vehicles, each replaying another; every `turn_s` with other ids."""

    adds: ClassVar[bool] = True
    hears: ClassVar[Literal["", "messages", "vehicles"]] = "vehicles"
    claimed: ClassVar[tuple[str, ...]] = (X_POS, Y_POS, SPEED, HEADING)

    kind: Literal["replay_sybil"] = "replay_sybil"
    ghosts: int = Field(1, ge=1, le=1000, description="vehicles that each attacker makes up at a time")
    turn_s: float = Field(
        1.0, ge=0.001, le=1e6, description="seconds with the same ids and the same vehicles that are replayed"
    )

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the made vehicles say; nothing where nobody else was heard."""
        if heard is None or not heard.key.size:
            return Claims()
        rows = np.flatnonzero(stream.active)
        source, ghost = np.repeat(rows, self.ghosts), np.tile(np.arange(self.ghosts), rows.size)
        since_us = (stream.time_us - stream.first_us)[source] - round(self.onset_s * 1e6)
        identity = since_us // round(self.turn_s * 1e6) * self.ghosts + ghost + 1
        vehicle = stream.vehicle[source]
        counters = number_within(vehicle, identity)
        places, is_own = follow_others(heard, vehicle, counters, since_us, seed=self.seed)
        kept = ~is_own
        said = take_heard(heard, places[kept], self.claimed)
        delay_us = np.zeros(np.count_nonzero(kept), np.int64)
        return Claims(added=Added(source[kept], ghost[kept] + 1, delay_us, identity[kept], said))
