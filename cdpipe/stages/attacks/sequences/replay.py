"""Replay: an attacker says, one after the other, what another vehicle said."""

from typing import ClassVar, Literal

import numpy as np

from cdpipe.columns import X_POS, Y_POS
from cdpipe.kernels.draws.keyed import CLAIM, integers_below
from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.sequence import HEADING, SPEED, Claims, SequenceAttack, Stream, find_latest, take_heard


class Replay(SequenceAttack):
    """Position, speed and heading of a vehicle drawn by vehicle, as long after its first message; then all over."""

    hears: ClassVar[Literal["", "messages", "vehicles"]] = "vehicles"
    claimed: ClassVar[tuple[str, ...]] = (X_POS, Y_POS, SPEED, HEADING)

    kind: Literal["replay"] = "replay"

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers claim; the truth where nobody else was heard."""
        if heard is None or not heard.key.size:
            return Claims()
        starts = np.flatnonzero(np.concatenate(([True], heard.vehicle[1:] != heard.vehicle[:-1])))
        stops = np.append(starts[1:], heard.key.size)
        victim = integers_below(stream.vehicle, seed=self.seed, purpose=CLAIM, bound=starts.size)
        is_own = heard.vehicle[starts[victim]] == stream.vehicle
        victim = np.where(is_own, (victim + 1) % starts.size, victim)
        since_us = stream.time_us - stream.first_us - round(self.onset_s * 1e6)
        lasts_us = heard.time_us[stops - 1] - heard.time_us[starts] + 1
        wanted_us = heard.time_us[starts[victim]] + np.mod(since_us, lasts_us[victim])
        places = find_latest(starts[victim], heard.time_us, wanted_us, stop=stops[victim])
        alone = heard.vehicle[starts[victim]] == stream.vehicle
        said = take_heard(heard, places, self.claimed)
        return Claims({name: np.where(alone, stream.column(name), value) for name, value in said.items()})
