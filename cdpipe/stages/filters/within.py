"""Keep messages within a geodesic distance of a centre."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cdpipe.kernels.circle import within_radius
from cdpipe.stages.filters.filter import Filter, Messages


class Within(Filter):
    """WGS84 geodesic distance from the centre at most `radius_m`, exact to a millimetre."""

    name: ClassVar[str] = "within"
    reason: ClassVar[str] = "outside the radius"

    latitude: float = Field(ge=-90, le=90, description="latitude of the centre, degrees")
    longitude: float = Field(ge=-180, le=180, description="longitude of the centre, degrees")
    radius_m: float = Field(ge=0, description="radius, metres")

    def keeps(self, messages: Messages) -> NDArray[np.bool_]:
        """Say which messages lie within the radius, shape (n,)."""
        return within_radius(
            messages.longitude_deg,
            messages.latitude_deg,
            lon0=self.longitude,
            lat0=self.latitude,
            radius_m=self.radius_m,
        )
