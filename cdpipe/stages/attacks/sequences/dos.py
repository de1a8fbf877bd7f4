"""Denial of service: an attacker sends far more messages than it may."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cdpipe.columns import X_POS, Y_POS
from cdpipe.kernels.draws.keyed import OFFSET, bearings_and_distances
from cdpipe.stages.attacks.base import DistanceRange, Heard
from cdpipe.stages.attacks.sequence import (
    HEADING,
    SPEED,
    Added,
    Claims,
    Floats,
    Places,
    SequenceAttack,
    Stream,
    hear_others,
    number_within,
    take_heard,
)


class Dos(SequenceAttack, DistanceRange):
    """Each message sent `copies` times more, with its own content, random content or that of other vehicles."""

    adds: ClassVar[bool] = True
    hears: ClassVar[Literal["", "messages", "vehicles"]] = "messages"
    claimed: ClassVar[tuple[str, ...]] = (X_POS, Y_POS, SPEED, HEADING)

    kind: Literal["dos"] = "dos"
    copies: int = Field(4, ge=1, le=1000, description="messages sent beside each one")
    spacing_ms: float = Field(20.0, ge=0, le=1e6, description="milliseconds between them")
    content: Literal["own", "random", "disruptive"] = Field(
        "own", description="what they say: the sender's own state, a random one near it, or that of others"
    )
    made_ids: bool = Field(False, description="whether each has an id of its own, which the sender made up")

    @property
    def listens(self) -> Literal["", "messages", "vehicles"]:
        """What these parameters take of other vehicles."""
        return self.hears if self.content == "disruptive" else ""

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the attackers send beside their messages."""
        rows = np.flatnonzero(stream.active)
        source = np.repeat(rows, self.copies)
        copy = np.tile(np.arange(1, self.copies + 1), rows.size)
        delay_us = np.round(copy * self.spacing_ms * 1e3).astype(np.int64)
        number = stream.row_number[source] * self.copies + copy
        counters = number_within(stream.row_number[source].astype(np.uint64), copy)
        identity = number if self.made_ids else np.zeros(source.size, np.int64)
        claimed = self._say(stream, source, counters, heard)
        return Claims(added=Added(source, copy, delay_us, identity, claimed))

    def _say(
        self, stream: Stream, source: Places, counters: NDArray[np.uint64], heard: Heard | None
    ) -> dict[str, Floats]:
        if self.content == "own":
            return {}
        if self.content == "disruptive":
            if heard is None:
                return {}
            places = hear_others(stream.vehicle[source], counters, heard, seed=self.seed)
            said = take_heard(heard, places, self.claimed)
            return {name: np.where(places < 0, stream.column(name)[source], value) for name, value in said.items()}
        bearing_deg, distance_m = bearings_and_distances(
            counters, seed=self.seed, purpose=OFFSET, min_m=self.min_m, max_m=self.max_m
        )
        x, y = stream.position()
        to_x, to_y = self.move((x[source], y[source]), bearing_deg, distance_m)
        speed = self.draw(counters, 0.0, 40.0)
        return {X_POS: to_x, Y_POS: to_y, SPEED: speed, HEADING: self.draw(counters + np.uint64(1), 0.0, 360.0)}
