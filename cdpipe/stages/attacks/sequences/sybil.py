"""Sybils: an attacker makes up vehicles that drive around it."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from cdpipe.columns import X_POS, Y_POS
from cdpipe.stages.attacks.base import Heard
from cdpipe.stages.attacks.sequence import (
    HEADING,
    SPEED,
    Added,
    Claims,
    SequenceAttack,
    Stream,
    number_within,
)


class Sybil(SequenceAttack):
    """Beside each message those of `ghosts` made vehicles, in a grid behind and beside it, as fast as it is."""

    adds: ClassVar[bool] = True
    claimed: ClassVar[tuple[str, ...]] = (X_POS, Y_POS, SPEED, HEADING)

    kind: Literal["sybil"] = "sybil"
    ghosts: int = Field(4, ge=1, le=1000, description="vehicles that each attacker makes up")
    columns: int = Field(2, ge=1, le=1000, description="columns of the grid")
    along_m: float = Field(20.0, gt=0, le=1e6, description="metres between its rows")
    across_m: float = Field(4.0, gt=0, le=1e6, description="metres between its columns")
    noise_m: float = Field(0.5, ge=0, le=1e6, description="what places are off by at most, drawn by message")

    def claim(self, stream: Stream, heard: Heard | None) -> Claims:
        """Return what the made vehicles say."""
        del heard
        rows = np.flatnonzero(stream.active)
        source, ghost = np.repeat(rows, self.ghosts), np.tile(np.arange(self.ghosts), rows.size)
        counters = number_within(stream.row_number[source].astype(np.uint64), ghost)
        behind = self.along_m * (1 + ghost // self.columns)
        beside = self.across_m * (ghost % self.columns - (self.columns - 1) / 2)
        behind = behind + self.draw(counters, -self.noise_m, self.noise_m)
        beside = beside + self.draw(counters + np.uint64(1), -self.noise_m, self.noise_m)
        heading = np.nan_to_num(stream.column(HEADING)[source])
        bearing_deg = np.mod(heading + np.degrees(np.arctan2(beside, -behind)), 360.0)
        x, y = stream.position()
        to_x, to_y = self.move((x[source], y[source]), bearing_deg, np.hypot(behind, beside))
        delay_us = np.zeros(source.size, np.int64)
        return Claims(added=Added(source, ghost + 1, delay_us, ghost + 1, {X_POS: to_x, Y_POS: to_y}))
