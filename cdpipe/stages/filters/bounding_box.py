"""Keep messages in a box of latitudes and longitudes."""

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cdpipe.columns import LATITUDE, LONGITUDE
from cdpipe.stages.filters.base import Filter, Messages, Region, Span


class BoundingBox(Filter):
    """Bounds included; a box whose west is greater than its east crosses the antimeridian."""

    name: ClassVar[str] = "bbox"
    reason: ClassVar[str] = "outside the box"

    south: float = Field(ge=-90, le=90, description="least latitude, degrees")
    north: float = Field(ge=-90, le=90, description="greatest latitude, degrees")
    west: float = Field(ge=-180, le=180, description="western longitude, degrees")
    east: float = Field(ge=-180, le=180, description="eastern longitude; less than west crosses the antimeridian")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.south > self.north:
            raise ValueError(f"south {self.south} is greater than north {self.north}; swap them")
        return self

    def keeps(self, messages: Messages) -> NDArray[np.bool_]:
        """Say which messages lie in the box, shape (n,)."""
        lon, lat = messages.longitude_deg, messages.latitude_deg
        between = (
            (lon >= self.west) & (lon <= self.east)
            if self.west <= self.east
            else (lon >= self.west) | (lon <= self.east)
        )
        kept: NDArray[np.bool_] = (lat >= self.south) & (lat <= self.north) & between
        return kept

    def region(self) -> Region:
        """Return the box."""
        whole = (Span(self.west, self.east),)
        across = (Span(self.west, 180.0), Span(-180.0, self.east))
        longitudes = whole if self.west <= self.east else across
        return Region({LATITUDE: (Span(self.south, self.north),), LONGITUDE: longitudes}, exact=True)
