"""Heading, reversed: an attacker claims to look the other way."""

from typing import ClassVar, Literal

import numpy as np

from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.sequence import HEADING, Claims, SequenceAttack, Stream


class ReversedHeading(SequenceAttack):
    """The true heading turned by 180 degrees."""

    claimed: ClassVar[tuple[str, ...]] = (HEADING,)

    kind: Literal["reversed_heading"] = "reversed_heading"

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers claim."""
        del heard
        return Claims({HEADING: np.mod(stream.column(HEADING) + 180.0, 360.0)})
