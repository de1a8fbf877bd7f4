"""Stale messages: an attacker says what was true some seconds ago."""

from typing import ClassVar, Literal

from pydantic import Field

from cdpipe.columns import X_POS, Y_POS
from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.sequence import HEADING, SPEED, Claims, SequenceAttack, Stream, find_latest


class Stale(SequenceAttack):
    """Position, speed and heading of its last message that is at least `delay_s` old, or of its first."""

    claimed: ClassVar[tuple[str, ...]] = (X_POS, Y_POS, SPEED, HEADING)

    kind: Literal["stale"] = "stale"
    delay_s: float = Field(5.0, gt=0, le=1e6, description="seconds that a claim is late")

    @property
    def memory_us(self) -> int:
        """How far back it looks, microseconds."""
        return round(self.delay_s * 1e6)

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers claim."""
        del heard
        places = find_latest(stream.begin, stream.time_us, stream.time_us - self.memory_us)
        return Claims({name: stream.column(name)[places] for name in self.claimed})
